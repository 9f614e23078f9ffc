// The reference's log-probabilities: of each answer alone, however pairs are grouped, kept under a key of all that decides them.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { numImageTokens } from '../../src-main/domain/model-spec.ts'
import type { JobEvent } from '../../src-main/domain/job.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { encodeSamples, type EncodedSample } from '../../src-main/jobs/batches.ts'
import { heldModel } from '../../src-main/jobs/held-model.ts'
import {
  cachedReference,
  computeReference,
  pairLogProbs,
  referenceKey,
  type ReferenceLogProbs,
} from '../../src-main/jobs/reference-log-probs.ts'
import { createImageSource } from '../../src-main/jobs/samples.ts'
import { startModel, type StartModel } from '../../src-main/jobs/start-model.ts'
import { expectClose } from '../support/all-close.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { TINY_SPEC, tinyProject, type TinyProject } from './evaluate/tiny-project.ts'
import { readSamples, writeSnapshot } from './tiny-training.ts'

const root = mkdtempSync(join(tmpdir(), 'pivot-lab-reference-'))
const I = numImageTokens(TINY_SPEC)
let tiny: TinyProject
let model: StartModel
let samples: readonly EncodedSample[]
beforeAll(async () => {
  await openBackend('native')
  tiny = tinyProject(root, { train: 9, validation: 1, test: 1 })
  model = await startModel({ kind: 'checkpoint', folder: await tiny.checkpoint(1) })
  samples = encodeSamples(
    readSamples(tiny, tiny.snapshots.preferences).filter(({ split }) => split === 'train'),
    model.tokenizer,
    I,
    512,
  ).samples
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const source = () => ({
  samples,
  images: createImageSource(tiny.project, model.preprocess, 4),
  tokenizer: model.tokenizer,
  numImageTokens: I,
  numPatches: I,
  patchWidth: 48,
})
async function compute(key: string, batchSize: number, signal = { aborted: false }) {
  const held = heldModel(model)
  const events: JobEvent[] = []
  const running = computeReference(tiny.project, key, held, source(), { batchSize }, signal)
  try {
    for (;;) {
      const { done, value } = await running.next()
      if (done) return { events, values: value }
      events.push(value)
    }
  } finally {
    held.dispose()
  }
}
const flat = (values: ReferenceLogProbs) => samples.flatMap(({ id }) => [...values.get(id)!])

describe('log-probabilities of pairs', () => {
  it('are those of each pair alone, chosen and rejected in their places', async () => {
    const held = heldModel(model)
    const before = tf.memory().numTensors
    const [chosen, rejected] = await pairLogProbs(held, source(), samples)
    for (const [i, sample] of samples.entries()) {
      const [alone, other] = await pairLogProbs(held, source(), [sample])
      // Sums of another order, at other padding.
      expectClose([chosen[i]!, rejected[i]!], [alone[0]!, other[0]!], 1e-5, sample.id)
      const swapped = { ...sample, rows: [sample.rows[1]!, sample.rows[0]!] }
      expectClose((await pairLogProbs(held, source(), [swapped]))[0], [rejected[i]!], 1e-5)
      expect(chosen[i]).toBeLessThan(0)
    }
    expect(tf.memory().numTensors).toBe(before)
    held.dispose()
  })
})

describe('the cache', () => {
  it('gives back what was computed, to the last digit, and counts the work', async () => {
    const { events, values } = await compute('a'.repeat(64), 4)
    expect(events).toEqual([
      { kind: 'part', name: 'reference log-probabilities', of: 9 },
      { kind: 'progress', done: 4, of: 9 },
      { kind: 'progress', done: 8, of: 9 },
      { kind: 'progress', done: 9, of: 9 },
    ])
    const cached = (await cachedReference(tiny.project, 'a'.repeat(64), samples))!
    expect(flat(cached)).toEqual(flat(values))
    expect(await cachedReference(tiny.project, 'b'.repeat(64), samples)).toBeNull()
  })

  it('does not depend on the batch but by rounding', async () => {
    expectClose(flat((await compute('c'.repeat(64), 2)).values), flat((await compute('d'.repeat(64), 9)).values), 1e-5)
  })

  it('serves fewer samples than it holds, and none that it lacks', async () => {
    await compute('e'.repeat(64), 9)
    expect(await cachedReference(tiny.project, 'e'.repeat(64), samples.slice(2, 4))).not.toBeNull()
    expect(await cachedReference(tiny.project, 'e'.repeat(64), [...samples, { ...samples[0]!, id: 'new' }])).toBeNull()
  })

  it('stopped half way writes nothing', async () => {
    const before = readdirSync(join(tiny.project, 'cache', 'reference-log-probs'))
    const fault = await faultOfPromise(compute('f'.repeat(64), 2, { aborted: true }))
    expect(fault.code).toBe('cancelled')
    expect(readdirSync(join(tiny.project, 'cache', 'reference-log-probs'))).toEqual(before)
  })

  it('has a key that whatever decides the values decides too, each part of it', () => {
    const parts = {
      model: 'm',
      snapshot: 's',
      tokenizer: { config: { chat_template: 't' } },
      preprocess: model.preprocess,
      ldAlpha: 1,
      mismatched: null as { maxLength: number } | null,
    }
    const keys = [
      parts,
      { ...parts, model: 'n' },
      { ...parts, snapshot: 'r' },
      { ...parts, tokenizer: { config: { chat_template: 'u' } } },
      { ...parts, preprocess: [] },
      { ...parts, ldAlpha: 0.5 },
      { ...parts, mismatched: { maxLength: 64 } },
      { ...parts, mismatched: { maxLength: 128 } },
    ].map(referenceKey)
    expect(new Set(keys).size).toBe(8)
    expect(referenceKey(structuredClone(parts))).toBe(keys[0])
  })

  it('has another key for an image of other content under the same path', () => {
    const sample = readSamples(tiny, tiny.snapshots.preferences)[0]!
    const snapshots = ['a', 'a', 'b'].map((content) => writeSnapshot(tiny, [{ ...sample, image: { ...sample.image!, sha256: content.repeat(64) } }]))
    const [one, again, other] = snapshots.map((snapshot) => referenceKey({ model: 'm', snapshot, tokenizer: {}, preprocess: [], ldAlpha: 1, mismatched: null }))
    expect(again).toBe(one)
    expect(other).not.toBe(one)
  })
})
