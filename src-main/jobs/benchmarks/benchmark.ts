// What a benchmark is: records that become questions, the words that follow a question, how an answer is judged, and the
// scores that are made of judged answers. Absent: a judge model, and any value for an answer that cannot be parsed but 0.

import type { BenchmarkItem, BenchmarkName, Measure } from '../../domain/benchmark.ts'
import { createRandom } from '../../domain/random.ts'
import type { QuestionGroup, SampleOf } from '../../domain/sample.ts'
import { scoreOfTotals, type ItemTerms } from '../../domain/score-of-totals.ts'
import { bootstrapMean } from '../../domain/statistics/bootstrap.ts'
import { wilsonInterval } from '../../domain/statistics/intervals.ts'
import { imagesOf, intervalOfTotals, scoreOfItems, totalled, type TotalledItems } from '../../domain/statistics/totals.ts'
import type { Row } from '../import/row-fault.ts'

/** What a record says, before it has an image. */
export interface BenchmarkRecord {
  readonly question: string
  readonly category?: string | null
  readonly unit?: string | null
  readonly part?: string | null
  readonly answers: readonly string[]
  readonly options?: readonly string[]
  readonly context?: string | null
  readonly measure?: Measure
}

export interface Benchmark {
  readonly name: BenchmarkName
  /** One of the paper's; null: outside of its sixteen. */
  readonly group: QuestionGroup | null
  /** Whether a row can only be this benchmark's; absent: it looks like others and has to be told. */
  readonly recognises?: (row: Row) => boolean
  /** Where the row names its image, if not in a usual field. */
  readonly image?: (row: Row) => unknown
  /** null: a row that the published score leaves out (a video, a question without a picture). @throws RowFault */
  readonly record: (row: Row, file: string) => BenchmarkRecord | null
  readonly suffix: (question: string, item: BenchmarkItem) => string
  readonly measure: (item: BenchmarkItem) => Measure
  /** Asked once under every rotation of its options. */
  readonly isCircular?: boolean
  readonly scores: (judged: readonly Judged[]) => readonly Score[]
}

/** One question with its answer, or with the answers to all rotations of its options. */
export interface Judged {
  readonly sample: SampleOf<'questions'>
  readonly item: BenchmarkItem
  /** Questions about one image are not independent. */
  readonly cluster: string
  readonly unit: string
  /** Of the question as it stands, 0 to 1. */
  readonly value: number
  readonly answers: readonly { readonly prompt: string; readonly expected: readonly string[]; readonly given: string; readonly parsed: string | null; readonly value: number }[]
}

/** A number of a benchmark and what stands behind it: the mean of the rows' values, or what domain/score-of-totals.ts makes of their terms. */
export interface Score {
  readonly name: string
  readonly rows: readonly ScoreRow[]
}

export interface ScoreRow {
  readonly id: string
  readonly cluster: string
  readonly group: string | null
  readonly value: number
  /** What it adds to a score that is no mean. */
  readonly terms?: ItemTerms
  readonly judged: readonly Judged[]
}

export const rowOf = (judged: Judged, value = judged.value): ScoreRow => ({
  id: judged.sample.id,
  cluster: judged.cluster,
  group: judged.sample.content.category,
  value,
  judged: [judged],
})

export const withTerms = (row: ScoreRow, stratum: string, ...terms: readonly number[]): ScoreRow => ({ ...row, terms: { stratum, terms: [...terms] } })

/** The mean over all questions, and over each category where there are several. */
export function meanAndCategories(name: string, judged: readonly Judged[]): readonly Score[] {
  return withCategories(name, judged.map((each) => rowOf(each)))
}

/** Right only where every question of the unit is. */
export function unitRows(judged: readonly Judged[]): readonly ScoreRow[] {
  return [...Map.groupBy(judged, ({ unit }) => unit)].map(([unit, own]) => ({
    id: unit,
    cluster: own[0]!.cluster,
    group: own[0]!.sample.content.category,
    value: own.every(({ value }) => value === 1) ? 1 : 0,
    judged: own,
  }))
}

export function withCategories(name: string, rows: readonly ScoreRow[]): readonly Score[] {
  const groups = [...Map.groupBy(rows, ({ group }) => group)].filter(([group]) => group !== null)
  return [{ name, rows }, ...(groups.length < 2 ? [] : groups.map(([group, own]) => ({ name: `${name}/${group}`, rows: own })))]
}

const meanOf = (rows: readonly ScoreRow[]): number => (rows.length === 0 ? 0 : rows.reduce((sum, { value }) => sum + value, 0) / rows.length)

export const metricOf = (benchmark: BenchmarkName, { name }: Score): string => `benchmark/${benchmark}/${name}`

export function valueOf(benchmark: BenchmarkName, score: Score): number {
  const made = totalledOf(benchmark, score)
  return made === null ? meanOf(score.rows) : scoreOfItems(made.of, made.terms)
}

function totalledOf(benchmark: BenchmarkName, score: Score): { readonly of: TotalledItems; readonly terms: Float64Array } | null {
  const of = scoreOfTotals(metricOf(benchmark, score))
  return of && totalled(of, score.rows.map(({ terms }) => terms!))
}

const RESAMPLES = 2000
const LEVEL = 0.95

/**
 * At 95 %: Wilson's where independent units are right or wrong, else the percentile bootstrap over clusters. null: one
 * cluster says nothing about the spread of a number that is no share.
 */
export function intervalOf(benchmark: BenchmarkName, score: Score, seed: number): { readonly low: number; readonly high: number } | null {
  const { name, rows } = score
  const clusters = rows.map(({ cluster }) => cluster)
  const distinct = new Set(clusters).size
  const made = totalledOf(benchmark, score)
  if (made !== null) {
    const numbers = new Map([...new Set(clusters)].map((cluster, i) => [cluster, i]))
    const images = imagesOf(made.of, Int32Array.from(clusters, (cluster) => numbers.get(cluster)!), distinct)
    return intervalOfTotals(made.of, images, [made.terms], createRandom(seed, 'benchmark', name), LEVEL)
  }
  const right = rows.reduce((sum, { value }) => sum + value, 0)
  const isShare = rows.every(({ value }) => value === 0 || value === 1)
  // All alike: a resample cannot differ, and as many clusters as there are is all that was seen.
  if (isShare && (distinct === rows.length || right === 0 || right === rows.length))
    return limits(wilsonInterval(right === 0 ? 0 : right === rows.length ? distinct : right, distinct))
  if (distinct < 2) return null
  const { interval } = bootstrapMean(rows.map(({ value }) => value), { random: createRandom(seed, 'benchmark', name), clusters, level: LEVEL, resamples: RESAMPLES })
  return limits(interval)
}

const limits = ({ low, high }: { readonly low: number; readonly high: number }) => ({ low, high })
