// A dataset as the window and the command line see it. Its samples stay in the store; a snapshot (a file named by its
// own SHA-256) is what a run reads.

import { z } from 'zod'
import { DATASET_KINDS, SPLITS } from './sample.ts'

export const datasetRowSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  kind: z.enum(DATASET_KINDS),
  source: z.string(),
  samples: z.strictObject(
    Object.fromEntries(SPLITS.map((split) => [split, z.int()])) as Record<(typeof SPLITS)[number], z.ZodInt>,
  ),
  images: z.int(),
  /** SHA-256 of the newest snapshot; null while an import has not finished. */
  snapshot: z.string().nullable(),
  createdAtMs: z.number(),
})
export type DatasetRow = z.output<typeof datasetRowSchema>

/** What an import did. Samples that were there already are counted and change nothing. */
export const importSummarySchema = z.strictObject({
  datasets: z.array(datasetRowSchema),
  added: z.int(),
  unchanged: z.int(),
  problems: z.array(z.string()),
})
export type ImportSummary = z.output<typeof importSummarySchema>
