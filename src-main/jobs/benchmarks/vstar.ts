// V*Bench (Wu & Xie 2023, arXiv 2312.14135): image, text (question, options and instruction in one), label, category. Accuracy
// over all 191 questions, and per category (direct_attributes, relative_position).

import { meanAndCategories, type Benchmark } from './benchmark.ts'
import { firstText, inlineOptions, OPTION_SUFFIX, optionalText, rightLetter } from './record.ts'

export const vstar: Benchmark = {
  name: 'vstar',
  group: null,
  recognises: (row) => 'text' in row && 'label' in row && /^(direct_attributes|relative_position)$/.test(String(row['category'])),
  record(row) {
    const { before, options } = inlineOptions(firstText(row, 'text').replace(/\s*Answer with the option's letter[^\n]*$/, ''))
    return { question: before, options, answers: [rightLetter(row, 'label', options)], category: optionalText(row, 'category') }
  },
  suffix: () => OPTION_SUFFIX,
  measure: () => 'option',
  scores: (judged) => meanAndCategories('accuracy', judged),
}
