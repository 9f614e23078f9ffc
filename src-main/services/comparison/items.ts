// The items behind one number of a comparison: ordered by how much the second encoder gains over the first, sorted into slices
// each with its own paired difference, and a page of them in full.

import type { ComparedItem, ComparedItems, ComparedItemsRequest, ComparedSlice } from '../../domain/comparison.ts'
import { SLICINGS } from '../../domain/comparison.ts'
import type { EncoderRow } from '../../domain/encoder.ts'
import { metricNamed } from '../../domain/metric.ts'
import { createRandom } from '../../domain/random.ts'
import { holm } from '../../domain/statistics/hypothesis-tests.ts'
import { differenceOf, type Measured } from '../../domain/statistics/paired-measurements.ts'
import type { ItemDetail } from '../../domain/study-results.ts'
import type { Store } from '../../store/store.ts'
import { itemsOf, rowScores, type MeasuredRow, type RowScores } from './measurements.ts'
import { sliceOf, type SlicedItem } from './slices.ts'

/** Slices beyond these are too many to be read; the largest are kept. */
const MOST_SLICES = 40

export function comparedItems(store: Pick<Store, 'evaluations' | 'itemFacts' | 'datasets'>, encoders: readonly EncoderRow[], row: MeasuredRow, request: ComparedItemsRequest): ComparedItems {
  const scores = rowScores(store, row)
  const { itemIds, groups } = scores
  const means = row.results.map((members) => meanScores(store, row, members, itemIds))
  const common = itemIds.flatMap((_, i) => (means[0] !== null && means[1] !== null && !Number.isNaN(means[0]![i]) && !Number.isNaN(means[1]![i]) ? [i] : []))
  const { snapshot } = row.conditions
  const facts = snapshot === null ? new Map() : store.itemFacts.of(snapshot, [...new Set(common.map((i) => sampleIdOf(itemIds[i]!)))])
  const slicedItem = (i: number): SlicedItem => ({ itemId: itemIds[i]!, group: groups[i]!, facts: facts.get(sampleIdOf(itemIds[i]!)) ?? null })
  const sliced = new Map(common.map((i) => [i, slicedItem(i)]))
  const slicings = SLICINGS.filter((slicing) => new Set(common.map((i) => sliceOf(slicing, sliced.get(i)!)).filter((each) => each !== null)).size >= 2)
  const sliceNames = new Map(common.map((i) => [i, sliceOf(request.slicing, sliced.get(i)!)]))

  const sign = metricNamed(row.metric).better === 'lower' ? -1 : 1
  const gainOf = (i: number) => sign * (means[1]![i]! - means[0]![i]!)
  const shown = common
    .filter((i) => request.slice === null || sliceNames.get(i) === request.slice)
    .filter((i) => request.show === 'all' || Math.abs(gainOf(i)) > 1e-12)
  const byId = (a: number, b: number) => (itemIds[a]! < itemIds[b]! ? -1 : 1)
  const ordered = request.order === 'item' ? shown.toSorted(byId) : shown.toSorted((a, b) => (request.order === 'gain' ? gainOf(b) - gainOf(a) : gainOf(a) - gainOf(b)) || byId(a, b))
  const page = ordered.slice(request.from, request.from + request.limit)

  const { read } = itemsOf(store, row)
  const details = row.results.map((members) => members.map(({ evaluationId }) => store.evaluations.detailsOf(evaluationId, read, page.map((i) => itemIds[i]!))))
  const ownValues = row.results.map((members) => members.map(({ evaluationId }) => new Map(store.evaluations.scoresOf(evaluationId, read))))
  return {
    items: page.map((i): ComparedItem => {
      const id = itemIds[i]!
      const known = sliced.get(i)!.facts
      const found = details.flat().map((each) => each.get(id) ?? null).find((each) => each !== null) ?? null
      const sha256 = known?.sha256 ?? imageOf(found)
      const image = sha256 === null ? null : store.datasets.findImage(sha256)
      return {
        itemId: id,
        group: groups[i]!,
        slice: sliceNames.get(i) ?? null,
        image: image && { sha256: image.sha256, width: image.width, height: image.height },
        region: [...(known?.region ?? [])],
        gain: gainOf(i),
        encoders: encoders.flatMap((encoder, e) =>
          means[e] === null || Number.isNaN(means[e]![i])
            ? []
            : [
                {
                  encoder: encoder.id,
                  value: means[e]![i]!,
                  perSeed: row.results[e]!.flatMap(({ seed }, m) => {
                    const value = ownValues[e]![m]!.get(id)
                    return value === undefined ? [] : [{ seed, value, detail: details[e]![m]!.get(id) ?? null }]
                  }),
                },
              ],
        ),
      }
    }),
    total: shown.length,
    slicings: [...slicings],
    slices: slices(row, scores, means, sliceNames),
    agreement: agreementOf(means, common),
  }
}

