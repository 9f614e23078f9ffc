// The fresh projector of a transplant: features reach it as if each of their numbers had mean zero and spread one.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { numImageTokens } from '../../src-main/domain/model-spec.ts'
import { startSchema, type Start } from '../../src-main/domain/run-config.ts'
import { imageFeatures, imageTokens } from '../../src-main/engine/models/multimodal-lm.ts'
import { linear } from '../../src-main/engine/nn/linear.ts'
import type { NamedArrays } from '../../src-main/engine/weights/initial.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { encodeSamples, patchesTensor, type EncodedSample } from '../../src-main/jobs/batches.ts'
import { heldModel } from '../../src-main/jobs/held-model.ts'
import { createImageSource } from '../../src-main/jobs/samples.ts'
import { withStandardisedProjector } from '../../src-main/jobs/standardised-projector.ts'
import { startModel, type StartModel } from '../../src-main/jobs/start-model.ts'
import { expectClose } from '../support/all-close.ts'
import { TINY_SPEC, tinyProject, type TinyProject } from './evaluate/tiny-project.ts'
import { readSamples } from './tiny-training.ts'

const root = mkdtempSync(join(tmpdir(), 'pivot-lab-standardised-'))
const I = numImageTokens(TINY_SPEC)
let tiny: TinyProject
let start: Start
let model: StartModel
let samples: readonly EncodedSample[]
let source: { images: ReturnType<typeof createImageSource>; numPatches: number; patchWidth: number }
beforeAll(async () => {
  await openBackend('native')
  tiny = tinyProject(root, { train: 40, validation: 1, test: 1 })
  const folder = await tiny.checkpoint(1)
  start = startSchema.parse({ kind: 'transplant', folder, languageModelFolder: folder, seed: 2 })
  model = await startModel(start)
  samples = encodeSamples(
    readSamples(tiny, tiny.snapshots.captions).filter(({ split }) => split === 'train'),
    model.tokenizer,
    I,
    512,
  ).samples
  source = { images: createImageSource(tiny.project, model.preprocess, 4), numPatches: I, patchWidth: 48 }
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** What the first layer makes of the features of all images, (N, D), and the features, (N, D). */
async function firstLayer(projector: NamedArrays) {
  const held = heldModel(model)
  const patches = await patchesTensor(
    source,
    samples.map(({ image }) => image),
  )
  const features = tf.reshape(imageFeatures(held.model, patches), [-1, 16])
  const weights = Object.fromEntries(
    Object.entries(projector).map(([name, { shape, values }]) => [name, tf.tensor(values, [...shape])]),
  )
  return { features, output: linear(weights, 'linear_1', features) }
}

it('is the fresh layer on features that have lost their mean and spread', async () => {
  const { projector, visionEncoder, languageModel } = await withStandardisedProjector(start, model, source, samples)
  const { features, output } = await firstLayer(projector)
  const { mean, variance } = tf.moments(features, 0)
  const standardised = tf.div(tf.sub(features, mean), tf.sqrt(variance))
  const fresh = Object.fromEntries(
    Object.entries(model.weights.projector).map(([name, { shape, values }]) => [name, tf.tensor(values, [...shape])]),
  )
  // The variance is a difference of squares in float32.
  expectClose(output, linear(fresh, 'linear_1', standardised), 1e-3)
  expect([visionEncoder, languageModel]).toEqual([model.weights.visionEncoder, model.weights.languageModel])
  for (const name of ['linear_2.weight', 'linear_2.bias']) expect(projector[name]).toEqual(model.weights.projector[name])
  // Without it the layer would see the common part of the features, which is most of them.
  const plain = await firstLayer(model.weights.projector)
  expect(tf.max(tf.abs(tf.sub(plain.output, output))).dataSync()[0]!).toBeGreaterThan(0.01)
})

it('tells images apart that the plain one hardly does', async () => {
  const spreadOfTokens = async (projector: NamedArrays) => {
    const held = heldModel({ ...model, weights: { ...model.weights, projector } })
    const patches = await patchesTensor(
      source,
      samples.map(({ image }) => image),
    )
    const tokens = imageTokens(held.model, imageFeatures(held.model, patches))
    const { mean, variance } = tf.moments(tokens, 0)
    return tf.sum(variance).dataSync()[0]! / tf.sum(tf.square(mean)).dataSync()[0]!
  }
  const [plain, standardised] = [
    await spreadOfTokens(model.weights.projector),
    await spreadOfTokens((await withStandardisedProjector(start, model, source, samples)).projector),
  ]
  expect(standardised).toBeGreaterThan(plain)
})

it('touches no start but a transplant whose first layer is fresh and whose data have images', async () => {
  const folder = (start as { folder: string }).folder
  const same = async (given: Start, of: readonly EncodedSample[] = samples) =>
    expect(await withStandardisedProjector(given, model, source, of)).toBe(model.weights)
  await same({ kind: 'checkpoint', folder })
  await same(startSchema.parse({ kind: 'transplant', folder, seed: 2, projectorLayers: 1 }))
  await same(
    start,
    samples.map((sample) => ({ ...sample, image: null })),
  )
})

it('is the same again, and leaves no tensor behind', async () => {
  const before = tf.memory().numTensors
  const [a, b] = [
    await withStandardisedProjector(start, model, source, samples),
    await withStandardisedProjector(start, model, source, samples),
  ]
  expect(b).toEqual(a)
  expect(tf.memory().numTensors).toBe(before)
})
