// One's own benchmark: image, question, answer or answers, and where there are any options or choices, category, unit. Judged
// by the measure that the import was told.

import { RowFault } from '../import/row-fault.ts'
import { meanAndCategories, unitRows, type Benchmark } from './benchmark.ts'
import { firstText, listOf, measureByOptions, optionalText, rightLetter, suffixByOptions } from './record.ts'

export const own: Benchmark = {
  name: 'own',
  group: null,
  record(row) {
    const options = listOf(row, 'options' in row ? 'options' : 'choices')
    const field = 'answers' in row ? 'answers' : 'answer'
    const answers = options.length > 0 ? [rightLetter(row, field, options)] : listOf(row, field).filter((each) => each.trim() !== '')
    if (answers.length === 0) throw new RowFault(field, 'an answer', row[field])
    return { question: firstText(row, 'question'), options, answers, category: optionalText(row, 'category'), unit: optionalText(row, 'unit') }
  },
  suffix: suffixByOptions,
  measure: (item) => item.measure ?? measureByOptions(item),
  scores: (judged) => [
    ...meanAndCategories('accuracy', judged),
    ...(judged.some(({ item }) => item.unit !== null) ? [{ name: 'unit-accuracy', rows: unitRows(judged) }] : []),
  ],
}
