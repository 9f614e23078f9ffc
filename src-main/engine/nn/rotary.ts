// Rotary position embedding (arXiv 2104.09864) in the half-split form of Hugging Face's Llama and Qwen2.

import * as tf from '@tensorflow/tfjs'
import { withGradient } from './with-gradient.ts'

export interface RotaryAngles {
  /** (B or 1, 1, T, d): cosines, the second half of d repeating the first. */
  readonly cos: tf.Tensor
  /** (B or 1, 1, T, d): sines with the sign of rotate_half folded in, −sin in the first half. */
  readonly signedSin: tf.Tensor
}

/**
 * Angles position·θ^(−2i/d).
 * @param positions  (B or 1, T) int32
 * @param width      d of one head, even
 */
export function rotaryAngles(positions: tf.Tensor2D, width: number, theta: number): RotaryAngles {
  const [B, T] = positions.shape
  const half = width / 2
  const inverse = tf.tensor1d(Float32Array.from({ length: half }, (_, i) => theta ** ((-2 * i) / width))) // (d/2)
  const angles = tf.mul(tf.reshape(tf.cast(positions, 'float32'), [B, 1, T, 1]), inverse) // (B, 1, T, d/2)
  const [cos, sin] = [tf.cos(angles), tf.sin(angles)]
  return { cos: tf.concat([cos, cos], -1), signedSin: tf.concat([tf.neg(sin), sin], -1) } // (B, 1, T, d)
}

/**
 * x·cos + rotate_half(x)·sin with rotate_half(x) = [−x₂, x₁]. A rotation: its gradient is the rotation back.
 * @param x (B, H, T, d)   @returns (B, H, T, d)
 */
export function rotate(x: tf.Tensor, { cos, signedSin }: RotaryAngles): tf.Tensor {
  return withGradient([x], (input: tf.Tensor) => ({
    value: turn(input, cos, signedSin),
    saved: [cos, signedSin],
    gradient: (dy, saved) => [turn(dy, saved[0]!, tf.neg(saved[1]!))],
  }))
}

function turn(x: tf.Tensor, cos: tf.Tensor, signedSin: tf.Tensor): tf.Tensor {
  const [first, second] = tf.split(x, 2, -1) as [tf.Tensor, tf.Tensor] // 2 × (B, H, T, d/2)
  return tf.add(tf.mul(x, cos), tf.mul(tf.concat([second, first], -1), signedSin)) // (B, H, T, d)
}
