// y = x·Wᵀ + b, with W as PyTorch keeps it (out × in), so that a checkpoint's tensors are used as they are. Where the
// weights hold an adapter beside W, the layer is LoRA's: y = x·Wᵀ + s·(x·Aᵀ)·Bᵀ + b.

import * as tf from '@tensorflow/tfjs'
import { isFrozen, weightOf, type Weights } from '../shapes.ts'
import { addBias, addResidual } from './add.ts'
import { adapterNames, lowRank } from './low-rank.ts'
import { withGradient } from './with-gradient.ts'

/**
 * @param x     (..., D_in)
 * @param name  of the layer: `${name}.weight` (D_out, D_in), `${name}.bias` (D_out) when `weights` has it
 * @returns (..., D_out)
 */
export function linear(weights: Weights, name: string, x: tf.Tensor): tf.Tensor {
  const weight = weightOf(weights, `${name}.weight`) as tf.Tensor2D
  const bias = weights[`${name}.bias`]
  const names = adapterNames(name)
  const A = weights[names.A]
  const rows = x.rank === 2 ? (x as tf.Tensor2D) : tf.reshape<tf.Rank.R2>(x, [-1, x.shape.at(-1)!]) // (rows, D_in)
  const product = isFrozen(weight) ? fixedProduct(rows, weight) : tf.matMul(rows, weight, false, true) // (rows, D_out)
  const adapted = A === undefined ? product : addResidual(product, lowRank(rows, A, weightOf(weights, names.B), weightOf(weights, names.scale)))
  const shifted = bias === undefined ? adapted : addBias(adapted, bias) // (rows, D_out)
  return x.rank === 2 ? shifted : tf.reshape(shifted, [...x.shape.slice(0, -1), weight.shape[0]!]) // (..., D_out)
}

/** x·Wᵀ with a W that nothing trains: TensorFlow.js's own product would keep x for W's gradient. */
function fixedProduct(rows: tf.Tensor2D, weight: tf.Tensor2D): tf.Tensor {
  return withGradient([rows], (x: tf.Tensor) => ({
    value: tf.matMul(x, weight, false, true),
    saved: [],
    gradient: (dy) => [tf.matMul(dy, weight)],
  }))
}
