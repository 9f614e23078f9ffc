// Reference values: scipy.stats.bootstrap with 200 000 resamples. Tolerances are the Monte-Carlo error of 20 000.

import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../src-main/domain/random.ts'
import { bootstrapInterval, bootstrapMean, meanPerCluster, pairedBootstrap } from '../../../src-main/domain/statistics/bootstrap.ts'
import { refusal } from '../../support/refusal.ts'

const values = [3.1, 0.2, 5.5, 1.7, 2.2, 9.4, 0.9, 1.1, 4, 2.6, 0.3, 7.7]
const random = () => createRandom(1)

describe('bootstrap interval', () => {
  it('percentile agrees with SciPy', () => {
    const { interval, standardError } = bootstrapMean(values, { random: random(), resamples: 20_000 })
    expect(Math.abs(interval.low - 1.75)).toBeLessThan(0.05)
    expect(Math.abs(interval.high - 4.9083)).toBeLessThan(0.05)
    expect(Math.abs(standardError - 0.8119)).toBeLessThan(0.01)
  })

  it('BCa agrees with SciPy: skewed data move both ends to the right', () => {
    const { interval } = bootstrapMean(values, { random: random(), resamples: 20_000, method: 'bca' })
    expect(Math.abs(interval.low - 1.9083)).toBeLessThan(0.05)
    expect(Math.abs(interval.high - 5.1917)).toBeLessThan(0.08)
  })

  it('takes any statistic', () => {
    const largest = bootstrapInterval(values.length, (items) => Math.max(...[...items].map((i) => values[i]!)), {
      random: random(),
      resamples: 500,
    })
    expect(largest.estimate).toBe(9.4)
    expect(largest.interval.high).toBe(9.4)
  })

  it('the same seed gives the same interval, another seed another', () => {
    const at = (seed: number) => bootstrapMean(values, { random: createRandom(seed), resamples: 1000 }).interval
    expect(at(5)).toEqual(at(5))
    expect(at(5)).not.toEqual(at(6))
  })

  it('copies of an item in one cluster add no information: ten copies leave the interval as it was', () => {
    const copied = values.flatMap((value) => new Array<number>(10).fill(value))
    const clusters = values.flatMap((_, i) => new Array<number>(10).fill(i))
    const [single, clustered, naive] = [
      bootstrapMean(values, { random: random(), resamples: 2000 }),
      bootstrapMean(copied, { random: random(), resamples: 2000, clusters }),
      bootstrapMean(copied, { random: random(), resamples: 2000 }),
    ]
    expect(clustered.interval.low).toBeCloseTo(single.interval.low, 9)
    expect(clustered.interval.high).toBeCloseTo(single.interval.high, 9)
    expect(naive.standardError).toBeLessThan(clustered.standardError / 2.5)
  })

  it('clusters of unequal size: the estimate is over items, not over clusters', () => {
    const result = bootstrapMean([1, 1, 1, 0], { random: random(), resamples: 200, clusters: ['x', 'x', 'x', 'y'] })
    expect(result.estimate).toBe(0.75)
    expect(result.units).toBe(2)
    expect([result.interval.low, result.interval.high]).toEqual([0, 1])
  })

  it('means per cluster keep the order of first appearance', () => {
    expect([...meanPerCluster([1, 5, 3, 7], ['b', 'a', 'b', 'a'])]).toEqual([2, 6])
    expect(refusal(() => meanPerCluster([1, NaN], ['a', 'b']))).toBe('invalid-input')
  })

  it('equal values give a point, by either method', () => {
    for (const method of ['percentile', 'bca'] as const)
      expect(bootstrapMean([2, 2, 2, 2], { random: random(), resamples: 200, method }).interval).toEqual({
        low: 2,
        high: 2,
        level: 0.95,
      })
  })

  it('refuses NaN, one item, one cluster, too few resamples, a statistic that breaks', () => {
    for (const call of [
      () => bootstrapMean([1, NaN, 2], { random: random() }),
      () => bootstrapMean([1], { random: random() }),
      () => bootstrapMean([1, 2], { random: random(), clusters: ['x', 'x'] }),
      () => bootstrapMean([1, 2, 3], { random: random(), clusters: ['x'] }),
      () => bootstrapMean([1, 2], { random: random(), resamples: 10 }),
      () => bootstrapMean([1, 2], { random: random(), method: 'bca' }),
      () => bootstrapInterval(3, () => NaN, { random: random() }),
    ])
      expect(refusal(call)).toBe('invalid-input')
  })
})

describe('paired bootstrap', () => {
  it('what both arms share cancels: adding any constant per item changes nothing', () => {
    const [a, b] = [
      [0, 1, 0, 1, 1, 0],
      [1, 1, 0, 1, 1, 1],
    ]
    const shift = [100, -100, 7, 0, 1e3, 3]
    const plain = pairedBootstrap(a, b, { random: random(), resamples: 500 })
    const shifted = pairedBootstrap(
      a.map((x, i) => x + shift[i]!),
      b.map((x, i) => x + shift[i]!),
      { random: random(), resamples: 500 },
    )
    expect(shifted.interval).toEqual(plain.interval)
    expect(shifted.p).toBe(plain.p)
  })

  it('identical arms have difference 0 and p 1; arms that always differ have the least p', () => {
    const scores = [1, 0, 1, 1, 0]
    expect(pairedBootstrap(scores, scores, { random: random(), resamples: 999 })).toMatchObject({ difference: 0, p: 1 })
    expect(pairedBootstrap([0, 0, 0, 0], [1, 1, 1, 1], { random: random(), resamples: 999 })).toMatchObject({
      difference: 1,
      p: 2 / 1000,
    })
  })

  it('swapping the arms mirrors the interval and keeps p', () => {
    const [a, b] = [
      [0, 1, 0, 0, 1, 0, 1, 0],
      [1, 1, 0, 1, 0, 1, 1, 1],
    ]
    const [there, back] = [pairedBootstrap(a, b, { random: random() }), pairedBootstrap(b, a, { random: random() })]
    expect(back.interval.low).toBeCloseTo(-there.interval.high, 12)
    expect(back.p).toBe(there.p)
  })

  it('refuses arms of different items', () => {
    expect(refusal(() => pairedBootstrap([1, 2], [1], { random: random() }))).toBe('invalid-input')
  })
})
