// One forward pass over the two answers of each pair, and what TRL logs of it. Both answers look at the same image, whose
// features are computed once.

import * as tf from '@tensorflow/tfjs'
import { answerLogits, type MultimodalLm } from '../models/multimodal-lm.ts'
import { withoutGradient } from '../nn/with-gradient.ts'
import { answerLogProbs, entropyOf, lengthDesensitised, tokenLogProbs } from './log-probs.ts'
import type { Batch } from './objective.ts'
import type { PairValues } from './pair-losses.ts'

/** What every objective of pairs logs of the answers themselves. */
export const ANSWER_METRICS = ['logps/chosen', 'logps/rejected', 'logits/chosen', 'logits/rejected', 'entropy', 'mean_token_accuracy'] as const
/** What it logs of the rewards that it takes the answers to have. */
export const REWARD_METRICS = ['rewards/chosen', 'rewards/rejected', 'rewards/accuracies', 'rewards/margins'] as const

export interface PairAnswers {
  /** Summed over each answer's tokens. */
  readonly logProbs: PairValues
  readonly tokens: PairValues
  /** (B), of the pairs. */
  readonly weights: tf.Tensor1D
  /** Σ over pairs of weight·value: the mean over the optimiser step's pairs, once its passes are added up. @param values (B) */
  weighted(values: tf.Tensor): tf.Scalar
  /** Mean negative log-likelihood of the chosen answers' tokens: tokens count alike within the pass, passes by their pairs. */
  chosenNegativeLogLikelihood(): tf.Scalar
  /** ANSWER_METRICS; log-probabilities as given, where the objective looks at others than the sums. */
  metrics(logProbs?: PairValues): Record<(typeof ANSWER_METRICS)[number], tf.Scalar>
}

/** @param tokens image tokens (B, I, D) @param ldAlpha of length desensitising; 1: off */
export function pairAnswers(model: MultimodalLm, batch: Batch, tokens: tf.Tensor, ldAlpha = 1): PairAnswers {
  const logits = answerLogits(model, batch, tokens) // (2·B·A, V)
  const ids = tf.reshape(batch.answerIds, [-1]) as tf.Tensor1D // (2·B·A)
  const perToken = tokenLogProbs(logits, ids) // (2·B·A)
  const logProbs = halves(answerLogProbs(perToken, lengthDesensitised(batch.answerMask, ldAlpha)))
  const counts = halves(tf.sum(batch.answerMask, -1) as tf.Tensor1D)
  const weights = halves(batch.rowWeights).chosen // (B)
  const weighted = (values: tf.Tensor) => tf.sum(tf.mul(values, weights)) as tf.Scalar
  const share = tf.sum(weights) // () of this forward pass in the step
  /** Mean of a value a token over the answers' tokens, times this pass's share of the step. @param values (2·B·A) */
  const tokenMean = (values: tf.Tensor, of: 'chosen' | 'rejected' | 'both'): tf.Scalar => {
    const total = (pair: PairValues) => tf.sum(of === 'both' ? tf.add(pair.chosen, pair.rejected) : pair[of]) // ()
    const sums = halves(answerLogProbs(values as tf.Tensor1D, batch.answerMask))
    return tf.mul(tf.div(total(sums), tf.maximum(total(counts), 1)), share)
  }
  return {
    logProbs,
    tokens: counts,
    weights,
    weighted,
    chosenNegativeLogLikelihood: () => tf.neg(tokenMean(perToken, 'chosen')),
    metrics(logged = logProbs) {
      const ofTokens = withoutGradient(() => {
        const overVocabulary = tf.mean(logits, -1) // (2·B·A)
        const isMostLikely = tf.cast(tf.equal(tf.argMax(logits, -1), ids), 'float32') // (2·B·A)
        return tf.stack([
          tokenMean(overVocabulary, 'chosen'),
          tokenMean(overVocabulary, 'rejected'),
          tokenMean(entropyOf(logits), 'both'),
          tokenMean(isMostLikely, 'chosen'),
        ])
      })
      const [logitsChosen, logitsRejected, entropy, accuracy] = tf.unstack(ofTokens) as tf.Scalar[]
      return {
        'logps/chosen': weighted(logged.chosen),
        'logps/rejected': weighted(logged.rejected),
        'logits/chosen': logitsChosen!,
        'logits/rejected': logitsRejected!,
        entropy: entropy!,
        mean_token_accuracy: accuracy!,
      }
    },
  }
}

/** REWARD_METRICS of implicit rewards, (B) each; a tie counts as lost. */
export function rewardMetrics({ chosen, rejected }: PairValues, { weighted }: PairAnswers): Record<(typeof REWARD_METRICS)[number], tf.Scalar> {
  return {
    'rewards/chosen': weighted(chosen),
    'rewards/rejected': weighted(rejected),
    'rewards/accuracies': weighted(tf.cast(tf.greater(chosen, rejected), 'float32')),
    'rewards/margins': weighted(tf.sub(chosen, rejected)),
  }
}

/** Chosen rows stand before rejected rows. @param rows (2·B) */
export function halves(rows: tf.Tensor1D): PairValues {
  const B = rows.shape[0] / 2
  return { chosen: tf.slice(rows, 0, B), rejected: tf.slice(rows, B, B) }
}
