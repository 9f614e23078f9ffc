// Questions whose answer takes a walk over very many samples. The process for data answers them, from the project's database,
// beside its writer: main only asks, and writes down what comes of it.

import { z } from 'zod'
import { selectionSchema } from './curation.ts'
import { DATA_CHECKS, dataCheckSettingsSchema } from './data-check.ts'
import { sampleFilterSchema } from './sample-query.ts'
import { sampleSchema, SPLITS } from './sample.ts'
import { splitRuleSchema } from './split-rule.ts'

export const readingSchema = z.discriminatedUnion('kind', [
  /** Answers DatasetStatistics. */
  z.strictObject({ kind: z.literal('statistics'), filter: sampleFilterSchema }),
  /** Answers a SplitTable; with `tellsRows`, says of each row that moves to which split ('divided'). */
  z.strictObject({ kind: z.literal('divide'), selection: selectionSchema, rule: splitRuleSchema, tellsRows: z.boolean() }),
  /** Counts tokens as the model in `checkpoint` does ('counted'), of samples that it has not counted; answers a TokenReading. */
  z.strictObject({ kind: z.literal('tokens'), filter: sampleFilterSchema, checkpoint: z.string() }),
  /** Says what a check finds ('found') and answers how much. */
  z.strictObject({
    kind: z.literal('find'),
    check: z.enum(DATA_CHECKS),
    filter: sampleFilterSchema,
    settings: dataCheckSettingsSchema,
    /** For the checks on features: what a feature-neighbours job has written. */
    neighbours: z.string().nullable(),
    /** For the check of token counts: who counted them. */
    tokenizer: z.string().nullable(),
  }),
  /** Answers PairHealth. */
  z.strictObject({ kind: z.literal('pair-health'), datasetId: z.string() }),
  /** Writes { sample, tags } a line into `file`; answers how many. */
  z.strictObject({ kind: z.literal('list-samples'), filter: sampleFilterSchema, file: z.string() }),
  /** Writes the images of the filter's samples into `file`, an ImageRef a line, each once in the order of its first sample; answers their hashes. */
  z.strictObject({ kind: z.literal('list-images'), filter: sampleFilterSchema, file: z.string() }),
  /** Writes a snapshot of the dataset into `file`; answers a SnapshotReading. */
  z.strictObject({ kind: z.literal('snapshot'), datasetId: z.string(), file: z.string() }),
  /** Answers candidates for a queue of labelling, drawn by lot. */
  z.strictObject({
    kind: z.literal('candidates'),
    datasetId: z.string(),
    /** null: all. */
    split: z.enum(SPLITS).nullable(),
    category: z.string(),
    tag: z.string(),
    search: z.string(),
    limit: z.int().nullable(),
    seed: z.int(),
    /** Only questions that have a near miss, with it. */
    nearMisses: z.boolean(),
  }),
])
export type Reading = z.output<typeof readingSchema>
export type ReadingOf<K extends Reading['kind']> = Extract<Reading, { kind: K }>

export const snapshotReadingSchema = z.strictObject({
  /** Of the file. */
  sha256: z.string(),
  samples: z.int(),
  /** Of the dataset, when it was read. */
  changes: z.int(),
})
export const candidatesSchema = z.array(z.strictObject({ sample: sampleSchema, nearMiss: z.string().nullable() }))

/** What is said on the way. */
export interface ReadingProgress {
  readonly kind: 'progress'
  readonly done: number
  readonly of: number
}
