// DocVQA (Mathew et al. 2020, arXiv 2007.00398), validation: question, answers, image. ANLS, threshold ½ (as lmms-eval scores it).

import { meanAndCategories, type Benchmark } from './benchmark.ts'
import { firstText, listOf, SHORT_SUFFIX } from './record.ts'
import { RowFault } from '../import/row-fault.ts'

export const docVqa: Benchmark = {
  name: 'docvqa',
  group: 'text',
  recognises: (row) => 'answers' in row && 'question' in row && ('docId' in row || 'ucsf_document_id' in row),
  record(row) {
    const answers = listOf(row, 'answers')
    if (answers.length === 0) throw new RowFault('answers', 'a list of answers; the test split has none, use the validation split', row['answers'])
    return { question: firstText(row, 'question'), answers }
  },
  suffix: () => SHORT_SUFFIX,
  measure: () => 'anls',
  scores: (judged) => meanAndCategories('anls', judged),
}
