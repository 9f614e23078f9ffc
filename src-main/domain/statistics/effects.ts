// How large a difference is, by name and by its author's convention, and how many more items or seeds would decide it.

import type { ClusteredDifference } from './clustered-difference.ts'
import { cohensH, mean, standardDeviation } from './description.ts'
import { normalQuantile } from './distributions.ts'
import { itemsNeeded, itemsNeededMcNemar } from './planning.ts'
import type { SeedsAndItems } from './seeds-and-items.ts'

export interface Effect {
  /** "Cohen’s d_z". */
  readonly name: string
  readonly value: number
  /** "small", by its author's own convention. */
  readonly size: string
}

export interface Needed {
  /** Items beyond those there are; null: more items do not decide it. */
  readonly moreItems: number | null
  /** Seeds beyond those there are; null: not a question of seeds, or unknown. */
  readonly moreSeeds: number | null
}

const POWER = 0.8

const SIZES = [
  ['negligible', 0],
  ['small', 1],
  ['medium', 2],
  ['large', 3],
] as const
function sizeBy(value: number, bounds: readonly [number, number, number]): string {
  const above = bounds.filter((bound) => Math.abs(value) >= bound).length
  return SIZES.find(([, at]) => at === above)![0]
}

/** Cohen's d_z over items (or images), seeds averaged: means (n) of either side. */
export function effectOfMeans(meanA: Float64Array, meanB: Float64Array): readonly Effect[] {
  const differences = Float64Array.from(meanA, (value, i) => meanB[i]! - value)
  if (differences.length < 2) return []
  const [centre, deviation] = [mean(differences), standardDeviation(differences)]
  if (deviation < 1e-12) return []
  return [{ name: 'Cohen’s d_z', value: centre / deviation, size: sizeBy(centre / deviation, [0.2, 0.5, 0.8]) }]
}

/** Cohen's h, where scores are shares. */
export function shareEffect(a: readonly Float64Array[], b: readonly Float64Array[]): readonly Effect[] {
  const [shareA, shareB] = [a, b].map((rows) => mean(rows.map(mean))) as [number, number]
  if ([shareA, shareB].some((share) => share < 0 || share > 1)) return []
  const h = cohensH(shareA, shareB)
  return [{ name: 'Cohen’s h', value: h, size: sizeBy(h, [0.2, 0.5, 0.8]) }]
}

/** Of the items that only one got right, how many times as many are b's; half an item is added to both (Haldane 1956). */
export function oddsOf(discordant: { readonly aOnly: number; readonly bOnly: number } | null): readonly Effect[] {
  if (discordant === null || discordant.aOnly + discordant.bOnly === 0) return []
  const odds = (discordant.bOnly + 0.5) / (discordant.aOnly + 0.5)
  const g = odds / (1 + odds) - 0.5
  return [{ name: 'odds ratio of discordant items', value: odds, size: sizeBy(g, [0.05, 0.15, 0.25]) }]
}

export function neededOfItems(found: Pick<ClusteredDifference, 'difference' | 'discordant' | 'items' | 'clusters' | 'standardError'>, perImage: number): Needed | null {
  if (Math.abs(found.difference) < 1e-12) return null
  const { discordant, items, clusters, difference } = found
  const total =
    discordant !== null && clusters === items
      ? itemsNeededMcNemar(difference, (discordant.aOnly + discordant.bOnly) / items, { power: POWER })
      : itemsNeeded(difference, found.standardError * Math.sqrt(clusters), { power: POWER }) * perImage
  return { moreItems: Math.max(0, Math.ceil(total - items)), moreSeeds: null }
}

/** Var(d̄) = σ²_s/S + (σ²_i + σ²_r/S)/I must come down to (δ/(z_{1−α/2} + z_power))². */
export function neededWithSeeds({ difference, variances, seeds, items }: SeedsAndItems, perImage: number): Needed | null {
  if (Math.abs(difference) < 1e-12) return null
  const target = (difference / (normalQuantile(0.975) + normalQuantile(POWER))) ** 2
  const left = target - variances.seed / seeds
  const images = left > 0 ? (variances.item + variances.residual / seeds) / left : null
  const leftOfItems = target - variances.item / items
  const more = leftOfItems > 0 ? (variances.seed + variances.residual / items) / leftOfItems : null
  return {
    moreItems: images === null ? null : Math.max(0, Math.ceil((images - items) * perImage)),
    moreSeeds: more === null ? null : Math.max(0, Math.ceil(more) - seeds),
  }
}
