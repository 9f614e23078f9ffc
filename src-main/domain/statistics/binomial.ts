// Draws from a binomial distribution, exact for every n and p. With them a bootstrap over many items that take few values
// costs what the values cost, not what the items cost: how often each value is drawn is all that the mean depends on.

import type { Random } from '../random.ts'
import { logGamma } from './distributions.ts'

/** Below this n·p counting up is quicker, and the rejection below is not valid. */
const COUNTED_UP_TO = 10

/**
 * Successes of n ≥ 0 trials that each succeed with probability p: by inversion where n·p is small, else by Hörmann's
 * transformed rejection BTRS (1993, J. Stat. Comput. Simul. 46, 101–110).
 */
export function drawBinomial(n: number, p: number, random: Random): number {
  if (n === 0 || p <= 0) return 0
  if (p >= 1) return n
  if (p > 0.5) return n - drawBinomial(n, 1 - p, random)
  return n * p < COUNTED_UP_TO ? byInversion(n, p, random) : byRejection(n, p, random)
}

function byInversion(n: number, p: number, random: Random): number {
  const odds = p / (1 - p)
  let probability = Math.exp(n * Math.log1p(-p))
  let left = random.uniform()
  let successes = 0
  while (left > probability && successes < n) {
    left -= probability
    successes++
    probability *= ((n - successes + 1) / successes) * odds
  }
  return successes
}

function byRejection(n: number, p: number, random: Random): number {
  const spread = Math.sqrt(n * p * (1 - p))
  const b = 1.15 + 2.53 * spread
  const a = -0.0873 + 0.0248 * b + 0.01 * p
  const centre = n * p + 0.5
  const quick = 0.92 - 4.2 / b
  const alpha = (2.83 + 5.1 / b) * spread
  const logOdds = Math.log(p / (1 - p))
  const mode = Math.floor((n + 1) * p)
  const height = logGamma(mode + 1) + logGamma(n - mode + 1)
  for (;;) {
    const u = random.uniform() - 0.5
    const v = random.uniform()
    const distance = 0.5 - Math.abs(u)
    const k = Math.floor(((2 * a) / distance + b) * u + centre)
    if (!(k >= 0 && k <= n)) continue
    if (distance >= 0.07 && v <= quick) return k
    const accepted = height - logGamma(k + 1) - logGamma(n - k + 1) + (k - mode) * logOdds
    if (Math.log((v * alpha) / (a / distance ** 2 + b)) <= accepted) return k
  }
}

/**
 * How often each kind comes when `total` units are drawn with replacement from kinds of these counts, (kinds); written to
 * `drawn`. One binomial a kind, each conditional on those before it.
 */
export function drawMultinomial(counts: ArrayLike<number>, total: number, random: Random, drawn: Int32Array): void {
  let unitsLeft = 0
  for (let i = 0; i < counts.length; i++) unitsLeft += counts[i]!
  let drawsLeft = total
  for (let i = 0; i < counts.length; i++) {
    const isLast = i === counts.length - 1
    drawn[i] = isLast ? drawsLeft : drawBinomial(drawsLeft, counts[i]! / unitsLeft, random)
    drawsLeft -= drawn[i]!
    unitsLeft -= counts[i]!
  }
}
