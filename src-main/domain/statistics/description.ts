// Mean, spread and quantiles as the other files need them, and effect sizes.

import { requireCount, requireFinite, requireOpenShare, requireSameLength } from './checks.ts'
import { LabError } from '../errors.ts'

/** Arithmetic mean of at least one value. */
export function mean(values: ArrayLike<number>): number {
  requireCount(values, 1, 'values')
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  return sum / values.length
}

/** Sample variance Σ(x − x̄)²/(n − 1) of at least two values. */
export function variance(values: ArrayLike<number>): number {
  requireCount(values, 2, 'values')
  const centre = mean(values)
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += (values[i]! - centre) ** 2
  return sum / (values.length - 1)
}

export function standardDeviation(values: ArrayLike<number>): number {
  return Math.sqrt(variance(values))
}

/**
 * The quantile of sorted values by linear interpolation, as numpy.quantile's default:
 * position h = (n − 1)·share, x⌊h⌋ + (h − ⌊h⌋)·(x⌊h⌋₊₁ − x⌊h⌋).
 */
export function quantileOfSorted(sorted: ArrayLike<number>, share: number): number {
  requireCount(sorted, 1, 'sorted')
  const position = (sorted.length - 1) * Math.min(1, Math.max(0, share))
  const below = Math.floor(position)
  const low = sorted[below]!
  return low + (position - below) * ((sorted[Math.min(below + 1, sorted.length - 1)] ?? low) - low)
}

/** How large a paired difference is beside its own scatter. */
export interface PairedEffect {
  /** Mean of b − a. */
  readonly difference: number
  /** Cohen's d_z = mean(b − a)/sd(b − a). ±Infinity when every item differs by the same amount, 0 when none differs. */
  readonly cohensDz: number
  /** d_z·(1 − 3/(4·(n − 1) − 1)): without its small-sample bias (Hedges 1981). */
  readonly hedgesG: number
}

/** Effect size of a paired comparison of n ≥ 2 items (Lakens 2013, doi 10.3389/fpsyg.2013.00863, eq. 6). */
export function pairedEffect(a: ArrayLike<number>, b: ArrayLike<number>): PairedEffect {
  requireSameLength(a, b, 'a, b')
  requireCount(a, 2, 'a')
  requireFinite(a, 'a')
  requireFinite(b, 'b')
  const differences = Float64Array.from(a, (value, i) => b[i]! - value)
  const difference = mean(differences)
  const spread = standardDeviation(differences)
  const cohensDz = difference === 0 ? 0 : difference / spread
  const degrees = a.length - 1
  return { difference, cohensDz, hedgesG: cohensDz * (degrees > 1 ? 1 - 3 / (4 * degrees - 1) : 1) }
}

/** Cohen's h = 2·asin√p_b − 2·asin√p_a: the effect size of two proportions; 0.2 small, 0.5 medium, 0.8 large. */
export function cohensH(shareA: number, shareB: number): number {
  for (const share of [shareA, shareB])
    if (!(share >= 0 && share <= 1))
      throw new LabError('invalid-input', `cohensH: expected shares between 0 and 1, got ${shareA} and ${shareB}`)
  return 2 * Math.asin(Math.sqrt(shareB)) - 2 * Math.asin(Math.sqrt(shareA))
}

/** The level's lower and upper tail: 0.95 → [0.025, 0.975]. */
export function tailsOf(level: number): readonly [number, number] {
  requireOpenShare(level, 'level')
  return [(1 - level) / 2, (1 + level) / 2]
}
