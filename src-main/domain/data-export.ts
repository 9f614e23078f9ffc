// The formats that a dataset can be written in, and which kinds of samples each can hold.

import { z } from 'zod'
import type { DatasetKind } from './sample.ts'

export const EXPORT_FORMATS = [
  'archive',
  'llava',
  'llama-factory',
  'trl',
  'trl-implicit',
  'pivot-sft',
  'pivot-dpo',
  'mmpr',
  'rlaif-v',
  'rlhf-v',
  'questions-jsonl',
  'csv',
  'coco',
  'class-folders',
  'webdataset',
  'parquet',
] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

const ALL: readonly DatasetKind[] = ['conversations', 'preferences', 'questions', 'objects']

export const EXPORT_FORMAT_TABLE: Readonly<
  Record<ExportFormat, { readonly label: string; readonly kinds: readonly DatasetKind[]; readonly help: string }>
> = {
  archive: { label: 'Lab archive', kinds: ALL, help: 'One tar with samples, images, splits and tags: reads back identically.' },
  llava: { label: 'LLaVA JSON', kinds: ['conversations'], help: 'Array of id, image, conversations.' },
  'llama-factory': {
    label: 'LLaMA-Factory',
    kinds: ['conversations', 'preferences'],
    help: 'ShareGPT rows with images, and dataset_info.json.',
  },
  trl: { label: 'TRL', kinds: ['preferences'], help: 'Messages: prompt, chosen, rejected, and a list of images.' },
  'trl-implicit': { label: 'TRL, implicit prompt', kinds: ['preferences'], help: 'The prompt is the beginning of both chosen and rejected.' },
  'pivot-sft': { label: 'PIVOT, SFT twin', kinds: ['preferences'], help: 'The chosen answers as LLaVA conversations.' },
  'pivot-dpo': { label: 'PIVOT, DPO twin', kinds: ['preferences'], help: 'id, prompt, chosen, rejected, image.' },
  mmpr: { label: 'MMPR', kinds: ['preferences'], help: 'JSONL of question, chosen, rejected, and meta.json.' },
  'rlaif-v': { label: 'RLAIF-V parquet', kinds: ['preferences'], help: 'Parquet with the images as bytes.' },
  'rlhf-v': { label: 'RLHF-V JSONL', kinds: ['preferences'], help: 'Question and answers as a JSON string in the column text.' },
  'questions-jsonl': { label: 'Question lines', kinds: ['questions'], help: 'image, question, answer, group, category.' },
  csv: { label: 'CSV', kinds: ['questions', 'preferences'], help: 'A table for a spreadsheet.' },
  coco: { label: 'COCO', kinds: ['objects'], help: 'images, annotations with boxes and run-length masks, categories.' },
  'class-folders': { label: 'Class folders', kinds: ['objects'], help: 'A folder per split and class; one object an image.' },
  webdataset: { label: 'WebDataset tar', kinds: ['conversations', 'preferences', 'questions'], help: 'key.png and key.json side by side.' },
  parquet: { label: 'Parquet', kinds: ['conversations', 'preferences', 'questions'], help: 'One row a sample, images as bytes.' },
}

export const formatChoiceSchema = z.strictObject({ format: z.enum(EXPORT_FORMATS), label: z.string(), help: z.string() })
