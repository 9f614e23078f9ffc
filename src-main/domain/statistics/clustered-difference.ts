// A paired difference over many items that share images: bootstrap interval, test, and what planning needs. Images (clusters)
// are drawn whole. Images that contribute alike, (sum of differences, items), are one kind, and only how often a kind is drawn
// matters: with right and wrong answers 20,000 items are three kinds, and thousands of resamples take milliseconds.

import { LabError } from '../errors.ts'
import type { Random } from '../random.ts'
import { drawBinomial, drawMultinomial } from './binomial.ts'
import { quantileOfSorted, tailsOf } from './description.ts'
import { mcnemarExactP } from './hypothesis-tests.ts'
import { studentInterval } from './intervals.ts'

/** Beyond so many kinds images are drawn one by one. */
const MOST_KINDS = 64
/** From so many images on, drawn one by one, the interval is Student's with the clustered standard error: they agree there. */
const MANY_IMAGES = 2000

export interface ClusteredDifference {
  /** mean(b) − mean(a) over items. */
  readonly difference: number
  readonly low: number
  readonly high: number
  /** Two-sided. */
  readonly p: number
  readonly items: number
  readonly clusters: number
  /** Of the difference, clustered by image (ratio of sums, linearised). */
  readonly standardError: number
  /** Items that only one got right; null where scores are not right or wrong. */
  readonly discordant: { readonly aOnly: number; readonly bOnly: number } | null
  readonly interval: 'bootstrap' | 'student'
  readonly test: 'mcnemar' | 'sign-flip' | 'student'
}

interface Kinds {
  readonly sums: Float64Array
  readonly sizes: Float64Array
  /** Images of each kind. */
  readonly counts: Float64Array
}

/**
 * @param a         scores of the first model, (n); b of the second on the same items, (n)
 * @param clusters  number of each item's image, 0 … clusterCount − 1, (n)
 * @param options  `intervalOnly`: p is left at 1, and its flips are not drawn
 * @throws LabError 'invalid-input' below two images, or for a score that is not finite
 */
export function clusteredDifference(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  clusters: ArrayLike<number>,
  clusterCount: number,
  options: { readonly random: Random; readonly level?: number; readonly resamples?: number; readonly intervalOnly?: boolean },
): ClusteredDifference {
  const { random, level = 0.95, resamples = 2000, intervalOnly = false } = options
  const n = a.length
  if (b.length !== n || clusters.length !== n || clusterCount < 2)
    throw new LabError('invalid-input', `expected scores of the same items in two or more images, got ${n} and ${b.length} items in ${clusterCount} images`)
  const sums = new Float64Array(clusterCount)
  const sizes = new Float64Array(clusterCount)
  let [total, aOnly, bOnly] = [0, 0, 0]
  let areAnswers = true
  for (let i = 0; i < n; i++) {
    const [x, y] = [a[i]!, b[i]!]
    const d = y - x
    if (!Number.isFinite(d)) throw new LabError('invalid-input', `item ${i}: expected finite scores, got ${x} and ${y}`)
    if ((x !== 0 && x !== 1) || (y !== 0 && y !== 1)) areAnswers = false
    else if (d > 0) bOnly++
    else if (d < 0) aOnly++
    sums[clusters[i]!]! += d
    sizes[clusters[i]!]! += 1
    total += d
  }
  const difference = total / n
  const standardError = clusteredStandardError(sums, sizes, difference, n)
  const kinds = kindsOf(sums, sizes)
  const few = kinds.counts.length <= MOST_KINDS
  const isStudent = !few && clusterCount > MANY_IMAGES
  const student = studentInterval(difference, standardError, clusterCount - 1, level)
  const interval = isStudent || standardError === 0 ? student.interval : bootstrapLimits(few ? kinds : null, sums, sizes, random, level, resamples)
  const isMcNemar = areAnswers && clusterCount === n
  return {
    difference,
    low: interval.low,
    high: interval.high,
    p: intervalOnly ? 1 : isMcNemar ? mcnemarExactP(aOnly, bOnly) : isStudent ? student.p : signFlipP(sums, random, resamples),
    items: n,
    clusters: clusterCount,
    standardError,
    discordant: areAnswers ? { aOnly, bOnly } : null,
    interval: isStudent ? 'student' : 'bootstrap',
    test: isMcNemar ? 'mcnemar' : isStudent ? 'student' : 'sign-flip',
  }
}

