// MMBench (Liu et al. 2023, arXiv 2307.06281): index, question, hint, A, B, C, D, answer, category. Circular: a question counts only
// if it is right under every rotation of its options. Files that hold the rotations (index + k·10⁶) are taken as they are.

import { RowFault } from '../import/row-fault.ts'
import { rowOf, unitRows, withCategories, type Benchmark } from './benchmark.ts'
import { firstText, lettered, listOf, OPTION_SUFFIX, optionalText, rightLetter } from './record.ts'

export const mmbench: Benchmark = {
  name: 'mmbench',
  group: 'general',
  recognises: (row) => 'index' in row && 'question' in row && 'answer' in row && 'A' in row && 'B' in row,
  record(row) {
    const listed = listOf(row, 'options')
    const options = listed.length > 0 ? listed : lettered(row, (letter) => letter)
    if (options.length < 2) throw new RowFault('A', 'two or more options', options)
    const hint = optionalText(row, 'hint')
    const index = optionalText(row, 'index', 'source_id', 'source id')
    return {
      question: firstText(row, 'question'),
      options,
      answers: [rightLetter(row, 'answer', options)],
      category: optionalText(row, 'category'),
      context: hint === 'nan' ? null : hint,
      unit: index === null ? null : /^\d+$/.test(index) ? String(Number(index) % 1_000_000) : index,
    }
  },
  suffix: () => OPTION_SUFFIX,
  measure: () => 'option',
  isCircular: true,
  scores(judged) {
    const circular = judged.map((each) => ({ ...each, value: each.answers.every(({ value }) => value === 1) ? 1 : 0 }))
    return [...withCategories('circular-accuracy', unitRows(circular)), { name: 'accuracy', rows: judged.map((each) => rowOf(each)) }]
  },
}
