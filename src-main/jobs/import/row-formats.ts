// The kinds of rows, each told by its keys, and what is made of them. The most telling stand first.

import type { ImportedImage, ImportFormat } from '../../domain/import-event.ts'
import type { Content, DatasetKind } from '../../domain/sample.ts'
import { conversationContent } from './conversation-row.ts'
import { preferenceContent, rlhfVContent } from './preference-row.ts'
import { questionContent } from './question-row.ts'
import { RowFault, type Row } from './row-fault.ts'
import { isVlfeedbackRow, vlfeedbackContents } from './vlfeedback-row.ts'

export interface RowFormat {
  readonly format: ImportFormat
  readonly kind: DatasetKind
  readonly matches: (row: Row) => boolean
  /** A row of rated answers is several pairs. @throws RowFault */
  readonly contents: (row: Row, image: ImportedImage | null) => readonly Content[]
}

export const ROW_FORMATS: readonly RowFormat[] = [
  {
    format: 'vlfeedback',
    kind: 'preferences',
    matches: isVlfeedbackRow,
    contents: vlfeedbackContents,
  },
  {
    format: 'preferences',
    kind: 'preferences',
    matches: (row) => 'chosen' in row || 'rejected' in row,
    contents: (row, image) => [preferenceContent(row, image)],
  },
  {
    format: 'llava',
    kind: 'conversations',
    matches: (row) => 'conversations' in row || 'messages' in row || ('instruction' in row && 'output' in row),
    contents: (row, image) => [conversationContent(row, image !== null)],
  },
  {
    format: 'rlhf-v',
    kind: 'preferences',
    matches: (row) => typeof row['text'] === 'string' && row['text'].trimStart().startsWith('{'),
    contents: (row, image) => [rlhfVContent(row, image)],
  },
  {
    format: 'questions',
    kind: 'questions',
    matches: (row) => 'question' in row && 'answer' in row,
    contents: (row, image) => [questionContent(row, image)],
  },
  {
    format: 'image-folders',
    kind: 'objects',
    matches: (row) => 'image' in row === false && typeof row['class'] === 'string' && Object.keys(row).length === 1,
    contents: (row, image) => {
      if (image === null) throw new RowFault('image', 'a picture of the class', undefined)
      return [{ kind: 'objects', objects: [{ category: String(row['class']), box: [0, 0, image.width, image.height], mask: null }] }]
    },
  },
]
