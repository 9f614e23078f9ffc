// What reading a data set from disk yields, row by row: samples that hold, faults that name what does not. Only the
// image's identity and place are in it, never its pixels; the store decides whether the file is copied.

import type { Content, DatasetKind, Sample, Split } from './sample.ts'

export const IMPORT_FORMATS = [
  'llava', // array or lines of { id, image, conversations }
  'preferences', // prompt or question, chosen, rejected: PIVOT, MMPR, TRL (strings or message lists)
  'rlhf-v', // lines whose `text` is a JSON string of question, chosen, rejected
  'questions', // lines, array or CSV of image, question, answer
  'coco', // images, annotations, categories
  'image-folders', // a folder per class
] as const
export type ImportFormat = (typeof IMPORT_FORMATS)[number]

export interface ImportOptions {
  /** Read only this kind; needed for a folder that holds more than one. */
  readonly kind?: DatasetKind
  /** Puts every sample into this split, whatever its path says. */
  readonly split?: Split
  /** Absolute folder that image paths are relative to and must stay in; default: the folder of the data file. */
  readonly imageRoot?: string
}

/** An image file as found: absolute path with links resolved, identity of its bytes, size from its header. */
export interface ImportedImage {
  readonly file: string
  readonly sha256: string
  readonly bytes: number
  readonly width: number
  readonly height: number
}

/** A sample before the store gives it an id and its image a place in the project. */
export interface ImportedSample {
  readonly kind: 'sample'
  readonly split: Split
  readonly source: Sample['source']
  readonly image: ImportedImage | null
  readonly content: Content
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
    }
  /** How far the open file is read, in the unit of its `of`; at most one in fifty rows. */
  | { readonly kind: 'progress'; readonly done: number }
  | ImportedSample
  | ImportFault
