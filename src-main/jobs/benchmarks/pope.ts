// POPE (Li et al. 2023, arXiv 2305.10355): is this object in the picture? The positive class is "yes". question_id, image, text or
// question, label or answer, category; the authors' files say the category in their name. An answer that is neither yes nor no
// is wrong, and says "no" to nothing: it is no positive.

import { RowFault } from '../import/row-fault.ts'
import { rowOf, withCategories, withTerms, type Benchmark, type Judged, type ScoreRow } from './benchmark.ts'
import { firstText, optionalText, SHORT_SUFFIX } from './record.ts'

const saysYes = ({ answers }: Judged) => (answers[0]!.parsed === 'yes' ? 1 : 0)
const isYes = ({ item }: Judged) => (item.answers[0] === 'yes' ? 1 : 0)
/** Said yes and it is, said yes, it is. */
const counted = (judged: Judged): ScoreRow => withTerms(rowOf(judged), '', saysYes(judged) * isYes(judged), saysYes(judged), isYes(judged))

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
      ...['precision', 'recall', 'f1'].map((name) => ({ name: `${name}${suffix}`, rows: own.map(counted) })),
      { name: `yes-ratio${suffix}`, rows: own.map((each) => rowOf(each, saysYes(each))) },
    ]
    const categories = [...Map.groupBy(judged, ({ sample }) => sample.content.category)].filter(([category]) => category !== null)
    return [
      ...withCategories('accuracy', judged.map((each) => rowOf(each))),
      ...of('', judged),
      ...(categories.length < 2 ? [] : categories.flatMap(([category, own]) => of(`/${category}`, own))),
    ]
  },
}
