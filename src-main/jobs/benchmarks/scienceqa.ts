// ScienceQA, the questions with an image (Lu et al. 2022, arXiv 2209.09513): question, hint, choices, answer (index), image.
// A letter or an option's text counts; questions without a picture are left out, as the published image score does.

import { meanAndCategories, type Benchmark } from './benchmark.ts'
import { firstText, listOf, optionalText, rightLetter } from './record.ts'

export const scienceQa: Benchmark = {
  name: 'scienceqa',
  group: 'knowledge',
  record(row) {
    if (row['image'] === null || row['image'] === undefined || row['image'] === '') return null
    const options = listOf(row, 'choices')
    return {
      question: firstText(row, 'question'),
      options,
      answers: [rightLetter(row, 'answer', options)],
      context: optionalText(row, 'hint'),
      category: optionalText(row, 'subject'),
    }
  },
  suffix: () => 'Please answer directly with only the letter of the correct option and nothing else.',
  measure: () => 'option',
  scores: (judged) => meanAndCategories('accuracy', judged),
}
