// Which samples are meant, in which order, and what a list of them shows. One filter serves browsing, counting, bulk
// changes, checks and exports, so that what is seen is what is changed.

import { z } from 'zod'
import { contentSchema, DATASET_KINDS, SPLITS } from './sample.ts'

/** 'excluded' stays in the dataset and out of its snapshots; 'deleted' is gone for everything but undo. */
export const SAMPLE_STATES = ['kept', 'excluded', 'deleted'] as const
export type SampleState = (typeof SAMPLE_STATES)[number]

/** Both ends belong to it; null: open. */
const range = z.strictObject({ from: z.number().nullable().default(null), to: z.number().nullable().default(null) })
const words = z.array(z.string().max(500)).max(1000)

export const sampleFilterSchema = z.strictObject({
  /** null: all datasets of the project. */
  datasetId: z.string().nullable().default(null),
  kinds: z.array(z.enum(DATASET_KINDS)).default([]),
  splits: z.array(z.enum(SPLITS)).default([]),
  states: z.array(z.enum(SAMPLE_STATES)).min(1).default(['kept']),
  /** A sample must have all of `tags` and none of `withoutTags`. */
  tags: words.default([]),
  withoutTags: words.default([]),
  sources: words.default([]),
  /** One of them: of the question, the pair, or any object in the image. */
  categories: words.default([]),
  groups: words.default([]),
  imageFormats: words.default([]),
  /** Pixels. */
  width: range.prefault({}),
  height: range.prefault({}),
  /** Characters of all texts of the sample. */
  textLength: range.prefault({}),
  /** Tokens as a tokenizer has counted them; samples that it has not counted are left out. */
  tokens: z.strictObject({ tokenizer: z.string(), count: range.prefault({}) }).nullable().default(null),
  hasImage: z.boolean().nullable().default(null),
  hasMask: z.boolean().nullable().default(null),
  /** Whether any preference pair of the project is about the same image. */
  hasPair: z.boolean().nullable().default(null),
  /** Words that must all occur in the texts; the last may be the beginning of a word. */
  text: z.string().max(500).default(''),
  imageSha256: z.string().nullable().default(null),
  ids: words.nullable().default(null),
  /** What a check found: all of it, one cluster, or all but the best of each cluster. */
  finding: z
    .strictObject({
      taskId: z.string(),
      cluster: z.int().nullable().default(null),
      which: z.enum(['all', 'best', 'others']).default('all'),
    })
    .nullable()
    .default(null),
  /** Images whose points on a map lie inside a closed line, drawn in the map's own coordinates. */
  region: z
    .strictObject({ taskId: z.string(), outline: z.array(z.tuple([z.number(), z.number()])).min(3).max(2000) })
    .nullable()
    .default(null),
  /** What an evaluation measured on the sample: `value` 1 is right, 0 is wrong. */
  measured: z.strictObject({ evaluationId: z.string(), metric: z.string(), value: range.prefault({}) }).nullable().default(null),
})
export type SampleFilter = z.output<typeof sampleFilterSchema>

/** 'tokens' are those of the tokenizer that the filter names. */
export const SAMPLE_SORTS = ['imported', 'textLength', 'tokens', 'pixels', 'imageBytes', 'source'] as const
export type SampleSort = (typeof SAMPLE_SORTS)[number]

/** Where the page before ended. */
export const cursorSchema = z.strictObject({ value: z.union([z.number(), z.string(), z.null()]), row: z.int() })
export type Cursor = z.output<typeof cursorSchema>

export const orderRequestSchema = z.strictObject({
  filter: sampleFilterSchema.prefault({}),
  sort: z.enum(SAMPLE_SORTS).default('imported'),
  direction: z.enum(['ascending', 'descending']).default('ascending'),
})
export type OrderRequest = z.output<typeof orderRequestSchema>

export const pageRequestSchema = orderRequestSchema.extend({
  after: cursorSchema.nullable().default(null),
  limit: z.int().min(1).max(1000).default(100),
})
export type PageRequest = z.output<typeof pageRequestSchema>

export const listedImageSchema = z.strictObject({
  sha256: z.string(),
  width: z.int(),
  height: z.int(),
  format: z.string().nullable(),
  bytes: z.int(),
})

export const sampleRowSchema = z.strictObject({
  /** Its place in the project: stable, unique over all datasets. */
  row: z.int(),
  id: z.string(),
  datasetId: z.string(),
  kind: z.enum(DATASET_KINDS),
  split: z.enum(SPLITS),
  state: z.enum(SAMPLE_STATES),
  source: z.string().nullable(),
  image: listedImageSchema.nullable(),
  /** Beginning of its texts, for a list. */
  text: z.string(),
  textLength: z.int(),
  categories: z.array(z.string()),
  tags: z.array(z.string()),
})
export type SampleRow = z.output<typeof sampleRowSchema>

export const samplePageSchema = z.strictObject({ rows: z.array(sampleRowSchema), next: cursorSchema.nullable() })
export type SamplePage = z.output<typeof samplePageSchema>

/** The beginning of an order, with the number of all that are in it. */
export const firstSamplesSchema = z.strictObject({ total: z.int(), rows: z.array(sampleRowSchema) })
export type FirstSamples = z.output<typeof firstSamplesSchema>

export const sampleDetailSchema = z.strictObject({
  row: sampleRowSchema,
  dataset: z.string(),
  content: contentSchema,
  /** Absolute; null: without image. */
  imageFile: z.string().nullable(),
  /** Where the same image is used: samples of any dataset, itself left out. */
  sameImage: z.array(z.strictObject({ row: z.int(), dataset: z.string(), kind: z.enum(DATASET_KINDS), split: z.enum(SPLITS) })),
  /** Runs that trained on a dataset of this sample's. */
  runs: z.array(z.strictObject({ id: z.string(), name: z.string() })),
  measured: z.array(z.strictObject({ evaluationId: z.string(), metric: z.string(), value: z.number() })),
  findings: z.array(z.strictObject({ taskId: z.string(), title: z.string(), score: z.number().nullable(), detail: z.string() })),
})
export type SampleDetail = z.output<typeof sampleDetailSchema>

const counted = z.array(z.strictObject({ value: z.string(), count: z.int() }))
/** How many samples of a filter have each value; the most frequent first, at most a hundred of a kind. */
export const facetsSchema = z.strictObject({
  total: z.int(),
  kinds: counted,
  splits: counted,
  states: counted,
  tags: counted,
  categories: counted,
  groups: counted,
  imageFormats: counted,
  hasImage: z.int(),
  hasMask: z.int(),
})
export type Facets = z.output<typeof facetsSchema>

/** Values of one field with the samples that have each. */
export const countedSchema = counted

/** Something measured item by item on samples of a filter: what a filter by it can ask for. */
export const sampleMeasureSchema = z.strictObject({
  evaluationId: z.string(),
  metric: z.string(),
  /** What was measured, in the words of a list: "DPO, seed 0 of Demo study". */
  subject: z.string(),
  samples: z.int(),
  low: z.number(),
  high: z.number(),
})
export type SampleMeasure = z.output<typeof sampleMeasureSchema>

export const FACETS = ['kinds', 'splits', 'states', 'tags', 'categories', 'groups', 'imageFormats'] as const

/** A filter that was given a name. */
export const savedViewSchema = z.strictObject({
  id: z.string(),
  name: z.string().min(1).max(120),
  filter: sampleFilterSchema,
  sort: z.enum(SAMPLE_SORTS),
  direction: z.enum(['ascending', 'descending']),
  createdAtMs: z.number(),
})
export type SavedView = z.output<typeof savedViewSchema>
