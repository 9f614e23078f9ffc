// The reference cases once more on the WebAssembly engine: what it computes where there is no native one.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { compareCase } from '../../src-main/jobs/parity-job.ts'
import { findCases, openCase } from '../../src-main/jobs/parity/case-files.ts'
import { dualEncoderParity } from '../../src-main/jobs/parity/dual-encoder.ts'
import { languageModelParity } from '../../src-main/jobs/parity/language-model.ts'
import { multimodalLmParity } from '../../src-main/jobs/parity/multimodal-lm.ts'
import { visionEncoderParity } from '../../src-main/jobs/parity/vision-encoder.ts'
import { parityFolder } from '../support/read-parity.ts'

/** Of kinds and sizes that the shared folder has none of; each case.json says what made it. */
const own = join(import.meta.dirname, 'parity/cases')
const cases: { readonly name: string; readonly folder: string }[] = []
for (const root of [own, ...(existsSync(parityFolder) ? [parityFolder] : [])])
  for (const each of await findCases(root)) {
    const files = await openCase(each.folder)
    if ([visionEncoderParity, dualEncoderParity, languageModelParity, multimodalLmParity].some((kind) => kind.recognises(files))) cases.push(each)
  }

beforeAll(() => openBackend('wasm'))

describe('on WebAssembly', () => {
  it.each(cases.map(({ name, folder }) => [name, folder]))('%s', async (name, folder) => {
    const { groups, fault, passed } = await compareCase(folder, name)
    expect({ fault, beyond: groups.filter(({ worst, limit }) => worst === null || worst > limit) }).toEqual({ fault: null, beyond: [] })
    expect(passed).toBe(true)
  })
})
