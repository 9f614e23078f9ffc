// Seeded chance: the same seed gives the same numbers for ever, other words give other streams, and the numbers are fair.

import { describe, expect, it } from 'vitest'
import { createRandom } from '../../src-main/domain/random.ts'

const draw = (count: number, ...words: [number, ...(string | number)[]]) => {
  const random = createRandom(...words)
  return Array.from({ length: count }, () => random.uniform())
}
const N = 20_000

describe('a stream', () => {
  it('is named by its seed and words: equal names, equal numbers; any other name, others', () => {
    expect(draw(20, 1, 'order', 2)).toEqual(draw(20, 1, 'order', 2))
    const names: [number, ...(string | number)[]][] = [
      [1],
      [2],
      [1, 'order'],
      [1, 'order', 0],
      [1, 'order', 1],
      [1, 'orde', 'r'],
      [1, 'init'],
      [11],
      [1, 1],
    ]
    expect(new Set(names.map((name) => draw(1, ...name)[0])).size).toBe(names.length)
  })

  it('gave these numbers on the day that results were first recorded, and gives them still', () => {
    expect(draw(3, 0, 'order').map((value) => value.toFixed(9))).toEqual(['0.934845214', '0.532232915', '0.841907612'])
  })

  it('is not like that of the next seed, nor of the next last word: first numbers are even, and neighbours uncorrelated', () => {
    const names: ((i: number) => [number, ...(string | number)[]])[] = [(i) => [i], (i) => [7, 'order', i], (i) => [7, i, 'order']]
    for (const name of names) {
      const firsts = Array.from({ length: 2000 }, (_, i) => draw(1, ...name(i))[0]! - 0.5)
      const mean = firsts.reduce((sum, value) => sum + value, 0) / firsts.length
      // Five standard errors: 1/√(12·n) of the mean, 1/√n of a correlation.
      expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(12 * firsts.length))
      const neighbours = firsts.slice(1).reduce((sum, value, i) => sum + value * firsts[i]!, 0) / firsts.length
      expect(Math.abs(neighbours * 12)).toBeLessThan(5 / Math.sqrt(firsts.length))
      const counts = new Array<number>(20).fill(0)
      for (const value of firsts) counts[Math.floor((value + 0.5) * 20)]!++
      // χ² with 19 degrees of freedom exceeds 43.8 once in a thousand.
      expect(counts.reduce((sum, count) => sum + (count - 100) ** 2 / 100, 0)).toBeLessThan(43.8)
    }
  })
})

describe('numbers', () => {
  it('uniform ones lie in [0, 1) and fill it evenly', () => {
    const counts = new Array<number>(10).fill(0)
    for (const value of draw(N, 3)) {
      expect(value >= 0 && value < 1).toBe(true)
      counts[Math.floor(value * 10)]!++
    }
    // χ² with 9 degrees of freedom exceeds 27.9 once in a thousand seeds; this seed is fixed.
    expect(counts.reduce((sum, count) => sum + (count - N / 10) ** 2 / (N / 10), 0)).toBeLessThan(27.9)
  })

  it('integers lie below n and each occurs', () => {
    const random = createRandom(4)
    const seen = new Set(Array.from({ length: 500 }, () => random.integer(7)))
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(random.integer(1)).toBe(0)
  })

  it('normal ones have mean 0, variance 1, kurtosis 3, and are finite', () => {
    const random = createRandom(5)
    const values = Array.from({ length: N }, () => random.normal())
    const moment = (power: number) => values.reduce((sum, value) => sum + value ** power, 0) / N
    expect(values.every(Number.isFinite)).toBe(true)
    // Five standard errors: √(1/N), √(2/N), √(96/N).
    expect(Math.abs(moment(1))).toBeLessThan(5 / Math.sqrt(N))
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / N))
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / N))
  })
})

describe('orders', () => {
  it('a shuffle holds every value once, leaves its argument alone, and every place is as likely', () => {
    const values = ['a', 'b', 'c', 'd']
    const places = new Array<number>(4).fill(0)
    for (let seed = 0; seed < 4000; seed++) {
      const shuffled = createRandom(seed, 'shuffle').shuffle(values)
      expect([...shuffled].sort()).toEqual(values)
      places[shuffled.indexOf('a')]!++
    }
    expect(values).toEqual(['a', 'b', 'c', 'd'])
    for (const count of places) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(4000 * 0.25 * 0.75))
    expect(createRandom(0).shuffle([])).toEqual([])
  })

  it('a pick is one of the values, and each is picked', () => {
    const random = createRandom(6)
    expect(new Set(Array.from({ length: 100 }, () => random.pick(['a', 'b', 'c'])))).toEqual(new Set(['a', 'b', 'c']))
  })
})
