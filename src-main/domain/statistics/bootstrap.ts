// Bootstrap intervals: percentile and BCa, over items or over clusters of items (all questions about one image stand or
// fall together), and the paired bootstrap of a difference. Every draw comes from the generator that is passed in, so a
// seed names the interval. Efron & Tibshirani 1993, chapters 13 and 14; Efron 1987 for BCa.

import { LabError } from '../errors.ts'
import type { Random } from '../random.ts'
import { requireCount, requireFinite, requireInteger, requireSameLength } from './checks.ts'
import { mean, quantileOfSorted, standardDeviation, tailsOf } from './description.ts'
import { normalCdf, normalQuantile } from './distributions.ts'
import type { Interval } from './intervals.ts'

/** What is drawn at once. Item i belongs to `clusters[i]`; without clusters every item is drawn by itself. */
export type Clusters = readonly (string | number)[]

export interface BootstrapOptions {
  readonly random: Random
  readonly clusters?: Clusters | undefined
  readonly level?: number
  readonly resamples?: number
  /** BCa corrects the percentile interval for bias and skew; it needs at least 3 clusters. */
  readonly method?: 'percentile' | 'bca'
}

export interface Bootstrap {
  readonly estimate: number
  readonly interval: Interval
  /** Standard deviation of the resampled statistics. */
  readonly standardError: number
  readonly resamples: number
  readonly method: 'percentile' | 'bca'
  /** How many units were drawn from: clusters, or items where there are none. */
  readonly units: number
}

/** A statistic of items, given by their indices with repetition, (m). m is the item count unless clusters differ in size. */
export type Statistic = (items: Int32Array) => number

/**
 * Bootstrap interval of any statistic of `count` ≥ 2 items. Where all resamples agree the interval is a point: for a
 * proportion of 0 or 1 use `wilsonInterval`.
 * @throws LabError 'invalid-input' when the statistic is not finite on some resample, naming the resample
 */
export function bootstrapInterval(count: number, statistic: Statistic, options: BootstrapOptions): Bootstrap {
  const { random, clusters, level = 0.95, resamples = 10_000, method = 'percentile' } = options
  requireInteger(count, 2, 'count')
  requireInteger(resamples, 100, 'resamples')
  const units = unitsOf(count, clusters)
  requireCount(units, method === 'bca' ? 3 : 2, 'clusters')
  const estimate = finite(statistic(Int32Array.from({ length: count }, (_, i) => i)), 'the sample itself')
  const draws = resample(units, count, statistic, random, resamples)
  const sorted = draws.toSorted()
  const shares = method === 'bca' ? bcaShares(draws, estimate, units, statistic, level) : tailsOf(level)
  const interval = { low: quantileOfSorted(sorted, shares[0]), high: quantileOfSorted(sorted, shares[1]), level }
  return { estimate, interval, standardError: standardDeviation(draws), resamples, method, units: units.length }
}

/** Bootstrap interval of the mean of `values`, (n). With clusters of unequal size this is the ratio of sums, as it should be. */
export function bootstrapMean(values: ArrayLike<number>, options: BootstrapOptions): Bootstrap {
  requireFinite(values, 'values')
  return bootstrapInterval(values.length, meanOf(values), options)
}

export interface PairedBootstrap {
  readonly meanA: number
  readonly meanB: number
  /** mean(b) − mean(a). */
  readonly difference: number
  readonly interval: Interval
  readonly standardError: number
  /**
   * Two-sided, by inverting the percentile interval: 2·min(#{d* ≤ 0} + 1, #{d* ≥ 0} + 1)/(R + 1), at most 1. The added
   * ones keep it above 0, as a Monte-Carlo p must be (Davison & Hinkley 1997, eq. 4.11).
   */
  readonly p: number
  readonly resamples: number
  readonly units: number
}

/**
 * Paired bootstrap of mean(b) − mean(a). Position i of `a` and `b`, both (n), is the same item, and an item is drawn
 * with both its scores: what the arms have in common cancels.
 */
export function pairedBootstrap(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  options: Omit<BootstrapOptions, 'method'>,
): PairedBootstrap {
  requireSameLength(a, b, 'a, b')
  requireFinite(a, 'a')
  requireFinite(b, 'b')
  requireCount(a, 2, 'items')
  const { random, clusters, level = 0.95, resamples = 10_000 } = options
  requireInteger(resamples, 100, 'resamples')
  const differences = Float64Array.from(a, (value, i) => b[i]! - value)
  const units = unitsOf(a.length, clusters)
  requireCount(units, 2, 'clusters')
  const draws = resample(units, a.length, meanOf(differences), random, resamples)
  const [lowShare, highShare] = tailsOf(level)
  const sorted = draws.toSorted()
  let atMostZero = 1
  let atLeastZero = 1
  // A sum of +1 and −1 in another order may leave 1e-17 where the difference is nought.
  const nought = 1e-12 * Math.max(1e-300, ...[sorted[0]!, sorted[sorted.length - 1]!].map(Math.abs))
  for (const draw of draws) {
    if (draw <= nought) atMostZero++
    if (draw >= -nought) atLeastZero++
  }
  return {
    meanA: mean(a),
    meanB: mean(b),
    difference: mean(differences),
    interval: { low: quantileOfSorted(sorted, lowShare), high: quantileOfSorted(sorted, highShare), level },
    standardError: standardDeviation(draws),
    p: Math.min(1, (2 * Math.min(atMostZero, atLeastZero)) / (resamples + 1)),
    resamples,
    units: units.length,
  }
}

