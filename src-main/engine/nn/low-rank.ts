// The product that LoRA trains beside a frozen weight (arXiv 2106.09685, eq. 3), and the names under which its factors
// stand beside that weight: PEFT's.

import * as tf from '@tensorflow/tfjs'
import { withGradient } from './with-gradient.ts'

/** Names beside `${layer}.weight`: A (r, D_in), B (D_out, r), and the scale α/r (), which is no weight. */
export function adapterNames(layer: string): { readonly A: string; readonly B: string; readonly scale: string } {
  return { A: `${layer}.lora_A.weight`, B: `${layer}.lora_B.weight`, scale: `${layer}.lora_scale` }
}

/**
 * s·(x·Aᵀ)·Bᵀ. Kept for the backward pass: x, which the layers on the same input share, and x·Aᵀ.
 * @param x (N, D_in)   @param A (r, D_in)   @param B (D_out, r)   @param scale () without gradient   @returns (N, D_out)
 */
export function lowRank(x: tf.Tensor, A: tf.Tensor, B: tf.Tensor, scale: tf.Tensor): tf.Tensor {
  return withGradient([x, A, B], (input: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => {
    const inner = tf.mul(tf.matMul(input, a, false, true), scale) // (N, r)
    return {
      value: tf.matMul(inner, b, false, true),
      saved: [input, a, b, inner, scale],
      gradient: (dy, saved) => {
        const [xs, as, bs, held, s] = saved as readonly [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
        const dInner = tf.mul(tf.matMul(dy, bs), s) // (N, r)
        return [tf.matMul(dInner, as), tf.matMul(dInner, xs, true, false), tf.matMul(dy, held, true, false)]
      },
    }
  })
}

/** W + s·B·A: the one weight that acts as both. @param W (D_out, D_in) @returns (D_out, D_in) */
export function merged(W: tf.Tensor, A: tf.Tensor, B: tf.Tensor, scale: tf.Tensor | number): tf.Tensor {
  return tf.tidy(() => tf.add(W, tf.mul(tf.matMul(B, A), scale)))
}

/**
 * Its values. No tidy hands them out: it would look for tensors among the numbers, one by one, and hold each of them boxed.
 * @returns (D_out·D_in), row-major
 */
export function mergedValues(W: tf.Tensor, A: tf.Tensor, B: tf.Tensor, scale: tf.Tensor | number): Float32Array {
  const whole = merged(W, A, B, scale)
  try {
    return new Float32Array(whole.dataSync())
  } finally {
    whole.dispose()
  }
}
