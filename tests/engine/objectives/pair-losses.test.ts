// The losses of pairs on given log-probabilities: by hand, in closed form where the policy is the reference, at extremes, and
// with every gradient against finite differences.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { objectiveSchema, PAIR_LOSSES, type PairLoss } from '../../../src-main/domain/objective-config.ts'
import {
  divergenceScore,
  implicitRewards,
  pairLosses,
  type ComparedPairs,
  type PairLossSettings,
  type PairValues,
} from '../../../src-main/engine/objectives/pair-losses.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { expectClose, expectFinite } from '../../support/all-close.ts'
import { aTensor, expectSlopes } from '../../support/finite-differences.ts'
import { expectNoLeak } from '../../support/no-leak.ts'

beforeAll(() => openBackend('native'))

const values = (chosen: readonly number[], rejected: readonly number[]): PairValues => ({
  chosen: tf.tensor1d([...chosen]),
  rejected: tf.tensor1d([...rejected]),
})
const ones = (count: number) => new Array<number>(count).fill(1)
/** Pairs of log-ratios c and r against a reference of zeros; answers of `tokens` tokens. */
function pairs(c: readonly number[], r: readonly number[], { tokens = [4, 2], weights = ones(c.length) } = {}): ComparedPairs {
  return {
    policy: values(c, r),
    reference: values(ones(c.length).fill(0), ones(c.length).fill(0)),
    tokens: values(ones(c.length).fill(tokens[0]!), ones(c.length).fill(tokens[1]!)),
    weights: tf.tensor1d(weights),
  }
}
const settings = (overrides: Readonly<Record<string, unknown>> = {}): PairLossSettings => {
  const parsed = objectiveSchema.parse({ kind: 'dpo', beta: 1 })
  if (parsed.kind !== 'dpo') throw new Error('a kind that was asked for')
  return { ...parsed, ...overrides }
}
/** EXO has no target without ε. */
const settingsOf = (loss: PairLoss, overrides: Readonly<Record<string, unknown>> = {}) =>
  settings({ ...(loss === 'exo_pair' ? { labelSmoothing: 0.1 } : {}), ...overrides })
const softplus = (z: number) => Math.log1p(Math.exp(-Math.abs(z))) + Math.max(z, 0)
const LN2 = Math.LN2

describe('where the policy is the reference', () => {
  // c = r = 0. Logistic losses: ℓ(0) = ln 2. IPO: (0 − 1/(2β))² with β = ½: 1. SPPO: (1/(2β))² twice: 2. APO: ½ + ½.
  // EXO with ε = 0.1: KL of (½, ½) from (0.9, 0.1) = ½·ln(½/0.9) + ½·ln(½/0.1) = 0.5108256.
  const expected: Readonly<Record<PairLoss, number>> = {
    sigmoid: LN2,
    sigmoid_norm: LN2,
    hinge: 1,
    ipo: 1,
    robust: LN2,
    exo_pair: 0.5108256,
    nca_pair: 2 * LN2,
    bco_pair: 2 * LN2,
    sppo_hard: 2,
    apo_zero: 1,
    apo_down: 1,
    aot: LN2,
    aot_unpaired: LN2,
    discopop: 0.5 * LN2 + 0.5,
  }
  for (const loss of PAIR_LOSSES)
    it(`${loss} is ${expected[loss].toFixed(4)}, whatever the answers`, () => {
      const same = values([-3, -40], [-7, -1])
      const compared = { ...pairs([0, 0], [0, 0]), policy: same, reference: same }
      expectClose(pairLosses(loss, compared, settingsOf(loss, { beta: 0.5 })), [expected[loss], expected[loss]], 1e-6)
    })
})

