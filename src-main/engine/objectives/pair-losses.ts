// Losses of preference pairs, as functions of log-probabilities alone. Every one is written so that it neither overflows nor
// loses its tail: −log σ(z) is softplus(−z), and no exponent exceeds what float32 holds.
//
// Throughout, for one pair: c and r are the log-ratios log πθ − log πref of the chosen and the rejected answer (summed over
// tokens, in nats), |y| an answer's tokens, f′ the divergence's score (c and r themselves unless it is changed), and
//
//   z = β·(f′(c) − f′(r)),   ℓ(z) = −log σ(z)

import * as tf from '@tensorflow/tfjs'
import type { ObjectiveOf, PairLoss } from '../../domain/objective-config.ts'
import { withoutGradient } from '../nn/with-gradient.ts'

/** One number for the chosen and one for the rejected answer of each pair, (B) each. */
export interface PairValues {
  readonly chosen: tf.Tensor1D
  readonly rejected: tf.Tensor1D
}

/** What a loss may look at; all in nats but the counts. */
export interface ComparedPairs {
  /** Of the model being trained; carries the gradient. */
  readonly policy: PairValues
  /** Of the frozen reference; constant. */
  readonly reference: PairValues
  /** Tokens of each answer. */
  readonly tokens: PairValues
  /** (B): weight of each pair in the mean; 0 for a pair that only fills the batch. */
  readonly weights: tf.Tensor1D
}

export type PairLossSettings = Pick<ObjectiveOf<'dpo'>, 'beta' | 'labelSmoothing' | 'fDivergenceType' | 'fAlphaDivergenceCoef' | 'discopopTau'>

/**
 * The loss of each pair.
 * @returns (B), in nats for the logistic losses; unitless or squared nats for the others
 */
export function pairLosses(loss: PairLoss, pairs: ComparedPairs, settings: PairLossSettings): tf.Tensor1D {
  return LOSSES[loss](scored(pairs, settings), settings)
}

/** β·(log πθ − log πref): what a policy that is optimal for its reward says about that reward (arXiv 2305.18290, eq. 5). */
export function implicitRewards({ policy, reference }: Pick<ComparedPairs, 'policy' | 'reference'>, beta: number): PairValues {
  return { chosen: minus(policy.chosen, reference.chosen, beta), rejected: minus(policy.rejected, reference.rejected, beta) }
}

/** −log σ(z) = softplus(−z). @param z (B) */
export function logistic(z: tf.Tensor1D): tf.Tensor1D {
  return tf.softplus(tf.neg(z))
}

/** (1−ε)·ℓ(z) + ε·ℓ(−z), which is ℓ(z) + ε·z: each pair counts as swapped with probability ε. */
export function smoothedLogistic(z: tf.Tensor1D, epsilon: number): tf.Tensor1D {
  return epsilon === 0 ? logistic(z) : tf.add(logistic(z), tf.mul(z, epsilon))
}

interface ScoredPairs extends ComparedPairs {
  /** c and r. */
  readonly ratios: PairValues
  /** f′(c) and f′(r). */
  readonly scores: PairValues
  /** z */
  readonly margins: tf.Tensor1D
}

function scored(pairs: ComparedPairs, settings: PairLossSettings): ScoredPairs {
  const ratios = implicitRewards(pairs, 1)
  const scores = { chosen: divergenceScore(ratios.chosen, settings), rejected: divergenceScore(ratios.rejected, settings) }
  return { ...pairs, ratios, scores, margins: minus(scores.chosen, scores.rejected, settings.beta) }
}

/** float32 holds e^88, and a loss may square a score. */
const LARGEST_EXPONENT = 40

/**
 * f′(u) at u = πθ/πref from log u (f-DPO, arXiv 2309.16240, table 1, with TRL's constants, by which each is 0 at u = 1):
 *
 *   reverse KL: log u    forward KL: 1 − 1/u    Jensen–Shannon: log(2u/(1 + u))    α: (u^(α−1) − 1)/(α − 1)
 */
export function divergenceScore(
  logRatio: tf.Tensor1D,
  { fDivergenceType, fAlphaDivergenceCoef: alpha }: Pick<PairLossSettings, 'fDivergenceType' | 'fAlphaDivergenceCoef'>,
): tf.Tensor1D {
  const powerMinusOne = (power: number) => tf.sub<tf.Tensor1D>(tf.exp(tf.minimum(tf.mul(logRatio, power), LARGEST_EXPONENT)), 1)
  switch (fDivergenceType) {
    case 'reverse_kl':
      return logRatio
    case 'forward_kl':
      return tf.neg(powerMinusOne(-1))
    case 'js_divergence':
      return tf.sub(Math.LN2, logistic(logRatio))
    case 'alpha_divergence':
      // At α = 1 the limit, log u.
      return Math.abs(alpha - 1) < 1e-6 ? logRatio : tf.div(powerMinusOne(alpha - 1), alpha - 1)
  }
}

