// The jackknife: how a statistic moves when one unit is left out (Efron & Tibshirani 1993, chapter 11). For statistics that
// are smooth in their units, such as agreement coefficients and ratios of sums, it gives in one pass what a bootstrap needs
// thousands of resamples for. Not for medians and other quantiles, where it is inconsistent.

import { LabError } from '../errors.ts'
import { requireFinite } from './checks.ts'
import { tailsOf } from './description.ts'
import { studentTQuantile } from './distributions.ts'
import type { Interval } from './intervals.ts'

/** What the statistic is without one unit; `times` units leave the same. */
export interface LeftOut {
  readonly value: number
  readonly times: number
}

export interface Jackknife {
  readonly estimate: number
  /** estimate ± t_{n−1}·SE. */
  readonly interval: Interval
  /** √((n − 1)/n · Σ (θ₍ᵢ₎ − θ̄)²), θ₍ᵢ₎ without unit i. */
  readonly standardError: number
  readonly units: number
}

/** @throws LabError 'invalid-input' for fewer than two units, or a value that is not finite */
export function jackknife(estimate: number, leftOut: readonly LeftOut[], level = 0.95): Jackknife {
  requireFinite([estimate], 'estimate')
  requireFinite(leftOut.map(({ value }) => value), 'leftOut')
  const units = leftOut.reduce((sum, { times }) => sum + times, 0)
  if (units < 2) throw new LabError('invalid-input', `units: expected at least 2, got ${units}`)
  const mean = leftOut.reduce((sum, { value, times }) => sum + value * times, 0) / units
  const spread = leftOut.reduce((sum, { value, times }) => sum + times * (value - mean) ** 2, 0)
  const standardError = Math.sqrt(((units - 1) / units) * spread)
  const half = studentTQuantile(tailsOf(level)[1], units - 1) * standardError
  return { estimate, interval: { low: estimate - half, high: estimate + half, level }, standardError, units }
}

/**
 * Of a statistic of sums over rows, (rows, k) each: rows of one cluster are left out together. With `columns` [v] and
 * `statistic` s → s[0]/n this is the interval of a mean, clustered.
 * @param statistic of the k sums and the count of rows behind them
 */
export function jackknifeOfSums(
  rows: readonly (readonly number[])[],
  clusters: readonly (string | number)[],
  statistic: (sums: readonly number[], count: number) => number,
  level = 0.95,
): Jackknife {
  const of = new Map<string | number, { sums: number[]; count: number }>()
  const total = { sums: rows[0]?.map(() => 0) ?? [], count: rows.length }
  rows.forEach((row, i) => {
    const cluster = of.get(clusters[i]!) ?? { sums: row.map(() => 0), count: 0 }
    row.forEach((value, k) => {
      cluster.sums[k]! += value
      total.sums[k]! += value
    })
    cluster.count += 1
    of.set(clusters[i]!, cluster)
  })
  const leftOut = [...of.values()].map(({ sums, count }) => ({
    value: statistic(total.sums.map((sum, k) => sum - sums[k]!), total.count - count),
    times: 1,
  }))
  return jackknife(statistic(total.sums, total.count), leftOut, level)
}
