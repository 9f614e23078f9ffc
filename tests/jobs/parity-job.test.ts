// The lab against what the reference libraries computed, case by case, on the native engine: the same code as `lab parity`.

import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { compareCase } from '../../src-main/jobs/parity-job.ts'
import { findCases, openCase } from '../../src-main/jobs/parity/case-files.ts'
import { PARITY_KINDS } from '../../src-main/jobs/parity/kinds.ts'
import { parityFolder } from '../support/read-parity.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** Of kinds and sizes that the shared folder has none of; each case.json says what made it. */
const own = join(import.meta.dirname, 'parity/cases')
const cases: { readonly name: string; readonly folder: string }[] = []
for (const root of [own, ...(existsSync(parityFolder) ? [parityFolder] : [])]) cases.push(...(await findCases(root)))
if (!existsSync(parityFolder)) console.log(`skipped: most reference cases, since there is no folder ${parityFolder}; name it in PIVOT_PARITY`)

beforeAll(() => openBackend())

describe('every reference case', () => {
  it.each(cases.map(({ name, folder }) => [name, folder]))('%s', async (name, folder) => {
    const before = tf.memory().numTensors
    const { groups, fault, passed } = await compareCase(folder, name)
    expect(tf.memory().numTensors, 'tensors left behind').toBe(before)
    expect({ fault, beyond: groups.filter(({ worst, limit }) => worst === null || worst > limit) }).toEqual({ fault: null, beyond: [] })
    expect(passed).toBe(true)
  })

  it('fails where a number is off by more than its case allows, and says which', async () => {
    const folder = join(temporaryFolder(), 'vit')
    cpSync(join(own, 'vit'), folder, { recursive: true })
    const path = join(folder, 'case.safetensors')
    const bytes = readFileSync(path)
    const start = 8 + Number(bytes.readBigUInt64LE(0))
    const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<string, { data_offsets: [number, number] }>
    const at = start + header['hidden_states.1']!.data_offsets[0]
    bytes.writeFloatLE(bytes.readFloatLE(at) + 0.01, at)
    writeFileSync(path, bytes)
    const { passed, fault, groups } = await compareCase(folder, 'vit')
    expect([passed, fault]).toEqual([false, null])
    expect(groups.filter(({ worst, limit }) => worst! > limit)).toMatchObject([{ name: 'hidden states', at: 'hidden_states.1' }])
  })
})

it('every kind that there is has a case', async () => {
  const kinds = new Set<string | null>()
  for (const { folder } of cases) kinds.add((await openCase(folder).then((files) => PARITY_KINDS.find((kind) => kind.recognises(files))))?.name ?? null)
  if (existsSync(parityFolder)) expect([...kinds].sort()).toEqual(PARITY_KINDS.map(({ name }) => name).sort())
})

it('a case of no known kind is a failed case that lists the known', async () => {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'case.json'), JSON.stringify({ kind: 'a dream' }))
  const { passed, fault } = await compareCase(folder, 'dream')
  expect(passed).toBe(false)
  expect(fault).toContain('"a dream"')
  for (const { name } of PARITY_KINDS) expect(fault).toContain(name)
})

it('a folder without cases is refused', async () => {
  await expect(findCases(temporaryFolder())).rejects.toMatchObject({ code: 'not-found' })
})
