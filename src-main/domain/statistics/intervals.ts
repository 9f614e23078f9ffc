// Intervals in closed form: Wilson's for one proportion, Student's t for paired differences over few seeds.
// For statistics without a closed form see bootstrap.ts; for seeds and items together see seeds-and-items.ts.

import { LabError } from '../errors.ts'
import { requireCount, requireFinite, requireInteger, requireSameLength } from './checks.ts'
import { mean, standardDeviation, tailsOf } from './description.ts'
import { normalQuantile, studentTQuantile, studentTTwoSided } from './distributions.ts'

export interface Interval {
  readonly low: number
  readonly high: number
  /** Confidence level, 0.95 by default everywhere. */
  readonly level: number
}

/**
 * Wilson's score interval of a proportion (Wilson 1927), without continuity correction:
 *
 *   (p̂ + z²/2n ± z·√(p̂(1 − p̂)/n + z²/4n²)) / (1 + z²/n)
 *
 * It stays inside [0, 1] and keeps its width at 0 and n successes, where the normal and the bootstrap interval collapse.
 * @throws LabError 'invalid-input' unless 0 ≤ successes ≤ count and count ≥ 1, both integers
 */
export function wilsonInterval(successes: number, count: number, level = 0.95): Interval {
  requireInteger(count, 1, 'count')
  requireInteger(successes, 0, 'successes')
  if (successes > count) throw new LabError('invalid-input', `successes: expected at most ${count}, the count, got ${successes}`)
  return wilsonIntervalOfScore(successes, count, level)
}

/** The same of a sum of scores between 0 and 1, halves for ties among them: no wider than it must be, since a half varies less. */
export function wilsonIntervalOfScore(successes: number, count: number, level = 0.95): Interval {
  requireInteger(count, 1, 'count')
  if (!(successes >= 0 && successes <= count)) throw new LabError('invalid-input', `successes: expected 0 to ${count}, the count, got ${successes}`)
  const z = normalQuantile(tailsOf(level)[1])
  const share = successes / count
  const centre = share + (z * z) / (2 * count)
  const half = z * Math.sqrt((share * (1 - share)) / count + (z * z) / (4 * count * count))
  const scale = 1 + (z * z) / count
  // At the ends the bound is 0 or 1 exactly; rounding would leave it at ±1e-17.
  return { low: successes === 0 ? 0 : (centre - half) / scale, high: successes === count ? 1 : (centre + half) / scale, level }
}

export interface PairedT {
  /** Mean of b − a. */
  readonly difference: number
  readonly interval: Interval
  readonly standardError: number
  readonly t: number
  readonly degreesOfFreedom: number
  /** Two-sided. */
  readonly p: number
}

/**
 * Paired Student t over n ≥ 2 seeds: mean(b − a) ± t_{n−1}·sd(b − a)/√n. Position i of `a` and `b` is the same seed.
 * With 3 seeds t is 4.30, not 1.96: that is the price of few seeds. Where every seed differs by the same amount the
 * interval is a point and p is 0 (1 for no difference): then look at the items, not at the seeds.
 */
export function pairedT(a: ArrayLike<number>, b: ArrayLike<number>, level = 0.95): PairedT {
  requireSameLength(a, b, 'a, b')
  requireCount(a, 2, 'seeds')
  requireFinite(a, 'a')
  requireFinite(b, 'b')
  return oneSampleT(
    Float64Array.from(a, (value, i) => b[i]! - value),
    level,
  )
}

/** The same for differences already taken. */
export function oneSampleT(differences: ArrayLike<number>, level = 0.95): PairedT {
  requireCount(differences, 2, 'differences')
  requireFinite(differences, 'differences')
  return studentInterval(
    mean(differences),
    standardDeviation(differences) / Math.sqrt(differences.length),
    differences.length - 1,
    level,
  )
}

/** Of a score that is a share: Student's t knows no end of the scale. */
export function withinShare({ low, high }: Pick<Interval, 'low' | 'high'>): Pick<Interval, 'low' | 'high'> {
  return { low: Math.max(0, low), high: Math.min(1, high) }
}

/** difference ± t·standardError, and the two-sided p of no difference. */
export function studentInterval(difference: number, standardError: number, degreesOfFreedom: number, level: number): PairedT {
  const half = studentTQuantile(tailsOf(level)[1], degreesOfFreedom) * standardError
  const t = difference === 0 ? 0 : difference / standardError
  return {
    difference,
    interval: { low: difference - half, high: difference + half, level },
    standardError,
    t,
    degreesOfFreedom,
    p: studentTTwoSided(t, degreesOfFreedom),
  }
}
