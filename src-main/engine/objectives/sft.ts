// Supervised fine-tuning: the mean negative log-likelihood of the answer's tokens, given image and question; or, as the
// pre-training of a language model from nothing, given the question alone.

import * as tf from '@tensorflow/tfjs'
import { answerLogits, imageFeatures, imageTokens } from '../models/multimodal-lm.ts'
import { entropyOf, tokenLogProbs } from './log-probs.ts'
import type { Objective } from './objective.ts'

/** L = −E log π(y|I, q), a mean over all answer tokens of the optimiser step (arXiv 2510.16333, eq. 1). */
export function sft(kind: 'sft' | 'text' = 'sft'): Objective {
  const usesImages = kind === 'sft'
  return {
    kind,
    usesImages,
    rowsPerImage: 1,
    weighsTokens: true,
    needsPairs: false,
    reference: null,
    needsMismatched: false,
    metricNames: ['mean_token_accuracy', 'entropy'],
    loss(model, batch) {
      const logits = answerLogits(model, batch, usesImages ? imageTokens(model, imageFeatures(model, batch.patches)) : null) // (R·A, V)
      const ids = tf.reshape(batch.answerIds, [-1]) as tf.Tensor1D // (R·A)
      const weights = tf.reshape(tf.mul(batch.answerMask, tf.reshape(batch.rowWeights, [-1, 1])), [-1]) // (R·A)
      const weighted = (values: tf.Tensor) => tf.sum(tf.mul(values, weights)) as tf.Scalar
      return {
        loss: tf.neg(weighted(tokenLogProbs(logits, ids))),
        metrics: {
          mean_token_accuracy: weighted(tf.cast(tf.equal(tf.argMax(logits, -1), ids), 'float32')),
          entropy: weighted(entropyOf(logits)),
        },
      }
    },
  }
}
