// VLFeedback (arXiv 2410.09421): one prompt, several answers of different models, each rated on several aspects. Every two
// answers whose mean ratings differ are a pair. The sequence of answers may arrive as a record of lists.

import type { PreferenceContent } from '../../domain/sample.ts'
import { preferenceContent } from './preference-row.ts'
import type { ImageSize } from './question-row.ts'
import { isRow, RowFault, textOf, type Row } from './row-fault.ts'

/** @throws RowFault unless at least two answers have different ratings */
export function vlfeedbackContents(row: Row, image: ImageSize | null): PreferenceContent[] {
  const prompt = textOf(row, 'prompt')
  const rated = answersOf(row['completions']).flatMap((answer, i) => {
    const where = `completions[${i}]`
    if (!isRow(answer)) throw new RowFault(where, 'an answer with its annotations', answer)
    const rating = meanRating(answer['annotations'])
    return rating === null ? [] : [{ response: textOf(answer, 'response'), rating }]
  })
  const pairs = rated.flatMap((chosen) =>
    rated
      .filter(({ rating, response }) => rating < chosen.rating && response !== chosen.response)
      .map((rejected) => preferenceContent({ prompt, chosen: chosen.response, rejected: rejected.response }, image)),
  )
  if (pairs.length === 0)
    throw new RowFault('completions', 'two answers with different numeric ratings', rated, `${rated.length} rated answers`)
  return pairs
}

export function isVlfeedbackRow(row: Row): boolean {
  const completions = row['completions']
  const first: unknown = Array.isArray(completions) ? completions[0] : completions
  return isRow(first) && 'annotations' in first
}

function answersOf(completions: unknown): readonly unknown[] {
  if (Array.isArray(completions)) return completions
  return isRow(completions) ? transpose(completions) : []
}

/** { a: [1, 2], b: [3, 4] } → [{ a: 1, b: 3 }, { a: 2, b: 4 }] */
function transpose(lists: Row): Row[] {
  const entries = Object.entries(lists)
  const length = Math.max(0, ...entries.map(([, list]) => (Array.isArray(list) ? list.length : 0)))
  return Array.from({ length }, (_, i) => Object.fromEntries(entries.map(([key, list]) => [key, Array.isArray(list) ? list[i] : undefined])))
}

/** Ratings are text, and "N/A" is one of them. null: nothing numeric. */
function meanRating(annotations: unknown): number | null {
  if (!isRow(annotations)) return null
  const ratings = Object.values(annotations).flatMap((aspect) => {
    const rating = isRow(aspect) ? aspect['Rating'] : undefined
    const text = String(rating ?? '').trim()
    return /^\d+(\.\d+)?$/.test(text) ? [Number(text)] : []
  })
  return ratings.length === 0 ? null : ratings.reduce((sum, each) => sum + each, 0) / ratings.length
}
