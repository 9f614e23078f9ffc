// The table of a comparison from its rows: means with intervals, every pair with its test, Holm over all of them, who is best
// and who is tied with the best, and a verdict in words. Pure, so that it can be checked by hand.

import { rowLabel, type ComparedCell, type ComparedPair, type ComparedRow, type Comparison } from '../../domain/comparison.ts'
import type { EncoderRow } from '../../domain/encoder.ts'
import { familyOf, metricNamed, type Metric } from '../../domain/metric.ts'
import { createRandom } from '../../domain/random.ts'
import { holm } from '../../domain/statistics/hypothesis-tests.ts'
import { differenceOf, intervalOfMean, meanOverSeeds, type MeasuredDifference } from '../../domain/statistics/paired-measurements.ts'
import { flat, settingWords } from './conditions.ts'
import type { MeasuredRow, RowScores } from './measurements.ts'

export const CONFIDENCE = 0.95
/** Sums of the same scores in another order differ by so much. */
const NOUGHT = 1e-12

interface Undecided {
  readonly row: MeasuredRow
  readonly metric: Metric
  readonly hasItems: boolean
  readonly cells: readonly (Omit<ComparedCell, 'isBest' | 'isTied'> | null)[]
  readonly pairs: readonly { readonly a: number; readonly b: number; readonly found: MeasuredDifference }[]
}

export interface TableOptions {
  readonly reference: string | null
  readonly datasetOf: (snapshot: string) => string | null
  /** What a protocol's id stands for: "study Demo"; null: it is gone. */
  readonly protocolOf?: (protocol: string) => string | null
  /** Whether equal seeds of two encoders are one draw; undefined: those of one study are. */
  readonly sharesSeeds?: boolean | undefined
}

/** @param scoresOf  reads the items behind a row; called once a row, so that one row at a time is in memory */
export function comparisonTable(
  encoders: readonly EncoderRow[],
  rows: readonly MeasuredRow[],
  scoresOf: (row: MeasuredRow) => RowScores,
  { reference, datasetOf, protocolOf = () => null, sharesSeeds }: TableOptions,
): Comparison {
  const undecided = rows.map((row) => undecidedRow(encoders, row, scoresOf(row), reference, sharesSeeds))
  const tests = undecided.flatMap(({ pairs }) => pairs.filter(({ found }) => found.p !== null))
  const adjusted = tests.length === 0 ? [] : holm(tests.map(({ found }) => found.p!)).adjusted
  const holmOf = new Map(tests.map((pair, i) => [pair, adjusted[i]!]))
  const decided = undecided.map((each) => decidedRow(encoders, each, (pair) => holmOf.get(pair) ?? null, datasetOf, protocolOf))
  return { encoders: [...encoders], reference, confidence: CONFIDENCE, tests: tests.length, verdict: [...verdict(encoders, decided)], rows: decided }
}

function undecidedRow(encoders: readonly EncoderRow[], row: MeasuredRow, { measured, places }: RowScores, reference: string | null, isPaired: boolean | undefined): Undecided {
  const metric = metricNamed(row.metric)
  const stream = (...words: string[]) => createRandom(0, 'comparison', row.metric, ...words)
  const cells = measured.map((each, e) => {
    if (each === null) return null
    const limits = intervalOfMean(each, places, metric.unit === 'share', stream(encoders[e]!.id))
    return {
      encoder: encoders[e]!.id,
      value: meanOverSeeds(each),
      low: limits?.low ?? null,
      high: limits?.high ?? null,
      n: each.seeds.reduce((sum, { n }) => sum + n, 0),
      perSeed: each.seeds.map(({ seed, value }) => ({ seed, value })),
    }
  })
  const pairs = encoders.flatMap((first, a) =>
    encoders.flatMap((second, b) => {
      const isAsked = reference === null ? a < b : first.id === reference && a !== b
      if (!isAsked || measured[a] == null || measured[b] == null) return []
      const sharesSeeds = isPaired ?? (first.studyId !== null && first.studyId === second.studyId)
      return [{ a, b, found: differenceOf(measured[a], measured[b], places, sharesSeeds, stream(first.id, second.id)) }]
    }),
  )
  return { row, metric, hasItems: places.clusters.length > 0 && row.parts === undefined, cells, pairs }
}

