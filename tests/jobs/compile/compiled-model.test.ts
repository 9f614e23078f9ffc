// A model that is run and not trained: compiled, it gives what it gives eagerly, and it compiles only what comes often.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { numImageTokens } from '../../../src-main/domain/model-spec.ts'
import { createRandom } from '../../../src-main/domain/random.ts'
import { pairGradients } from '../../../src-main/engine/evaluate/gradient-maps.ts'
import { greedyAnswers } from '../../../src-main/engine/generate.ts'
import { imageFeatures, imageTokens } from '../../../src-main/engine/models/multimodal-lm.ts'
import { rowLogProbs } from '../../../src-main/engine/objectives/log-probs.ts'
import { compiledModel, decoderOf } from '../../../src-main/jobs/compile/compiled-model.ts'
import { heldModel, type Forward, type HeldModel } from '../../../src-main/jobs/held-model.ts'
import { heldAsArrays } from '../../support/held-as-arrays.ts'
import { aBatch, aRow, IMAGE, livelyWeights, PAD, TINY } from '../../support/tiny-model.ts'
import { openNativeEngine } from './native-engine.ts'

const native = await openNativeEngine()
// Compiling is the processor's work: beside other work it takes several times as long.
vi.setConfig({ testTimeout: 120_000 })
const root = mkdtempSync(join(tmpdir(), 'pivot-lab-compiled-model-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const arrays = { spec: TINY, weights: livelyWeights(1) }
const features: Forward = (model, { patches }) => ({ features: imageFeatures(model, patches!) })
const logProbs: Forward = (model, inputs) => ({
  result: rowLogProbs(model, inputs as unknown as Parameters<typeof rowLogProbs>[1], imageTokens(model, imageFeatures(model, inputs['patches']!))),
})

// Row 1 is the chosen answer about image 1, row 2 the rejected one about it.
const pullOfPairs: Forward = (model, inputs) => ({
  ...pairGradients(model, inputs as unknown as Parameters<typeof rowLogProbs>[1], tf.slice(imageTokens(model, imageFeatures(model, inputs['patches']!)), 0, 1)),
})

/** Patches of two pictures, (2, P, C·patch²). */
function pictures(seed: number): tf.Tensor3D {
  const random = createRandom(seed, 'pictures')
  const width = 3 * TINY.visionEncoder.patchSize ** 2
  const I = numImageTokens(TINY)
  return tf.tensor3d(
    Float32Array.from({ length: 2 * I * width }, () => random.normal()),
    [2, I, width],
  )
}

function numbersOf(held: HeldModel): number[] {
  return tf.tidy(() => {
    const batch = aBatch({ rows: [aRow(1), aRow(2)], images: 2, rowWeights: [1, 1] }) as unknown as Record<string, tf.Tensor>
    const { patches, ids, sources, isImage, imagePositions, answerPositions, answerIds, answerMask } = batch
    const rows = { patches, ids, sources, isImage, imagePositions, answerPositions, answerIds, answerMask } as Record<string, tf.Tensor>
    return [
      ...held.run('features', features, { patches: pictures(1) })['features']!.dataSync(),
      ...held.run('log-probabilities', logProbs, rows)['result']!.dataSync(),
      ...held.run('pair gradients', pullOfPairs, rows)['magnitudes']!.dataSync(),
    ]
  })
}

function answersOf(held: HeldModel): number[][] {
  return tf.tidy(() => {
    const tokens = imageTokens(held.model, imageFeatures(held.model, pictures(3)))
    const prompts = [aRow(5, { answer: 0 }), aRow(6, { prompt: 5, answer: 0 })].map(({ ids }) => ids)
    return greedyAnswers(held.model, prompts, tokens, { padId: PAD, imageId: IMAGE }, { endIds: [-1], maxNewTokens: 6 }, decoderOf(held))
  })
}

describe.skipIf(!native)('a compiled model', () => {
  it('gives the eager features, log-probabilities, gradients and answers, and frees all that it held', () => {
    const before = tf.memory().numTensors
    const warnings: string[] = []
    const eager = heldModel(arrays)
    const compiled = compiledModel(arrays, { cacheFolder: root, eagerRuns: 0, warn: (message) => warnings.push(message) })
    const [expected, found] = [numbersOf(eager), numbersOf(compiled)]
    expect(found).toHaveLength(expected.length)
    found.forEach((value, i) => expect(Math.abs(value - expected[i]!), `number ${i}`).toBeLessThan(1e-4))
    expect(answersOf(compiled)).toEqual(answersOf(eager))
    expect(warnings).toEqual([])
    // Features, log-probabilities, gradients and the reading of a token: a program each.
    expect(readdirSync(root)).toHaveLength(4)
    eager.dispose()
    compiled.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })

  it('lies in memory once, eager or compiled: no array in JavaScript beside what is computed with', () => {
    for (const held of [heldModel(arrays), compiledModel(arrays, { cacheFolder: root })]) {
      for (const weights of Object.values(held.model.weights)) expect(heldAsArrays(weights)).toEqual([])
      held.dispose()
    }
  })

  it('compiles a shape once it has come often enough, and keeps its weights for whoever reads them', () => {
    const cacheFolder = mkdtempSync(join(root, 'own-'))
    const compiled = compiledModel(arrays, { cacheFolder, eagerRuns: 2 })
    const programs = () => readdirSync(cacheFolder).length
    const counts = [1, 2, 3, 4].map(() => {
      numbersOf(compiled)
      return programs()
    })
    expect(counts).toEqual([0, 0, 3, 3])
    const eager = heldModel(arrays)
    const kernel = 'embeddings.position_embedding.weight'
    expect([...compiled.model.weights.visionEncoder[kernel]!.dataSync()]).toEqual([...eager.model.weights.visionEncoder[kernel]!.dataSync()])
    eager.dispose()
    compiled.dispose()
  })
})
