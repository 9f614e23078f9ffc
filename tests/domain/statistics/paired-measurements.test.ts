// Which test two encoders' numbers allow, and what would decide: by hand, and by simulation of what intervals promise.

import { describe, expect, it } from 'vitest'
import { createRandom, type Random } from '../../../src-main/domain/random.ts'
import { differenceOf, intervalOfMean, type ItemPlaces, type Measured } from '../../../src-main/domain/statistics/paired-measurements.ts'
import { unpairedSeeds, unpairedSeedsAndItems } from '../../../src-main/domain/statistics/seeds-and-items.ts'

const random = () => createRandom(0, 'test')
const each = (n: number): ItemPlaces => ({ clusters: Int32Array.from({ length: n }, (_, i) => i), clusterCount: n })

/** One string a seed: "1101"; '.' was not answered. */
function answered(...seeds: readonly string[]): Measured {
  return {
    seeds: seeds.map((text, seed) => {
      const scores = Float64Array.from([...text], (c) => (c === '.' ? NaN : Number(c)))
      const known = scores.filter((value) => !Number.isNaN(value))
      return { seed, value: known.reduce((sum, value) => sum + value, 0) / known.length, n: known.length, scores, limits: null }
    }),
  }
}
const numbers = (...values: readonly number[]): Measured => ({ seeds: values.map((value, seed) => ({ seed, value, n: 1, scores: null, limits: null })) })

describe('the basis', () => {
  it('is seeds and items where both have seeds of one study', () => {
    const found = differenceOf(answered('1000', '1001'), answered('1110', '1011'), each(4), true, random())
    expect([found.basis, found.difference]).toEqual(['4 items × 2 seeds', expect.closeTo(0.375, 12)])
    expect(found.method).toContain('variance components')
  })

  it('leaves seeds unpaired across studies', () => {
    const found = differenceOf(answered('1000', '1001'), answered('1110', '1011', '1111'), each(4), false, random())
    expect(found.basis).toBe('4 items × 2 and 3 seeds')
    expect(found.method).toContain('seeds its own')
  })

  it('is McNemar on one seed: 6 against 0 discordant items, p = 2/2⁶', () => {
    const found = differenceOf(answered('0000001111'), answered('1111111111'), each(10), true, random())
    expect(found.p).toBeCloseTo(2 / 64, 12)
    expect(found.effects.map(({ name }) => name)).toEqual(['Cohen’s d_z', 'odds ratio of discordant items', 'Cohen’s h'])
    expect(found.effects[1]!.value).toBeCloseTo(6.5 / 0.5, 12)
  })

  it('is what both answered, and says so', () => {
    const found = differenceOf(answered('0000001111.'), answered('11111.11111'), each(11), true, random())
    expect(found.basis).toBe('9 items that both answered, one seed')
    expect(found.difference).toBeCloseTo(5 / 9, 12)
  })

  it('falls back to seeds, and to nothing, where no items are the number', () => {
    expect(differenceOf(numbers(0.1, 0.2, 0.3), numbers(0.2, 0.3, 0.5), each(0), true, random()).method).toBe('paired Student t over seeds')
    expect(differenceOf(numbers(0.1, 0.2, 0.3), numbers(0.2, 0.3), each(0), false, random()).method).toBe('Welch’s t over seeds')
    expect(differenceOf(numbers(0.1), numbers(0.2), each(0), true, random())).toMatchObject({ p: null, limits: null, needed: null })
  })

  it('of one study is the seeds that both have', () => {
    const a: Measured = { seeds: numbers(0.1, 0.2, 0.3).seeds }
    const b: Measured = { seeds: numbers(0.5, 0.5, 0.5).seeds.slice(1) }
    expect(differenceOf(a, b, each(0), true, random()).difference).toBeCloseTo(0.25, 12)
  })
})

describe('what would decide', () => {
  it('is Connor’s number of items for right and wrong answers', () => {
    // δ = 0.1, ψ = 0.3: ((1.95996·√0.3 + 0.84162·√(0.3 − 0.01))/0.1)² = 233.1 → 234, of which there are 100.
    const a = answered('0'.repeat(20) + '1'.repeat(10) + '1'.repeat(70))
    const b = answered('1'.repeat(20) + '0'.repeat(10) + '1'.repeat(70))
    expect(differenceOf(a, b, each(100), true, random()).needed).toEqual({ moreItems: 134, moreSeeds: null })
  })

  it('is not items where seeds alone vary more than the difference allows', () => {
    // Every item of a seed moves alike: more items tell nothing new.
    const found = differenceOf(answered('0000', '0000'), answered('1111', '0000'), each(4), true, random())
    expect(found.needed!.moreItems).toBeNull()
    expect(found.needed!.moreSeeds).toBeGreaterThan(0)
  })

  it('is nothing where nothing differs', () => {
    expect(differenceOf(answered('0101'), answered('0101'), each(4), true, random())).toMatchObject({ difference: 0, p: 1, needed: null, limits: null })
  })
})

describe('the interval of a mean', () => {
  it('is Wilson’s for one seed’s answers, one an image', () => {
    const limits = intervalOfMean(answered('1111100000'), each(10), true, random())!
    expect([limits.low, limits.high]).toEqual([expect.closeTo(0.2366, 3), expect.closeTo(0.7634, 3)])
  })

  it('is wider where answers share an image', () => {
    const shared: ItemPlaces = { clusters: Int32Array.from({ length: 40 }, (_, i) => i >> 2), clusterCount: 10 }
    const text = '1111'.repeat(6) + '0000'.repeat(4)
    const [alone, together] = [intervalOfMean(answered(text), each(40), true, random())!, intervalOfMean(answered(text), shared, true, random())!]
    expect(together.high - together.low).toBeGreaterThan(1.5 * (alone.high - alone.low))
  })

  it('stays within the scale of a share, and is Wilson’s where every image is right', () => {
    const shared: ItemPlaces = { clusters: Int32Array.of(0, 0, 1, 1), clusterCount: 2 }
    const limits = intervalOfMean(answered('1111'), shared, true, random())!
    expect([limits.high, limits.low < 0.6]).toEqual([1, true])
  })
})

describe('seeds of different studies', () => {
  it('Welch: means 2 and 5, variances 1 and 4 over 3 and 3 seeds → t = 3/√(5/3)', () => {
    const found = unpairedSeeds([1, 2, 3], [3, 5, 7])
    expect([found.difference, found.t]).toEqual([3, expect.closeTo(3 / Math.sqrt(5 / 3), 12)])
    expect(found.degreesOfFreedom).toBeCloseTo((5 / 3) ** 2 / ((1 / 3) ** 2 / 2 + (4 / 3) ** 2 / 2), 12)
  })

  it('with items: the 95 % interval covers the true difference at least 90 times in 100', () => {
    let covered = 0
    for (let study = 0; study < 300; study++) {
      const stream = createRandom(study, 'cover')
      const items = Array.from({ length: 60 }, () => stream.normal())
      const arm = (shift: number, rng: Random) => Array.from({ length: 3 }, () => ({ seed: 0.3 * rng.normal() })).map(({ seed }) => items.map((item) => item + shift + seed + 0.5 * rng.normal()))
      const { interval } = unpairedSeedsAndItems(arm(0, stream), arm(0.4, stream))
      if (interval.low <= 0.4 && interval.high >= 0.4) covered++
    }
    expect(covered / 300).toBeGreaterThan(0.9)
  })
})
