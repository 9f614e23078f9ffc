// How much a model would say an answer, as a number a picture: what every map of "where does it look for this answer" is a map of.
// A score is a weighted sum of the log-probabilities of the answers' tokens, in nats; which answer, and which of its tokens,
// is a matter of the weights alone, so that one function serves all of them.

import * as tf from '@tensorflow/tfjs'
import { answerLogits, imageFeatures, imageTokens, type MultimodalLm } from '../../models/multimodal-lm.ts'
import { tokenLogProbs, type AnswerRows } from '../../objectives/log-probs.ts'

/** One number an item, from something an item is made of: (B, N, W) ↦ (B). No item sees another. */
export type Score = (x: tf.Tensor) => tf.Tensor1D

/** What stands in place of an image's pixels: its patches, the features that the projector takes, or the projector's tokens. */
export type ScoredFrom = 'patches' | 'features' | 'tokens'

/**
 * Σ over the rows of an image and their answer tokens of weight · log p(token).
 * @param rows     R rows over B images, row r over image r mod B
 * @param weights  (R, A): 1 on the answer's tokens is log π(answer); −1 on a second row's takes its log-probability away
 */
export function answerScore(model: MultimodalLm, rows: AnswerRows, weights: tf.Tensor2D, from: ScoredFrom): Score {
  return (x) => {
    const B = x.shape[0]!
    const tokens = from === 'tokens' ? x : imageTokens(model, from === 'features' ? x : imageFeatures(model, x)) // (B, I, D)
    const logits = answerLogits(model, rows, tokens) // (R·A, V)
    const perToken = tokenLogProbs(logits, tf.reshape(rows.answerIds, [-1]) as tf.Tensor1D) // (R·A)
    const perRow = tf.sum(tf.mul(tf.reshape(perToken, weights.shape), weights), -1) // (R)
    return tf.sum(tf.reshape(perRow, [-1, B]), 0) as tf.Tensor1D // (B)
  }
}
