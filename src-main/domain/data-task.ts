// Long work that a person starts and may cancel: imports, checks, exports, maps, benchmarks, experiments on encoders, comparisons with
// references, and zero-shot classification. Each is one row that tells how far it is and what came of it; the window shows nothing else.

import { z } from 'zod'
import { benchmarkSettingsSchema } from './benchmark.ts'
import { DATA_CHECKS, dataCheckSettingsSchema } from './data-check.ts'
import { EXPORT_FORMATS } from './data-export.ts'
import { datasetRowSchema } from './dataset-view.ts'
import { experimentRequestSchema, experimentResultSchema } from './experiment.ts'
import { importOptionsSchema } from './import-event.ts'
import { parityRequestSchema, parityResultSchema } from './parity.ts'
import { partProgressSchema, failureSchema } from './run-view.ts'
import { RUN_STATUSES } from './run.ts'
import { sampleFilterSchema } from './sample-query.ts'
import { zeroShotRequestSchema, zeroShotResultSchema } from './zero-shot.ts'

export const importRequestSchema = z.strictObject({
  kind: z.literal('import'),
  /** Absolute: a data file, or a folder. */
  path: z.string(),
  /** null: after the file or folder. */
  name: z.string().min(1).max(120).nullable().default(null),
  /** 'copy' puts images into the project; 'reference' leaves them where they are. */
  images: z.enum(['copy', 'reference']).default('copy'),
  options: importOptionsSchema.prefault({}),
  /** Looks at every image once the rows are in: thumbnails, perceptual hashes, damaged files. */
  examine: z.boolean().default(false),
})
export type ImportRequest = z.input<typeof importRequestSchema>

export const checkRequestSchema = z.strictObject({
  kind: z.literal('check'),
  check: z.enum(DATA_CHECKS),
  filter: sampleFilterSchema.prefault({}),
  settings: dataCheckSettingsSchema.prefault({}),
})

export const exportRequestSchema = z.strictObject({
  kind: z.literal('export'),
  filter: sampleFilterSchema,
  format: z.enum(EXPORT_FORMATS),
  /** 'copy' puts the images beside the data; 'reference' writes their absolute paths. */
  images: z.enum(['copy', 'reference']).default('copy'),
  /** Absolute; null: a folder of its own in the project's exports. */
  folder: z.string().nullable().default(null),
})

export const mapRequestSchema = z.strictObject({
  kind: z.literal('map'),
  filter: sampleFilterSchema.prefault({}),
  /** Folder of the model whose encoder sees the images. */
  checkpoint: z.string(),
  method: z.enum(['pca', 'umap']).default('umap'),
  seed: z.int().min(0).default(0),
  /** How many near images a place on the map respects. */
  neighbours: z.int().min(2).max(200).default(15),
})

/** Asks the models of encoders the questions of benchmarks. */
export const benchmarkRequestSchema = z.strictObject({
  kind: z.literal('benchmark'),
  /** Ids of encoders.list: an arm stands for its checkpoints. */
  encoders: z.array(z.string()).min(1),
  /** Names of datasets, each of one benchmark. */
  datasets: z.array(z.string()).min(1),
  settings: benchmarkSettingsSchema.prefault({}),
})

export const dataTaskRequestSchema = z.discriminatedUnion('kind', [
  importRequestSchema,
  checkRequestSchema,
  exportRequestSchema,
  mapRequestSchema,
  benchmarkRequestSchema,
  parityRequestSchema,
  zeroShotRequestSchema,
  ...experimentRequestSchema.options,
])
export type DataTaskRequest = z.output<typeof dataTaskRequestSchema>
export type DataTaskKind = DataTaskRequest['kind']
export type CheckRequest = Extract<DataTaskRequest, { kind: 'check' }>
export type ExportRequest = Extract<DataTaskRequest, { kind: 'export' }>
export type MapRequest = Extract<DataTaskRequest, { kind: 'map' }>

export const dataTaskResultSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('import'),
    datasets: z.array(datasetRowSchema),
    added: z.int(),
    /** Were there already and changed nothing. */
    unchanged: z.int(),
    /** Rows that were left out; the task keeps them. */
    faults: z.int(),
  }),
  z.strictObject({
    kind: z.literal('check'),
    samples: z.int(),
    findings: z.int(),
    clusters: z.int(),
    /** Who counted, where tokens were. */
    tokenizer: z.string().nullable().default(null),
  }),
  z.strictObject({ kind: z.literal('export'), folder: z.string(), samples: z.int(), artifactId: z.string() }),
  z.strictObject({
    kind: z.literal('map'),
    images: z.int(),
    /** Share of the variance that the first two principal components carry. */
    explained: z.number(),
    /** Features of the images, relative to the project; null: a map that is older than this field. */
    features: z.string().nullable().default(null),
  }),
  z.strictObject({
    kind: z.literal('benchmark'),
    /** Benchmarks answered now, by encoder; and those answered before under the same conditions. */
    evaluations: z.int(),
    reused: z.int(),
    /** What could not be asked, and why; the rest was. */
    failures: z.array(z.strictObject({ encoder: z.string(), dataset: z.string(), message: z.string() })),
  }),
  parityResultSchema,
  zeroShotResultSchema,
  ...experimentResultSchema.options,
])
export type DataTaskResult = z.output<typeof dataTaskResultSchema>

export const dataTaskRowSchema = z.strictObject({
  id: z.string(),
  /** "import of pairs.jsonl". */
  title: z.string(),
  /** 'paused' and 'failed' imports keep what they have and can be resumed; a cancelled one leaves nothing. */
  status: z.enum(RUN_STATUSES),
  request: dataTaskRequestSchema,
  progress: partProgressSchema.nullable(),
  createdAtMs: z.number(),
  finishedAtMs: z.number().nullable(),
  /** null: nothing to go by yet, or nothing under way. */
  leftMs: z.number().nullable(),
  failure: failureSchema.nullable(),
  result: dataTaskResultSchema.nullable(),
})
export type DataTaskRow = z.output<typeof dataTaskRowSchema>

/** A row of an imported file that was left out. */
export const importFaultRowSchema = z.strictObject({
  id: z.int(),
  file: z.string(),
  line: z.int().nullable(),
  field: z.string(),
  expected: z.string(),
  found: z.string(),
})
export type ImportFaultRow = z.output<typeof importFaultRowSchema>
