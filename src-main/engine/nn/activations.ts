// Activations with their gradients written out, so that each keeps no more than it needs for the backward pass.

import * as tf from '@tensorflow/tfjs'
import type { Activation } from '../../domain/vision-encoder-spec.ts'
import { withGradient } from './with-gradient.ts'

/** 2·√(2/π), and the cubic coefficient of the tanh approximation (arXiv 1606.08415, section 2). */
const TWO_C = 2 * Math.sqrt(2 / Math.PI)
const CUBIC = 0.044715

/**
 * GELU, tanh form: 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), computed as x·σ(2√(2/π)·x·(1 + 0.044715·x²)), which is
 * the same function in fewer operations and saturates without overflow.
 */
export function geluTanh(x: tf.Tensor): tf.Tensor {
  return withGradient([x], (input: tf.Tensor) => {
    const gate = tf.sigmoid(tf.mul(input, tf.add(tf.mul(tf.square(input), TWO_C * CUBIC), TWO_C)))
    const value = tf.mul(input, gate)
    return {
      value,
      saved: [input, gate, value],
      gradient: (dy, saved) => {
        const [z, s, y] = saved as readonly [tf.Tensor, tf.Tensor, tf.Tensor]
        // d/dx [x·σ(u)] = σ + x·σ·(1 − σ)·u′ with u′ = 2√(2/π)·(1 + 3·0.044715·x²)
        const slope = tf.add(tf.mul(tf.square(z), 3 * TWO_C * CUBIC), TWO_C)
        return [tf.mul(dy, tf.add(s, tf.mul(tf.mul(y, tf.sub(1, s)), slope)))]
      },
    }
  })
}

/** GELU, exact form: x·Φ(x) = 0.5·x·(1 + erf(x/√2)). */
export function geluErf(x: tf.Tensor): tf.Tensor {
  return withGradient([x], (input: tf.Tensor) => {
    const cumulative = tf.mul(tf.add(tf.erf(tf.mul(input, Math.SQRT1_2)), 1), 0.5) // Φ(x)
    return {
      value: tf.mul(input, cumulative),
      saved: [input, cumulative],
      gradient: (dy, saved) => {
        const [z, phi] = saved as readonly [tf.Tensor, tf.Tensor]
        const density = tf.mul(tf.exp(tf.mul(tf.square(z), -0.5)), 1 / Math.sqrt(2 * Math.PI))
        return [tf.mul(dy, tf.add(phi, tf.mul(z, density)))]
      },
    }
  })
}

/** CLIP's quick GELU: x·σ(1.702·x) (arXiv 1606.08415, section 2). */
export function quickGelu(x: tf.Tensor): tf.Tensor {
  return withGradient([x], (input: tf.Tensor) => {
    const gate = tf.sigmoid(tf.mul(input, 1.702))
    const value = tf.mul(input, gate)
    return {
      value,
      saved: [gate, value],
      gradient: (dy, saved) => {
        const [s, y] = saved as readonly [tf.Tensor, tf.Tensor]
        // d/dx [x·σ(1.702·x)] = σ + 1.702·x·σ·(1 − σ)
        return [tf.mul(dy, tf.add(s, tf.mul(tf.mul(y, tf.sub(1, s)), 1.702)))]
      },
    }
  })
}

/** z·σ(z) (arXiv 1606.08415, section 4). */
export function silu(x: tf.Tensor): tf.Tensor {
  return swiGlu(x, tf.onesLike(x))
}

/** By the names of Hugging Face. */
export const ACTIVATION: Readonly<Record<Activation, (x: tf.Tensor) => tf.Tensor>> = {
  gelu: geluErf,
  gelu_pytorch_tanh: geluTanh,
  quick_gelu: quickGelu,
  silu,
  relu: (x) => tf.relu(x),
}

/** An MLP's gated product act(gate)·up. Both (..., D). */
export function gated(activation: Activation, gate: tf.Tensor, up: tf.Tensor): tf.Tensor {
  return activation === 'silu' ? swiGlu(gate, up) : tf.mul(ACTIVATION[activation](gate), up)
}

/** SwiGLU's product (arXiv 2002.05202): silu(gate)·up with silu(z) = z·σ(z). Both (..., D). */
export function swiGlu(gate: tf.Tensor, up: tf.Tensor): tf.Tensor {
  return withGradient([gate, up], (g: tf.Tensor, u: tf.Tensor) => {
    const s = tf.sigmoid(g)
    const silu = tf.mul(g, s)
    return {
      value: tf.mul(silu, u),
      saved: [u, s, silu],
      gradient: (dy, saved) => {
        const [upSaved, sigma, siluSaved] = saved as readonly [tf.Tensor, tf.Tensor, tf.Tensor]
        // silu′(z) = σ + silu·(1 − σ)
        const slope = tf.add(sigma, tf.mul(siluSaved, tf.sub(1, sigma)))
        return [tf.mul(tf.mul(dy, upSaved), slope), tf.mul(dy, siluSaved)]
      },
    }
  })
}
