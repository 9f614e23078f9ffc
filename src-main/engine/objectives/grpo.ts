// Group Relative Policy Optimization: the model answers each prompt several times, and what was better than its own average
// becomes likelier. The answers come with the batch; who draws them is no matter of the loss.

import * as tf from '@tensorflow/tfjs'
import type { ObjectiveOf } from '../../domain/objective-config.ts'
import { answerLogits, imageFeatures, imageTokens, type MultimodalLm } from '../models/multimodal-lm.ts'
import { withoutGradient } from '../nn/with-gradient.ts'
import { entropyOf, tokenLogProbs, type AnswerRows } from './log-probs.ts'
import type { Objective } from './objective.ts'

/** What is known of R drawn answers beside their tokens. */
export interface SampledRows {
  /** (R): by how much each answer was better than its group. */
  readonly advantages: tf.Tensor1D
  /** (): this pass's share of the step's answers, by which its means are logged. */
  readonly share: tf.Scalar
  /** (R, A): log π of the weights that drew the answers; absent when each is learned from once, by the same weights. */
  readonly oldLogProbs?: tf.Tensor2D
  /** (R, A): log π_reference of each token; absent when β is 0. */
  readonly referenceLogProbs?: tf.Tensor2D
}

/** A ratio beyond e^20 is no estimate of anything; it would only overflow. */
const LARGEST_EXPONENT = 20

/**
 * The loss of each token (GRPO, arXiv 2402.03300, eq. 3; ε apart below and above as in DAPO, arXiv 2503.14476, eq. 10):
 *
 *   −min(ρ·A, clip(ρ, 1−ε_low, 1+ε_high)·A) + β·k₃,   ρ = πθ/π_old,   k₃ = e^d − d − 1 with d = log πref − log πθ
 *
 * k₃ estimates KL(πθ ‖ πref) without bias and is never negative (eq. 4); its gradient is not that of the KL, which ρ·k₃ has
 * (arXiv 2512.02556, section 3.1; the default of TRL).
 * @param policy  log πθ of each token, (R, A); carries the gradient
 * @param old     (R, A), constant   @param reference (R, A), constant; null: β is 0   @param advantages (R)
 * @returns losses, the KL estimate (null without a reference), and whether a token was clipped from below and from above, each (R, A)
 */
export function grpoTokenLosses(
  policy: tf.Tensor2D,
  old: tf.Tensor2D,
  reference: tf.Tensor2D | null,
  advantages: tf.Tensor1D,
  { epsilon, epsilonHigh, beta, useBiasCorrectionKl }: Pick<ObjectiveOf<'grpo'>, 'epsilon' | 'epsilonHigh' | 'beta' | 'useBiasCorrectionKl'>,
) {
  const [low, high] = [1 - epsilon, 1 + (epsilonHigh ?? epsilon)]
  const exp = (exponent: tf.Tensor) => tf.exp(tf.minimum(exponent, LARGEST_EXPONENT)) as tf.Tensor2D
  const gains = tf.reshape(advantages, [-1, 1]) // (R, 1)
  const ratios = exp(tf.sub(policy, old)) // (R, A)
  const surrogate = tf.minimum(tf.mul(ratios, gains), tf.mul(tf.minimum(tf.maximum(ratios, low), high), gains))
  const distance = reference === null ? null : tf.sub(reference, policy) // (R, A)
  const k3 = distance === null ? null : tf.sub<tf.Tensor2D>(tf.sub(exp(distance), distance), 1)
  const kl = k3 !== null && useBiasCorrectionKl ? tf.mul<tf.Tensor2D>(k3, ratios) : k3
  const losses = tf.neg(surrogate) as tf.Tensor2D
  return {
    losses: kl === null ? losses : tf.add<tf.Tensor2D>(losses, tf.mul(kl, beta)),
    kl,
    isClippedLow: tf.logicalAnd(tf.less(ratios, low), tf.less(gains, 0)),
    isClippedHigh: tf.logicalAnd(tf.greater(ratios, high), tf.greater(gains, 0)),
  }
}

