// MathVista, testmini (Lu et al. 2023, arXiv 2310.02255): pid, question, choices, answer (text), question_type, image, metadata.
// Letter or text of an option; of free answers the number within 5 % or the exact words, without a judge model.

import { isRow, RowFault } from '../import/row-fault.ts'
import { meanAndCategories, type Benchmark } from './benchmark.ts'
import { firstText, listOf, optionalText, rightLetter, suffixByOptions } from './record.ts'

export const mathVista: Benchmark = {
  name: 'mathvista',
  group: 'knowledge',
  recognises: (row) => 'pid' in row && 'answer_type' in row,
  image: (row) => row['decoded_image'] ?? row['image'],
  record(row) {
    const options = listOf(row, 'choices')
    const answers = options.length > 0 ? [rightLetter(row, 'answer', options)] : listOf(row, 'answer').filter((each) => each.trim() !== '')
    if (answers.length === 0) throw new RowFault('answer', 'an answer; the test split has none, use testmini', row['answer'])
    const about = row['metadata']
    return { question: firstText(row, 'question'), options, answers, category: isRow(about) ? optionalText(about, 'task') : null }
  },
  suffix: suffixByOptions,
  measure: ({ options }) => (options.length > 0 ? 'option' : 'relaxed'),
  scores: (judged) => meanAndCategories('accuracy', judged),
}
