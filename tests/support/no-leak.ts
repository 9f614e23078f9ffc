// Holds code to the tensors it was given: what it makes inside, it gives back.

import * as tf from '@tensorflow/tfjs'
import { expect } from 'vitest'

/** @param made  how many tensors `body` returns or keeps on purpose */
export function expectNoLeak<Result>(body: () => Result, made = 0): Result {
  const before = tf.memory().numTensors
  const result = body()
  expect(tf.memory().numTensors - before, 'tensors left alive').toBe(made)
  return result
}
