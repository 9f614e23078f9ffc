// Work on files and pictures that needs no engine: a process of its own does it, so that an import need not wait for a
// training. Paths are absolute.

import { z } from 'zod'
import type { FindingRow, ImageFacts } from './data-check.ts'
import { EXPORT_FORMATS } from './data-export.ts'
import { importOptionsSchema, type ImportedSample, type ImportEvent } from './import-event.ts'
import { readingSchema } from './reading.ts'
import { imageRefSchema, type ImageRef } from './sample.ts'

/** Reads a data set, and puts its images into the project (or leaves them where they are). */
const importJob = z.strictObject({
  kind: z.literal('import'),
  project: z.string(),
  path: z.string(),
  options: importOptionsSchema,
  images: z.enum(['copy', 'reference']),
})

/** The first rows of an import, as an ImportPreview. Writes nothing. */
const previewImportJob = z.strictObject({
  kind: z.literal('preview-import'),
  path: z.string(),
  options: importOptionsSchema,
  rows: z.int().min(1).max(100),
})

/** Looks at each image once: hashes, brightness, faults; writes thumbnails of large ones into the project. */
const examineImagesJob = z.strictObject({ kind: z.literal('examine-images'), project: z.string(), images: z.array(imageRefSchema) })

/** Writes samples in a format. `samples` is a file with one { sample, tags } a line. */
const exportDataJob = z.strictObject({
  kind: z.literal('export-data'),
  project: z.string(),
  samples: z.string(),
  count: z.int(),
  name: z.string(),
  format: z.enum(EXPORT_FORMATS),
  images: z.enum(['copy', 'reference']),
  /** Must not exist. */
  folder: z.string(),
})

/** Packs the project into one tar; `database` is a consistent copy of its database. */
const backupJob = z.strictObject({ kind: z.literal('backup'), project: z.string(), database: z.string(), file: z.string() })

/** Unpacks a backup into a folder that does not exist, every file checked against its hash. */
const restoreJob = z.strictObject({ kind: z.literal('restore'), file: z.string(), folder: z.string() })

const compareSnapshotsJob = z.strictObject({
  kind: z.literal('compare-snapshots'),
  project: z.string(),
  from: z.string(),
  to: z.string(),
})

/** Lays features out flat; `features` is what an image-features job wrote. */
const mapFeaturesJob = z.strictObject({
  kind: z.literal('map-features'),
  features: z.string(),
  images: z.array(z.string()),
  method: z.enum(['pca', 'umap']),
  seed: z.int().min(0),
  neighbours: z.int().min(2),
})

/** The `neighbours` most similar images of each of `of`, by cosine. */
const featureNeighboursJob = z.strictObject({
  kind: z.literal('feature-neighbours'),
  features: z.string(),
  images: z.array(z.string()),
  /** null: of every image. */
  of: z.array(z.string()).nullable(),
  neighbours: z.int().min(1),
  /** Where to write the answer to, if it is to be read elsewhere: it is then null. */
  file: z.string().nullable().default(null),
})

/** Reads the project's database beside its writer. */
const readJob = z.strictObject({ kind: z.literal('read'), database: z.string(), reading: readingSchema })

export const dataJobSchema = z.discriminatedUnion('kind', [
  importJob,
  previewImportJob,
  examineImagesJob,
  exportDataJob,
  backupJob,
  restoreJob,
  compareSnapshotsJob,
  mapFeaturesJob,
  featureNeighboursJob,
  readJob,
])
export type DataJob = z.output<typeof dataJobSchema>
export type DataJobKind = DataJob['kind']
export type DataJobOf<K extends DataJobKind> = Extract<DataJob, { kind: K }>
export const DATA_JOB_KINDS: readonly string[] = dataJobSchema.options.map((option) => option.shape.kind.value)

/** An image that has its place. */
export interface PlacedImage extends ImageRef {
  readonly bytes: number
  readonly format: string
}
export type PlacedSample = Omit<ImportedSample, 'image'> & { readonly image: PlacedImage | null }
export type PlacedEvent = Exclude<ImportEvent, ImportedSample> | PlacedSample

export type DataJobEvent =
  /** A few hundred at a time: each message costs. */
  | { readonly kind: 'imported'; readonly rows: readonly PlacedEvent[] }
  | { readonly kind: 'examined'; readonly images: readonly ImageFacts[] }
  | { readonly kind: 'found'; readonly findings: readonly FindingRow[] }
  /** Rows of samples, and how many tokens each has under a tokenizer of so many positions. */
  | { readonly kind: 'counted'; readonly tokenizer: string; readonly limit: number | null; readonly rows: Int32Array; readonly tokens: Int32Array }
  /** Rows of samples, and the place in SPLITS of where each is to go. */
  | { readonly kind: 'divided'; readonly rows: Int32Array; readonly splits: Uint8Array }
  /** The outcome of a job that answers a question; its asker knows the schema. */
  | { readonly kind: 'answer'; readonly value: unknown }
