// Rows of question data: image, question, answer, and what the lab adds to them (group, category, region). A region's boxes and
// its masks stand in columns of their own, so that each column holds one type and other programs can read it.

import type { z } from 'zod'
import { boxSchema, maskSchema, type QuestionContent, type Region } from '../../domain/sample.ts'
import { optionalTextOf, RowFault, textOf, type Row } from './row-fault.ts'

/** @throws RowFault */
export function questionContent(row: Row, image: ImageSize | null): QuestionContent {
  return {
    kind: 'questions',
    question: textOf(row, 'question'),
    answer: typeof row['answer'] === 'number' ? String(row['answer']) : textOf(row, 'answer'),
    group: optionalTextOf(row, 'group'),
    category: optionalTextOf(row, 'category'),
    region: regionOf(row, image),
  }
}

export interface ImageSize {
  readonly width: number
  readonly height: number
}

/** `region`: boxes; `region_masks`: COCO's uncompressed run lengths at the image's size. CSV and Parquet hold them as JSON text. */
export function regionOf(row: Row, image: ImageSize | null): Region {
  const masks = listOf(row, 'region_masks', maskSchema, 'a list of masks { size: [height, width], counts }, runs that add up to height × width')
  masks.forEach(({ size: [height, width] }, i) => {
    if (image !== null && (height !== image.height || width !== image.width))
      throw new RowFault(`region_masks[${i}].size`, `[${image.height}, ${image.width}], the image's height and width`, [height, width])
  })
  return [...listOf(row, 'region', boxSchema, 'a list of boxes [x, y, width, height]'), ...masks]
}

function listOf<T>(row: Row, field: string, schema: z.ZodType<T>, expected: string): T[] {
  const value = row[field]
  if (value === undefined || value === null || value === '') return []
  const list = schema.array().safeParse(typeof value === 'string' ? jsonOrNull(value) : value)
  if (!list.success) throw new RowFault(field, expected, value)
  return list.data
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
