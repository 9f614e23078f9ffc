// ChartQA (Masry et al. 2022, arXiv 2203.10244): imgname, query, label; or question, answer, type. Relaxed accuracy: numbers
// within 5 %, anything else exactly. Human and augmented questions are shown apart.

import { meanAndCategories, type Benchmark } from './benchmark.ts'
import { firstText, listOf, optionalText } from './record.ts'
import { RowFault } from '../import/row-fault.ts'

export const chartQa: Benchmark = {
  name: 'chartqa',
  group: 'text',
  recognises: (row) => 'query' in row && 'label' in row && ('imgname' in row || 'human_or_machine' in row),
  image: (row) => row['image'] ?? row['imgname'],
  record(row, file) {
    const field = 'label' in row ? 'label' : 'answer'
    const answers = listOf(row, field)
    if (answers.length === 0) throw new RowFault(field, 'an answer', row[field])
    return {
      question: firstText(row, 'query', 'question'),
      answers,
      category: optionalText(row, 'type', 'human_or_machine') ?? /(human|augmented)/.exec(file)?.[1] ?? null,
    }
  },
  suffix: () => 'Answer the question using a single number or phrase.',
  measure: () => 'relaxed',
  scores: (judged) => meanAndCategories('accuracy', judged),
}
