// TextVQA (Singh et al. 2019, arXiv 1904.08920), validation: question, ten answers, image_id, ocr_tokens. VQA accuracy. As in
// Cambrian's script, recognised words go along with the question where the record has them.

import { meanAndCategories, type Benchmark } from './benchmark.ts'
import { firstText, listOf, SHORT_SUFFIX } from './record.ts'
import { RowFault } from '../import/row-fault.ts'

export const textVqa: Benchmark = {
  name: 'textvqa',
  group: 'text',
  recognises: (row) => 'ocr_tokens' in row && 'answers' in row,
  image: (row) => row['image'] ?? `${firstText(row, 'image_id')}.jpg`,
  record(row) {
    const [answers, words] = [listOf(row, 'answers'), listOf(row, 'ocr_tokens')]
    if (answers.length === 0) throw new RowFault('answers', 'a list of answers; the test split has none, use the validation split', row['answers'])
    return { question: firstText(row, 'question'), answers, context: words.length === 0 ? null : `Reference OCR token: ${words.join(', ')}` }
  },
  suffix: () => SHORT_SUFFIX,
  measure: () => 'vqa',
  scores: (judged) => meanAndCategories('accuracy', judged),
}