describe('by hand', () => {
  // One pair with c = 2, r = −1 (4 and 2 tokens), β = ½: βc = 1, βr = −½, z = 1.5; per token c/4 − r/2 = 0.5 + 0.5 = 1.
  const at = (loss: PairLoss, overrides: Readonly<Record<string, unknown>> = {}) =>
    pairLosses(loss, pairs([2], [-1]), settingsOf(loss, { beta: 0.5, ...overrides }))
  const expected: Readonly<Record<PairLoss, number>> = {
    sigmoid: 0.2014133, // ln(1 + e^−1.5) = ln 1.2231302
    sigmoid_norm: 0.474077, // ln(1 + e^−0.5)
    hinge: 0, // max(0, 1 − 1.5)
    ipo: 0, // (1 − 1/(2·½))²
    robust: 0.2014133, // ε = 0
    exo_pair: 0.0311388, // q = σ(1.5) = 0.8175745, ε = 0.1: q·ln(q/0.9) + (1−q)·ln((1−q)/0.1) = −0.0785303 + 0.1096691
    nca_pair: 0.3132617 + 0.5 * 1.3132617 + 0.5 * 0.474077, // ℓ(1) + ½·ℓ(−1) + ½·ℓ(½)
    bco_pair: 0.3132617 + 0.474077, // ℓ(1) + ℓ(½)
    sppo_hard: 1, // (2 − 1)² + (−1 + 1)²
    apo_zero: 1 - 0.7310586 + 0.3775407, // 1 − σ(1) + σ(−½)
    apo_down: 0.7310586 + 1 - 0.8175745, // σ(1) + 1 − σ(1.5)
    aot: 0.2014133,
    aot_unpaired: 0.2014133,
    discopop: 0.2231302, // σ(1.5/0.05) = σ(30) = 1: e^−1.5
  }
  for (const loss of PAIR_LOSSES)
    it(loss, () => expectClose(at(loss), [expected[loss]], 1e-6))

  it('of margins 0, 1, 2 the logistic loss is softplus(−m)', () => {
    // softplus(0) = ln 2 = 0.6931472; softplus(−1) = ln(1 + e⁻¹) = ln 1.3678794 = 0.3132617;
    // softplus(−2) = ln(1 + e⁻²) = ln 1.1353353 = 0.1269280. Their mean is 1.1333369 / 3 = 0.3777790.
    const losses = pairLosses('sigmoid', pairs([0, 1, 2], [0, 0, 0]), settings())
    expectClose(losses, [0.6931472, 0.3132617, 0.126928], 1e-6)
    expectClose(tf.mean(losses), [0.377779], 1e-6)
  })

  it('rewards are taken against the reference, times β', () => {
    // chosen 0.1·(−3 − (−5)) = 0.2; rejected 0.1·(−4 − (−1)) = −0.3
    const rewards = implicitRewards({ policy: values([-3], [-4]), reference: values([-5], [-1]) }, 0.1)
    expectClose(rewards.chosen, [0.2], 1e-7)
    expectClose(rewards.rejected, [-0.3], 1e-7)
  })
})

describe('label smoothing', () => {
  const [c, r] = [
    [2, -1, 0.5],
    [-1, 3, 0.25],
  ]
  const [there, back] = [pairs(c, r), pairs(r, c)]

  it('ε of the logistic loss is that of swapped answers with 1 − ε', () => {
    for (const epsilon of [0.1, 0.4]) {
      const swapped = tf.add(
        tf.mul(pairLosses('sigmoid', back, settings()), epsilon),
        tf.mul(pairLosses('sigmoid', there, settings()), 1 - epsilon),
      )
      expectClose(pairLosses('sigmoid', there, settings({ labelSmoothing: epsilon })), swapped, 1e-6)
    }
  })

  it('of the robust loss leaves, over a share ε of swapped pairs, the loss of none swapped: it is unbiased', () => {
    const epsilon = 0.3
    const robust = (of: ComparedPairs) => pairLosses('robust', of, settings({ labelSmoothing: epsilon }))
    expectClose(tf.add(tf.mul(robust(there), 1 - epsilon), tf.mul(robust(back), epsilon)), pairLosses('sigmoid', there, settings()), 1e-6)
  })

  it('of exo_pair is where the loss is 0: at σ(z) = 1 − ε', () => {
    const z = Math.log(0.8 / 0.2)
    expectClose(pairLosses('exo_pair', pairs([z], [0]), settings({ labelSmoothing: 0.2 })), [0], 1e-7)
  })
})