/** log π of each answer token at the temperature at which answers are drawn. @param tokens (B, I, D) @returns (R, A), and logits (R·A, V) */
export function sampledLogProbs(model: MultimodalLm, rows: AnswerRows, tokens: tf.Tensor, temperature: number) {
  const raw = answerLogits(model, rows, tokens) // (R·A, V)
  const logits = temperature === 1 ? raw : tf.div<tf.Tensor2D>(raw, temperature)
  const logProbs = tokenLogProbs(logits, tf.reshape(rows.answerIds, [-1]) as tf.Tensor1D) // (R·A)
  return { logProbs: tf.reshape(logProbs, rows.answerIds.shape) as tf.Tensor2D, logits }
}

/** How a row's loss follows from its tokens' (TRL's loss_type); the batch's row weights do the rest. */
export function grpo(config: ObjectiveOf<'grpo'>): Objective {
  return {
    kind: 'grpo',
    rowsPerImage: config.numGenerations,
    weighsTokens: false,
    needsPairs: false,
    reference: null,
    needsMismatched: false,
    usesImages: true,
    metricNames: ['entropy', 'clip_ratio/low_mean', 'clip_ratio/high_mean', 'clip_ratio/region_mean', ...(config.beta > 0 ? ['kl'] : [])],
    loss(model, batch) {
      const { sampled, answerMask: mask, rowWeights } = batch
      if (sampled === undefined) throw new RangeError('a batch for GRPO holds sampled answers')
      const tokens = imageTokens(model, imageFeatures(model, batch.patches))
      const { logProbs, logits } = sampledLogProbs(model, batch, tokens, config.temperature)
      const old = sampled.oldLogProbs ?? withoutGradient(() => tf.clone(logProbs))
      const { losses, kl, isClippedLow, isClippedHigh } = grpoTokenLosses(logProbs, old, sampled.referenceLogProbs ?? null, sampled.advantages, config)
      const lengths = tf.maximum(tf.sum(mask, -1), 1) // (R)
      const rowSums = tf.sum(tf.mul(losses, mask), -1) // (R)
      // grpo: every answer counts alike; otherwise every token does, and the weights know over how many.
      const rowLosses = config.lossType === 'grpo' ? tf.div(rowSums, lengths) : rowSums
      const tokenMean = (values: tf.Tensor) =>
        tf.mul(tf.div(tf.sum(tf.mul(tf.cast(values, 'float32'), mask)), tf.maximum(tf.sum(mask), 1)), sampled.share) as tf.Scalar
      return {
        loss: tf.sum(tf.mul(rowLosses, rowWeights)) as tf.Scalar,
        metrics: {
          entropy: withoutGradient(() => tokenMean(tf.reshape(entropyOf(logits), mask.shape))),
          'clip_ratio/low_mean': tokenMean(isClippedLow),
          'clip_ratio/high_mean': tokenMean(isClippedHigh),
          'clip_ratio/region_mean': tokenMean(tf.logicalOr(isClippedLow, isClippedHigh)),
          ...(kl === null ? {} : { kl: tokenMean(kl) }),
        },
      }
    },
  }
}

/**
 * The weight of each row, so that a step's rows and passes add up to the mean that the variant takes:
 *
 *   grpo (arXiv 2402.03300)     each answer's mean over its tokens, over all answers
 *   dapo (arXiv 2503.14476)     over all tokens of the step
 *   dr_grpo (arXiv 2503.20783)  over answers × longest answer: a constant, so that length is not rewarded
 * @param lengths  tokens of every answer of the step
 */
export function grpoRowWeight({ lossType, maxCompletionLength }: ObjectiveOf<'grpo'>, lengths: readonly number[]): number {
  if (lossType === 'grpo') return 1 / lengths.length
  if (lossType === 'dapo') return 1 / Math.max(1, lengths.reduce((sum, length) => sum + length, 0))
  return 1 / (lengths.length * maxCompletionLength)
}
