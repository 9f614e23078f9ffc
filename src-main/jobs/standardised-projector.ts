// A fresh projector begins by standardising the features that it is given: their mean and spread over the training
// images are folded into its first layer (data-dependent initialisation, arXiv 1511.06422). Features of a trained encoder
// share a large common part, and what tells images apart is a few per cent of it; a small language model would first
// have to learn to look past that.

import * as tf from '@tensorflow/tfjs'
import { featureWidth, numImageFeatures, type Module } from '../domain/model-spec.ts'
import type { Start } from '../domain/run-config.ts'
import { imageFeatures } from '../engine/models/multimodal-lm.ts'
import type { NamedArrays } from '../engine/weights/initial.ts'
import { patchesTensor, type BatchSource, type EncodedSample } from './batches.ts'
import { heldModel } from './held-model.ts'
import type { StartModel } from './start-model.ts'

const IMAGES = 256
const BATCH = 32

/** The start's weights, with mean and spread of the features folded in where the first projector layer is fresh. */
export async function withStandardisedProjector(
  start: Start,
  model: StartModel,
  source: Pick<BatchSource, 'images' | 'numPatches' | 'patchWidth'>,
  samples: readonly EncodedSample[],
): Promise<Readonly<Record<Module, NamedArrays>>> {
  const images = samples.flatMap(({ image }) => (image === null ? [] : [image])).slice(0, IMAGES)
  const isFresh = start.kind === 'parts' || (start.kind === 'transplant' && start.projectorLayers === 0)
  if (!isFresh || images.length === 0 || !model.spec.projector.bias) return model.weights
  const held = heldModel(model)
  const sums: tf.Tensor1D[] = []
  const squares: tf.Tensor1D[] = []
  try {
    for (let at = 0; at < images.length; at += BATCH) {
      const patches = await patchesTensor(source, images.slice(at, at + BATCH))
      const [sum, square] = tf.tidy(() => {
        const features = tf.reshape(imageFeatures(held.model, patches), [-1, featureWidth(model.spec)]) // (B·I, D)
        return [tf.sum<tf.Tensor1D>(features, 0), tf.sum<tf.Tensor1D>(tf.square(features), 0)]
      })
      sums.push(sum!)
      squares.push(square!)
      patches.dispose()
    }
    const count = images.length * numImageFeatures(model.spec)
    const [mean, spread] = tf.tidy(() => {
      const average = tf.div(tf.addN(sums), count)
      const variance = tf.sub(tf.div(tf.addN(squares), count), tf.square(average))
      return [average.dataSync(), tf.sqrt(tf.maximum(variance, 1e-12)).dataSync()]
    }) as unknown as [Float32Array, Float32Array]
    return { ...model.weights, projector: folded(model.weights.projector, mean, spread) }
  } finally {
    held.dispose()
    tf.dispose([sums, squares])
  }
}

/** W·(x − μ)/σ + b = (W/σ)·x + (b − W·μ/σ). */
function folded(projector: NamedArrays, mean: Float32Array, spread: Float32Array): NamedArrays {
  const weight = projector['linear_1.weight']!
  const bias = projector['linear_1.bias']!
  const [to, from] = weight.shape as [number, number]
  const scaled = weight.values.map((value, i) => value / spread[i % from]!)
  const shifted = bias.values.map((value, row) => {
    let shift = 0
    for (let column = 0; column < from; column++) shift += scaled[row * from + column]! * mean[column]!
    return value - shift
  })
  return { ...projector, 'linear_1.weight': { shape: [to, from], values: scaled }, 'linear_1.bias': { shape: [to], values: shifted } }
}
