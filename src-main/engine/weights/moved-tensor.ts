// From an array in JavaScript to a tensor where it is computed with. The native engine keeps what it is given as an array until
// an operator meets the tensor, and copies then: a model that is only made and then used would lie in memory twice.

import * as tf from '@tensorflow/tfjs'
import type { NamedArray } from './initial.ts'

/** The array as a tensor that no longer needs it. The caller disposes. */
export function movedTensor({ shape, values }: NamedArray): tf.Tensor {
  const tensor = tf.tensor(values, [...shape], 'float32')
  tf.reshape(tensor, [-1]).dispose()
  return tensor
}
