// MME (Fu et al. 2023, arXiv 2306.13394): two yes-or-no questions a picture. Per sub-task accuracy + accuracy⁺ (both questions of
// a picture right), each in points of 100. Perception sums ten sub-tasks (at most 2000), cognition four (at most 800).

import { RowFault } from '../import/row-fault.ts'
import { rowOf, unitRows, withCategories, withTerms, type Benchmark, type Judged, type ScoreRow } from './benchmark.ts'
import { firstText, optionalText, SHORT_SUFFIX } from './record.ts'

const PERCEPTION = ['existence', 'count', 'position', 'color', 'posters', 'celebrity', 'scene', 'landmark', 'artwork', 'ocr']
const COGNITION = ['commonsense_reasoning', 'numerical_calculation', 'text_translation', 'code_reasoning']

/** A row a picture, with what it adds to its sub-task: questions right, questions, 1 where all are right, 1. */
const pictures = (judged: readonly Judged[]): readonly ScoreRow[] =>
  unitRows(judged).map((row) => withTerms(row, row.group!, row.judged.reduce((sum, { value }) => sum + value, 0), row.judged.length, row.value, 1))

export const mme: Benchmark = {
  name: 'mme',
  group: 'general',
  record(row) {
    const category = firstText(row, 'category').trim().toLowerCase()
    if (![...PERCEPTION, ...COGNITION].includes(category)) throw new RowFault('category', `one of ${[...PERCEPTION, ...COGNITION].join(', ')}`, row['category'])
    const answer = firstText(row, 'answer').trim().toLowerCase()
    if (answer !== 'yes' && answer !== 'no') throw new RowFault('answer', 'yes or no', row['answer'])
    const picture = optionalText(row, 'question_id') ?? (typeof row['image'] === 'string' ? row['image'] : null)
    return { question: firstText(row, 'question'), answers: [answer], category, unit: picture === null ? null : `${category}/${picture}` }
  },
  suffix: () => SHORT_SUFFIX,
  measure: () => 'yes-no',
  scores(judged) {
    const rows = pictures(judged)
    const within = (names: readonly string[]) => rows.filter(({ group }) => names.includes(group!))
    const total = (name: string, own: readonly ScoreRow[]) => (own.length > 0 ? [{ name, rows: own }] : [])
    return [
      ...total('perception', within(PERCEPTION)),
      ...total('cognition', within(COGNITION)),
      ...[...PERCEPTION, ...COGNITION].flatMap((name) => total(`points/${name}`, within([name]))),
      ...withCategories('accuracy', judged.map((each) => rowOf(each))),
      ...withCategories('accuracy-plus', rows),
    ]
  },
}
