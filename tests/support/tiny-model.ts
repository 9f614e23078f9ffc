// A multimodal model with two blocks of width 16 in either half, and batches of random rows for it. Its weights are lively:
// at their initial scale of 0.02 every gradient is so small that a wrong one would pass for rounding.

import * as tf from '@tensorflow/tfjs'
import { multimodalLmSpecSchema, numImageTokens, type Module, type MultimodalLmSpec } from '../../src-main/domain/model-spec.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import { trainingSchema, type Training } from '../../src-main/domain/run-config.ts'
import type { Batch } from '../../src-main/engine/objectives/objective.ts'
import { collateRows, type EncodedRow } from '../../src-main/engine/text/collate.ts'
import { initialWeights, type NamedArray, type NamedArrays } from '../../src-main/engine/weights/initial.ts'
import { rowTensors } from '../../src-main/jobs/batches.ts'

const widths = { hiddenSize: 16, intermediateSize: 32, numHiddenLayers: 2, numAttentionHeads: 2 }
/** Four image tokens, grouped-query attention, the penultimate encoder block, a tied head. */
export const TINY: MultimodalLmSpec = multimodalLmSpecSchema.parse({
  visionEncoder: { imageSize: 16, patchSize: 8, ...widths },
  languageModel: { vocabSize: 24, numKeyValueHeads: 1, ...widths },
})
export const PAD = 0
export const IMAGE = 1
const PATCH_WIDTH = 3 * TINY.visionEncoder.patchSize ** 2

/** Initial weights, each number moved by a normal deviate of 0.2. */
export function livelyWeights(seed: number, spec: MultimodalLmSpec = TINY): Record<Module, NamedArrays> {
  const moved = (module: Module, arrays: NamedArrays): NamedArrays =>
    Object.fromEntries(
      Object.entries(arrays).map(([name, { shape, values }]): [string, NamedArray] => {
        const random = createRandom(seed, 'lively', module, name)
        return [name, { shape, values: values.map((value) => value + 0.2 * random.normal()) }]
      }),
    )
  const { visionEncoder, projector, languageModel } = initialWeights(spec, seed)
  return {
    visionEncoder: moved('visionEncoder', visionEncoder),
    projector: moved('projector', projector),
    languageModel: moved('languageModel', languageModel),
  }
}

/** A row of an image (unless `image` is false), `prompt` random tokens and `answer` random tokens. */
export function aRow(seed: number, { prompt = 3, answer = 3, image = true } = {}): EncodedRow {
  const random = createRandom(seed, 'row')
  const I = image ? numImageTokens(TINY) : 0
  const text = Array.from({ length: prompt + answer }, () => 2 + random.integer(TINY.languageModel.vocabSize - 2))
  return {
    ids: [...new Array<number>(I).fill(IMAGE), ...text],
    isAnswer: Array.from({ length: I + text.length }, (_, t) => t >= I + prompt),
  }
}

export interface BatchParts {
  /** All chosen rows, then all rejected rows; null fills up. */
  readonly rows: readonly (EncodedRow | null)[]
  readonly images: number
  readonly rowWeights: readonly number[]
  readonly referenceLogProbs?: readonly number[]
  readonly seed?: number
  readonly shape?: { readonly T: number; readonly A: number }
}

/** The caller disposes. */
export function aBatch({ rows, images, rowWeights, referenceLogProbs, seed = 0, shape = { T: 16, A: 4 } }: BatchParts): Batch {
  const I = numImageTokens(TINY)
  const random = createRandom(seed, 'pixels')
  return {
    ...rowTensors(collateRows({ padId: PAD, imageId: IMAGE }, rows, images, I, shape)),
    patches: tf.tensor3d(
      Float32Array.from({ length: images * I * PATCH_WIDTH }, () => random.normal()),
      [images, I, PATCH_WIDTH],
    ),
    rowWeights: tf.tensor1d([...rowWeights]),
    referenceLogProbs: tf.tensor1d([...(referenceLogProbs ?? new Array<number>(rows.length).fill(0))]),
  }
}

/** Constant learning rate, no warm-up, no decay, practically no clipping, unless overridden. */
export function aTraining(overrides: Readonly<Record<string, unknown>> = {}): Training {
  return trainingSchema.parse({ schedule: 'constant', warmupRatio: 0, maxGradientNorm: 1e9, ...overrides })
}

/** As tensors. The caller disposes, or keeps them for the file. */
export function heldWeights(arrays: NamedArrays): Record<string, tf.Tensor> {
  return Object.fromEntries(Object.entries(arrays).map(([name, { shape, values }]) => [name, tf.tensor(values, [...shape])]))
}
