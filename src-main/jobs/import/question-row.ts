// Rows of question data: image, question, answer, and what the lab adds to them (group, category, region).

import { boxSchema, type Box, type QuestionContent } from '../../domain/sample.ts'
import { optionalTextOf, RowFault, textOf, type Row } from './row-fault.ts'

/** @throws RowFault */
export function questionContent(row: Row): QuestionContent {
  return {
    kind: 'questions',
    question: textOf(row, 'question'),
    answer: typeof row['answer'] === 'number' ? String(row['answer']) : textOf(row, 'answer'),
    group: optionalTextOf(row, 'group'),
    category: optionalTextOf(row, 'category'),
    region: regionOf(row),
  }
}

/** Boxes, or nothing; CSV holds them as JSON text. */
export function regionOf(row: Row): Box[] {
  const value = row['region']
  if (value === undefined || value === null || value === '') return []
  const boxes = boxSchema.array().safeParse(typeof value === 'string' ? jsonOrNull(value) : value)
  if (!boxes.success) throw new RowFault('region', 'a list of boxes [x, y, width, height]', value)
  return boxes.data
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
