// A weight that is used and not trained: no gradient passes.

import * as tf from '@tensorflow/tfjs'
import { withGradient } from './with-gradient.ts'

/** x, whose gradient is zero. */
export function constant(x: tf.Tensor): tf.Tensor {
  return withGradient([x], (input: tf.Tensor) => ({ value: tf.clone(input), saved: [], gradient: (dy) => [tf.zerosLike(dy)] }))
}
