// CV-Bench (Tong et al. 2024, arXiv 2406.16860): 2D questions (count, relation) on ADE20K and COCO, 3D questions (depth, distance)
// on Omni3D. 2D = mean of the accuracies on ADE20K and COCO, 3D = accuracy on Omni3D, overall = mean of the two.

import { isOmni3d } from '../../domain/score-of-totals.ts'
import { meanAndCategories, rowOf, withTerms, type Benchmark, type Judged } from './benchmark.ts'
import { firstText, listOf, OPTION_SUFFIX, optionalText, rightLetter } from './record.ts'

const sourceOf = ({ item }: Judged) => item.part!

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
    const rowsOf = (own: readonly Judged[]) => own.map((each) => withTerms(rowOf(each), sourceOf(each), each.value, 1))
    const [flat, deep] = [judged.filter((each) => !isOmni3d(sourceOf(each))), judged.filter((each) => isOmni3d(sourceOf(each)))]
    return [
      ...(flat.length > 0 ? [{ name: '2d', rows: rowsOf(flat) }] : []),
      ...(deep.length > 0 ? [{ name: '3d', rows: deep.map((each) => rowOf(each)) }] : []),
      ...(flat.length > 0 && deep.length > 0 ? [{ name: 'overall', rows: rowsOf(judged) }] : []),
      ...meanAndCategories('accuracy', judged),
    ]
  },
}
