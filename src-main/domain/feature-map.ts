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

export const similarImageSchema = z.strictObject({ sha256: z.string(), similarity: z.number(), row: z.int() })
export type SimilarImage = z.output<typeof similarImageSchema>
