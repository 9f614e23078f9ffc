// A flat map of what an encoder sees: one point an image, near where its features are near.

import { z } from 'zod'
import { SPLITS } from './sample.ts'

export const mapPointsSchema = z.strictObject({
  /** One entry an image in each list. */
  images: z.array(z.string()),
  x: z.array(z.number()),
  y: z.array(z.number()),
  /** The first sample about the image, and what a point may be coloured by. */
  rows: z.array(z.int()),
  categories: z.array(z.string().nullable()),
  splits: z.array(z.enum(SPLITS)),
})
export type MapPoints = z.output<typeof mapPointsSchema>

/** What a map is drawn from, as buffers: the bridge copies a list value by value, and a map has a hundred thousand. */
export const placedPointsSchema = z.strictObject({ x: z.instanceof(Float64Array), y: z.instanceof(Float64Array), rows: z.instanceof(Uint32Array) })
export type PlacedPoints = z.output<typeof placedPointsSchema>

export const similarImageSchema = z.strictObject({ sha256: z.string(), similarity: z.number(), row: z.int() })
export type SimilarImage = z.output<typeof similarImageSchema>

/** Of the first sample about an image. */
export const MAP_CLASSES = ['category', 'split', 'dataset', 'group', 'kind', 'tag', 'format', 'source'] as const
export const MAP_AMOUNTS = ['pixels', 'textLength', 'brightness', 'contrast'] as const

/** What the points of a map are coloured by. */
export const mapColourSchema = z.discriminatedUnion('by', [
  z.strictObject({ by: z.literal('class'), field: z.enum(MAP_CLASSES) }),
  z.strictObject({ by: z.literal('amount'), field: z.enum(MAP_AMOUNTS) }),
  /** What an evaluation measured on the image's first sample. */
  z.strictObject({ by: z.literal('measured'), evaluationId: z.string(), metric: z.string() }),
  /** Whether a check found any sample about the image. */
  z.strictObject({ by: z.literal('finding'), taskId: z.string() }),
])
export type MapColour = z.output<typeof mapColourSchema>

/** Values in the order of `rows`, which are those of the points; as buffers, for the bridge. */
export const mapValuesSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('classes'),
    rows: z.instanceof(Uint32Array),
    /** The most frequent first. */
    names: z.array(z.string()),
    /** Place in `names`; −1: none. */
    of: z.instanceof(Int32Array),
  }),
  /** NaN: not known. */
  z.strictObject({ kind: z.literal('amounts'), rows: z.instanceof(Uint32Array), of: z.instanceof(Float64Array) }),
])
export type MapValues = z.output<typeof mapValuesSchema>

/** A closed line on a map; its last point is joined to its first. */
export type Outline = readonly (readonly [x: number, y: number])[]

/** Whether a point lies inside a closed line, by the even-odd rule: a loop that crosses itself leaves its overlap out. */
export function isInside(outline: Outline, x: number, y: number): boolean {
  let inside = false
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i++) {
    const [xi, yi] = outline[i]!
    const [xj, yj] = outline[j]!
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside
  }
  return inside
}

export function boundsOf(outline: Outline): { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number } {
  // A call takes some hundred thousand arguments, and an outline may have more points.
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity]
  for (const [x, y] of outline) {
    left = Math.min(left, x)
    right = Math.max(right, x)
    top = Math.min(top, y)
    bottom = Math.max(bottom, y)
  }
  return { left, right, top, bottom }
}
