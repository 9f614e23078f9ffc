// A study's results as text: one line a metric, the verdict below.

import type { StudyResults } from '../domain/study-results.ts'
import { encoderColumn, ENCODERS } from '../domain/study.ts'
import { formatDifference, formatInterval, formatPValue, formatValue } from '../services/number-text.ts'
import { table } from './table.ts'

export function resultTable(results: StudyResults): string {
  const rows = results.metrics.map(({ label, unit, encoders, difference }) => [
    label,
    ...ENCODERS.map((name) => {
      const of = encoders.find(({ encoder }) => encoder === name)
      return of === undefined ? '–' : formatValue(of.mean, unit)
    }),
    difference === null ? '–' : formatDifference(difference.mean, unit),
    difference === null ? '–' : formatInterval(difference.low, difference.high, unit),
    difference === null ? '–' : formatPValue(difference.pValue),
    difference === null ? '–' : formatPValue(difference.holmPValue),
    difference?.verdict ?? '',
  ])
  const right = (title: string) => ({ title, align: 'right' }) as const
  const left = (title: string) => ({ title, align: 'left' }) as const
  const percent = Math.round(100 * results.confidence)
  return table(
    [
      left('Measure'),
      ...ENCODERS.map((encoder) => right(encoderColumn(encoder, results.encoderNames))),
      right(`${results.encoderNames.dpo}−${results.encoderNames.sft}`),
      right(`${percent} % interval`),
      right('p'),
      right('p Holm'),
      left(''),
    ],
    rows,
  )
}