/** By TRL's names; where paper and TRL differ, TRL's form stands here and says so. */
const LOSSES: Readonly<Record<PairLoss, (pairs: ScoredPairs, settings: PairLossSettings) => tf.Tensor1D>> = {
  /** DPO (arXiv 2305.18290, eq. 7): ℓ(z); with ε the conservative DPO of its authors' note: (1−ε)·ℓ(z) + ε·ℓ(−z). */
  sigmoid: ({ margins }, { labelSmoothing }) => smoothedLogistic(margins, labelSmoothing),

  /** The same per token (Tülu 3, arXiv 2411.15124): ℓ(β·(f′(c)/|y_w| − f′(r)/|y_l|)). */
  sigmoid_norm: (pairs, { beta }) => logistic(tf.mul(perToken(pairs), beta)),

  /** SLiC (arXiv 2305.10425) on log-ratios, as in RSO (arXiv 2309.06657): max(0, 1 − z). */
  hinge: ({ margins }) => tf.relu(tf.sub(1, margins)),

  /** IPO (arXiv 2310.12036, eq. 17, β its τ) with scores per token, as TRL and IPO's authors have it: (Δ/|y| − 1/(2β))². */
  ipo: (pairs, { beta }) => tf.square(tf.sub(perToken(pairs), 1 / (2 * beta))),

  /** Robust DPO (arXiv 2403.00409, eq. 3), unbiased where a share ε of the pairs is swapped: ((1−ε)·ℓ(z) − ε·ℓ(−z))/(1−2ε). */
  robust: ({ margins }, { labelSmoothing: epsilon }) =>
    // ℓ(−z) = ℓ(z) + z, so the numerator is (1−2ε)·ℓ(z) − ε·z.
    tf.sub(logistic(margins), tf.mul(margins, epsilon / (1 - 2 * epsilon))),

  /** EXO (arXiv 2402.00856, eq. 16): KL(q ‖ p) of q = (σ(z), σ(−z)) from p = (1−ε, ε). */
  exo_pair: ({ margins }, { labelSmoothing: epsilon }) => {
    const term = (z: tf.Tensor1D, target: number) => tf.mul<tf.Tensor1D>(tf.sigmoid(z), tf.sub(tf.neg(logistic(z)), Math.log(target)))
    return tf.add(term(margins, 1 - epsilon), term(tf.neg(margins), epsilon))
  },

  /** NCA (arXiv 2402.05369) of a pair: ℓ(βc) + ½·ℓ(−βc) + ½·ℓ(−βr). */
  nca_pair: ({ ratios }, { beta }) => {
    const [c, r] = scaled(ratios, beta)
    return tf.add(logistic(c), tf.mul(tf.add(logistic(tf.neg(c)), logistic(tf.neg(r))), 0.5))
  },

  /** BCO (arXiv 2404.04656) of a pair, as TRL has it since it dropped the running mean δ of the rewards: ℓ(βc) + ℓ(−βr). */
  bco_pair: ({ ratios }, { beta }) => {
    const [c, r] = scaled(ratios, beta)
    return tf.add(logistic(c), logistic(tf.neg(r)))
  },

  /** SPPO (arXiv 2405.00675, eq. 4.7) with P = 1 for the chosen and 0 for the rejected: (c − 1/(2β))² + (r + 1/(2β))². */
  sppo_hard: ({ ratios }, { beta }) =>
    tf.add(tf.square(tf.sub(ratios.chosen, 0.5 / beta)), tf.square(tf.add(ratios.rejected, 0.5 / beta))),

  /** APO-zero (arXiv 2408.06266, eq. 7), where the chosen answers are better than the model's own: 1 − σ(βc) + σ(βr). */
  apo_zero: ({ ratios }, { beta }) => {
    const [c, r] = scaled(ratios, beta)
    return tf.add(tf.sigmoid(tf.neg(c)), tf.sigmoid(r))
  },

  /** APO-down (arXiv 2408.06266, eq. 8), where even the chosen answers are worse than the model's: σ(βc) + 1 − σ(β(c − r)). */
  apo_down: ({ ratios }, { beta }) => {
    const [c, r] = scaled(ratios, beta)
    return tf.add(tf.sigmoid(c), tf.sigmoid(tf.sub(r, c)))
  },

  /** AOT (arXiv 2406.05882): ℓ of the difference between sorted log πθ(y_w)/πθ(y_l) and sorted log πref(y_w)/πref(y_l). */
  aot: ({ policy, reference, weights }, { beta, labelSmoothing }) =>
    smoothedLogistic(
      minus(sorted(minus(policy.chosen, policy.rejected), weights), sorted(minus(reference.chosen, reference.rejected), weights), beta),
      labelSmoothing,
    ),

  /** AOT unpaired: ℓ of the difference between sorted c and sorted r. */
  aot_unpaired: ({ ratios, weights }, { beta, labelSmoothing }) =>
    smoothedLogistic(minus(sorted(ratios.chosen, weights), sorted(ratios.rejected, weights), beta), labelSmoothing),

  /** DiscoPOP (arXiv 2406.08414, eq. 5): (1 − m)·ℓ(z) + m·e^(−z) with m = σ(z/τ). */
  discopop: ({ margins }, { discopopTau: tau }) => {
    const gate = tf.div<tf.Tensor1D>(margins, tau)
    // m·e^(−z) as one exponent, log m − z, which never exceeds 0 for τ ≤ 1 and z < 0: as a product it is 0·∞.
    const exponential = tf.exp(tf.neg(tf.add(logistic(gate), margins)))
    return tf.add(tf.mul(tf.sigmoid(tf.neg(gate)), logistic(margins)), exponential)
  },
}

