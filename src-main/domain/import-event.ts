// What reading a data set from disk yields, row by row: samples that hold, faults that name what does not. Only the
// image's identity and place are in it, never its pixels; the store decides whether the file is copied.

import { z } from 'zod'
import { BENCHMARKS, MEASURES } from './benchmark.ts'
import { contentSchema, DATASET_KINDS, SPLITS, type Content, type DatasetKind, type Sample, type Split } from './sample.ts'

export const IMPORT_FORMATS = [
  'llava', // array or lines of { id, image, conversations | messages }: LLaVA, LLaMA-Factory, PIVOT's SFT twin
  'llama-factory', // dataset_info.json that names files and columns
  'preferences', // prompt or question, chosen, rejected: PIVOT, MMPR, RLAIF-V, TRL (strings or message lists)
  'rlhf-v', // rows whose `text` is a JSON string of question, chosen, rejected
  'vlfeedback', // rows of several rated answers
  'questions', // lines, array, CSV or Parquet of image, question, answer
  'benchmark', // a published benchmark's own records, or one's own with a chosen measure
  'coco', // images, annotations, categories
  'image-folders', // a folder per class
  'mask-folders', // images beside label maps: PASCAL VOC, ADE20K
  'voc', // a folder of XML files with boxes
  'webdataset', // tar of key.png, key.json
  'archive', // what the lab itself wrote
] as const
export type ImportFormat = (typeof IMPORT_FORMATS)[number]

export const importOptionsSchema = z.strictObject({
  /** Read only this kind; needed for a folder that holds more than one. */
  kind: z.enum(DATASET_KINDS).exactOptional(),
  /** Puts every sample into this split, whatever its path says. */
  split: z.enum(SPLITS).exactOptional(),
  /** Absolute folder that image paths are relative to and must stay in; default: the folder of the data file. */
  imageRoot: z.string().exactOptional(),
  /** Read the file as this benchmark's records. Without it those are recognised that are like no other. */
  benchmark: z.enum(BENCHMARKS).exactOptional(),
  /** How one's own benchmark is judged; default: options by letter, anything else by exact match. */
  measure: z.enum(MEASURES).exactOptional(),
  /** Our name of a field → the column that holds it, where a table's columns are called otherwise. */
  columns: z.partialRecord(z.enum(['image', 'question', 'answer', 'prompt', 'chosen', 'rejected', 'id', 'split', 'group', 'category']), z.string()).exactOptional(),
})
export type ImportOptions = z.output<typeof importOptionsSchema>

/** An image as found: identity of its bytes, size from its header, and where the bytes are. */
export interface ImportedImage {
  /** Absolute path with links resolved: the image itself, or the container that its bytes came from. */
  readonly file: string
  readonly sha256: string
  readonly bytes: number
  readonly width: number
  readonly height: number
  readonly format: string
  /** The bytes, when no file holds exactly them. */
  readonly data?: Uint8Array | undefined
}

/** A sample before the store gives it an id and its image a place in the project. */
export interface ImportedSample {
  readonly kind: 'sample'
  readonly split: Split
  readonly source: Sample['source']
  readonly image: ImportedImage | null
  readonly content: Content
  readonly tags?: readonly string[]
}

/** One row that was left out; the rows after it still come. */
export interface ImportFault {
  readonly kind: 'fault'
  /** Relative to what was imported; '' is the imported file itself. */
  readonly file: string
  /** From 1: line of a JSONL or CSV file, position in a JSON array; null when the whole file is meant. */
  readonly line: number | null
  readonly field: string
  readonly expected: string
  readonly found: string
}

export type ImportEvent =
  /** Opens every data file; `of` is its size in bytes (in image folders: the number of images). */
  | {
      readonly kind: 'file'
      readonly file: string
      readonly format: ImportFormat
      readonly content: DatasetKind
      readonly of: number
      /** Column names of a table. */
      readonly columns?: readonly string[]
    }
  /** How far the open file is read, in the unit of its `of`; at most one in fifty rows. */
  | { readonly kind: 'progress'; readonly done: number }
  | ImportedSample
  | ImportFault

/** What an import would do, before anything is written. */
export const importPreviewSchema = z.strictObject({
  files: z.array(z.strictObject({ file: z.string(), format: z.enum(IMPORT_FORMATS), kind: z.enum(DATASET_KINDS) })),
  rows: z.array(
    z.strictObject({
      split: z.enum(SPLITS),
      source: z.string().nullable(),
      image: z.strictObject({ width: z.int(), height: z.int(), format: z.string() }).nullable(),
      /** A data: address of a small PNG; null without an image, or when it cannot be decoded. */
      thumbnail: z.string().nullable(),
      content: contentSchema,
    }),
  ),
  faults: z.array(
    z.strictObject({
      file: z.string(),
      line: z.int().nullable(),
      field: z.string(),
      expected: z.string(),
      found: z.string(),
    }),
  ),
  /** Column names of a table (CSV, Parquet), for a person to say which is which; empty for other formats. */
  columns: z.array(z.string()),
  /** Whether the end was reached: then these rows are all. */
  isWhole: z.boolean(),
})
export type ImportPreview = z.output<typeof importPreviewSchema>
