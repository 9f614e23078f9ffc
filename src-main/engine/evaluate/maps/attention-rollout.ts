// What an encoder's attention matrices say of where its tokens look: the last block's attention as it is, and rollout, which
// follows attention through all blocks (Abnar & Zuidema 2020, arXiv 2005.00928, section 3). Both are weaker evidence than a
// gradient: attention is not what decides (arXiv 1902.10186), and values and MLPs are left out of it.

import * as tf from '@tensorflow/tfjs'

/**
 * Rows of the last block's attention, mean over heads. @param attention (B, H, N, N) of each block @returns (B, N, N)
 */
export function lastAttention(attention: readonly tf.Tensor[]): tf.Tensor {
  return tf.mean(attention.at(-1)!, 1)
}

/**
 * Ã_L·…·Ã_1 with Ã = ½·mean over heads + ½·I, the half that the residual stream carries by itself. Every row sums to one.
 * @param attention (B, H, N, N) of each block, the first first   @returns (B, N, N): row i, how much of each input token i holds
 */
export function attentionRollout(attention: readonly tf.Tensor[]): tf.Tensor {
  return tf.tidy(() => {
    const N = attention[0]!.shape.at(-1)!
    const identity = tf.reshape(tf.eye(N), [1, N, N])
    return attention
      .map((block) => tf.mul(0.5, tf.add(tf.mean(block, 1), identity)))
      .reduce((through, block) => tf.matMul(block, through))
  })
}

/**
 * Mean over the patches that look of how much they look at each patch. @param matrix (1, N, N) @param prefix tokens before patches
 * @returns (P); less than 1 in sum where class token and registers are looked at
 */
export function lookedAt(matrix: tf.Tensor, prefix: number): tf.Tensor1D {
  return tf.tidy(() => {
    const N = matrix.shape.at(-1)!
    return tf.reshape(tf.mean(tf.slice(matrix, [0, prefix, prefix], [1, N - prefix, N - prefix]), 1), [N - prefix])
  })
}
