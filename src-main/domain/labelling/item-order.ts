// What teaches most, first: items whose two answers a model can hardly tell apart (uncertainty sampling, Lewis & Gale
// 1994), or on which several models contradict each other (query by committee, Seung et al. 1992).

import type { PlannedItem } from './plan-slots.ts'

/** Margin log p(first) − log p(second), nats. */
export interface ScoredItem {
  readonly itemId: string
  readonly value: number
}

/** Smallest margin first. Items without a score (too long for the model) come last. */
export function orderByMargin(scores: readonly ScoredItem[]): PlannedItem[] {
  return scores
    .toSorted((x, y) => Math.abs(x.value) - Math.abs(y.value))
    .map(({ itemId, value }) => ({ itemId, reason: `The model is unsure: margin ${Math.abs(value).toFixed(2)} nats` }))
}

/**
 * Most contradiction first: how evenly the models split, then the smallest mean margin. All models score the same items.
 * @param scores one list a model, (models, items)
 */
export function orderByDisagreement(scores: readonly (readonly ScoredItem[])[]): PlannedItem[] {
  const margins = new Map<string, number[]>()
  for (const model of scores) for (const { itemId, value } of model) margins.set(itemId, [...(margins.get(itemId) ?? []), value])
  return [...margins]
    .map(([itemId, values]) => {
      const forFirst = values.filter((value) => value > 0).length
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length
      return { itemId, minority: Math.min(forFirst, values.length - forFirst), models: values.length, mean: Math.abs(mean) }
    })
    .toSorted((x, y) => y.minority - x.minority || x.mean - y.mean)
    .map(({ itemId, minority, models, mean }) => ({
      itemId,
      reason:
        minority > 0
          ? `Models disagree: ${models - minority} of ${models} against ${minority}`
          : `Models agree, narrowly: mean margin ${mean.toFixed(2)} nats`,
    }))
}
