// The paper's means over four benchmarks, and over all sixteen, as rows of a comparison: of rows measured under one prompt and
// one decoding. Their items are those of all their benchmarks, so that a difference of averages is tested like any other.

import { PAPER_MEANS, paperPoints } from '../../domain/benchmark.ts'
import { meanOfMetrics, stratumOf } from '../../domain/score-of-totals.ts'
import { termsOfScore, type Measured, type MeasuredSeed } from '../../domain/statistics/paired-measurements.ts'
import { totalled } from '../../domain/statistics/totals.ts'
import { rowIdOf, type Conditions } from './conditions.ts'
import type { MeasuredRow, MemberResult, RowScores } from './measurements.ts'

/** @param rows  of the encoders, each metric once a set of conditions */
export function paperMeans(rows: readonly MeasuredRow[]): readonly MeasuredRow[] {
  const benchmarks = rows.filter(({ metric }) => metric.startsWith('benchmark/'))
  const alike = [...Map.groupBy(benchmarks, ({ conditions }) => JSON.stringify(conditions.settings)).values()]
  return PAPER_MEANS.flatMap(({ metric, of }) =>
    alike.flatMap((own): MeasuredRow[] => {
      const parts = of.flatMap((part) => own.filter((row) => row.metric === part).toSorted((a, b) => measuredOn(b) - measuredOn(a))[0] ?? [])
      if (parts.length < of.length) return []
      const conditions: Conditions = { snapshot: null, settings: parts[0]!.conditions.settings, protocol: parts.map(({ id }) => id).join() }
      const results = parts[0]!.results.map((members, e) => members.flatMap((member) => meanOf(member, parts.map(({ results }) => results[e]!), of)))
      return results.some((members) => members.length > 0) ? [{ id: rowIdOf(metric, conditions), metric, conditions, results, parts }] : []
    }),
  )
}

const measuredOn = ({ results }: MeasuredRow) => results.filter((members) => members.length > 0).length

/** One set of weights that has answered every part; [] where it has not. */
function meanOf(member: MemberResult, parts: readonly (readonly MemberResult[])[], metrics: readonly string[]): readonly MemberResult[] {
  const own = parts.map((members) => members.find((each) => each.member === member.member))
  if (!own.every((each) => each !== undefined)) return []
  const points = own.map(({ value }, i) => paperPoints(metrics[i]!, value))
  return [{ ...member, metric: '', value: points.reduce((sum, each) => sum + each, 0) / points.length, n: own.reduce((sum, { n }) => sum + n, 0), low: null, high: null }]
}

/** The items of all parts, each with what it adds to its own benchmark. */
export function scoresOfMeans({ results, parts }: MeasuredRow, scores: readonly RowScores[]): RowScores {
  const metrics = parts!.map(({ metric }) => metric)
  const images = new Map<string, number>()
  const clusters = scores.flatMap(({ images: names, places }) =>
    Array.from(places.clusters, (cluster) => {
      const name = names[cluster]!
      const known = images.get(name) ?? images.size
      images.set(name, known)
      return known
    }),
  )
  const width = Math.max(2, ...scores.map(({ places }) => places.totals?.width ?? 2))
  const strata = scores.flatMap(({ places: { totals, clusters: own } }, p) => Array.from(own, (_, i) => stratumOf(metrics[p]!, totals?.names[totals.strata[i]!] ?? '')))
  const { of } = totalled(meanOfMetrics(metrics, paperPoints), strata.map((stratum) => ({ stratum, terms: new Array<number>(width).fill(0) })))

  const termsOf = (e: number, member: string): Float64Array | null => {
    const terms = new Float64Array(strata.length * width).fill(NaN)
    let at = 0
    for (const [p, { measured, places }] of scores.entries()) {
      const seed = measured[e]!.seeds[parts![p]!.results[e]!.findIndex((each) => each.member === member)]!
      const own = places.totals?.width ?? 1
      const values = places.totals === undefined ? seed.scores : (seed.terms ?? null)
      if (values === null) return null
      for (let i = 0; i < places.clusters.length; i++, at++) {
        if (Number.isNaN(values[i * own])) continue
        terms.fill(0, at * width, (at + 1) * width)
        // Of a mean an item adds its score, and 1 to their number.
        if (places.totals === undefined) terms.set([values[i]!, 1], at * width)
        else terms.set(values.subarray(i * own, (i + 1) * own), at * width)
      }
    }
    return terms
  }
  const measured = results.map((members, e): Measured | null =>
    members.length === 0
      ? null
      : {
          seeds: members.map(({ member, seed, value, n }): MeasuredSeed => {
            const terms = termsOf(e, member)
            return { seed, value, n, scores: null, terms: terms && termsOfScore(terms, of, value), limits: null }
          }),
        },
  )
  return {
    itemIds: scores.flatMap(({ itemIds }, p) => itemIds.map((id) => stratumOf(metrics[p]!, id))),
    groups: scores.flatMap(({ groups }) => groups),
    images: [...images.keys()],
    places: { clusters: Int32Array.from(clusters), clusterCount: images.size, totals: of },
    measured,
  }
}
