// Kahneman-Tversky Optimization: every answer is judged alone, as desirable (the chosen ones) or not, against how far the
// policy has drifted from the reference on the whole. That drift is read off answers to other questions.

import * as tf from '@tensorflow/tfjs'
import type { ObjectiveOf } from '../../domain/objective-config.ts'
import { imageFeatures, imageTokens, type MultimodalLm } from '../models/multimodal-lm.ts'
import { withoutGradient } from '../nn/with-gradient.ts'
import { rowLogProbs } from './log-probs.ts'
import type { Batch, Objective } from './objective.ts'
import { ANSWER_METRICS, halves, pairAnswers, REWARD_METRICS, rewardMetrics } from './pair-answers.ts'
import { implicitRewards, type PairValues } from './pair-losses.ts'

/**
 * The losses of chosen and rejected answers (arXiv 2402.01306, eq. 8, as TRL writes it):
 *
 *   chosen λ_D·(1 − σ(βc − βz₀))   rejected λ_U·(1 − σ(βz₀ − βr))
 *
 * apo_zero_unpaired (arXiv 2408.06266, eq. 7) is the same at z₀ = 0.
 * @param rewards  βc and βr, (B) each
 * @param drift    βz₀ ≥ 0, (); carries no gradient
 * @returns (B) each
 */
export function ktoLosses(rewards: PairValues, drift: tf.Tensor, { desirableWeight, undesirableWeight }: ObjectiveOf<'kto'>): PairValues {
  return {
    chosen: tf.mul(tf.sigmoid(tf.sub(drift, rewards.chosen)), desirableWeight),
    rejected: tf.mul(tf.sigmoid(tf.sub(rewards.rejected, drift)), undesirableWeight),
  }
}

/** The mean over all answers, chosen and rejected, as TRL takes it of a dataset of pairs taken apart. */
export function kto(config: ObjectiveOf<'kto'>): Objective {
  const needsMismatched = config.lossType === 'kto'
  return {
    kind: 'kto',
    rowsPerImage: 2,
    weighsTokens: false,
    needsPairs: true,
    reference: { ldAlpha: 1 },
    needsMismatched,
    usesImages: true,
    metricNames: [...REWARD_METRICS, ...ANSWER_METRICS, ...(needsMismatched ? ['kl'] : [])],
    loss(model, batch) {
      const tokens = imageTokens(model, imageFeatures(model, batch.patches))
      const answers = pairAnswers(model, batch, tokens)
      const compared = { policy: answers.logProbs, reference: halves(batch.referenceLogProbs) }
      const rewards = implicitRewards(compared, config.beta)
      const z0 = needsMismatched ? withoutGradient(() => meanDrift(model, batch, tokens)) : tf.scalar(0)
      const losses = ktoLosses(rewards, tf.mul(z0, config.beta), config)
      return {
        loss: answers.weighted(tf.mul(tf.add(losses.chosen, losses.rejected), 0.5)),
        metrics: {
          ...rewardMetrics(rewards, answers),
          ...answers.metrics(),
          ...(needsMismatched ? { kl: tf.mul(z0, tf.sum(answers.weights)) as tf.Scalar } : {}),
        },
      }
    },
  }
}

/**
 * z₀ = max(0, mean over mismatched (prompt, answer) pairs of log πθ − log πref): KTO's estimate of KL(πθ ‖ πref), with answers
 * that belong to other prompts (arXiv 2402.01306, section 4.1).
 * @returns ()
 */
function meanDrift(model: MultimodalLm, { mismatched, rowWeights }: Batch, tokens: tf.Tensor): tf.Scalar {
  if (mismatched === undefined) throw new RangeError('a batch for KTO holds mismatched answers')
  const drifts = tf.sub(rowLogProbs(model, mismatched, tokens), mismatched.referenceLogProbs) // (2·B)
  return tf.relu(tf.div(tf.sum(tf.mul(drifts, rowWeights)), tf.sum(rowWeights)))
}
