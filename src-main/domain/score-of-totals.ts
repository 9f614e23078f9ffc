// Scores that are no mean over items: F1, MME's points, a sum, mean IoU. Each is a function of totals: an item (a question, a
// picture) adds its terms to the totals of its stratum (a sub-task, a source), and the score is made of those. One definition
// serves the evaluation that reports the number and the resampling that tests it.

import { z } from 'zod'

export const itemTermsSchema = z.strictObject({
  /** What is totalled apart: a sub-task of MME, a source of CV-Bench; '' where everything goes together. */
  stratum: z.string(),
  /** As many for every item of a score. */
  terms: z.array(z.number()).min(1),
})
export type ItemTerms = z.output<typeof itemTermsSchema>

export interface Total {
  readonly stratum: string
  /** Sums over the stratum's items, (k). */
  readonly terms: ArrayLike<number>
}
export type ScoreOfTotals = (totals: readonly Total[]) => number

/** 0 where nothing stands below. */
const ratio = (above: number, below: number) => (below === 0 ? 0 : above / below)
const sumOf = (totals: readonly Total[], term: number) => totals.reduce((sum, { terms }) => sum + terms[term]!, 0)
const meanOf = (values: readonly number[]) => (values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length)

/** Terms: score, 1. */
const meanScore: ScoreOfTotals = (totals) => ratio(sumOf(totals, 0), sumOf(totals, 1))

/** POPE (arXiv 2305.10355). Terms: said yes and it is, said yes, it is. 0 where no positive was given, or none was there. */
const precision: ScoreOfTotals = (totals) => ratio(sumOf(totals, 0), sumOf(totals, 1))
const recall: ScoreOfTotals = (totals) => ratio(sumOf(totals, 0), sumOf(totals, 2))
const f1: ScoreOfTotals = (totals) => ratio(2 * sumOf(totals, 0), sumOf(totals, 1) + sumOf(totals, 2))

/**
 * MME (arXiv 2306.13394): of each sub-task 100·(questions right/questions + pictures with all right/pictures), summed. Terms of
 * a picture: questions right, questions, 1 where all are right, 1.
 */
const points: ScoreOfTotals = (totals) =>
  totals.reduce((sum, { terms }) => sum + 100 * (ratio(terms[0]!, terms[1]!) + ratio(terms[2]!, terms[3]!)), 0)

/** Every source of CV-Bench (arXiv 2406.16860) counts alike, however many questions it has. Terms: score, 1. */
const meanOfStrata: ScoreOfTotals = (totals) => meanOf(totals.map(({ terms }) => ratio(terms[0]!, terms[1]!)))
/** The source of CV-Bench's 3D questions; all others are 2D. */
export const isOmni3d = (source: string): boolean => /omni/i.test(source)
const overall: ScoreOfTotals = (totals) =>
  (meanOfStrata(totals.filter(({ stratum }) => !isOmni3d(stratum))) + meanScore(totals.filter(({ stratum }) => isOmni3d(stratum)))) / 2

/** Over the classes that occur. Terms: of each class TP, then of each FP, then of each FN. */
const meanIou: ScoreOfTotals = (totals) => {
  const classes = (totals[0]?.terms.length ?? 0) / 3
  const counts = Array.from({ length: 3 * classes }, (_, i) => sumOf(totals, i))
  return meanOf(
    counts.slice(0, classes).flatMap((hits, c) => {
      const union = hits + counts[classes + c]! + counts[2 * classes + c]!
      return union === 0 ? [] : [hits / union]
    }),
  )
}

/** By what a metric is called without its category. */
const SCORES: Readonly<Record<string, ScoreOfTotals>> = {
  'benchmark/pope/precision': precision,
  'benchmark/pope/recall': recall,
  'benchmark/pope/f1': f1,
  'benchmark/mme/perception': points,
  'benchmark/mme/cognition': points,
  'benchmark/mme/points': points,
  'benchmark/ocrbench/points': (totals) => sumOf(totals, 0),
  'benchmark/cv-bench/2d': meanOfStrata,
  'benchmark/cv-bench/overall': overall,
  'segmentation/mean-iou': meanIou,
}

/** How a metric comes of its items' terms; null: it is the mean of their values. */
export function scoreOfTotals(metric: string): ScoreOfTotals | null {
  return SCORES[metric] ?? SCORES[metric.split('/').slice(0, 3).join('/')] ?? null
}

/** In a mean over several metrics a stratum says of which one it is. */
export const stratumOf = (metric: string, stratum: string): string => `${metric} ${stratum}`

/** The mean over metrics, each in points, of totals whose strata are named by `stratumOf`. */
export function meanOfMetrics(metrics: readonly string[], pointsOf: (metric: string, value: number) => number): ScoreOfTotals {
  const parts = metrics.map((metric) => ({ metric, prefix: stratumOf(metric, ''), score: scoreOfTotals(metric) ?? meanScore }))
  return (totals) =>
    meanOf(
      parts.map(({ metric, prefix, score }) => {
        const own = totals.flatMap(({ stratum, terms }) => (stratum.startsWith(prefix) ? [{ stratum: stratum.slice(prefix.length), terms }] : []))
        return pointsOf(metric, score(own))
      }),
    )
}