describe('aot', () => {
  it('compares sorted values: which answer a number belongs to is of no account', () => {
    const [c, r] = [
      [3, -1, 2, 0],
      [1, 2, -2, 0.5],
    ]
    // sorted c: −1, 0, 2, 3; sorted r: −2, 0.5, 1, 2
    const expected = [1, -0.5, 1, 1].map((delta) => softplus(-delta))
    expectClose(pairLosses('aot_unpaired', pairs(c, r), settings()), expected, 1e-6)
    const shuffled = pairLosses('aot_unpaired', pairs(c, [...r].reverse()), settings())
    expectClose(shuffled, expected, 1e-6)
  })

  it('of pairs sorts the policy and the reference each by itself', () => {
    const compared = { ...pairs([5, 1, 3], [0, 0, 0]), reference: values([2, 1, 0], [0, 0, 0]) }
    expectClose(pairLosses('aot', compared, settings()), [1, 2, 3].map((delta) => softplus(-delta)), 1e-6)
  })

  it('leaves rows that only fill the batch out of the order, ties in theirs', () => {
    const weights = [0.5, 0, 0.5]
    const filled = pairLosses('aot_unpaired', pairs([3, 99, 1], [2, -99, 0], { weights }), settings())
    const real = pairLosses('aot_unpaired', pairs([3, 1], [2, 0]), settings())
    const [first, second] = real.dataSync()
    expectClose(tf.gather(filled, [0, 2]), [first!, second!], 1e-6)
    expectClose(pairLosses('aot_unpaired', pairs([1, 1], [0, 0]), settings()), [softplus(-1), softplus(-1)], 1e-6)
  })
})

describe('the divergences', () => {
  const kinds = ['reverse_kl', 'forward_kl', 'js_divergence', 'alpha_divergence'] as const
  const score = (logRatio: readonly number[], overrides: Readonly<Record<string, unknown>>) =>
    divergenceScore(tf.tensor1d([...logRatio]), settings(overrides))

  it('are 0 where the policy is the reference, and rise with the ratio', () => {
    for (const fDivergenceType of kinds) {
      const found = Array.from(score([-2, -1, 0, 1, 2], { fDivergenceType }).dataSync())
      expect(found[2], fDivergenceType).toBeCloseTo(0, 6)
      expect([...found].sort((a, b) => a - b)).toEqual(found)
    }
  })

  it('in closed form at u = e: forward 1 − 1/e, Jensen–Shannon ln(2e/(1 + e)), α = ½ 2·(1 − e^−½)', () => {
    expectClose(score([1], { fDivergenceType: 'forward_kl' }), [0.6321206], 1e-6)
    expectClose(score([1], { fDivergenceType: 'js_divergence' }), [Math.log((2 * Math.E) / (1 + Math.E))], 1e-6)
    expectClose(score([1], { fDivergenceType: 'alpha_divergence' }), [2 * (1 - Math.exp(-0.5))], 1e-6)
  })

  it('α = 1 is the reverse KL, and α = 0 the forward KL', () => {
    const ratios = [-3, 0.5, 2]
    expectClose(score(ratios, { fDivergenceType: 'alpha_divergence', fAlphaDivergenceCoef: 1 }), ratios, 0)
    expectClose(score(ratios, { fDivergenceType: 'alpha_divergence', fAlphaDivergenceCoef: 0 }), score(ratios, { fDivergenceType: 'forward_kl' }), 1e-6)
  })
})