/** Of each item over an encoder's members, NaN where one of them lacks it; null: not measured. */
function meanScores(store: Pick<Store, 'evaluations'>, row: MeasuredRow, members: MeasuredRow['results'][number], itemIds: readonly string[]): Float64Array | null {
  if (members.length === 0) return null
  const { read } = itemsOf(store, row)
  const sums = new Float64Array(itemIds.length)
  for (const { evaluationId } of members) {
    const own = new Map(store.evaluations.scoresOf(evaluationId, read))
    for (let i = 0; i < sums.length; i++) sums[i]! += (own.get(itemIds[i]!) ?? NaN) / members.length
  }
  return sums
}

function slices(row: MeasuredRow, { places, itemIds }: RowScores, means: readonly (Float64Array | null)[], sliceNames: ReadonlyMap<number, string | null>): ComparedSlice[] {
  const members = Map.groupBy(
    [...sliceNames].flatMap(([i, name]) => (name === null ? [] : [{ i, name }])),
    ({ name }) => name,
  )
  const largest = [...members].toSorted(([, a], [, b]) => b.length - a.length).slice(0, MOST_SLICES)
  const found = largest.map(([slice, of]) => {
    const inside = new Set(of.map(({ i }) => i))
    const only = (scores: Float64Array | null): Measured => {
      const kept = Float64Array.from({ length: itemIds.length }, (_, i) => (inside.has(i) && scores !== null ? scores[i]! : NaN))
      return { seeds: [{ seed: null, value: meanOf(kept), n: of.length, scores: kept, limits: null }] }
    }
    const difference = differenceOf(only(means[0]!), only(means[1]!), places, false, createRandom(0, 'slice', row.metric, slice))
    return { slice, n: of.length, values: means.map((scores) => (scores === null ? NaN : meanOf(Float64Array.from(of, ({ i }) => scores[i]!)))), difference }
  })
  const tests = found.filter(({ difference }) => difference.p !== null)
  const adjusted = tests.length === 0 ? [] : holm(tests.map(({ difference }) => difference.p!)).adjusted
  return found.map(({ slice, n, values, difference }) => {
    const at = tests.findIndex((each) => each.slice === slice)
    return {
      slice,
      n,
      values: values.map((value) => (Number.isFinite(value) ? value : 0)),
      difference: difference.difference,
      low: difference.limits?.low ?? null,
      high: difference.limits?.high ?? null,
      pValue: difference.p,
      holmPValue: at < 0 ? null : adjusted[at]!,
    }
  })
}

function meanOf(scores: Float64Array): number {
  let [sum, count] = [0, 0]
  for (const score of scores)
    if (!Number.isNaN(score)) {
      sum += score
      count++
    }
  return sum / count
}

function agreementOf([a, b]: readonly (Float64Array | null)[], common: readonly number[]): ComparedItems['agreement'] {
  const agreement = { both: 0, firstOnly: 0, secondOnly: 0, neither: 0 }
  for (const i of common) {
    const [x, y] = [a![i]!, b![i]!]
    if ((x !== 0 && x !== 1) || (y !== 0 && y !== 1)) return null
    agreement[x === 1 ? (y === 1 ? 'both' : 'firstOnly') : y === 1 ? 'secondOnly' : 'neither']++
  }
  return agreement
}

/** A crop is an object of a sample, a rotation a question of one. */
const sampleIdOf = (itemId: string) => itemId.replace(/[#/]\d+$/, '')

function imageOf(detail: ItemDetail | null): string | null {
  if (detail === null) return null
  return detail.kind === 'benchmark' ? (detail.answers.find(({ image }) => image !== null)?.image ?? null) : detail.image
}
