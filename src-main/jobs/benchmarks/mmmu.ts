// MMMU, validation (Yue et al. 2023, arXiv 2311.16502): id, question, options, answer, question_type, image_1 … image_7. Letter of
// the option, or of open questions the number within 5 % or the exact words. The lab's models see one picture: a question with
// several is told as left out.

import { RowFault } from '../import/row-fault.ts'
import { meanAndCategories, type Benchmark } from './benchmark.ts'
import { firstText, listOf, optionalText, rightLetter, suffixByOptions } from './record.ts'

export const mmmu: Benchmark = {
  name: 'mmmu',
  group: 'knowledge',
  recognises: (row) => 'image_1' in row && 'question_type' in row,
  image: (row) => row['image_1'] ?? row['image'],
  record(row) {
    if (row['image_2'] !== undefined && row['image_2'] !== null && row['image_2'] !== '')
      throw new RowFault('image_2', 'one image', row['image_2'], 'a second image')
    const options = listOf(row, 'options').map((option) => option.replaceAll(/<image \d+>/g, '(the image)'))
    const answers = options.length > 0 ? [rightLetter(row, 'answer', options)] : listOf(row, 'answer')
    if (answers.length === 0) throw new RowFault('answer', 'an answer; the test split has none, use the validation split', row['answer'])
    const subject = /^(?:validation|dev)_(.+)_\d+$/.exec(optionalText(row, 'id') ?? '')?.[1]
    return {
      question: firstText(row, 'question').replace(/<image \d+>/, '<image>').replaceAll(/<image \d+>/g, ''),
      options,
      answers,
      category: subject ?? optionalText(row, 'subfield'),
    }
  },
  suffix: suffixByOptions,
  measure: ({ options }) => (options.length > 0 ? 'option' : 'relaxed'),
  scores: (judged) => meanAndCategories('accuracy', judged),
}