/** f′(c)/|y_w| − f′(r)/|y_l|. */
function perToken({ scores, tokens }: ScoredPairs): tf.Tensor1D {
  const mean = (which: keyof PairValues) => tf.div<tf.Tensor1D>(scores[which], tf.maximum(tokens[which], 1))
  return minus(mean('chosen'), mean('rejected'))
}

function scaled({ chosen, rejected }: PairValues, beta: number): readonly [tf.Tensor1D, tf.Tensor1D] {
  return [tf.mul(chosen, beta), tf.mul(rejected, beta)]
}

function minus(a: tf.Tensor1D, b: tf.Tensor1D, factor = 1): tf.Tensor1D {
  const difference = tf.sub<tf.Tensor1D>(a, b)
  return factor === 1 ? difference : tf.mul(difference, factor)
}

/**
 * Values in ascending order, by their ranks: TensorFlow.js has no gradient for a sort. Pairs that only fill the batch (weight
 * 0) stay where they are, so that what stands beside a weight in one sorted list stands beside it in the other.
 * @param values (B)  @param weights (B)  @returns (B)
 */
function sorted(values: tf.Tensor1D, weights: tf.Tensor1D): tf.Tensor1D {
  const order = withoutGradient(() => sortingOrder(values, weights))
  // A sum and not a product of matrices, which a card may round to ten bits.
  return tf.sum(tf.mul(order, tf.reshape(values, [1, -1])), -1)
}

/** A permutation as a matrix: 1 at (i, j) where place i takes value j. @returns (B, B) */
function sortingOrder(values: tf.Tensor1D, weights: tf.Tensor1D): tf.Tensor2D {
  const B = values.shape[0]
  const column = (of: tf.Tensor) => tf.reshape(of, [B, 1])
  const row = (of: tf.Tensor) => tf.reshape(of, [1, B])
  const number = (condition: tf.Tensor) => tf.cast(condition, 'float32')
  const index = tf.range(0, B)
  const isReal = number(tf.greater(weights, 0)) // (B)
  // precedes[i, j]: j comes before i. Equal values keep their order.
  const isTied = tf.equal(row(values), column(values))
  const precedes = tf.logicalOr(tf.less(row(values), column(values)), tf.logicalAnd(isTied, tf.less(row(index), column(index))))
  const rank = tf.sum(tf.mul(number(precedes), row(isReal)), -1) // (B): among the real pairs
  const place = tf.sub(tf.cumsum(isReal), isReal) // (B): which of the places of real pairs each is
  const sorts = tf.mul(number(tf.equal(column(place), row(rank))), tf.mul(column(isReal), row(isReal))) // (B, B)
  const stays = tf.mul(number(tf.equal(column(index), row(index))), column(tf.sub(1, isReal))) // (B, B)
  return tf.add(sorts, stays)
}
