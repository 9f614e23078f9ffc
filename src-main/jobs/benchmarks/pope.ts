// POPE (Li et al. 2023, arXiv 2305.10355): is this object in the picture? The positive class is "yes". question_id, image, text or
// question, label or answer, category; the authors' files say the category in their name. An answer that is neither yes nor no
// is wrong, and says "no" to nothing: it is no positive.

import { RowFault } from '../import/row-fault.ts'
import { meanOf, rowOf, withCategories, type Benchmark, type Judged, type ScoreRow } from './benchmark.ts'
import { firstText, optionalText, SHORT_SUFFIX } from './record.ts'

const said = (row: ScoreRow) => row.judged[0]!.answers[0]!.parsed
const isYes = (row: ScoreRow) => row.judged[0]!.item.answers[0] === 'yes'
const count = (rows: readonly ScoreRow[], which: (row: ScoreRow) => boolean) => rows.filter(which).length
/** 0 where nothing stands below: no positive was given, or none was there. */
const ratio = (above: number, below: number) => (below === 0 ? 0 : above / below)
const truePositives = (rows: readonly ScoreRow[]) => count(rows, (row) => said(row) === 'yes' && isYes(row))

const precision = (rows: readonly ScoreRow[]) => ratio(truePositives(rows), count(rows, (row) => said(row) === 'yes'))
const recall = (rows: readonly ScoreRow[]) => ratio(truePositives(rows), count(rows, isYes))
const f1 = (rows: readonly ScoreRow[]) => ratio(2 * precision(rows) * recall(rows), precision(rows) + recall(rows))

const MEASURES = { precision, recall, f1 } as const

export const pope: Benchmark = {
  name: 'pope',
  group: null,
  record(row, file) {
    const answer = firstText(row, 'answer', 'label').trim().toLowerCase()
    if (answer !== 'yes' && answer !== 'no') throw new RowFault('answer' in row ? 'answer' : 'label', 'yes or no', answer)
    const category = optionalText(row, 'category') ?? /(random|popular|adversarial)/.exec(file)?.[1] ?? null
    return { question: firstText(row, 'question', 'text'), answers: [answer], category }
  },
  suffix: () => SHORT_SUFFIX,
  measure: () => 'yes-no',
  scores(judged) {
    const of = (suffix: string, own: readonly Judged[]) => [
      ...Object.entries(MEASURES).map(([name, statistic]) => ({ name: `${name}${suffix}`, rows: own.map((each) => rowOf(each)), of: statistic })),
      { name: `yes-ratio${suffix}`, rows: own.map((each) => rowOf(each, each.answers[0]!.parsed === 'yes' ? 1 : 0)), of: meanOf },
    ]
    const categories = [...Map.groupBy(judged, ({ sample }) => sample.content.category)].filter(([category]) => category !== null)
    return [
      ...withCategories('accuracy', judged.map((each) => rowOf(each))),
      ...of('', judged),
      ...(categories.length < 2 ? [] : categories.flatMap(([category, own]) => of(`/${category}`, own))),
    ]
  },
}
