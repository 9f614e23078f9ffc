// Reference values: SciPy 1.17 (ttest_rel), statsmodels (proportion_confint, method 'wilson').

import { describe, expect, it } from 'vitest'
import { cohensH, mean, pairedEffect, quantileOfSorted, variance } from '../../../src-main/domain/statistics/description.ts'
import { oneSampleT, pairedT, wilsonInterval } from '../../../src-main/domain/statistics/intervals.ts'
import { refusal } from '../../support/refusal.ts'

describe('Wilson interval', () => {
  it('agrees with statsmodels, also at another level', () => {
    for (const [successes, count, low, high] of [
      [3, 7, 0.15821985525146964, 0.7495416354723428],
      [128, 200, 0.5714152816600307, 0.7033080269543347],
    ] as const) {
      const interval = wilsonInterval(successes, count)
      expect(interval.low).toBeCloseTo(low, 13)
      expect(interval.high).toBeCloseTo(high, 13)
    }
    expect(wilsonInterval(3, 7, 0.99).low).toBeCloseTo(0.11637368051613811, 13)
  })

  it('keeps its width where nothing or everything succeeded, and ends exactly at 0 and 1', () => {
    expect(wilsonInterval(0, 10)).toEqual({ low: 0, high: expect.closeTo(0.27753279986288926, 13), level: 0.95 })
    expect(wilsonInterval(10, 10)).toEqual({ low: expect.closeTo(0.7224672001371106, 13), high: 1, level: 0.95 })
  })

  it('refuses no items, more successes than items, fractions', () => {
    for (const call of [
      () => wilsonInterval(0, 0),
      () => wilsonInterval(3, 2),
      () => wilsonInterval(0.5, 2),
      () => wilsonInterval(1, 2, 1),
    ])
      expect(refusal(call)).toBe('invalid-input')
  })
})

describe('paired t over seeds', () => {
  const a = [0.71, 0.684, 0.702, 0.69]
  const b = [0.722, 0.7, 0.709, 0.704]

  it('agrees with SciPy on four seeds', () => {
    const result = pairedT(a, b)
    expect(result.t).toBeCloseTo(6.3435182244309605, 9)
    expect(result.p).toBeCloseTo(0.007923736271919567, 11)
    expect(result.interval.low).toBeCloseTo(0.006104361907626964, 12)
    expect(result.interval.high).toBeCloseTo(0.018395638092373004, 12)
  })

  it('turns with the arms', () => {
    const [there, back] = [pairedT(a, b), pairedT(b, a)]
    expect(back.difference).toBe(-there.difference)
    expect(back.p).toBe(there.p)
    expect(back.interval.low).toBeCloseTo(-there.interval.high, 15)
  })

  it('no difference anywhere has p 1; the same difference everywhere has p 0 and a point for an interval', () => {
    expect(oneSampleT([0, 0, 0])).toMatchObject({ p: 1, t: 0, interval: { low: 0, high: 0 } })
    expect(oneSampleT([0.5, 0.5, 0.5])).toMatchObject({ p: 0, interval: { low: 0.5, high: 0.5 } })
  })

  it('refuses one seed, unequal lengths, NaN', () => {
    for (const call of [() => pairedT([1], [2]), () => pairedT([1, 2], [1]), () => pairedT([1, NaN], [1, 2])])
      expect(refusal(call)).toBe('invalid-input')
  })
})

describe('description', () => {
  it('quantiles interpolate as numpy does', () => {
    expect(quantileOfSorted([1, 2, 4, 8], 0.5)).toBe(3)
    expect(quantileOfSorted([1, 2, 4, 8], 0.9)).toBeCloseTo(6.8, 12)
    expect([quantileOfSorted([1, 2], 0), quantileOfSorted([1, 2], 1), quantileOfSorted([7], 0.3)]).toEqual([1, 2, 7])
  })

  it('d_z is mean over spread: differences 1, 2, 3 give 2/1, and Hedges shrinks it by 1 − 3/7', () => {
    const effect = pairedEffect([0, 0, 0], [1, 2, 3])
    expect(effect.cohensDz).toBeCloseTo(2, 14)
    expect(effect.hedgesG).toBeCloseTo(2 * (4 / 7), 14)
  })

  it('d_z is 0 without differences and infinite for a constant one', () => {
    expect(pairedEffect([1, 2], [1, 2]).cohensDz).toBe(0)
    expect(pairedEffect([1, 2], [2, 3]).cohensDz).toBe(Infinity)
  })

  it("Cohen's h from 0 to 1 is π", () => {
    expect(cohensH(0, 1)).toBeCloseTo(Math.PI, 14)
    expect(refusal(() => cohensH(0, 1.2))).toBe('invalid-input')
  })

  it('refuses empty input', () => {
    expect(refusal(() => mean([]))).toBe('invalid-input')
    expect(refusal(() => variance([1]))).toBe('invalid-input')
  })
})
