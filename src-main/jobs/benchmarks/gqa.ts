// GQA (Hudson & Manning 2019, arXiv 1902.09506), testdev-balanced: question, answer, imageId, types. Exact match.

import { isRow } from '../import/row-fault.ts'
import { meanAndCategories, type Benchmark } from './benchmark.ts'
import { firstText, optionalText, SHORT_SUFFIX } from './record.ts'

export const gqa: Benchmark = {
  name: 'gqa',
  group: 'general',
  recognises: (row) => 'imageId' in row && 'question' in row && 'answer' in row,
  image: (row) => row['image'] ?? `${firstText(row, 'imageId')}.jpg`,
  record: (row) => ({
    question: firstText(row, 'question'),
    answers: [firstText(row, 'answer')],
    category: isRow(row['types']) ? optionalText(row['types'], 'structural') : null,
  }),
  suffix: () => SHORT_SUFFIX,
  measure: () => 'exact',
  scores: (judged) => meanAndCategories('accuracy', judged),
}
