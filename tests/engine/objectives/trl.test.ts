// Whole runs of TRL's trainers beyond those of the reference case `training`: trl-runs.json has them, from the same model and
// the same rows. Each is made a case of its own and compared as any other.

import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { compareCase } from '../../../src-main/jobs/parity-job.ts'
import { parityFolder } from '../../support/read-parity.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
const { runs } = readJson(join(import.meta.dirname, 'trl-runs.json')) as { runs: Readonly<Record<string, { readonly config: object; readonly log: readonly object[] }>> }
const recorded = join(parityFolder, 'training')

beforeAll(() => openBackend('native'))

describe.skipIf(!existsSync(recorded))('everything that TRL logs, at every step', () => {
  it.each(Object.entries(runs))('%s', async (name, run) => {
    const folder = join(temporaryFolder(), name)
    mkdirSync(folder)
    cpSync(join(recorded, 'model'), join(folder, 'model'), { recursive: true })
    cpSync(join(parityFolder, 'tokenizers', 'qwen2_like'), folder, { recursive: true })
    const { note, rows, tokenised_first_row, parameter_groups } = readJson(join(recorded, 'case.json'))
    writeFileSync(join(folder, 'case.json'), JSON.stringify({ note, rows, tokenised_first_row, parameter_groups, [name]: { ...run, config: { learning_rate: 5e-4, ...run.config } } }))
    const { groups, fault, passed } = await compareCase(folder, name)
    expect({ fault, beyond: groups.filter(({ worst, limit }) => worst === null || worst > limit) }).toEqual({ fault: null, beyond: [] })
    expect(passed).toBe(true)
    // Every step, and more than the loss.
    expect(groups.find((group) => group.name === name)!.compared).toBeGreaterThan(4 * run.log.length)
  })
})
