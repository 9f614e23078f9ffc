// How many items decide: asked before a run, and beside every difference that is statistically tied.

import { LabError } from '../errors.ts'
import { requireOpenShare } from './checks.ts'
import { normalQuantile } from './distributions.ts'

export interface Decision {
  /** Chance of claiming a difference where there is none; two-sided. */
  readonly alpha?: number
  /** Chance of finding the difference when it is there. */
  readonly power?: number
}

/**
 * Items (or clusters) needed to tell a mean paired difference from 0:
 *
 *   n = ((z_{1−α/2} + z_{power})·σ/δ)², rounded up
 *
 * @param difference  δ ≠ 0, the mean of b − a that should be found
 * @param spread      σ ≥ 0, the standard deviation of b − a over items
 */
export function itemsNeeded(difference: number, spread: number, { alpha = 0.05, power = 0.8 }: Decision = {}): number {
  requireOpenShare(alpha, 'alpha')
  requireOpenShare(power, 'power')
  if (!(Number.isFinite(difference) && difference !== 0))
    throw new LabError(
      'invalid-input',
      `difference: expected a finite number other than 0, got ${difference}: no number of items tells nothing from nothing`,
    )
  if (!(spread >= 0 && Number.isFinite(spread)))
    throw new LabError('invalid-input', `spread: expected a standard deviation of at least 0, got ${spread}`)
  return Math.max(2, Math.ceil((((normalQuantile(1 - alpha / 2) + normalQuantile(power)) * spread) / difference) ** 2))
}

/**
 * The same for right/wrong answers judged by McNemar (Connor 1987, doi 10.2307/2531961):
 *
 *   n = (z_{1−α/2}·√ψ + z_{power}·√(ψ − δ²))²/δ², rounded up
 *
 * @param difference  δ, difference of the two accuracies
 * @param discordant  ψ ≥ |δ|, share of items that exactly one model gets right
 */
export function itemsNeededMcNemar(difference: number, discordant: number, { alpha = 0.05, power = 0.8 }: Decision = {}): number {
  requireOpenShare(alpha, 'alpha')
  requireOpenShare(power, 'power')
  if (!(Math.abs(difference) > 0 && Math.abs(difference) <= discordant && discordant <= 1))
    throw new LabError(
      'invalid-input',
      `expected 0 < |difference| ≤ discordant ≤ 1, got difference ${difference} and discordant ${discordant}`,
    )
  const spread =
    normalQuantile(1 - alpha / 2) * Math.sqrt(discordant) + normalQuantile(power) * Math.sqrt(discordant - difference ** 2)
  return Math.max(2, Math.ceil((spread / difference) ** 2))
}