function decidedRow(
  encoders: readonly EncoderRow[],
  { row, metric, hasItems, cells, pairs }: Undecided,
  holmOf: (pair: Undecided['pairs'][number]) => number | null,
  datasetOf: (snapshot: string) => string | null,
  protocolOf: (protocol: string) => string | null,
): ComparedRow {
  const { protocol, settings } = row.conditions
  const trained = protocol === null || row.parts !== undefined ? [] : [{ name: 'trained in', value: protocolOf(protocol) ?? 'an experiment that was deleted' }]
  const sign = metric.better === 'lower' ? -1 : 1
  const measured = cells.flatMap((cell, e) => (cell === null ? [] : [{ e, value: cell.value * sign }]))
  const top = metric.better === 'neither' || measured.length < 2 ? null : Math.max(...measured.map(({ value }) => value))
  const best = measured.filter(({ value }) => top !== null && value >= top - NOUGHT).map(({ e }) => e)
  const isTiedWith = (e: number, other: number) => {
    const pair = pairs.find(({ a, b }) => (a === e && b === other) || (a === other && b === e))
    const p = pair === undefined ? null : holmOf(pair)
    return p !== null && p > 1 - CONFIDENCE
  }
  return {
    id: row.id,
    metric: row.metric,
    label: metric.label,
    meaning: metric.meaning,
    unit: metric.unit,
    better: metric.better,
    family: familyOf(row.metric),
    dataset: row.parts !== undefined ? `${row.parts.length} benchmarks` : row.conditions.snapshot === null ? null : datasetOf(row.conditions.snapshot),
    conditions: [...trained, ...flat(settings).map(({ name, value }) => ({ name: settingWords(name), value }))],
    hasItems,
    cells: cells.map((cell, e) => cell && { ...cell, isBest: best.includes(e), isTied: best.length > 0 && !best.includes(e) && best.some((other) => isTiedWith(e, other)) }),
    pairs: pairs.map((pair): ComparedPair => {
      const { a, b, found } = pair
      const holmPValue = holmOf(pair)
      const isClear = holmPValue !== null && holmPValue <= 1 - CONFIDENCE
      const winner = !isClear || metric.better === 'neither' || Math.abs(found.difference) < NOUGHT ? 'neither' : found.difference * sign > 0 ? 'b' : 'a'
      return {
        a: encoders[a]!.id,
        b: encoders[b]!.id,
        difference: found.difference,
        low: found.limits?.low ?? null,
        high: found.limits?.high ?? null,
        pValue: found.p,
        holmPValue,
        winner,
        basis: found.basis,
        method: found.method,
        effects: [...found.effects],
        needed: isClear ? null : found.needed,
        words: wordsOf(found, holmPValue, isClear, metric, encoders[a]!.shortName, encoders[b]!.shortName),
      }
    }),
  }
}

function wordsOf(found: MeasuredDifference, holmPValue: number | null, isClear: boolean, { better }: Metric, a: string, b: string): string {
  if (found.p === null) return `not tested: ${found.method}`
  if (Math.abs(found.difference) < NOUGHT) return found.p === 1 ? 'no difference at all' : 'no difference on average'
  const favoured = found.difference > 0 === (better !== 'lower') ? b : a
  if (isClear) return better === 'neither' ? 'they differ; neither direction is better' : `${favoured} is better`
  const leaning = better === 'neither' ? '' : `, leaning to ${favoured}`
  const decided = neededWords(found.needed)
  const told = found.p <= 1 - CONFIDENCE && holmPValue !== null ? `not clear after Holm’s correction${leaning}` : `not told apart${leaning}`
  return decided === null ? told : `${told}; ${decided}`
}

/** Nobody trains more; a larger number says that seeds are not the way. */
const MOST_SEEDS = 100

