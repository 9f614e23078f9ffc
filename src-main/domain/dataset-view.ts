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
  /** The first of the rows that were left out, as sentences; the task keeps all of them. */
  problems: z.array(z.string()),
  taskId: z.string(),
})
export type ImportSummary = z.output<typeof importSummarySchema>

/** A version of a dataset: a file named by its own SHA-256. */
export const snapshotRowSchema = z.strictObject({
  sha256: z.string(),
  samples: z.int(),
  createdAtMs: z.number(),
  /** Names of the runs that were trained on it. */
  runs: z.array(z.string()),
})
export type SnapshotRow = z.output<typeof snapshotRowSchema>

export const snapshotDifferenceSchema = z.strictObject({
  added: z.int(),
  removed: z.int(),
  /** In both, in another split. */
  moved: z.int(),
  same: z.int(),
  /** The first hundred of each, by sample id. */
  addedIds: z.array(z.string()),
  removedIds: z.array(z.string()),
  movedIds: z.array(z.string()),
})
export type SnapshotDifference = z.output<typeof snapshotDifferenceSchema>

/** How fine the charts of a dataset's samples are. */
export const HISTOGRAM_BINS = 24
export const binsSchema = z.array(z.strictObject({ from: z.number(), to: z.number(), count: z.int() }))

/** What a dataset is made of, for the charts beside it. */
export const datasetStatisticsSchema = z.strictObject({
  samples: z.int(),
  images: z.int(),
  /** Characters of all texts of a sample. */
  textLength: binsSchema,
  /** Characters of preferred minus of refused answer; empty for other kinds. */
  lengthGap: binsSchema,
  /** Longer side, pixels. */
  imageSize: binsSchema,
  categories: z.array(z.strictObject({ value: z.string(), train: z.int(), validation: z.int(), test: z.int() })),
  answers: z.array(z.strictObject({ value: z.string(), count: z.int() })),
  words: z.strictObject({ total: z.int(), perSample: z.number() }),
})
export type DatasetStatistics = z.output<typeof datasetStatisticsSchema>
