// Direct Preference Optimization. The reference is not a model here but two numbers a pair: its log-probabilities,
// computed once before training (it never changes) and given with the batch.

import * as tf from '@tensorflow/tfjs'
import { answerLogits, imageFeatures, imageTokens } from '../models/multimodal-lm.ts'
import { answerLogProbs, tokenLogProbs } from './log-probs.ts'
import type { Objective } from './objective.ts'

/** Summed log-probabilities of a batch of answers, chosen and rejected, each (B), in nats. */
export interface PairLogProbs {
  readonly chosen: tf.Tensor1D
  readonly rejected: tf.Tensor1D
}

/**
 * The loss of each pair (arXiv 2305.18290, eq. 7; with ε the label smoothing of cDPO):
 *
 *   L = −(1−ε)·log σ(m) − ε·log σ(−m),   m = β·[(log πθ(y_w) − log πref(y_w)) − (log πθ(y_l) − log πref(y_l))]
 *
 * @param policy     of the model being trained; carries the gradient
 * @param reference  of the frozen reference; constant
 * @param beta       β > 0, unitless
 * @returns losses, implicit rewards β·(log πθ − log πref) and margins, each (B)
 */
export function dpoLosses(policy: PairLogProbs, reference: PairLogProbs, beta: number, labelSmoothing = 0) {
  const chosenRewards = tf.mul<tf.Tensor1D>(tf.sub(policy.chosen, reference.chosen), beta) // (B)
  const rejectedRewards = tf.mul<tf.Tensor1D>(tf.sub(policy.rejected, reference.rejected), beta) // (B)
  const margins = tf.sub<tf.Tensor1D>(chosenRewards, rejectedRewards) // (B)
  // −log σ(m) = softplus(−m), which neither overflows nor loses the tail; softplus(m) = softplus(−m) + m.
  const losses = tf.add<tf.Tensor1D>(tf.softplus(tf.neg(margins)), tf.mul(margins, labelSmoothing)) // (B)
  return { losses, chosenRewards, rejectedRewards, margins }
}

/** DPO on pairs whose two answers share one computation of the image's features. */
export function dpo({ beta, labelSmoothing }: { readonly beta: number; readonly labelSmoothing: number }): Objective {
  return {
    kind: 'dpo',
    rowsPerImage: 2,
    weighsTokens: false,
    needsReference: true,
    usesImages: true,
    metricNames: [
      'rewards/chosen',
      'rewards/rejected',
      'rewards/accuracies',
      'rewards/margins',
      'logps/chosen',
      'logps/rejected',
      'logits/chosen',
      'logits/rejected',
    ],
    loss(model, batch) {
      const logits = answerLogits(model, batch, imageTokens(model, imageFeatures(model, batch.patches))) // (2·B·A, V)
      const logProbs = answerLogProbs(tokenLogProbs(logits, tf.reshape(batch.answerIds, [-1]) as tf.Tensor1D), batch.answerMask) // (2·B)
      const policy = halves(logProbs)
      const { losses, chosenRewards, rejectedRewards, margins } = dpoLosses(
        policy,
        halves(batch.referenceLogProbs),
        beta,
        labelSmoothing,
      )
      const weights = halves(batch.rowWeights).chosen // (B)
      const weighted = (values: tf.Tensor) => tf.sum(tf.mul(values, weights)) as tf.Scalar
      const logitMeans = meanLogits(logits, batch.answerMask)
      const share = tf.sum(weights) // () of this forward pass in the step
      return {
        loss: weighted(losses),
        metrics: {
          'rewards/chosen': weighted(chosenRewards),
          'rewards/rejected': weighted(rejectedRewards),
          'rewards/accuracies': weighted(tf.cast(tf.greater(chosenRewards, rejectedRewards), 'float32')),
          'rewards/margins': weighted(margins),
          'logps/chosen': weighted(policy.chosen),
          'logps/rejected': weighted(policy.rejected),
          'logits/chosen': tf.mul(logitMeans.chosen, share),
          'logits/rejected': tf.mul(logitMeans.rejected, share),
        },
      }
    },
  }
}

/** Chosen rows stand before rejected rows. @param rows (2·B) */
function halves(rows: tf.Tensor1D): PairLogProbs {
  const B = rows.shape[0]! / 2
  return { chosen: tf.slice(rows, 0, B), rejected: tf.slice(rows, B, B) }
}

/**
 * Mean logit over vocabulary and all answer tokens of the chosen, and of the rejected rows, as TRL takes it: within one
 * forward pass tokens count alike, and passes of a step by their pairs.
 * @param logits (2·B·A, V) @param mask (2·B, A) @returns () each
 */
function meanLogits(logits: tf.Tensor2D, mask: tf.Tensor2D): { readonly chosen: tf.Tensor; readonly rejected: tf.Tensor } {
  const perToken = tf.reshape(tf.mean(logits, -1), mask.shape) // (2·B, A)
  const sums = halves(tf.sum(tf.mul(perToken, mask), -1)) // (B) each
  const counts = halves(tf.sum(mask, -1)) // (B) each
  const mean = (which: keyof PairLogProbs) => tf.div(tf.sum(sums[which]), tf.maximum(tf.sum(counts[which]), 1))
  return { chosen: mean('chosen'), rejected: mean('rejected') }
}
