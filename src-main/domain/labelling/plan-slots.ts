// Items → places of a queue: repeats planted well behind their first showing, gold items spread among the rest. A pure
// function of items and seed, so that every labeller meets the same places and a queue can be rebuilt.

import { createRandom } from '../random.ts'
import type { Answer } from './judgement.ts'
import type { QueueSettings, Slot } from './queue.ts'

/** Nobody should remember his first judgement when the repeat comes. */
const LEAST_DISTANCE = 20

export interface PlannedItem {
  readonly itemId: string
  readonly reason: string
}

/**
 * Places in order. A queue shorter than twice the least distance gets its repeats at the end.
 * @param items in the order in which they shall be judged, each once
 * @param gold  items whose better answer is known; as many are drawn as the settings' share asks for
 */
export function planSlots(
  items: readonly PlannedItem[],
  gold: readonly { readonly itemId: string; readonly expected: Answer }[],
  { seed, repeatShare, gold: goldSettings }: Pick<QueueSettings, 'seed' | 'repeatShare' | 'gold'>,
): Slot[] {
  const random = createRandom(seed, 'slots')
  const known = new Set(items.map(({ itemId }) => itemId))
  const candidates = gold.filter(({ itemId }) => !known.has(itemId))
  const goldCount = goldSettings === null ? 0 : Math.min(candidates.length, Math.ceil(items.length * goldSettings.share))
  const chosenGold = random.shuffle(candidates).slice(0, goldCount)

  type Place = Omit<Slot, 'ordinal'> & { readonly at: number }
  const places: Place[] = items.map(({ itemId, reason }, at) => ({ itemId, reason, role: 'item', expected: null, at }))
  for (const { itemId, expected } of chosenGold) {
    const at = random.uniform() * items.length
    // It gives the reason of the item before it: any other would tell that it is planted.
    places.push({ itemId, expected, role: 'gold', reason: items[Math.floor(at)]!.reason, at })
  }
  const repeats = random.shuffle(items.map((_, at) => at)).slice(0, Math.round(items.length * repeatShare))
  for (const at of repeats.toSorted((x, y) => x - y)) {
    const earliest = at + LEAST_DISTANCE
    const room = Math.max(0, items.length - earliest)
    const { itemId, reason } = items[at]!
    // A half: a repeat never shares its place with an item, and a later first showing has a later repeat.
    places.push({ itemId, reason, role: 'repeat', expected: null, at: earliest + 0.5 + random.uniform() * room })
  }
  return places
    .toSorted((x, y) => x.at - y.at)
    .map(({ itemId, reason, role, expected }, ordinal) => ({ ordinal, itemId, reason, role, expected }))
}
