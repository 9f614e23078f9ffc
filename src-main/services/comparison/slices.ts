// By what the items of a measurement are sorted: a name for each slice, or null where an item does not tell. Bounds are written
// into the names, so that a slice says what it holds.

import type { Slicing } from '../../domain/comparison.ts'
import { areaOf, frameOf } from '../../domain/mask.ts'
import type { Region } from '../../domain/sample.ts'
import type { ItemFacts } from '../../store/item-facts.ts'

export interface SlicedItem {
  readonly itemId: string
  /** As the measurement grouped it: a category, a class, a question group. */
  readonly group: string | null
  readonly facts: ItemFacts | null
}

const DEPTH = /depth|distance|closer|nearer|in front|behind/i

export function sliceOf(slicing: Slicing, { itemId, group, facts }: SlicedItem): string | null {
  switch (slicing) {
    case 'group':
      return facts?.group ?? null
    case 'category':
      return facts?.category ?? group
    case 'object size': {
      const share = facts === null ? null : regionShare(facts, regionOf(itemId, facts))
      return share === null ? null : share < 0.05 ? 'small, under 5 % of the picture' : share < 0.2 ? 'medium, 5 to 20 %' : 'large, over 20 %'
    }
    case 'object count': {
      const count = facts?.objects ?? null
      return count === null ? null : count <= 1 ? 'one object or none' : count <= 3 ? '2 or 3 objects' : count <= 6 ? '4 to 6 objects' : '7 objects or more'
    }
    case 'text in the image':
      return facts === null ? null : facts.group === 'text' ? 'asks about text' : facts.hasText ? 'has text, asks about something else' : 'no text asked about'
    case 'depth': {
      const category = facts?.category ?? group
      return category === null ? null : DEPTH.test(category) ? 'asks about depth' : 'asks about something else'
    }
    case 'region':
      return facts === null ? null : placeOf(facts, regionOf(itemId, facts))
  }
}

/** A crop's own object, else all of it. */
function regionOf(itemId: string, { region }: ItemFacts): Region {
  const crop = /#(\d+)$/.exec(itemId)
  const own = crop === null ? undefined : region[Number(crop[1])]
  return own === undefined ? region : [own]
}

/** Share of the picture that the region covers, overlaps counted twice, at most 1. */
function regionShare({ width, height }: ItemFacts, region: Region): number | null {
  if (region.length === 0 || width === null || height === null) return null
  return Math.min(1, region.reduce((sum, shape) => sum + areaOf(shape), 0) / (width * height))
}

/** Where the middle of the region lies, in ninths of the picture. */
function placeOf({ width, height }: ItemFacts, region: Region): string | null {
  const boxes = region.map(frameOf).filter((box) => box !== null)
  if (boxes.length === 0 || width === null || height === null) return null
  const left = Math.min(...boxes.map(([x]) => x))
  const top = Math.min(...boxes.map(([, y]) => y))
  const right = Math.max(...boxes.map(([x, , w]) => x + w))
  const bottom = Math.max(...boxes.map(([, y, , h]) => y + h))
  const third = (value: number, of: number) => Math.min(2, Math.max(0, Math.floor((3 * value) / of)))
  const [column, row] = [third((left + right) / 2, width), third((top + bottom) / 2, height)]
  const [across, down] = [['left', 'middle', 'right'][column]!, ['top', 'middle', 'bottom'][row]!]
  return across === 'middle' && down === 'middle' ? 'middle' : across === 'middle' ? down : down === 'middle' ? across : `${down} ${across}`
}
