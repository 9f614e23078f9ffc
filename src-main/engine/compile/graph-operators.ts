// What a compiled graph can do and TensorFlow.js cannot: operators that a step asks for while it is recorded, and does without
// where it runs eagerly.

import type * as tf from '@tensorflow/tfjs'

/** One weight with its moments, and the numbers of an update; every number is a scalar (). */
export interface AdamUpdate {
  readonly weight: tf.Variable
  readonly first: tf.Variable
  readonly second: tf.Variable
  readonly gradient: tf.Tensor
  /** Multiplied onto the gradient; where it is 0 so is the product, whatever the gradient holds. */
  readonly scale: tf.Tensor
  readonly rate: tf.Tensor
  readonly beta1: tf.Tensor
  readonly beta2: tf.Tensor
  readonly epsilon: tf.Tensor
  /** The share of itself that the weight loses first; null: none. */
  readonly decay: tf.Tensor | null
}

export interface GraphOperators {
  /**
   * `value`, but not before `signal` is known: ties a recomputation to the gradient that asks for it. A graph would otherwise see
   * that the recomputed forward pass equals the first one, keep the first one's values, and gradient checkpointing would save no
   * memory (arXiv 1604.06174). Eagerly there is nothing to prevent.
   */
  tie(value: tf.Tensor, signal: tf.Tensor): tf.Tensor
  /**
   * With g the scaled gradient: m ← m + (1 − β₁)·(g − m), v ← v + (1 − β₂)·(g² − v), w ← w − rate·m/(√v + ε), in one pass over
   * memory and in place, where operators of their own would take a dozen passes and hold every weight twice.
   */
  updateByAdam(update: AdamUpdate): void
}

let active: GraphOperators | undefined

/** Undefined while a step runs eagerly. */
export function graphOperators(): GraphOperators | undefined {
  return active
}

/** For the recorder: what the operators do while `body` runs. */
export function withGraphOperators<Result>(operators: GraphOperators, body: () => Result): Result {
  const outer = active
  active = operators
  try {
    return body()
  } finally {
    active = outer
  }
}
