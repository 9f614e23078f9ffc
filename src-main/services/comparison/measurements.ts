// What has been measured on some encoders, row by row: reads results and scores from the store and lays the items of one row
// side by side, so that item i is the same item for everyone.

import type { EncoderRow } from '../../domain/encoder.ts'
import { byMetricOrder } from '../../domain/metric.ts'
import { scoreOfTotals } from '../../domain/score-of-totals.ts'
import { scoresOfMeans } from './paper-means.ts'
import { scoresOfMean, termsOfScore, type ItemPlaces, type Measured, type MeasuredSeed } from '../../domain/statistics/paired-measurements.ts'
import { totalled, type TotalledItems } from '../../domain/statistics/totals.ts'
import type { ResultWithInterval } from '../../store/evaluations.ts'
import type { Store } from '../../store/store.ts'
import { conditionsOf, rowIdOf, type Conditions } from './conditions.ts'

/** The newest number of one member of an encoder. */
export interface MemberResult extends ResultWithInterval {
  readonly member: string
  readonly seed: number | null
  readonly evaluationId: string
}

export interface MeasuredRow {
  readonly id: string
  readonly metric: string
  readonly conditions: Conditions
  /** In the order of the encoders; empty: not measured. */
  readonly results: readonly (readonly MemberResult[])[]
  /** Of a mean over several metrics: their rows. */
  readonly parts?: readonly MeasuredRow[]
}

export interface RowScores {
  readonly itemIds: readonly string[]
  readonly groups: readonly (string | null)[]
  /** Names of the clusters, in the order of their numbers. */
  readonly images: readonly string[]
  readonly places: ItemPlaces
  /** In the order of the encoders; null: not measured. */
  readonly measured: readonly (Measured | null)[]
}

/** Every row that at least one of the encoders has, in the order of the metrics. */
export function measuredRows(store: Pick<Store, 'evaluations'>, encoders: readonly EncoderRow[], isWanted: (metric: string) => boolean): readonly MeasuredRow[] {
  const members = new Set(encoders.flatMap((encoder) => encoder.members))
  const rows = new Map<string, { readonly metric: string; readonly conditions: Conditions; readonly byMember: Map<string, MemberResult> }>()
  // Oldest first, so that the newest number stays.
  for (const head of store.evaluations.headsOf([...members])) {
    const member = head.encoderId!
    for (const result of store.evaluations.resultsOf(head.id)) {
      if (!isWanted(result.metric)) continue
      const conditions = conditionsOf(head, result.metric)
      const id = rowIdOf(result.metric, conditions)
      const row = rows.get(id) ?? { metric: result.metric, conditions, byMember: new Map<string, MemberResult>() }
      rows.set(id, row)
      row.byMember.set(member, { ...result, member, seed: seedOf(encoders, member), evaluationId: head.id })
    }
  }
  return [...rows.entries()]
    .map(([id, { metric, conditions, byMember }]) => ({
      id,
      metric,
      conditions,
      results: encoders.map((encoder) => encoder.members.flatMap((member) => byMember.get(member) ?? [])),
    }))
    .toSorted((a, b) => byMetricOrder(a.metric, b.metric) || (a.id < b.id ? -1 : 1))
}

function seedOf(encoders: readonly EncoderRow[], member: string): number | null {
  for (const { members, seeds } of encoders) {
    const at = members.indexOf(member)
    if (at >= 0) return seeds[at] ?? null
  }
  return null
}

/** The scores behind a row, item by item. A question group's items are those of the whole that belong to the group. */
export function rowScores(store: Pick<Store, 'evaluations'>, row: MeasuredRow): RowScores {
  return row.parts === undefined ? scoresOfRow(store, row) : scoresOfMeans(row, row.parts.map((part) => scoresOfRow(store, part)))
}

