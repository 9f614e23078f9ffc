import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../src-main/domain/random.ts'
import { bootstrapMean } from '../../../src-main/domain/statistics/bootstrap.ts'
import { mean, standardDeviation } from '../../../src-main/domain/statistics/description.ts'
import { jackknife, jackknifeOfSums } from '../../../src-main/domain/statistics/jackknife.ts'
import { oneSampleT } from '../../../src-main/domain/statistics/intervals.ts'

const values = [3, 1, 4, 1, 5, 9, 2, 6]
const meanOf = (sums: readonly number[], count: number) => sums[0]! / count
const rows = (of: readonly number[]) => of.map((value) => [value])

describe('the jackknife', () => {
  it('of a mean is Student’s interval, exactly', () => {
    const found = jackknifeOfSums(rows(values), values.map((_, i) => i), meanOf)
    const { interval } = oneSampleT(values)
    expect(found.standardError).toBeCloseTo(standardDeviation(values) / Math.sqrt(values.length), 12)
    expect([found.interval.low, found.interval.high]).toEqual([expect.closeTo(interval.low, 10), expect.closeTo(interval.high, 10)])
  })

  it('takes units that leave the same together', () => {
    const apart = jackknife(2, [1, 1, 1, 4].map((value) => ({ value, times: 1 })))
    expect(jackknife(2, [{ value: 1, times: 3 }, { value: 4, times: 1 }])).toEqual(apart)
  })

  it('of rows written twice is that of the rows once: a cluster stands or falls as a whole', () => {
    const once = jackknifeOfSums(rows(values), values.map((_, i) => i), meanOf)
    const twice = jackknifeOfSums(rows([...values, ...values]), [...values, ...values].map((_, i) => i % values.length), meanOf)
    expect(twice.standardError).toBeCloseTo(once.standardError, 12)
    expect(twice.units).toBe(values.length)
  })

  it('agrees with the clustered bootstrap where there are many clusters', () => {
    const random = createRandom(1, 'clusters')
    const clusters = Array.from({ length: 600 }, (_, i) => i >> 1)
    const shared = Array.from({ length: 300 }, () => random.normal())
    const drawn = clusters.map((cluster) => shared[cluster]! + 0.5 * random.normal())
    const found = jackknifeOfSums(rows(drawn), clusters, meanOf)
    const other = bootstrapMean(drawn, { random: createRandom(2), clusters, resamples: 4000 })
    expect(found.estimate).toBeCloseTo(mean(drawn), 12)
    expect(found.standardError / other.standardError).toBeGreaterThan(0.94)
    expect(found.standardError / other.standardError).toBeLessThan(1.06)
  })

  it('refuses one unit and what is not a number', () => {
    expect(() => jackknife(1, [{ value: 1, times: 1 }])).toThrow(/units.*2.*1/)
    expect(() => jackknife(1, [{ value: NaN, times: 2 }])).toThrow(/finite/)
  })
})
