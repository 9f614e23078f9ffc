// Tests of a paired difference: exact McNemar for right/wrong answers, sign flips for any score, and Holm's correction
// for asking several questions at once. Absent on purpose: one-sided tests, since the lab never knew the direction.

import { LabError } from '../errors.ts'
import type { Random } from '../random.ts'
import { unitsOf, type Clusters } from './bootstrap.ts'
import { requireCount, requireFinite, requireInteger, requireSameLength } from './checks.ts'
import { logGamma } from './distributions.ts'

export interface McNemar {
  /** Items that only a, or only b, got right. */
  readonly aOnly: number
  readonly bOnly: number
  readonly both: number
  readonly neither: number
  /** Two-sided exact p: 2·P(X ≤ min(aOnly, bOnly)) for X ~ Binomial(aOnly + bOnly, ½), at most 1; 1 without discordant items. */
  readonly p: number
}

/**
 * Exact McNemar test of two models on the same items (McNemar 1947). It assumes independent items: where several share
 * an image, use `signFlipTest` with clusters.
 * @param a  1 or true where the first model is right, (n)
 * @param b  the same for the second model, (n)
 */
export function mcnemarExact(a: ArrayLike<number | boolean>, b: ArrayLike<number | boolean>): McNemar {
  requireSameLength(a, b, 'a, b')
  requireCount(a, 1, 'items')
  let [both, aOnly, bOnly, neither] = [0, 0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    const rightA = asRight(a[i]!, 'a', i)
    const rightB = asRight(b[i]!, 'b', i)
    if (rightA && rightB) both++
    else if (rightA) aOnly++
    else if (rightB) bOnly++
    else neither++
  }
  return { aOnly, bOnly, both, neither, p: mcnemarExactP(aOnly, bOnly) }
}

/** The p of `mcnemarExact` from the two discordant counts. */
export function mcnemarExactP(aOnly: number, bOnly: number): number {
  requireInteger(aOnly, 0, 'aOnly')
  requireInteger(bOnly, 0, 'bOnly')
  const n = aOnly + bOnly
  const least = Math.min(aOnly, bOnly)
  if (2 * least === n) return 1
  // Log space: 2⁻ⁿ alone underflows beyond n = 1074.
  let tail = 0
  for (let i = 0; i <= least; i++) tail += Math.exp(logGamma(n + 1) - logGamma(i + 1) - logGamma(n - i + 1) - n * Math.LN2)
  return Math.min(1, 2 * tail)
}

function asRight(value: number | boolean, name: string, index: number): boolean {
  if (value === 1 || value === true) return true
  if (value === 0 || value === false) return false
  throw new LabError(
    'invalid-input',
    `${name}[${index}]: expected 1 or 0 (right or wrong), got ${value}. For graded scores use the sign-flip test.`,
  )
}

export interface SignFlip {
  readonly difference: number
  /** Two-sided. */
  readonly p: number
  /** Every sign pattern was tried, or `flips` random ones. */
  readonly kind: 'exact' | 'sampled'
  readonly flips: number
}

/**
 * Sign-flip permutation test of mean(b − a) = 0: under the null each cluster's difference is as likely with the other
 * sign. Exact, over all 2^m patterns, when at most `exactUpTo` clusters differ at all; else p = (1 + #{|d*| ≥ |d|})/(1 + flips).
 * @param a  scores of the first model, (n); b of the second on the same items, (n)
 */
export function signFlipTest(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  options: {
    readonly random: Random
    readonly clusters?: Clusters | undefined
    readonly flips?: number
    readonly exactUpTo?: number
  },
): SignFlip {
  const { random, clusters, flips = 10_000, exactUpTo = 16 } = options
  requireSameLength(a, b, 'a, b')
  requireCount(a, 1, 'items')
  requireFinite(a, 'a')
  requireFinite(b, 'b')
  requireInteger(flips, 100, 'flips')
  const sums = unitsOf(a.length, clusters).map((unit) => unit.reduce((sum, item) => sum + b[item]! - a[item]!, 0))
  const total = sums.reduce((sum, each) => sum + each, 0)
  const difference = total / a.length
  // A cluster without a difference has nothing to flip.
  const flippable = Float64Array.from(sums.filter((each) => each !== 0))
  // Sums in another order differ in the last bits; a pattern that ties with what was seen must count.
  const threshold = Math.abs(total) * (1 - 1e-12) - 1e-300
  const m = flippable.length
  if (m <= Math.min(exactUpTo, 24)) {
    let extreme = 0
    for (let pattern = 0; pattern < 2 ** m; pattern++) {
      let sum = 0
      for (let i = 0; i < m; i++) sum += pattern & (1 << i) ? -flippable[i]! : flippable[i]!
      if (Math.abs(sum) >= threshold) extreme++
    }
    return { difference, p: extreme / 2 ** m, kind: 'exact', flips: 2 ** m }
  }
  let extreme = 1
  for (let flip = 0; flip < flips; flip++) {
    let sum = 0
    for (let i = 0; i < m; i++) sum += random.uniform() < 0.5 ? -flippable[i]! : flippable[i]!
    if (Math.abs(sum) >= threshold) extreme++
  }
  return { difference, p: extreme / (flips + 1), kind: 'sampled', flips }
}

export interface Holm {
  /** Adjusted p of each question, in the order given. */
  readonly adjusted: readonly number[]
  /** adjusted ≤ alpha. */
  readonly rejected: readonly boolean[]
}

/**
 * Holm's step-down correction (Holm 1979): with p sorted ascending, p̃₍ᵢ₎ = max_{j ≤ i} min(1, (m − j + 1)·p₍ⱼ₎).
 * It bounds the chance of any false claim by alpha, whatever the questions have to do with one another.
 */
export function holm(ps: readonly number[], alpha = 0.05): Holm {
  ps.forEach((p, i) => {
    if (!(p >= 0 && p <= 1)) throw new LabError('invalid-input', `ps[${i}]: expected a p between 0 and 1, got ${p}`)
  })
  if (!(alpha > 0 && alpha < 1)) throw new LabError('invalid-input', `alpha: expected a share between 0 and 1, got ${alpha}`)
  const order = ps.map((_, i) => i).sort((i, j) => ps[i]! - ps[j]!)
  const adjusted = new Array<number>(ps.length).fill(0)
  let floor = 0
  order.forEach((question, rank) => {
    floor = Math.max(floor, Math.min(1, (ps.length - rank) * ps[question]!))
    adjusted[question] = floor
  })
  return { adjusted, rejected: adjusted.map((p) => p <= alpha) }
}
