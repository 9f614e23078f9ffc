// y = x·Wᵀ + b, with W as PyTorch keeps it (out × in), so that a checkpoint's tensors are used as they are.

import * as tf from '@tensorflow/tfjs'
import { weightOf, type Weights } from '../shapes.ts'
import { addBias } from './add.ts'

/**
 * @param x     (..., D_in)
 * @param name  of the layer: `${name}.weight` (D_out, D_in), `${name}.bias` (D_out) when `weights` has it
 * @returns (..., D_out)
 */
export function linear(weights: Weights, name: string, x: tf.Tensor): tf.Tensor {
  const weight = weightOf(weights, `${name}.weight`) as tf.Tensor2D
  const bias = weights[`${name}.bias`]
  const rows = x.rank === 2 ? (x as tf.Tensor2D) : tf.reshape<tf.Rank.R2>(x, [-1, x.shape.at(-1)!]) // (rows, D_in)
  const product = tf.matMul(rows, weight, false, true) // (rows, D_out)
  const shifted = bias === undefined ? product : addBias(product, bias) // (rows, D_out)
  return x.rank === 2 ? shifted : tf.reshape(shifted, [...x.shape.slice(0, -1), weight.shape[0]!]) // (..., D_out)
}
