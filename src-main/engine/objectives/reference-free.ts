// Preference objectives that compare the two answers of a pair by the policy alone: CPO, SimPO, ORPO. No reference is
// computed, and their rewards are the policy's own log-probabilities, so they are not 0 at the start.

import * as tf from '@tensorflow/tfjs'
import type { ObjectiveOf } from '../../domain/objective-config.ts'
import { imageFeatures, imageTokens } from '../models/multimodal-lm.ts'
import type { Objective } from './objective.ts'
import { ANSWER_METRICS, pairAnswers, REWARD_METRICS, rewardMetrics, type PairAnswers } from './pair-answers.ts'
import { logistic, smoothedLogistic, type PairValues } from './pair-losses.ts'

const SHARED = { rowsPerImage: 2, weighsTokens: false, needsPairs: true, reference: null, needsMismatched: false, usesImages: true } as const

/**
 * The loss of each pair from log-probabilities a = log πθ(y_w) and b = log πθ(y_l) (for simpo and ipo: per token):
 *
 *   CPO (arXiv 2401.08417, eq. 3)      ℓ(β(a − b)), or hinge max(0, 1 − β(a − b)), or ipo (a − b − 1/(2β))²
 *   SimPO (arXiv 2405.14734, eq. 6)    ℓ(β(a − b) − γ)
 *
 * with ℓ(z) = −log σ(z), and for label smoothing ε (1−ε)·ℓ(z) + ε·ℓ(−z).
 * @param logProbs (B) each  @returns (B)
 */
export function referenceFreeLosses({ chosen, rejected }: PairValues, config: ObjectiveOf<'cpo' | 'simpo'>): tf.Tensor1D {
  const { beta } = config
  const difference = tf.sub<tf.Tensor1D>(chosen, rejected)
  if (config.kind === 'simpo') return smoothedLogistic(tf.sub(tf.mul(difference, beta), config.simpoGamma), config.labelSmoothing)
  switch (config.lossType) {
    case 'sigmoid':
      return smoothedLogistic(tf.mul(difference, beta), config.labelSmoothing)
    case 'hinge':
      return tf.relu(tf.sub(1, tf.mul(difference, beta)))
    case 'ipo':
      return tf.square(tf.sub(difference, 1 / (2 * beta)))
  }
}

/** CPO and SimPO: the loss of each pair, and cpoAlpha times the chosen answers' mean negative log-likelihood. */
export function referenceFree(config: ObjectiveOf<'cpo' | 'simpo'>): Objective {
  const isPerToken = config.kind === 'simpo' || config.lossType === 'ipo'
  return {
    ...SHARED,
    kind: config.kind,
    metricNames: [...REWARD_METRICS, ...ANSWER_METRICS, 'nll_loss'],
    loss(model, batch) {
      const answers = pairAnswers(model, batch, imageTokens(model, imageFeatures(model, batch.patches)))
      const compared = isPerToken ? meanLogProbs(answers) : answers.logProbs
      const preference = answers.weighted(referenceFreeLosses(compared, config))
      const nll = answers.chosenNegativeLogLikelihood()
      return {
        loss: config.cpoAlpha === 0 ? preference : tf.add(preference, tf.mul(nll, config.cpoAlpha)),
        metrics: { ...rewardMetrics(scaled(compared, config.beta), answers), ...answers.metrics(compared), nll_loss: nll },
      }
    },
  }
}

/**
 * log(p/(1 − p)) of p = e^l, l ≤ 0 being a mean log-probability per token. With u = tanh(−l/2) it is l − log(2u/(1 + u)):
 * nothing cancels where p is near 1, nor vanishes where it is near 0.
 * @param l (B)  @returns (B)
 */
export function logOdds(l: tf.Tensor1D): tf.Tensor1D {
  // At p = 1 the odds are infinite; float32 knows nothing between 1 − 6e-8 and 1.
  const held = tf.minimum<tf.Tensor1D>(l, -1e-7)
  const u = tf.tanh(tf.mul(held, -0.5)) as tf.Tensor1D
  return tf.sub(held, tf.sub(tf.add(tf.log(u), Math.LN2), tf.log1p(u)))
}

/**
 * ORPO (arXiv 2403.07691, eq. 6 and 7): NLL(y_w) + λ·ℓ(log odds(y_w) − log odds(y_l)), odds of the mean probability of a
 * token. The NLL is of the answer, as in the paper; TRL's counts the prompt's tokens too.
 */
export function orpo({ beta }: ObjectiveOf<'orpo'>): Objective {
  return {
    ...SHARED,
    kind: 'orpo',
    metricNames: [...REWARD_METRICS, ...ANSWER_METRICS, 'nll_loss', 'log_odds_ratio', 'log_odds_chosen'],
    loss(model, batch) {
      const answers = pairAnswers(model, batch, imageTokens(model, imageFeatures(model, batch.patches)))
      const compared = meanLogProbs(answers)
      const odds = tf.sub<tf.Tensor1D>(logOdds(compared.chosen), logOdds(compared.rejected)) // (B)
      const losses = answers.weighted(logistic(odds))
      const nll = answers.chosenNegativeLogLikelihood()
      return {
        loss: tf.add(nll, tf.mul(losses, beta)),
        metrics: {
          ...rewardMetrics(scaled(compared, beta), answers),
          ...answers.metrics(compared),
          nll_loss: nll,
          log_odds_ratio: tf.neg(losses),
          log_odds_chosen: answers.weighted(odds),
        },
      }
    },
  }
}

/** Per token, in nats. */
function meanLogProbs({ logProbs, tokens }: PairAnswers): PairValues {
  const mean = (which: keyof PairValues) => tf.div<tf.Tensor1D>(logProbs[which], tf.maximum(tokens[which], 1))
  return { chosen: mean('chosen'), rejected: mean('rejected') }
}

function scaled({ chosen, rejected }: PairValues, beta: number): PairValues {
  return { chosen: tf.mul(chosen, beta), rejected: tf.mul(rejected, beta) }
}
