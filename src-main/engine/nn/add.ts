// Sums whose gradient keeps nothing: TensorFlow.js's own addition keeps both operands until the backward pass, only to
// know their shapes, and a transformer adds after every product.

import * as tf from '@tensorflow/tfjs'
import { withGradient } from './with-gradient.ts'

/** x + y of equal shapes. */
export function addResidual(x: tf.Tensor, y: tf.Tensor): tf.Tensor {
  return withGradient([x, y], (a: tf.Tensor, b: tf.Tensor) => ({ value: tf.add(a, b), saved: [], gradient: (dy) => [dy, dy] }))
}

/** @param rows (N, D)   @param bias (D) added to every row */
export function addBias(rows: tf.Tensor, bias: tf.Tensor): tf.Tensor {
  return withGradient([rows, bias], (a: tf.Tensor, b: tf.Tensor) => ({
    value: tf.add(a, b),
    saved: [],
    gradient: (dy) => [dy, tf.sum(dy, 0)],
  }))
}
