// Gradient checkpointing (arXiv 1604.06174): a function whose intermediate tensors are not kept for the backward pass
// but computed again there. About half the memory for about a fifth more time.

import * as tf from '@tensorflow/tfjs'
import { graphOperators } from '../compile/graph-operators.ts'
import { isFrozen, type Weights } from '../shapes.ts'
import { gradients } from './gradients.ts'
import { withGradient } from './with-gradient.ts'

/**
 * f(weights, x, constants), its inside recomputed in the backward pass. Only weights that are not frozen and `x` receive a
 * gradient; every other tensor that f uses comes in as one of `constants`, because what it closed over is gone by then.
 */
export function checkpointed(
  f: (weights: Weights, x: tf.Tensor, constants: readonly tf.Tensor[]) => tf.Tensor,
  weights: Weights,
  x: tf.Tensor,
  constants: readonly tf.Tensor[] = [],
): tf.Tensor {
  // A frozen weight is a variable, which outlives the step: it is used where it is.
  const names = Object.keys(weights).filter((name) => !isFrozen(weights[name]!))
  const apply = (held: readonly tf.Tensor[], input: tf.Tensor, values: readonly tf.Tensor[]) =>
    f({ ...weights, ...Object.fromEntries(names.map((name, i) => [name, values[i]!])) }, input, held)
  return withGradient([x, ...names.map((name) => weights[name]!)], (...inputs: tf.Tensor[]) => ({
    value: tf.tidy(() => apply(constants, inputs[0]!, inputs.slice(1))),
    saved: [...inputs, ...constants],
    gradient: (dy, saved) => {
      const held = saved.slice(inputs.length)
      const operators = graphOperators()
      const again = saved.slice(0, inputs.length).map((tensor) => operators?.tie(tensor, dy) ?? tensor)
      return gradients(() => apply(held, again[0]!, again.slice(1)), again, dy).gradients
    },
  }))
}
