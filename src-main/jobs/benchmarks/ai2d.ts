// AI2D (Kembhavi et al. 2016, arXiv 1603.07396): question, options, answer (index), image. Accuracy of the letter.

import { meanAndCategories, type Benchmark } from './benchmark.ts'
import { firstText, listOf, OPTION_SUFFIX, rightLetter } from './record.ts'

export const ai2d: Benchmark = {
  name: 'ai2d',
  group: 'knowledge',
  record(row) {
    const options = listOf(row, 'options')
    return { question: firstText(row, 'question'), options, answers: [rightLetter(row, 'answer', options)] }
  },
  suffix: () => OPTION_SUFFIX,
  measure: () => 'option',
  scores: (judged) => meanAndCategories('accuracy', judged),
}
