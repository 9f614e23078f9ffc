// Ties a recomputation to the gradient that asks for it. A compiled graph would otherwise see that the recomputed forward pass
// equals the first one, keep the first one's values, and gradient checkpointing would save no memory (arXiv 1604.06174).
// Eagerly there is nothing to prevent, so outside a recording a tie is the tensor itself.

import type * as tf from '@tensorflow/tfjs'

/** Gives `value` a new identity that exists only once `signal` is known. */
export type Tie = (value: tf.Tensor, signal: tf.Tensor) => tf.Tensor

let activeTie: Tie | undefined

/**
 * The values a checkpointed block recomputes from, held back until `signal` (the incoming gradient) is known.
 * Inside a recording the results are new tensors and the caller's tidy disposes them; else they are `values`.
 */
export function tieTo<T extends tf.Tensor>(values: readonly T[], signal: tf.Tensor): T[] {
  const tie = activeTie
  return tie === undefined ? [...values] : values.map((value) => tie(value, signal) as T)
}

/** For the recorder: what a tie does while `body` runs. */
export function withTie<Result>(tie: Tie, body: () => Result): Result {
  const outer = activeTie
  activeTie = tie
  try {
    return body()
  } finally {
    activeTie = outer
  }
}
