// Reference values: SciPy 1.17 (binomtest, permutation_test), statsmodels (multipletests 'holm').

import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../src-main/domain/random.ts'
import { holm, mcnemarExact, mcnemarExactP, signFlipTest } from '../../../src-main/domain/statistics/hypothesis-tests.ts'
import { itemsNeeded, itemsNeededMcNemar } from '../../../src-main/domain/statistics/planning.ts'
import { refusal } from '../../support/refusal.ts'

describe('exact McNemar', () => {
  it('agrees with the binomial test, small and large', () => {
    expect(mcnemarExactP(3, 14)).toBeCloseTo(0.012725830078125, 14)
    expect(mcnemarExactP(900, 1100)).toBeCloseTo(8.45708953550381e-6, 14)
  })

  it('3 against 0 is 2·(½)³ = ¼; ties and no discordant item are 1', () => {
    expect(mcnemarExactP(3, 0)).toBeCloseTo(0.25, 14)
    expect([mcnemarExactP(5, 5), mcnemarExactP(0, 0)]).toEqual([1, 1])
  })

  it('survives more discordant items than 2⁻ⁿ can hold', () => {
    expect(mcnemarExactP(5000, 5100)).toBeGreaterThan(0.3)
    expect(mcnemarExactP(5000, 5100)).toBeLessThan(0.34)
  })

  it('counts the four kinds of items', () => {
    expect(mcnemarExact([1, 1, 0, 0, 1], [1, 0, 1, 0, true])).toMatchObject({ both: 2, aOnly: 1, bOnly: 1, neither: 1, p: 1 })
  })

  it('refuses graded scores and other items', () => {
    expect(refusal(() => mcnemarExact([0.5], [1]))).toBe('invalid-input')
    expect(refusal(() => mcnemarExact([1], [1, 0]))).toBe('invalid-input')
    expect(refusal(() => mcnemarExact([], []))).toBe('invalid-input')
  })
})

describe('sign-flip test', () => {
  const differences = [0.5, -0.2, 0.9, 0.4, 0.1, 0.7, -0.1, 0.3]
  const zeros = differences.map(() => 0)

  it('is exact for few items: agrees with SciPy over all 2⁸ patterns', () => {
    expect(signFlipTest(zeros, differences, { random: createRandom(0) })).toMatchObject({ kind: 'exact', flips: 256, p: 0.0625 })
  })

  it('sampled, it comes close to exact', () => {
    const sampled = signFlipTest(zeros, differences, { random: createRandom(0), exactUpTo: 0, flips: 20_000 })
    expect(sampled.kind).toBe('sampled')
    expect(Math.abs(sampled.p - 0.0625)).toBeLessThan(0.006)
  })

  it('clusters flip together: ten copies of an item are one vote', () => {
    const copied = differences.flatMap((value) => new Array<number>(10).fill(value))
    const clusters = differences.flatMap((_, i) => new Array<number>(10).fill(i))
    expect(
      signFlipTest(
        copied.map(() => 0),
        copied,
        { random: createRandom(0), clusters },
      ).p,
    ).toBe(0.0625)
  })

  it('no difference has p 1', () => {
    expect(signFlipTest([1, 2], [1, 2], { random: createRandom(0) })).toMatchObject({ difference: 0, p: 1 })
  })

  it('refuses NaN', () => {
    expect(refusal(() => signFlipTest([NaN], [1], { random: createRandom(0) }))).toBe('invalid-input')
  })
})

describe('Holm', () => {
  it('agrees with statsmodels and keeps the order of the questions', () => {
    const { adjusted, rejected } = holm([0.01, 0.04, 0.03, 0.005])
    adjusted.forEach((p, i) => expect(p).toBeCloseTo([0.03, 0.06, 0.06, 0.02][i]!, 14))
    expect(rejected).toEqual([true, false, false, true])
  })

  it('one question is left alone, none gives none, nothing exceeds 1', () => {
    expect(holm([0.04]).adjusted).toEqual([0.04])
    expect(holm([]).adjusted).toEqual([])
    expect(holm([0.9, 0.8, 0.7]).adjusted).toEqual([1, 1, 1])
  })

  it('refuses NaN, which would compare as neither', () => {
    expect(refusal(() => holm([0.01, NaN]))).toBe('invalid-input')
  })
})

describe('items needed', () => {
  it('half a standard deviation at 80 % power: ((1.95996 + 0.84162)/0.5)² = 31.4 → 32', () => {
    expect(itemsNeeded(0.5, 1)).toBe(32)
    expect(itemsNeeded(-0.5, 1)).toBe(32)
  })

  it('halving the difference takes four times the items', () => {
    expect(itemsNeeded(0.001, 0.3) / itemsNeeded(0.002, 0.3)).toBeCloseTo(4, 3)
  })

  it('McNemar: δ 0.1, ψ 0.3 → (1.95996·√0.3 + 0.84162·√0.29)²/0.01 = 233.1 → 234', () => {
    expect(itemsNeededMcNemar(0.1, 0.3)).toBe(234)
  })

  it('refuses no difference, and more difference than discordance', () => {
    expect(refusal(() => itemsNeeded(0, 1))).toBe('invalid-input')
    expect(refusal(() => itemsNeeded(NaN, 1))).toBe('invalid-input')
    expect(refusal(() => itemsNeededMcNemar(0.3, 0.1))).toBe('invalid-input')
  })
})
