// OCRBench (Liu et al. 2023, arXiv 2305.07895): image, question, answers, type. Right if an answer is contained in what was said,
// lower-cased; of handwritten formulas case is kept and blanks are taken out.

import { rowOf, withCategories, withTerms, type Benchmark, type Judged } from './benchmark.ts'
import { firstText, listOf, optionalText, SHORT_SUFFIX } from './record.ts'
import { RowFault } from '../import/row-fault.ts'

const FORMULA = /handwritten mathematical expression/i
const bare = (text: string) => text.replace(/\s+/g, '')

const valueOf = ({ sample, item, answers, value }: Judged) =>
  FORMULA.test(sample.content.category ?? '') ? (item.answers.some((gold) => bare(answers[0]!.given).includes(bare(gold))) ? 1 : 0) : value

export const ocrBench: Benchmark = {
  name: 'ocrbench',
  group: 'text',
  record(row) {
    const field = 'answers' in row ? 'answers' : 'answer'
    const answers = listOf(row, field).filter((each) => each.trim() !== '')
    if (answers.length === 0) throw new RowFault(field, 'an answer or a list of them', row[field])
    return { question: firstText(row, 'question'), answers, category: optionalText(row, 'type', 'question_type', 'category') }
  },
  suffix: () => SHORT_SUFFIX,
  measure: () => 'contains',
  scores(judged) {
    const rows = judged.map((each) => rowOf(each, valueOf(each)))
    // The published number: answers that are right, of 1000 questions.
    return [...withCategories('accuracy', rows), { name: 'points', rows: rows.map((row) => withTerms(row, '', row.value)) }]
  },
}
