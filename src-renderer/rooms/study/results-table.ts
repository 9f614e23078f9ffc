// The results of a study as lines of a table, grouped by what is measured. Which encoder is best and whether the arms are
// tied is main's judgement; here it is only arranged.

import type { EncoderResult, MetricResult, StudyResults } from '../../../src-main/domain/study-results.ts'
import { encoderColumn, ENCODERS, type EncoderName } from '../../../src-main/domain/study.ts'

export interface ResultGroup {
  readonly title: string
  readonly lines: readonly ResultLine[]
}

export interface ResultLine {
  readonly result: MetricResult
  readonly encoders: Readonly<Record<EncoderName, EncoderResult | null>>
  /** The encoder with the best mean, where the arms differ; null where they are tied or no direction is better. */
  readonly best: EncoderName | null
  readonly outcome: 'sft' | 'dpo' | 'tied' | 'not compared'
}

const GROUPS: readonly (readonly [prefix: string, title: string])[] = [
  ['vqa/', 'Questions answered by the whole model'],
  ['preference/', 'Preferences on held-out pairs'],
  ['probe/', 'What the frozen encoder separates'],
  ['segmentation/', 'Where the frozen patches put things'],
  ['localisation/', 'Where the gradient points'],
  ['alignment/', 'Nearness to language'],
  ['change/', 'Distance from the start'],
  ['transplant/', 'The frozen encoder under a fresh model'],
]

export function resultGroups(results: StudyResults): readonly ResultGroup[] {
  const titleOf = (metric: string) => GROUPS.find(([prefix]) => metric.startsWith(prefix))?.[1] ?? 'Other measures'
  const titles = [...new Set(results.metrics.map((result) => titleOf(result.metric)))]
  return titles.map((title) => ({
    title,
    lines: results.metrics.filter((result) => titleOf(result.metric) === title).map(lineOf),
  }))
}

function lineOf(result: MetricResult): ResultLine {
  const of = (encoder: EncoderName) => result.encoders.find((each) => each.encoder === encoder) ?? null
  const encoders = Object.fromEntries(ENCODERS.map((encoder) => [encoder, of(encoder)])) as Record<
    EncoderName,
    EncoderResult | null
  >
  const outcome =
    result.difference === null || result.better === 'neither'
      ? 'not compared'
      : result.difference.winner === 'neither'
        ? 'tied'
        : result.difference.winner
  return { result, encoders, best: bestOf(result, outcome), outcome }
}

/** Where the arms are tied nothing is marked: a mean that leads by chance must not look like a finding. */
function bestOf(result: MetricResult, outcome: ResultLine['outcome']): EncoderName | null {
  if (outcome === 'tied' || outcome === 'not compared' || result.encoders.length < 2) return null
  const sign = result.better === 'higher' ? 1 : -1
  const [best, second] = [...result.encoders].sort((a, b) => sign * (b.mean - a.mean)) as [EncoderResult, EncoderResult]
  return best.mean === second.mean ? null : best.encoder
}

export interface Tally {
  readonly dpo: number
  readonly sft: number
  readonly tied: number
}

export function tally(groups: readonly ResultGroup[]): Tally {
  const lines = groups.flatMap((group) => group.lines)
  const number = (outcome: ResultLine['outcome']) => lines.filter((line) => line.outcome === outcome).length
  return { dpo: number('dpo'), sft: number('sft'), tied: number('tied') }
}

/** One line a measure and encoder, then the differences: what a person takes into another program. */
export function resultRows(results: StudyResults): readonly (readonly (string | number | null)[])[] {
  const called = (encoder: EncoderName) => encoderColumn(encoder, results.encoderNames)
  return [
    [
      'metric',
      'unit',
      'better',
      'encoder',
      'mean',
      'low',
      'high',
      'n',
      `${called('dpo')}_minus_${called('sft')}`,
      'difference_low',
      'difference_high',
      'p',
      'p_holm',
      'winner',
      'basis',
      'method',
    ],
    ...results.metrics.flatMap((result) =>
      result.encoders.map((each) => {
        const d = each.encoder === 'dpo' ? result.difference : null
        return [
          result.metric,
          result.unit,
          result.better,
          called(each.encoder),
          each.mean,
          each.low,
          each.high,
          each.n,
          ...(d === null
            ? [null, null, null, null, null, null, null, null]
            : [d.mean, d.low, d.high, d.pValue, d.holmPValue, d.winner === 'neither' ? d.winner : called(d.winner), d.basis, d.method]),
        ]
      }),
    ),
  ]
}
