// The crossed analysis against its limits, where simpler tests are exact, and its coverage against a simulation.

import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../src-main/domain/random.ts'
import { pairedT } from '../../../src-main/domain/statistics/intervals.ts'
import { crossedBootstrap, seedsAndItems } from '../../../src-main/domain/statistics/seeds-and-items.ts'
import { refusal } from '../../support/refusal.ts'

const zeros = (rows: readonly (readonly number[])[]) => rows.map((row) => row.map(() => 0))

describe('seeds and items', () => {
  it('where items agree within each seed it is the paired t over seeds', () => {
    const perSeed = [0.1, 0.3, 0.2, 0.6]
    const rows = perSeed.map((value) => new Array<number>(50).fill(value))
    const [crossed, simple] = [seedsAndItems(zeros(rows), rows), pairedT([0, 0, 0, 0], perSeed)]
    expect(crossed.degreesOfFreedom).toBeCloseTo(3, 9)
    expect(crossed.interval.low).toBeCloseTo(simple.interval.low, 9)
    expect(crossed.p).toBeCloseTo(simple.p, 9)
    expect(crossed.variances.item).toBeCloseTo(0, 12)
  })

  it('where seeds agree it is the paired t over items', () => {
    const perItem = [0.1, 0.3, 0.2, 0.6, -0.2, 0.5]
    const rows = [perItem, perItem, perItem]
    const [crossed, simple] = [seedsAndItems(zeros(rows), rows), pairedT(zeros([perItem])[0]!, perItem)]
    expect(crossed.degreesOfFreedom).toBeCloseTo(5, 9)
    expect(crossed.interval.high).toBeCloseTo(simple.interval.high, 9)
    expect(crossed.variances.seed).toBe(0)
  })

  it('the table 0 2 / 2 6: mean squares 9 and 9, residual 1, so the variance is (9 + 9 − 1)/4', () => {
    // Row means 1, 4 and column means 1, 4 around 2.5: MS = 2·(1.5² + 1.5²)/1 = 9 twice; residuals are all ±½: MS_res = 1.
    const result = seedsAndItems(
      [
        [0, 0],
        [0, 0],
      ],
      [
        [0, 2],
        [2, 6],
      ],
    )
    expect(result.difference).toBe(2.5)
    expect(result.standardError).toBeCloseTo(Math.sqrt(17 / 4), 12)
    expect(result.degreesOfFreedom).toBeCloseTo(17 ** 2 / (81 + 81 + 1), 12)
    expect(result.variances).toEqual({ seed: 4, item: 4, residual: 1 })
    expect(result.differencePerSeed).toEqual([1, 4])
  })

  it('covers the truth in about 95 % of simulated studies with 3 seeds; 300 studies leave ±2.5 points', () => {
    const random = createRandom(11)
    let covered = 0
    for (let study = 0; study < 300; study++) {
      const items = Array.from({ length: 60 }, () => 0.4 * random.normal())
      const rows = Array.from({ length: 3 }, () => {
        const seed = 0.04 * random.normal()
        return items.map((item) => 0.1 + seed + item + 0.3 * random.normal())
      })
      const { interval } = seedsAndItems(zeros(rows), rows)
      if (interval.low <= 0.1 && 0.1 <= interval.high) covered++
    }
    expect(covered / 300).toBeGreaterThan(0.91)
    expect(covered / 300).toBeLessThan(0.995)
  })

  it('no difference anywhere has p 1', () => {
    expect(
      seedsAndItems(
        [
          [1, 0],
          [1, 1],
        ],
        [
          [1, 0],
          [1, 1],
        ],
      ),
    ).toMatchObject({ difference: 0, p: 1 })
  })

  it('refuses one seed, ragged rows, NaN', () => {
    for (const call of [
      () => seedsAndItems([[1, 2]], [[1, 2]]),
      () => seedsAndItems([[1, 2], [1]], [[1, 2], [1]]),
      () =>
        seedsAndItems(
          [
            [1, NaN],
            [1, 2],
          ],
          [
            [1, 2],
            [1, 2],
          ],
        ),
    ])
      expect(refusal(call)).toBe('invalid-input')
  })
})

describe('crossed bootstrap', () => {
  it('finds the spread of the crossed analysis when there are many seeds and items', () => {
    const random = createRandom(3)
    const items = Array.from({ length: 80 }, () => 0.4 * random.normal())
    const rows = Array.from({ length: 12 }, () => items.map((item) => item + 0.3 * random.normal()))
    const [exact, drawn] = [seedsAndItems(zeros(rows), rows), crossedBootstrap(zeros(rows), rows, { random: createRandom(4) })]
    expect(drawn.difference).toBeCloseTo(exact.difference, 12)
    const width = (interval: { low: number; high: number }) => interval.high - interval.low
    expect(width(drawn.interval) / width(exact.interval)).toBeGreaterThan(0.85)
    expect(width(drawn.interval) / width(exact.interval)).toBeLessThan(1.15)
  })

  it('the same seed gives the same interval', () => {
    const rows = [
      [1, 0, 1],
      [0, 0, 1],
    ]
    const at = () => crossedBootstrap(zeros(rows), rows, { random: createRandom(4), resamples: 300 })
    expect(at()).toEqual(at())
  })
})
