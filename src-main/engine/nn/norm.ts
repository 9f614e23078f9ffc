// Layer normalisation (arXiv 1607.06450) and RMS normalisation (arXiv 1910.07467) over the last axis.
// Their gradients are written out: automatic differentiation would keep about six tensors of the input's size and run
// thirty operations where the closed forms keep two and run twelve.

import * as tf from '@tensorflow/tfjs'
import { weightOf, type Weights } from '../shapes.ts'
import { withGradient } from './with-gradient.ts'

/** All axes but the last. */
const leading = (x: tf.Tensor) => Array.from({ length: x.rank - 1 }, (_, axis) => axis)

/**
 * y = (x − mean) / √(var + ε) · γ + β, variance without Bessel's correction.
 * @param x (..., D)   @returns (..., D)
 */
export function layerNorm(weights: Weights, name: string, x: tf.Tensor, epsilon: number): tf.Tensor {
  return withGradient([x, weightOf(weights, `${name}.weight`), weightOf(weights, `${name}.bias`)], (input: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => {
    const centred = tf.sub(input, tf.mean(input, -1, true)) // (..., D)
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon)) // (..., 1)
    const unit = tf.mul(centred, inverse) // (..., D)
    return {
      value: tf.add(tf.mul(unit, gamma), beta),
      saved: [unit, inverse, gamma],
      gradient: (dy, saved) => {
        const [xhat, rstd, g] = saved as readonly [tf.Tensor, tf.Tensor, tf.Tensor]
        const product = tf.mul(dy, xhat) // (..., D)
        const dUnit = tf.mul(dy, g) // (..., D)
        const along = tf.mean(tf.mul(dUnit, xhat), -1, true) // (..., 1)
        const dx = tf.mul(rstd, tf.sub(tf.sub(dUnit, tf.mean(dUnit, -1, true)), tf.mul(xhat, along))) // (..., D)
        return [dx, tf.sum(product, leading(dy)), tf.sum(dy, leading(dy))]
      },
    }
  })
}

/**
 * y = x / √(mean(x²) + ε) · γ.
 * @param x (..., D)   @returns (..., D)
 */
export function rmsNorm(weights: Weights, name: string, x: tf.Tensor, epsilon: number): tf.Tensor {
  return withGradient([x, weightOf(weights, `${name}.weight`)], (input: tf.Tensor, gamma: tf.Tensor) => {
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(input), -1, true), epsilon)) // (..., 1)
    const unit = tf.mul(input, inverse) // (..., D)
    return {
      value: tf.mul(unit, gamma),
      saved: [unit, inverse, gamma],
      gradient: (dy, saved) => {
        const [xhat, rstd, g] = saved as readonly [tf.Tensor, tf.Tensor, tf.Tensor]
        const dUnit = tf.mul(dy, g) // (..., D)
        const along = tf.mean(tf.mul(dUnit, xhat), -1, true) // (..., 1)
        return [tf.mul(rstd, tf.sub(dUnit, tf.mul(xhat, along))), tf.sum(tf.mul(dy, xhat), leading(dy))]
      },
    }
  })
}
