// SEED-Bench, the questions on single images (Li et al. 2023, arXiv 2307.16125): question, choice_a … choice_d, answer, data_type,
// question_type_id, data_id (the image). Accuracy of the letter, over all and per type; questions on videos are left out.

import { meanAndCategories, type Benchmark } from './benchmark.ts'
import { firstText, lettered, OPTION_SUFFIX, optionalText, rightLetter } from './record.ts'

export const seed: Benchmark = {
  name: 'seed',
  group: 'general',
  recognises: (row) => 'choice_a' in row && 'question_type_id' in row,
  image: (row) => row['image'] ?? row['data_id'],
  record(row) {
    if ((optionalText(row, 'data_type') ?? 'image') !== 'image') return null
    const options = lettered(row, (letter) => `choice_${letter.toLowerCase()}`)
    return {
      question: firstText(row, 'question'),
      options,
      answers: [rightLetter(row, 'answer', options)],
      category: optionalText(row, 'category', 'question_type_id'),
    }
  },
  suffix: () => OPTION_SUFFIX,
  measure: () => 'option',
  scores: (judged) => meanAndCategories('accuracy', judged),
}