export function neededWords(needed: { readonly moreItems: number | null; readonly moreSeeds: number | null } | null): string | null {
  if (needed === null) return null
  const { moreItems, moreSeeds } = needed
  const items = moreItems === null || moreItems === 0 ? null : `about ${moreItems.toLocaleString('en')} more ${moreItems === 1 ? 'item' : 'items'}`
  const seeds = moreSeeds === null || moreSeeds === 0 || moreSeeds > MOST_SEEDS ? null : `${moreSeeds} more ${moreSeeds === 1 ? 'seed' : 'seeds'}`
  const ways = [items, seeds].filter((each) => each !== null)
  return ways.length === 0 ? null : `${ways.join(' or ')} would decide a difference of this size`
}

/** What may be said of the whole, and what may not. */
function verdict(encoders: readonly EncoderRow[], rows: readonly ComparedRow[]): readonly string[] {
  const compared = rows.filter(({ better, cells }) => better !== 'neither' && cells.filter((cell) => cell !== null).length >= 2)
  if (compared.length === 0) return ['No measurement has been made on two of these encoders under the same conditions yet. Run a benchmark or a probe on them.']
  const name = (id: string) => encoders.find((each) => each.id === id)!.shortName
  const names = new Map(encoders.map(({ id, shortName }) => [id, encoders.filter((each) => each.shortName === shortName).length > 1 ? encoders.find((each) => each.id === id)!.name : shortName]))
  const lines: string[] = []
  const clear = encoders.map(({ id }) => ({
    id,
    // Best, and told apart from every other that was measured so.
    on: compared.filter(({ cells, pairs }) => {
      const others = cells.filter((cell) => cell !== null && cell.encoder !== id)
      const beats = (other: string) => pairs.some(({ a, b, winner }) => (winner === 'a' && a === id && b === other) || (winner === 'b' && b === id && a === other))
      return cells.some((cell) => cell?.encoder === id) && others.every((cell) => beats(cell!.encoder))
    }),
  }))
  for (const { id, on } of clear)
    if (on.length > 0)
      lines.push(`${names.get(id)} ${encoders.length === 2 ? 'is better' : 'is better than every other'} on ${on.length} of ${compared.length} measurements: ${listed(on, rows)}.`)
  const rest = compared.filter((row) => !clear.some(({ on }) => on.includes(row)))
  if (lines.length === 0) lines.push(`No measurement of ${compared.length} tells ${encoders.length === 2 ? 'the two' : 'one of them'} apart${encoders.length === 2 ? '' : ' from all others'} after Holm’s correction.`)
  else if (rest.length > 0) lines.push(`${encoders.length === 2 ? 'Not told apart' : 'Without a single best'} on ${rest.length}: ${listed(rest, rows)}.`)
  const nearest = rest
    .flatMap((row) => row.pairs.flatMap(({ a, b, needed }) => (needed?.moreItems == null || needed.moreItems === 0 ? [] : [{ label: rowLabel(row, rows), a, b, more: needed.moreItems }])))
    .toSorted((x, y) => x.more - y.more)[0]
  if (nearest !== undefined)
    lines.push(`Nearest to a decision: ${nearest.label}, ${name(nearest.a)} against ${name(nearest.b)}: about ${nearest.more.toLocaleString('en')} more ${nearest.more === 1 ? 'item' : 'items'} would decide a difference of the size seen.`)
  const few = encoders.filter(({ kind, seeds }) => kind !== 'folder' && seeds.length < 3)
  if (few.length > 0)
    lines.push(`${few.length === encoders.length ? 'These encoders have' : `${few.map(({ id }) => names.get(id)).join(', ')} ${few.length === 1 ? 'has' : 'have'}`} fewer than three seeds: what is said holds for new pictures, not for training them again.`)
  return lines
}

const MOST_LISTED = 6
function listed(of: readonly ComparedRow[], rows: readonly ComparedRow[]): string {
  const names = of.slice(0, MOST_LISTED).map((row) => rowLabel(row, rows))
  return `${names.join('; ')}${of.length > MOST_LISTED ? `; and ${of.length - MOST_LISTED} more` : ''}`
}
