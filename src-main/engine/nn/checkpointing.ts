// Gradient checkpointing (arXiv 1604.06174): a function whose intermediate tensors are not kept for the backward pass
// but computed again there. About half the memory for about a fifth more time.

import * as tf from '@tensorflow/tfjs'
import type { Weights } from '../shapes.ts'
import { withGradient } from './with-gradient.ts'

/**
 * f(weights, x), its inside recomputed in the backward pass. Only the named `weights` and `x` receive a gradient, so f
 * must not close over anything else that should.
 */
export function checkpointed(f: (weights: Weights, x: tf.Tensor) => tf.Tensor, weights: Weights, x: tf.Tensor): tf.Tensor {
  const names = Object.keys(weights)
  const apply = (input: tf.Tensor, ...values: tf.Tensor[]) => f(Object.fromEntries(names.map((name, i) => [name, values[i]!])), input)
  return withGradient([x, ...names.map((name) => weights[name]!)], (...inputs: tf.Tensor[]) => ({
    value: tf.tidy(() => apply(inputs[0]!, ...inputs.slice(1))),
    saved: inputs,
    gradient: (dy, saved) => {
      // tf.grads ends the tape that it finds; the outer one is put back so that the backward pass can go on.
      const state = tf.engine().state
      const tape = state.activeTape
      try {
        return tf.grads(apply)([...saved], dy)
      } finally {
        state.activeTape = tape
      }
    },
  }))
}
