// A frozen encoder's features, computed once: the same training without running the encoder, whoever computed them and
// whenever it was interrupted, and none for whoever trains the encoder or looks with other eyes.

import { mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Start } from '../../src-main/domain/run-config.ts'
import { imageFeatures } from '../../src-main/engine/models/multimodal-lm.ts'
import { createImageSource } from '../../src-main/jobs/samples.ts'
import { patchesTensor } from '../../src-main/jobs/batches.ts'
import { heldModel } from '../../src-main/jobs/held-model.ts'
import { startModel, type StartModel } from '../../src-main/jobs/start-model.ts'
import { featureKey, visionFeatures, type VisionFeatures } from '../../src-main/jobs/vision-features.ts'
import { featureLayers, numImageTokens } from '../../src-main/domain/model-spec.ts'
import { numPatches, patchWidth } from '../../src-main/domain/vision-encoder-spec.ts'
import type { ImageRef } from '../../src-main/domain/sample.ts'
import { tinyProject, type TinyProject } from './evaluate/tiny-project.ts'
import { aTrainJob, follow, openEngineWithOwnCache, readSamples, RESUMED, SMALL_SPEC, stepsOf, weightsOf, type TrainJobFields } from './tiny-training.ts'

const root = mkdtempSync(join(tmpdir(), 'pivot-lab-features-'))
let tiny: TinyProject
let start: Start
let model: StartModel
let folders = 0
beforeAll(async () => {
  await openEngineWithOwnCache()
  tiny = tinyProject(root)
  start = { kind: 'checkpoint', folder: await tiny.checkpoint(1, SMALL_SPEC) }
  model = await startModel(start)
})
afterAll(() => rmSync(root, { recursive: true, force: true }))
const cache = () => join(tiny.project, 'cache', 'vision-features')
beforeEach(() => {
  rmSync(cache(), { recursive: true, force: true })
  const before = tf.memory().numTensors
  return () => expect(tf.memory().numTensors, 'tensors left alive').toBe(before)
})

const FROZEN = { visionEncoder: { train: false } }
const aJob = ({ training, ...fields }: Partial<TrainJobFields> = {}) =>
  aTrainJob(tiny, { folder: `runs/${++folders}`, start, ...fields, training: { modules: FROZEN, ...training } })
const logs = (events: Awaited<ReturnType<typeof follow>>['events']) =>
  events.flatMap((event) => (event.kind === 'log' ? [event.message] : [])).filter((message) => message.includes('do not run it'))

const images = (): ImageRef[] => readSamples(tiny, tiny.snapshots.preferences).flatMap(({ image }) => (image === null ? [] : [image]))
const sourceOf = () => ({
  images: createImageSource(tiny.project, model.preprocess, model.spec.visionEncoder.patchSize),
  numPatches: numPatches(model.spec.visionEncoder),
  patchWidth: patchWidth(model.spec.visionEncoder),
})
async function computed(refs: readonly ImageRef[], signal = { aborted: false }): Promise<VisionFeatures> {
  const made = visionFeatures(tiny.project, model, model.preprocess, sourceOf(), refs, signal)
  for (;;) {
    const next = await made.next()
    if (next.done) return next.value
  }
}

describe('features of a frozen encoder', () => {
  it.each([1, 3, 8])('are those of the step at a batch size of %i, bit for bit', async (batchSize) => {
    const refs = images().slice(0, batchSize)
    const features = await computed(refs)
    const held = heldModel(model)
    const patches = await patchesTensor(sourceOf(), refs)
    const own = tf.tidy(() => imageFeatures(held.model, patches))
    const size = numImageTokens(model.spec) * model.spec.visionEncoder.hiddenSize
    const values = own.dataSync()
    refs.forEach((ref, i) => expect(features.of(ref), `image ${i}`).toEqual(values.slice(i * size, (i + 1) * size)))
    tf.dispose([own, patches])
    held.dispose()
  })

  it('are computed once: the next run of any objective finds them, and a file that is cut off is made again', async () => {
    const first = await follow(aJob())
    const [said] = logs(first.events)
    expect(said).toMatch(/[1-9]\d* images computed, 0 found/)
    const second = await follow(aJob({ training: { objective: { kind: 'dpo' } } }))
    expect(logs(second.events)[0]).toMatch(/ 0 images computed, [1-9]\d* found/)
    const [key] = readdirSync(cache())
    const [file] = readdirSync(join(cache(), key!))
    truncateSync(join(cache(), key!, file!), 100)
    const job = aJob()
    const third = await follow(job)
    expect(logs(third.events)).toEqual([said])
    expect(stepsOf(third.events)).toEqual(stepsOf(first.events))
  })

  it('make a training go on bit for bit, with the cache and after it was deleted', async () => {
    for (const execution of ['eager', 'graph'] as const) {
      const [whole, halted] = [aJob({ training: RESUMED, execution }), aJob({ training: RESUMED, execution })]
      await follow(whole)
      await follow(halted, { stopAfter: 3 })
      rmSync(cache(), { recursive: true, force: true })
      expect((await follow(halted)).fault).toBeNull()
      expect(await weightsOf(halted), execution).toBe(await weightsOf(whole))
    }
  })

  it('are not made where the encoder is trained, nor for text alone', async () => {
    const trained = await follow(aJob({ training: { modules: {} } }))
    const text = await follow(aJob({ training: { objective: { kind: 'text' } } }))
    expect([trained.fault, text.fault, ...logs(trained.events), ...logs(text.events)]).toEqual([null, null])
  })

  it('serve GRPO, whose reference takes them too', async () => {
    const objective = { kind: 'grpo', numGenerations: 2, maxCompletionLength: 4, beta: 0.1 }
    const { events, fault } = await follow(aJob({ training: { steps: 1, objective } }))
    expect(fault).toBeNull()
    expect(logs(events)).toHaveLength(1)
    expect(stepsOf(events)[0]!['kl']).toBeCloseTo(0, 5)
  })

  it('have another key for other weights, layers and preprocessing, and not for another language model', () => {
    const { spec, weights, preprocess } = model
    const [name] = Object.keys(weights.visionEncoder)
    const { shape, values } = weights.visionEncoder[name!]!
    const moved = { ...weights, visionEncoder: { ...weights.visionEncoder, [name!]: { shape, values: Float32Array.from(values, (value, i) => value + (i === 0 ? 1e-3 : 0)) } } }
    const keys = [
      featureKey({ spec, weights }, preprocess),
      featureKey({ spec, weights: moved }, preprocess),
      featureKey({ spec: { ...spec, visionFeatureLayer: featureLayers(spec)[0]! - 1 }, weights }, preprocess),
      featureKey({ spec, weights }, { ...preprocess, size: 1 } as unknown as typeof preprocess),
    ]
    expect(new Set(keys).size).toBe(keys.length)
    expect(featureKey({ spec, weights: { ...weights, languageModel: {} } }, preprocess)).toBe(keys[0])
  })

  it('stop when they are told to', async () => {
    await expect(computed(images(), { aborted: true })).rejects.toMatchObject({ code: 'cancelled' })
  })
})