/** √(C/(C − 1)·Σ(s_c − d̄·m_c)²)/n: of the ratio Σs/Σm, linearised (Cochran 1977, 6.3). */
function clusteredStandardError(sums: Float64Array, sizes: Float64Array, difference: number, n: number): number {
  let squares = 0
  for (let c = 0; c < sums.length; c++) squares += (sums[c]! - difference * sizes[c]!) ** 2
  return Math.sqrt((squares * sums.length) / (sums.length - 1)) / n
}

function kindsOf(sums: Float64Array, sizes: Float64Array): Kinds {
  const counts = new Map<string, { readonly sum: number; readonly size: number; count: number }>()
  for (let c = 0; c < sums.length; c++) {
    const key = `${sums[c]},${sizes[c]}`
    const known = counts.get(key)
    if (known) known.count++
    else counts.set(key, { sum: sums[c]!, size: sizes[c]!, count: 1 })
    // Too many to be of use: the rest need not be counted.
    if (counts.size > MOST_KINDS) break
  }
  const all = [...counts.values()]
  return {
    sums: Float64Array.from(all, ({ sum }) => sum),
    sizes: Float64Array.from(all, ({ size }) => size),
    counts: Float64Array.from(all, ({ count }) => count),
  }
}

/** Percentile interval of Σs/Σm over images drawn with replacement. */
function bootstrapLimits(kinds: Kinds | null, sums: Float64Array, sizes: Float64Array, random: Random, level: number, resamples: number) {
  const draws = new Float64Array(resamples)
  const units = sums.length
  const drawn = new Int32Array(kinds?.counts.length ?? 0)
  for (let r = 0; r < resamples; r++) {
    let [sum, size] = [0, 0]
    if (kinds !== null) {
      drawMultinomial(kinds.counts, units, random, drawn)
      for (let k = 0; k < drawn.length; k++) {
        sum += drawn[k]! * kinds.sums[k]!
        size += drawn[k]! * kinds.sizes[k]!
      }
    } else
      for (let u = 0; u < units; u++) {
        const c = random.integer(units)
        sum += sums[c]!
        size += sizes[c]!
      }
    draws[r] = sum / size
  }
  draws.sort()
  const [low, high] = tailsOf(level)
  return { low: quantileOfSorted(draws, low), high: quantileOfSorted(draws, high), level }
}

/**
 * Sign flips of whole images; exact where at most 16 differ at all, else (1 + #{|d*| ≥ |d|})/(1 + flips). Images of equal
 * |sum| are flipped together: how many of them turn negative is binomial.
 */
function signFlipP(sums: Float64Array, random: Random, flips: number): number {
  const sizes = new Map<number, number>()
  let total = 0
  let m = 0
  for (const sum of sums) {
    total += sum
    const size = Math.abs(sum)
    if (size < 1e-12) continue
    m++
    // Sums in another order differ in their last bits and are the same size all the same.
    const key = Number(size.toPrecision(12))
    sizes.set(key, (sizes.get(key) ?? 0) + 1)
  }
  const values = [...sizes.keys()]
  const counts = values.map((value) => sizes.get(value)!)
  const threshold = Math.abs(total) * (1 - 1e-9) - 1e-12
  if (m <= 16) {
    const flat = values.flatMap((value, k) => Array.from({ length: counts[k]! }, () => value))
    let extreme = 0
    for (let pattern = 0; pattern < 2 ** m; pattern++) {
      let sum = 0
      for (let i = 0; i < m; i++) sum += pattern & (1 << i) ? -flat[i]! : flat[i]!
      if (Math.abs(sum) >= threshold) extreme++
    }
    return extreme / 2 ** m
  }
  let extreme = 1
  for (let flip = 0; flip < flips; flip++) {
    let sum = 0
    for (let k = 0; k < values.length; k++) sum += values[k]! * (2 * drawBinomial(counts[k]!, 0.5, random) - counts[k]!)
    if (Math.abs(sum) >= threshold) extreme++
  }
  return extreme / (flips + 1)
}
