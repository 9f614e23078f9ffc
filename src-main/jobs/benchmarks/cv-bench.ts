// CV-Bench (Tong et al. 2024, arXiv 2406.16860): 2D questions (count, relation) on ADE20K and COCO, 3D questions (depth, distance)
// on Omni3D. 2D = mean of the accuracies on ADE20K and COCO, 3D = accuracy on Omni3D, overall = mean of the two.

import { meanAndCategories, meanOf, rowOf, type Benchmark, type ScoreRow } from './benchmark.ts'
import { firstText, listOf, OPTION_SUFFIX, optionalText, rightLetter } from './record.ts'

const partOf = (row: ScoreRow) => row.judged[0]!.item.part
const only = (rows: readonly ScoreRow[], is2d: boolean) => rows.filter((row) => is2d !== /omni/i.test(partOf(row)!))
/** Each source counts alike, however many questions it has. */
const meanOverSources = (rows: readonly ScoreRow[]) => {
  const sources = [...Map.groupBy(rows, partOf).values()]
  return sources.length === 0 ? 0 : sources.reduce((sum, own) => sum + meanOf(own), 0) / sources.length
}

export const cvBench: Benchmark = {
  name: 'cv-bench',
  group: 'vision-centric',
  recognises: (row) => 'choices' in row && 'prompt' in row && 'source' in row && ('task' in row || 'sub_task' in row),
  record(row) {
    const options = listOf(row, 'choices')
    return {
      question: firstText(row, 'question', 'prompt'),
      options,
      answers: [rightLetter(row, 'answer', options)],
      part: firstText(row, 'source'),
      category: optionalText(row, 'task', 'sub_task')?.toLowerCase() ?? null,
    }
  },
  suffix: () => OPTION_SUFFIX,
  measure: () => 'option',
  scores(judged) {
    const rows = judged.map((each) => rowOf(each))
    const [flat, deep] = [only(rows, true), only(rows, false)]
    return [
      ...(flat.length > 0 ? [{ name: '2d', rows: flat, of: meanOverSources }] : []),
      ...(deep.length > 0 ? [{ name: '3d', rows: deep, of: null }] : []),
      ...(flat.length > 0 && deep.length > 0
        ? [{ name: 'overall', rows, of: (drawn: readonly ScoreRow[]) => (meanOverSources(only(drawn, true)) + meanOf(only(drawn, false))) / 2 }]
        : []),
      ...meanAndCategories('accuracy', judged),
    ]
  },
}
