// The paired difference over many items: equal to the item-by-item statistics of hypothesis-tests.ts and bootstrap.ts, which are
// held against reference libraries, and drawn from kinds of items in place of items.

import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../src-main/domain/random.ts'
import { drawBinomial, drawMultinomial } from '../../../src-main/domain/statistics/binomial.ts'
import { pairedBootstrap } from '../../../src-main/domain/statistics/bootstrap.ts'
import { clusteredDifference } from '../../../src-main/domain/statistics/clustered-difference.ts'
import { mean, variance } from '../../../src-main/domain/statistics/description.ts'
import { mcnemarExact, signFlipTest } from '../../../src-main/domain/statistics/hypothesis-tests.ts'
import { faultOf } from '../../support/fault-of.ts'

const random = () => createRandom(1, 'test')

describe('binomial draws', () => {
  it.each([
    [12, 0.3], // by inversion
    [400, 0.01],
    [500, 0.2], // by rejection
    [5000, 0.5],
    [5000, 0.97], // of the other side
  ])('of %d at %d have mean n·p and variance n·p·(1 − p)', (n, p) => {
    const stream = random()
    const draws = Float64Array.from({ length: 20_000 }, () => drawBinomial(n, p, stream))
    const spread = Math.sqrt(n * p * (1 - p))
    expect(Math.abs(mean(draws) - n * p)).toBeLessThan((5 * spread) / Math.sqrt(20_000))
    expect(variance(draws) / spread ** 2).toBeGreaterThan(0.95)
    expect(variance(draws) / spread ** 2).toBeLessThan(1.05)
    expect(draws.every((k) => Number.isInteger(k) && k >= 0 && k <= n)).toBe(true)
  })

  it('have the probabilities of the closed form: P(X = k) of 30 at 0.4', () => {
    const stream = random()
    const counts = new Array<number>(31).fill(0)
    for (let i = 0; i < 40_000; i++) counts[drawBinomial(30, 0.4, stream)]! += 1
    let probability = 0.6 ** 30
    for (let k = 0; k <= 30; k++) {
      expect(Math.abs(counts[k]! / 40_000 - probability)).toBeLessThan(5 * Math.sqrt(probability / 40_000) + 1e-4)
      probability *= ((30 - k) / (k + 1)) * (0.4 / 0.6)
    }
  })

  it('know the ends, and a multinomial draw spends all its draws', () => {
    expect([drawBinomial(0, 0.5, random()), drawBinomial(9, 0, random()), drawBinomial(9, 1, random())]).toEqual([0, 0, 9])
    const drawn = new Int32Array(3)
    drawMultinomial([5, 0, 15], 20, random(), drawn)
    expect([drawn[0]! + drawn[1]! + drawn[2]!, drawn[1]]).toEqual([20, 0])
  })
})

/** Right or wrong answers of two models, `perImage` items an image. */
function answers(n: number, perImage: number) {
  const stream = createRandom(7, 'answers')
  const a = Float64Array.from({ length: n }, () => (stream.uniform() < 0.6 ? 1 : 0))
  const b = Float64Array.from(a, (value) => (stream.uniform() < 0.2 ? 1 : value))
  return { a, b, clusters: Int32Array.from({ length: n }, (_, i) => Math.floor(i / perImage)), images: n / perImage }
}

describe('right and wrong answers', () => {
  it('each with its own image are tested by McNemar’s exact p', () => {
    const { a, b, clusters, images } = answers(300, 1)
    const found = clusteredDifference(a, b, clusters, images, { random: random() })
    expect([found.test, found.p, found.difference]).toEqual(['mcnemar', mcnemarExact(a, b).p, expect.closeTo(mean(b) - mean(a), 12)])
  })

  it('have the bootstrap interval of the items drawn one by one', () => {
    const { a, b, clusters, images } = answers(600, 3)
    const found = clusteredDifference(a, b, clusters, images, { random: random(), resamples: 4000 })
    const one = pairedBootstrap(a, b, { random: random(), clusters: [...clusters], resamples: 4000 })
    expect(found.low).toBeCloseTo(one.interval.low, 2)
    expect(found.high).toBeCloseTo(one.interval.high, 2)
    expect(found.standardError / one.standardError).toBeCloseTo(1, 1)
  })

  it('that share images are tested by flipping whole images', () => {
    const { a, b, clusters, images } = answers(240, 4)
    const found = clusteredDifference(a, b, clusters, images, { random: random(), resamples: 10_000 })
    const one = signFlipTest(a, b, { random: random(), clusters: [...clusters] })
    expect(found.test).toBe('sign-flip')
    expect(Math.abs(found.p - one.p)).toBeLessThan(0.02)
  })

  it('of few images are flipped in every pattern: p is 2/2³ where three images all gain', () => {
    const found = clusteredDifference([0, 0, 0, 0, 1, 1], [1, 1, 1, 1, 1, 1], [0, 0, 1, 2, 3, 3], 4, { random: random() })
    expect(found.p).toBe(0.25)
  })
})

describe('graded scores', () => {
  const graded = (n: number, gain: number) => {
    const stream = createRandom(3, 'graded')
    const a = Float64Array.from({ length: n }, () => stream.normal())
    return { a, b: Float64Array.from(a, (value) => value + gain + 0.5 * stream.normal()), clusters: Int32Array.from({ length: n }, (_, i) => i >> 1), images: n >> 1 }
  }

  it('of thousands of images have Student’s interval, which the bootstrap agrees with', () => {
    const { a, b, clusters, images } = graded(6000, 0.02)
    const found = clusteredDifference(a, b, clusters, images, { random: random() })
    const one = pairedBootstrap(a, b, { random: random(), clusters: [...clusters], resamples: 1000 })
    expect([found.interval, found.test]).toEqual(['student', 'student'])
    expect(Math.abs(found.low - one.interval.low)).toBeLessThan(0.1 * (found.high - found.low))
    expect(Math.abs(found.high - one.interval.high)).toBeLessThan(0.1 * (found.high - found.low))
  })

  it('say the same whatever unit they are in, at any size', () => {
    const { a, b, clusters, images } = graded(120, 0.3)
    const times = (factor: number) => clusteredDifference(a.map((x) => x * factor), b.map((x) => x * factor), clusters, images, { random: random() })
    for (const factor of [1e-3, 1e6]) expect(Math.abs(times(factor).p - times(1).p)).toBeLessThan(0.02)
  })
})

it('no difference at all is p 1 and an interval of no width', () => {
  const found = clusteredDifference([1, 0, 1, 0], [1, 0, 1, 0], [0, 0, 1, 1], 2, { random: random() })
  expect([found.difference, found.p, found.low, found.high]).toEqual([0, 1, 0, 0])
})

it('refuses one image, and a score that is no number, by the item', () => {
  expect(faultOf(() => clusteredDifference([1, 0], [1, 1], [0, 0], 1, { random: random() })).code).toBe('invalid-input')
  expect(faultOf(() => clusteredDifference([1, NaN], [1, 1], [0, 1], 2, { random: random() })).message).toContain('item 1')
})