/** The items of each cluster, in order of first appearance; one item each without clusters. */
export function unitsOf(count: number, clusters: Clusters | undefined): readonly Int32Array[] {
  if (clusters === undefined) return Array.from({ length: count }, (_, i) => Int32Array.of(i))
  if (clusters.length !== count)
    throw new LabError('invalid-input', `clusters: expected one for each of ${count} items, got ${clusters.length}`)
  const items = new Map<string | number, number[]>()
  clusters.forEach((cluster, item) => {
    const known = items.get(cluster)
    if (known) known.push(item)
    else items.set(cluster, [item])
  })
  return [...items.values()].map((each) => Int32Array.from(each))
}

/** Mean of each cluster's items, in order of first appearance, (clusters). */
export function meanPerCluster(values: ArrayLike<number>, clusters: Clusters): Float64Array {
  requireFinite(values, 'values')
  return Float64Array.from(unitsOf(values.length, clusters), (items) => meanOf(values)(items))
}

function meanOf(values: ArrayLike<number>): Statistic {
  return (items) => {
    let sum = 0
    for (let i = 0; i < items.length; i++) sum += values[items[i]!]!
    return sum / items.length
  }
}

/** The statistic of `resamples` draws of as many units as there are, with replacement. */
function resample(
  units: readonly Int32Array[],
  count: number,
  statistic: Statistic,
  random: Random,
  resamples: number,
): Float64Array {
  const draws = new Float64Array(resamples)
  const largest = units.reduce((most, unit) => Math.max(most, unit.length), 0)
  const items = new Int32Array(largest === 1 ? count : units.length * largest)
  for (let r = 0; r < resamples; r++) {
    let length = 0
    for (let u = 0; u < units.length; u++) {
      const unit = units[random.integer(units.length)]!
      for (let i = 0; i < unit.length; i++) items[length++] = unit[i]!
    }
    draws[r] = finite(statistic(items.subarray(0, length)), `resample ${r}`)
  }
  return draws
}

/**
 * BCa's two percentiles (Efron 1987): z₀ = Φ⁻¹(share of draws below the estimate, ties half),
 * a = Σ(θ̄ − θ₍ᵢ₎)³ / (6·(Σ(θ̄ − θ₍ᵢ₎)²)^{3/2}) over the jackknife, α → Φ(z₀ + (z₀ + z_α)/(1 − a(z₀ + z_α))).
 */
function bcaShares(
  draws: Float64Array,
  estimate: number,
  units: readonly Int32Array[],
  statistic: Statistic,
  level: number,
): readonly [number, number] {
  let below = 0
  for (const draw of draws) below += draw < estimate ? 1 : draw === estimate ? 0.5 : 0
  // All draws on one side would send z₀ to infinity; half a draw is the most that R draws can tell.
  const share = Math.min(draws.length - 0.5, Math.max(0.5, below)) / draws.length
  const bias = normalQuantile(share)
  const left = Float64Array.from(units, (_, out) =>
    finite(statistic(withoutUnit(units, out)), `the sample without cluster ${out}`),
  )
  const centre = mean(left)
  let squares = 0
  let cubes = 0
  for (const value of left) {
    squares += (centre - value) ** 2
    cubes += (centre - value) ** 3
  }
  const acceleration = squares === 0 ? 0 : cubes / (6 * squares ** 1.5)
  const adjusted = (tail: number) => {
    const z = bias + normalQuantile(tail)
    return normalCdf(bias + z / (1 - acceleration * z))
  }
  const [low, high] = tailsOf(level)
  return [adjusted(low), adjusted(high)]
}

function withoutUnit(units: readonly Int32Array[], out: number): Int32Array {
  const items = new Int32Array(units.reduce((sum, unit) => sum + unit.length, 0) - units[out]!.length)
  let length = 0
  units.forEach((unit, u) => {
    if (u === out) return
    items.set(unit, length)
    length += unit.length
  })
  return items
}

function finite(value: number, where: string): number {
  if (!Number.isFinite(value))
    throw new LabError('invalid-input', `statistic: expected a finite number on ${where}, got ${value}`)
  return value
}