describe('at extremes', () => {
  const EXTREMES = [0, 1e-4, 100, -100, 1000, -1000]
  const [c, r] = [EXTREMES.flatMap((a) => EXTREMES.map(() => a)), EXTREMES.flatMap(() => EXTREMES)]
  const divergences = ['reverse_kl', 'forward_kl', 'js_divergence', 'alpha_divergence'] as const
  for (const loss of PAIR_LOSSES)
    it(`${loss} and its gradient are finite, under every divergence`, () => {
      for (const fDivergenceType of divergences) {
        const chosenSettings = settingsOf(loss, { fDivergenceType, labelSmoothing: 0.1 })
        const compared = pairs(c, r)
        expectFinite(pairLosses(loss, compared, chosenSettings), `${loss} ${fDivergenceType}`)
        const slopes = tf.grads((a: tf.Tensor, b: tf.Tensor) =>
          tf.sum(pairLosses(loss, { ...compared, policy: { chosen: a as tf.Tensor1D, rejected: b as tf.Tensor1D } }, chosenSettings)),
        )([compared.policy.chosen, compared.policy.rejected])
        for (const slope of slopes) expectFinite(slope, `gradient of ${loss} ${fDivergenceType}`)
      }
    })

  it('the tails are those of the formulas', () => {
    const of = (loss: PairLoss, c1: number, r1: number) => Array.from(pairLosses(loss, pairs([c1], [r1]), settingsOf(loss)).dataSync())[0]!
    expect([of('sigmoid', 1000, 0), of('sigmoid', -1000, 0)]).toEqual([0, 1000])
    expect(of('discopop', 1000, 0)).toBe(0)
    expect(of('discopop', -1000, 0)).toBe(1000)
    expect(of('hinge', -1000, 0)).toBe(1001)
    expect(of('robust', -100, 0)).toBe(100)
    expect(of('apo_zero', -1000, 1000)).toBe(2)
    expect(of('bco_pair', -100, 100)).toBe(200)
  })

  it('a log-probability that is not a number makes a loss that is none', () => {
    for (const loss of PAIR_LOSSES)
      expect(pairLosses(loss, pairs([Number.NaN, 1], [0, 0]), settingsOf(loss)).dataSync()[0], loss).toBeNaN()
  })
})

describe('gradients', () => {
  const compared = pairs([0, 0, 0, 0, 0], [0, 0, 0, 0, 0])
  // Distinct by more than the step of the differences: an order that changes on the way has no slope.
  const chosen = tf.tidy(() => tf.add(tf.mul(aTensor([5], 'chosen', 0.1), 1), tf.tensor1d([0.5, -1, 1.5, -0.4, 0])))
  const rejected = tf.tidy(() => tf.add(tf.mul(aTensor([5], 'rejected', 0.1), 1), tf.tensor1d([-0.5, 1, -1.2, 0.3, 2])))
  for (const loss of PAIR_LOSSES)
    it(`${loss} agrees with finite differences`, () => {
      const at = (overrides: Readonly<Record<string, unknown>>) =>
        expectSlopes(
          (a, b) =>
            pairLosses(loss, { ...compared, policy: { chosen: a as tf.Tensor1D, rejected: b as tf.Tensor1D } }, settingsOf(loss, { discopopTau: 0.5, beta: 0.7, ...overrides })),
          [chosen, rejected],
        )
      at({})
      if (['sigmoid', 'ipo'].includes(loss))
        for (const fDivergenceType of ['forward_kl', 'js_divergence', 'alpha_divergence']) at({ fDivergenceType })
    })

  it('of DPO are −β·σ(−m) by the chosen and +β·σ(−m) by the rejected log-probability', () => {
    const beta = 0.3
    const [a, b] = [aTensor([5], 'chosen', 5), aTensor([5], 'rejected', 5)]
    const [byChosen, byRejected] = tf.grads((x: tf.Tensor, y: tf.Tensor) =>
      tf.sum(pairLosses('sigmoid', { ...compared, policy: { chosen: x as tf.Tensor1D, rejected: y as tf.Tensor1D } }, settings({ beta }))),
    )([a, b])
    const expected = tf.mul(tf.sigmoid(tf.mul(tf.sub(a, b), -beta)), beta)
    expectClose(byChosen!, tf.neg(expected), 1e-6)
    expectClose(byRejected!, expected, 1e-6)
  })
})

it('leaves its result and nothing else', () => {
  const compared = pairs([1, 2], [0, 1])
  for (const loss of PAIR_LOSSES)
    expectNoLeak(() => tf.dispose(tf.tidy(() => pairLosses(loss, compared, settingsOf(loss)))))
})
