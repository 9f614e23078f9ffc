// Scaled dot-product attention (arXiv 1706.03762, eq. 1) with grouped queries (arXiv 2305.13245).
// The gradient is written out: it keeps q, k, v and the probabilities, and nothing else of size T².

import * as tf from '@tensorflow/tfjs'
import { withGradient } from './with-gradient.ts'

/**
 * softmax(q·kᵀ/√d + mask)·v
 *
 * @param q     (B, H, T, d)
 * @param k,v   (B, H_kv, S, d); H is a multiple of H_kv, and query heads g·H/H_kv … share key/value head g
 * @param mask  added to the scores, broadcastable to (B, H, T, S); null: none
 * @returns (B, H, T, d)
 */
export function attention(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, mask: tf.Tensor | null): tf.Tensor {
  const [B, H, T, d] = q.shape as [number, number, number, number]
  const [, Hkv, S] = k.shape as [number, number, number, number]
  // Queries of one group are stacked along T, so that keys and values are never repeated in memory.
  const grouped = [B, Hkv, (H / Hkv) * T, d]
  const mixed = withGradient([tf.reshape(q, grouped), k, v], (query: tf.Tensor, key: tf.Tensor, value: tf.Tensor) => {
    const scaled = tf.mul(query, 1 / Math.sqrt(d)) // (B, Hkv, G·T, d)
    const raw = tf.matMul(scaled, key, false, true) // (B, Hkv, G·T, S)
    const scores = mask === null ? raw : tf.add(tf.reshape(raw, [B, H, T, S]), mask) // (B, H, T, S)
    const probabilities = tf.reshape(tf.softmax(scores), raw.shape) // (B, Hkv, G·T, S)
    return {
      value: tf.matMul(probabilities, value), // (B, Hkv, G·T, d)
      saved: [scaled, key, value, probabilities],
      gradient: (dy, saved) => {
        const [qs, ks, vs, p] = saved as readonly [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
        const dP = tf.matMul(dy, vs, false, true) // (B, Hkv, G·T, S)
        const weighted = tf.mul(dP, p) // (B, Hkv, G·T, S)
        const dScores = tf.sub(weighted, tf.mul(p, tf.sum(weighted, -1, true))) // (B, Hkv, G·T, S)
        return [
          tf.mul(tf.matMul(dScores, ks), 1 / Math.sqrt(d)), // qs carries the scale already, so dk needs none
          tf.matMul(dScores, qs, true, false),
          tf.matMul(p, dy, true, false),
        ]
      },
    }
  })
  return tf.reshape(mixed, [B, H, T, d])
}

/** (B, T, H·d) → (B, H, T, d). */
export function splitHeads(x: tf.Tensor, heads: number): tf.Tensor {
  const [B, T, D] = x.shape as [number, number, number]
  return tf.transpose(tf.reshape(x, [B, T, heads, D / heads]), [0, 2, 1, 3])
}

/** (B, H, T, d) → (B, T, H·d). */
export function mergeHeads(x: tf.Tensor): tf.Tensor {
  const [B, H, T, d] = x.shape as [number, number, number, number]
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [B, T, H * d])
}
