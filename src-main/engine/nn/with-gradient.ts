// A function with its gradient written out by hand: what is kept for the backward pass is exactly `saved`.

import * as tf from '@tensorflow/tfjs'

export interface Differentiated {
  readonly value: tf.Tensor
  /** The only tensors kept until the backward pass: `gradient` must take from here whatever the forward pass made. */
  readonly saved: readonly tf.Tensor[]
  /** ∂L/∂inputs from dy = ∂L/∂value; one tensor an input, each of its input's shape. */
  readonly gradient: (dy: tf.Tensor, saved: readonly tf.Tensor[]) => tf.Tensor[]
}

/** Evaluates `forward` on `inputs`; under a gradient tape the written gradient is used in place of the recorded one. */
export function withGradient(inputs: readonly tf.Tensor[], forward: (...inputs: tf.Tensor[]) => Differentiated): tf.Tensor {
  return tf.customGrad((...args) => {
    const save = args.pop() as unknown as (tensors: readonly tf.Tensor[]) => void
    const { value, saved, gradient } = forward(...(args as tf.Tensor[]))
    save(saved)
    return { value, gradFunc: gradient }
  })(...inputs)
}

/**
 * Evaluates f and keeps nothing for a backward pass: for what is only logged, and for what is a constant to the gradient
 * although it depends on the weights.
 */
export function withoutGradient<T extends tf.Tensor>(f: () => T): T {
  return tf.customGrad(() => ({ value: f(), gradFunc: () => [] }))() as T
}
