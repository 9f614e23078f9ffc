// The two configurations that figures are given for, and a batch of the right shapes for each.

import * as tf from '@tensorflow/tfjs'
import { multimodalLmSpecSchema, numImageTokens, type MultimodalLmSpec } from '../../src-main/domain/model-spec.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import type { Objective } from '../../src-main/engine/objectives/objective.ts'
import { collateRows, type EncodedRow } from '../../src-main/engine/text/collate.ts'
import type { NamedTensors } from '../../src-main/engine/train-step.ts'
import { rowTensors } from '../../src-main/jobs/batches.ts'

export interface Configuration {
  readonly spec: MultimodalLmSpec
  readonly batchSize: number
  /** Text tokens of a row, beside the image's. */
  readonly textTokens: number
}

const widths = (D: number, layers: number, heads: number) => ({ hiddenSize: D, intermediateSize: 4 * D, numHiddenLayers: layers, numAttentionHeads: heads })

export const CONFIGURATIONS: Readonly<Record<'tiny' | 'small', Configuration>> = {
  /** About 3.1 M parameters. */
  tiny: {
    spec: multimodalLmSpecSchema.parse({
      visionEncoder: { imageSize: 64, patchSize: 8, ...widths(128, 4, 4) },
      languageModel: { vocabSize: 2048, numKeyValueHeads: 6, ...widths(192, 4, 6) },
      visionFeatureLayer: -1,
    }),
    batchSize: 8,
    textTokens: 32,
  },
  /** About 25 M parameters. */
  small: {
    spec: multimodalLmSpecSchema.parse({
      visionEncoder: { imageSize: 128, patchSize: 16, ...widths(384, 6, 6) },
      languageModel: { vocabSize: 8192, numKeyValueHeads: 6, ...widths(384, 6, 6) },
      visionFeatureLayer: -1,
    }),
    batchSize: 4,
    textTokens: 64,
  },
}

const IMAGE_ID = 1

/** A batch of random text over random images: half of each row's text is answer. The caller disposes. */
export function randomBatch({ spec, batchSize, textTokens }: Configuration, objective: Objective): { tensors: NamedTensors; numTokens: number } {
  const random = createRandom(0, 'benchmark batch')
  const I = numImageTokens(spec)
  const T = I + textTokens
  const row = (): EncodedRow => ({
    ids: [...Array.from({ length: I }, () => IMAGE_ID), ...Array.from({ length: textTokens }, () => 2 + random.integer(spec.languageModel.vocabSize - 2))],
    isAnswer: Array.from({ length: T }, (_, t) => t >= T - textTokens / 2),
  })
  const rows = Array.from({ length: batchSize * objective.rowsPerImage }, row)
  const collated = collateRows({ padId: 0, imageId: IMAGE_ID }, rows, batchSize, I, { T, A: textTokens / 2 })
  const patchWidth = 3 * spec.visionEncoder.patchSize ** 2
  const weight = 1 / (objective.weighsTokens ? (rows.length * textTokens) / 2 : batchSize)
  const tensors = {
    ...rowTensors(collated),
    patches: tf.tensor3d(Float32Array.from({ length: batchSize * I * patchWidth }, () => random.normal()), [batchSize, I, patchWidth]),
    rowWeights: tf.fill([rows.length], weight),
    // At the start policy and reference agree: about −log V a token.
    referenceLogProbs: tf.fill([rows.length], (-Math.log(spec.languageModel.vocabSize) * textTokens) / 2),
  }
  return { tensors: Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [`0/${name}`, tensor])), numTokens: collated.numTokens }
}
