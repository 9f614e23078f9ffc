// Direct Preference Optimization, its relatives, and weighted mixes of them (MPO). The reference is not a model here but two
// numbers a pair: its log-probabilities, computed once before training (it never changes) and given with the batch.

import * as tf from '@tensorflow/tfjs'
import type { MixedLoss, ObjectiveOf } from '../../domain/objective-config.ts'
import { imageFeatures, imageTokens } from '../models/multimodal-lm.ts'
import type { Objective } from './objective.ts'
import { ANSWER_METRICS, halves, pairAnswers, REWARD_METRICS, rewardMetrics } from './pair-answers.ts'
import { implicitRewards, pairLosses } from './pair-losses.ts'

/**
 * L = Σ_k w_k·L_k over the losses of the mix (MPO, arXiv 2411.10442, eq. 4; TRL's loss_type and loss_weights), of which `sft`
 * is the mean negative log-likelihood of the chosen answers' tokens. DPO is the mix of one, and of `sft` when rpoAlpha > 0
 * (RPO, arXiv 2404.19733, eq. 1). Rewards are logged as β·(log πθ − log πref), whatever the loss.
 */
export function dpo(config: ObjectiveOf<'dpo' | 'mpo'>): Objective {
  const parts = partsOf(config)
  return {
    kind: config.kind,
    rowsPerImage: 2,
    weighsTokens: false,
    needsPairs: true,
    reference: { ldAlpha: config.ldAlpha },
    needsMismatched: false,
    usesImages: true,
    metricNames: [...REWARD_METRICS, ...ANSWER_METRICS],
    loss(model, batch) {
      const answers = pairAnswers(model, batch, imageTokens(model, imageFeatures(model, batch.patches)), config.ldAlpha)
      const compared = { policy: answers.logProbs, reference: halves(batch.referenceLogProbs), tokens: answers.tokens, weights: answers.weights }
      const terms = parts.map(([loss, weight]) => {
        const term = loss === 'sft' ? answers.chosenNegativeLogLikelihood() : answers.weighted(pairLosses(loss, compared, config))
        return weight === 1 ? term : tf.mul<tf.Scalar>(term, weight)
      })
      return {
        loss: terms.reduce((sum, term) => tf.add(sum, term)),
        metrics: { ...rewardMetrics(implicitRewards(compared, config.beta), answers), ...answers.metrics() },
      }
    },
  }
}

function partsOf(config: ObjectiveOf<'dpo' | 'mpo'>): readonly (readonly [MixedLoss, number])[] {
  const parts: (readonly [MixedLoss, number])[] =
    config.kind === 'mpo'
      ? config.lossType.map((loss, i) => [loss, config.lossWeights[i]!])
      : [
          [config.lossType, 1],
          ['sft', config.rpoAlpha],
        ]
  return parts.filter(([, weight]) => weight > 0)
}
