// How long samples are for a model: tokens of the longest text that a training makes of one, chat template and image tokens
// included. It is what a training's maxLength is compared with, beyond which a sample is left out whole.

import { z } from 'zod'
import type { Sample } from './sample.ts'

/** Counts as one model does. */
export interface TokenCounter {
  /** Counters of equal identity count alike. */
  readonly identity: string
  /** Positions that the language model has; null: a folder with a tokenizer alone. */
  readonly limit: number | null
  /** null: there is nothing to learn in words, or no training takes the sample. */
  count(sample: Pick<Sample, 'image' | 'content'>): number | null
}

export const tokenReadingSchema = z.strictObject({ tokenizer: z.string(), limit: z.int().nullable() })
export type TokenReading = z.output<typeof tokenReadingSchema>

/** A tokenizer that has counted samples of a filter. */
export const countedTokenizerSchema = z.strictObject({
  tokenizer: z.string(),
  /** The folder it was read from last. */
  folder: z.string(),
  limit: z.int().nullable(),
  samples: z.int(),
  low: z.int(),
  high: z.int(),
})
export type CountedTokenizer = z.output<typeof countedTokenizerSchema>
