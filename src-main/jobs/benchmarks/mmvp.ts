// MMVP (Tong et al. 2024, arXiv 2401.06209): Questions.csv with Index, Question, Options, Correct Answer, and the pictures beside
// it in "MMVP Images". Questions 2k−1 and 2k are a pair of pictures that CLIP takes for one; a pair counts if both are right.

import { unitRows, rowOf, type Benchmark } from './benchmark.ts'
import { RowFault } from '../import/row-fault.ts'
import { firstText, inlineOptions, OPTION_SUFFIX, rightLetter } from './record.ts'

export const mmvp: Benchmark = {
  name: 'mmvp',
  group: 'vision-centric',
  recognises: (row) => 'Index' in row && 'Options' in row && 'Correct Answer' in row,
  image: (row) => row['image'] ?? `MMVP Images/${firstText(row, 'Index')}.jpg`,
  record(row) {
    const index = Number(firstText(row, 'Index'))
    if (!Number.isInteger(index) || index < 1) throw new RowFault('Index', 'a whole number from 1', row['Index'])
    const { options } = inlineOptions(firstText(row, 'Options'))
    if (options.length < 2) throw new RowFault('Options', 'options as "(a) … (b) …"', row['Options'])
    return { question: firstText(row, 'Question'), options, answers: [rightLetter(row, 'Correct Answer', options)], unit: `pair ${Math.ceil(index / 2)}` }
  },
  suffix: () => OPTION_SUFFIX,
  measure: () => 'option',
  scores: (judged) => [
    { name: 'pair-accuracy', rows: unitRows(judged) },
    { name: 'accuracy', rows: judged.map((each) => rowOf(each)) },
  ],
}
