// Log-probabilities of given tokens, in nats.

import * as tf from '@tensorflow/tfjs'
import { answerLogits, type MultimodalLm, type TextRows } from '../models/multimodal-lm.ts'
import { withGradient } from '../nn/with-gradient.ts'

/** Rows of text with the answers that they end in. */
export interface AnswerRows extends TextRows {
  /** (R, A) int32: the answer's tokens, padded. */
  readonly answerIds: tf.Tensor2D
  /** (R, A): 1 on answer tokens. */
  readonly answerMask: tf.Tensor2D
}

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

/** log π of each row's answer. @param tokens image tokens (B, I, D)  @param ldAlpha of `lengthDesensitised`  @returns (R) */
export function rowLogProbs(model: MultimodalLm, rows: AnswerRows, tokens: tf.Tensor, ldAlpha = 1): tf.Tensor1D {
  const logits = answerLogits(model, rows, tokens) // (R·A, V)
  const perToken = tokenLogProbs(logits, tf.reshape(rows.answerIds, [-1]) as tf.Tensor1D) // (R·A)
  return answerLogProbs(perToken, lengthDesensitised(rows.answerMask, ldAlpha))
}

/**
 * The mask of a batch of pairs with weight α instead of 1 on tokens beyond the shorter answer's length (LD-DPO, arXiv
 * 2409.06411, eq. 9): log-probabilities summed under it are less a matter of length.
 * @param mask (2·B, A), all chosen before all rejected; an answer's tokens stand first  @returns (2·B, A)
 */
export function lengthDesensitised(mask: tf.Tensor2D, alpha: number): tf.Tensor2D {
  if (alpha === 1) return mask
  const [R, A] = mask.shape
  const lengths = tf.reshape(tf.sum(mask, -1), [2, R / 2, 1]) // (2, B, 1)
  const shared = tf.reshape(tf.tile(tf.min(lengths, 0, true), [2, 1, 1]), [R, 1]) // (2·B, 1)
  const isShared = tf.cast(tf.less(tf.reshape(tf.range(0, A), [1, A]), shared), 'float32') // (2·B, A)
  return tf.mul(mask, tf.add(tf.mul(isShared, 1 - alpha), alpha))
}

/** Entropy of softmax(logits), in nats. @param logits (N, V) @returns (N) */
export function entropyOf(logits: tf.Tensor2D): tf.Tensor1D {
  const logP = tf.sub(logits, tf.logSumExp(logits, -1, true)) // (N, V)
  return tf.neg(tf.sum(tf.mul(tf.exp(logP), logP), -1))
}
