// Rotary position embedding (arXiv 2104.09864) in the half-split form of Hugging Face's Llama and Qwen2, with the ways to
// reach beyond the length of the pre-training that transformers knows (modeling_rope_utils.py).

import * as tf from '@tensorflow/tfjs'
import type { RopeScaling } from '../../domain/model-spec.ts'
import { withGradient } from './with-gradient.ts'

export interface RotaryAngles {
  /** (B or 1, 1, T, d): cosines, the second half of d repeating the first. */
  readonly cos: tf.Tensor
  /** (B or 1, 1, T, d): sines with the sign of rotate_half folded in, −sin in the first half. */
  readonly signedSin: tf.Tensor
}

/**
 * Angles position·frequency_i, i < d/2; unscaled, frequency_i = θ^(−2i/d). YaRN also lengthens cosines and sines.
 * @param positions  (B or 1, T) int32
 * @param width      d of one head, even
 */
export function rotaryAngles(positions: tf.Tensor2D, width: number, theta: number, scaling: RopeScaling = { kind: 'default' }): RotaryAngles {
  const [B, T] = positions.shape
  const at = tf.reshape(tf.cast(positions, 'float32'), [B, 1, T, 1])
  const frequencies = scaling.kind === 'dynamic' ? dynamicFrequencies(at, width, theta, scaling) : tf.tensor1d(rotaryFrequencies(width, theta, scaling)) // (d/2)
  const angles = tf.mul(at, frequencies) // (B, 1, T, d/2)
  const length = scaling.kind === 'yarn' ? yarnAttentionFactor(scaling) : 1
  const scaled = (x: tf.Tensor) => (length === 1 ? x : tf.mul(x, length))
  const [cos, sin] = [scaled(tf.cos(angles)), scaled(tf.sin(angles))]
  return { cos: tf.concat([cos, cos], -1), signedSin: tf.concat([tf.neg(sin), sin], -1) } // (B, 1, T, d)
}

/** Frequencies of every kind that does not depend on the sequence, in the reference's float32: (d/2), radians per position. */
export function rotaryFrequencies(width: number, theta: number, scaling: Exclude<RopeScaling, { kind: 'dynamic' }>): Float32Array {
  const plain = Float32Array.from(exponents(width), (exponent) => 1 / Math.fround(theta ** exponent))
  switch (scaling.kind) {
    case 'default':
      return plain
    case 'linear':
      return plain.map((frequency) => frequency / scaling.factor)
    case 'llama3': {
      const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings: length } = scaling
      return plain.map((frequency) => {
        const turns = (length * frequency) / (2 * Math.PI)
        if (turns > highFreqFactor) return frequency
        if (turns < lowFreqFactor) return frequency / factor
        const smooth = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor)
        return ((1 - smooth) * frequency) / factor + smooth * frequency
      })
    }
    case 'yarn': {
      const { factor, betaFast, betaSlow, truncate, originalMaxPositionEmbeddings: length } = scaling
      // The index of the frequency that turns `rotations` times over the trained length.
      const indexAt = (rotations: number) => (width * Math.log(length / (rotations * 2 * Math.PI))) / (2 * Math.log(theta))
      const [fast, slow] = [indexAt(betaFast), indexAt(betaSlow)]
      const low = Math.max(truncate ? Math.floor(fast) : fast, 0)
      const high = Math.min(truncate ? Math.ceil(slow) : slow, width - 1)
      const span = low === high ? 0.001 : high - low
      return plain.map((frequency, i) => {
        const interpolated = Math.min(1, Math.max(0, (i - low) / span))
        return (interpolated * frequency) / factor + (1 - interpolated) * frequency
      })
    }
  }
}

/** The base grows with the longest sequence once that passes the trained length; computed on tensors, so that nothing is read back. */
function dynamicFrequencies(positions: tf.Tensor, width: number, theta: number, scaling: Extract<RopeScaling, { kind: 'dynamic' }>): tf.Tensor {
  const { factor, originalMaxPositionEmbeddings: trained } = scaling
  const length = tf.maximum(tf.add(tf.max(positions), 1), trained) // ()
  const growth = tf.sub(tf.mul(length, factor / trained), factor - 1)
  const base = tf.mul(tf.pow(growth, width / (width - 2)), theta) // ()
  return tf.div(1, tf.pow(base, tf.tensor1d(exponents(width)))) // (d/2)
}

/** YaRN's √(1/t) (arXiv 2309.00071, eq. 22), with DeepSeek's weights where a config has them. */
function yarnAttentionFactor({ attentionFactor, factor, mscale, mscaleAllDim }: Extract<RopeScaling, { kind: 'yarn' }>): number {
  const scale = (weight: number) => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1)
  return attentionFactor ?? (mscale !== null && mscaleAllDim !== null ? scale(mscale) / scale(mscaleAllDim) : scale(1))
}

/** 2i/d for i < d/2. */
function exponents(width: number): Float32Array {
  return Float32Array.from({ length: width / 2 }, (_, i) => (2 * i) / width)
}

/**
 * x·cos + rotate_half(x)·sin with rotate_half(x) = [−x₂, x₁]. Its gradient is the rotation back, at the same length.
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