function scoresOfRow(store: Pick<Store, 'evaluations'>, row: MeasuredRow): RowScores {
  const itemIds: string[] = []
  const groups: (string | null)[] = []
  const clusters: number[] = []
  const clusterNumbers = new Map<string, number>()
  let positions: Map<string, number> | null = null
  const place = (itemId: string, cluster: string, group: string | null) => {
    itemIds.push(itemId)
    groups.push(group)
    const number = clusterNumbers.get(cluster) ?? clusterNumbers.size
    clusterNumbers.set(cluster, number)
    clusters.push(number)
    positions?.set(itemId, itemIds.length - 1)
  }
  const { read, group } = itemsOf(store, row)

  const scoresOf = (evaluationId: string): number[] | null => {
    const scores = store.evaluations.scoresOf(evaluationId, read)
    if (scores.length === 0) return null
    if (itemIds.length === 0)
      for (const each of store.evaluations.placesOf(evaluationId, read)) if (group === null || each.group === group) place(each.itemId, each.cluster, each.group)
    const values = new Array<number>(itemIds.length).fill(NaN)
    let at = 0
    let strangers: Set<string> | null = null
    for (const [itemId, value] of scores) {
      // Items come in one order, so that the next one is nearly always the next.
      if (itemIds[at] === itemId) values[at++] = value
      else {
        positions ??= new Map(itemIds.map((id, i) => [id, i]))
        const known = positions.get(itemId)
        if (known !== undefined) {
          values[known] = value
          at = known + 1
        } else (strangers ??= new Set()).add(itemId)
      }
    }
    if (strangers !== null) {
      const own = new Map(scores)
      for (const each of store.evaluations.placesOf(evaluationId, read))
        if (strangers.has(each.itemId) && (group === null || each.group === group)) {
          place(each.itemId, each.cluster, each.group)
          values.push(own.get(each.itemId)!)
        }
    }
    return values
  }

  const raw = row.results.map((members) => members.map((result) => ({ result, values: scoresOf(result.evaluationId) })))
  const totals = totalsOf(store, row, itemIds)
  const measured = raw.map((members): Measured | null =>
    members.length === 0
      ? null
      : {
          seeds: members.map(({ result: { seed, value, n, low, high, evaluationId }, values }): MeasuredSeed => {
            const limits = low === null || high === null ? null : { low, high }
            if (totals !== null) {
              const terms = totals.terms.get(evaluationId) ?? null
              return { seed, value, n, scores: null, terms: terms && termsOfScore(terms, totals.of, value), limits }
            }
            const scores = values === null ? null : Float64Array.from({ length: itemIds.length }, (_, i) => values[i] ?? NaN)
            return { seed, value, n, scores: scores && scoresOfMean(scores, value), limits }
          }),
        },
  )
  return { itemIds, groups, images: [...clusterNumbers.keys()], places: { clusters: Int32Array.from(clusters), clusterCount: clusterNumbers.size, totals: totals?.of }, measured }
}

/** Of a metric that is no mean: how items make it, and by evaluation what each item adds; null: a mean. */
function totalsOf(store: Pick<Store, 'evaluations'>, { metric, results }: MeasuredRow, itemIds: readonly string[]): { readonly of: TotalledItems; readonly terms: ReadonlyMap<string, Float64Array> } | null {
  const score = scoreOfTotals(metric)
  if (score === null) return null
  const kept = results.flat().map(({ evaluationId }) => ({ evaluationId, items: store.evaluations.termsOf(evaluationId, metric) }))
  const strata = new Map(kept.flatMap(({ items }) => items.map(([itemId, { stratum }]) => [itemId, stratum] as const)))
  const width = kept.flatMap(({ items }) => items[0]?.[1].terms.length ?? [])[0] ?? 1
  const positions = new Map(itemIds.map((id, i) => [id, i]))
  const terms = new Map(
    kept.flatMap(({ evaluationId, items }) => {
      if (items.length === 0 || items.some(([, each]) => each.terms.length !== width)) return []
      const row = new Float64Array(itemIds.length * width).fill(NaN)
      for (const [itemId, each] of items) row.set(each.terms, positions.get(itemId)! * width)
      return [[evaluationId, row] as const]
    }),
  )
  const { of } = totalled(score, itemIds.map((id) => ({ stratum: strata.get(id) ?? '', terms: new Array<number>(width).fill(0) })))
  return { of, terms }
}

/** The metric under which a row's items stand, and the group of them that it is about. */
export function itemsOf(store: Pick<Store, 'evaluations'>, { metric, results }: Pick<MeasuredRow, 'metric' | 'results'>): { readonly read: string; readonly group: string | null } {
  const first = results.find((members) => members.length > 0)![0]!
  if (store.evaluations.hasItems(first.evaluationId, metric)) return { read: metric, group: null }
  const [family, ...rest] = metric.split('/')
  const all = `${family}/all`
  return rest.length === 1 && store.evaluations.hasItems(first.evaluationId, all) ? { read: all, group: rest[0]! } : { read: metric, group: null }
}
