// MME (Fu et al. 2023, arXiv 2306.13394): two yes-or-no questions a picture. Per sub-task accuracy + accuracy⁺ (both questions of
// a picture right), each in points of 100. Perception sums ten sub-tasks (at most 2000), cognition four (at most 800).

import { RowFault } from '../import/row-fault.ts'
import { rowOf, unitRows, withCategories, type Benchmark, type Judged, type ScoreRow } from './benchmark.ts'
import { firstText, optionalText, SHORT_SUFFIX } from './record.ts'

const PERCEPTION = ['existence', 'count', 'position', 'color', 'posters', 'celebrity', 'scene', 'landmark', 'artwork', 'ocr']
const COGNITION = ['commonsense_reasoning', 'numerical_calculation', 'text_translation', 'code_reasoning']

/** Of the pictures of sub-tasks, points: 100·(share of questions right + share of pictures whose questions are all right). */
const points = (rows: readonly ScoreRow[]) =>
  [...Map.groupBy(rows, ({ group }) => group).values()].reduce((sum, pictures) => {
    const questions = pictures.flatMap(({ judged }) => judged)
    const right = questions.reduce((all, { value }) => all + value, 0) / questions.length
    return sum + 100 * (right + pictures.filter(({ value }) => value === 1).length / pictures.length)
  }, 0)

/** Pictures, one row each, whatever sub-task. */
const pictures = (judged: readonly Judged[]) => unitRows(judged)

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
    const total = (name: string, own: readonly ScoreRow[]) => (own.length > 0 ? [{ name, rows: own, of: points }] : [])
    return [
      ...total('perception', within(PERCEPTION)),
      ...total('cognition', within(COGNITION)),
      ...[...PERCEPTION, ...COGNITION].flatMap((name) => total(`points/${name}`, within([name]))),
      ...withCategories('accuracy', judged.map((each) => rowOf(each))),
      ...withCategories('accuracy-plus', rows),
    ]
  },
}
