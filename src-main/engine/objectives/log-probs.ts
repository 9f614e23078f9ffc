// Log-probabilities of given tokens, in nats.

import * as tf from '@tensorflow/tfjs'
import { withGradient } from '../nn/with-gradient.ts'

/**
 * log softmax(logits)[id] for each row. The gradient, dy·(onehot − softmax), is written out: only the logits and one
 * number a row are kept.
 * @param logits (N, V)   @param ids (N) int32   @returns (N)
 */
export function tokenLogProbs(logits: tf.Tensor2D, ids: tf.Tensor1D): tf.Tensor1D {
  const V = logits.shape[1]
  return withGradient([logits], (z: tf.Tensor) => {
    const normalizer = tf.logSumExp(z, -1, true) // (N, 1)
    const picked = tf.sum(tf.mul(z, tf.oneHot(ids, V)), -1, true) // (N, 1)
    return {
      value: tf.reshape(tf.sub(picked, normalizer), [-1]),
      saved: [z, normalizer, ids],
      gradient: (dy, saved) => {
        const [kept, norm, targets] = saved as readonly [tf.Tensor, tf.Tensor, tf.Tensor1D]
        const softmax = tf.exp(tf.sub(kept, norm)) // (N, V)
        return [tf.mul(tf.sub(tf.oneHot(targets, V), softmax), tf.reshape(dy, [-1, 1]))]
      },
    }
  }) as tf.Tensor1D
}

/** Sums of token log-probabilities over each row's answer. @param tokens (R·A) @param mask (R, A) @returns (R) */
export function answerLogProbs(tokens: tf.Tensor1D, mask: tf.Tensor2D): tf.Tensor1D {
  return tf.sum(tf.mul(tf.reshape(tokens, mask.shape), mask), -1)
}

/** Entropy of softmax(logits), in nats. @param logits (N, V) @returns (N) */
export function entropyOf(logits: tf.Tensor2D): tf.Tensor1D {
  const logP = tf.sub(logits, tf.logSumExp(logits, -1, true)) // (N, V)
  return tf.neg(tf.sum(tf.mul(tf.exp(logP), logP), -1))
}
