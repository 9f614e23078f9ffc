// RealWorldQA (xAI 2024): image, question, answer. Most questions say themselves how to answer. Right if the first word of the
// cleaned answer is the answer (Cambrian's script).

import { meanAndCategories, type Benchmark } from './benchmark.ts'
import { firstText, SHORT_SUFFIX } from './record.ts'

export const realWorldQa: Benchmark = {
  name: 'realworldqa',
  group: 'vision-centric',
  record: (row) => ({ question: firstText(row, 'question'), answers: [firstText(row, 'answer')] }),
  suffix: (question) => (/please answer directly/i.test(question) ? '' : SHORT_SUFFIX),
  measure: () => 'first-word',
  scores: (judged) => meanAndCategories('accuracy', judged),
}
