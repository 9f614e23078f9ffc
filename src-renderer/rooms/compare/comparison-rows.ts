// A comparison as charts and tables want it. Who is best and who is tied is main's judgement; here it is only arranged.

import { pairOf, rowLabel, type ComparedPair, type ComparedRow, type Comparison } from '../../../src-main/domain/comparison.ts'
import type { EncoderRow } from '../../../src-main/domain/encoder.ts'
import type { ValueRow } from '../../charts/dumbbell.ts'
import type { DifferenceRow } from '../../charts/paired-differences.ts'
import { count, difference, differenceInterval, interval, pValue, quantity } from '../../ui/quantity.ts'

export interface RowFamily {
  readonly title: string
  readonly rows: readonly ComparedRow[]
}

/** In the order of the rows. */
export function familiesOf(rows: readonly ComparedRow[]): readonly RowFamily[] {
  return [...Map.groupBy(rows, (row) => row.family)].map(([title, rows]) => ({ title, rows }))
}

export function valueRowsOf(rows: readonly ComparedRow[]): readonly ValueRow[] {
  return rows.map((row) => ({
    label: rowLabel(row, rows),
    unit: row.unit,
    better: row.better,
    values: row.cells.map((cell) => cell && { mean: cell.value, low: cell.low, high: cell.high }),
  }))
}

/** b − a, for what has a better direction and was measured on both. */
export function differenceRowsOf(rows: readonly ComparedRow[], a: string, b: string): readonly DifferenceRow[] {
  return rows.flatMap((row) => {
    const pair = row.better === 'neither' ? null : pairOf(row, a, b)
    if (pair === null) return []
    const { low, high, holmPValue, winner, basis } = pair
    return [
      {
        label: rowLabel(row, rows),
        unit: row.unit,
        isTurned: row.better === 'lower',
        mean: pair.difference,
        low,
        high,
        holmPValue,
        winner,
        basis,
      },
    ]
  })
}

export interface PairTally {
  readonly a: number
  readonly b: number
  readonly tied: number
  /** No test was possible: neither tied nor told apart. */
  readonly untested: number
}

export function tallyOf(rows: readonly DifferenceRow[]): PairTally {
  const number = (winner: DifferenceRow['winner']) => rows.filter((row) => row.winner === winner).length
  const untested = rows.filter(({ holmPValue }) => holmPValue === null).length
  return { a: number('a'), b: number('b'), tied: number('neither') - untested, untested }
}

/** Whether somebody is best, in two or three words; 'decided': the one that is marked. */
export function outcomeOf(row: ComparedRow): string {
  const measured = row.cells.filter((cell) => cell !== null)
  if (measured.length < 2) return 'not compared'
  if (row.better === 'neither') return 'no better side'
  const [best, tied] = [measured.filter((cell) => cell.isBest).length, measured.filter((cell) => cell.isTied).length]
  if (best === measured.length) return 'all equal'
  if (best + tied === measured.length) return 'all tied'
  if (best === 1 && tied === 0) return testedOutcome(row)
  return best === 0 ? 'not tested' : 'tied at the top'
}

/** Of one that is best by value, tied with none: it is better only than those that it was tested against. */
function testedOutcome({ cells, pairs }: ComparedRow): string {
  const best = cells.find((cell) => cell?.isBest)!.encoder
  const tested = pairs.filter(({ a, b, holmPValue }) => holmPValue !== null && (a === best || b === best)).length
  if (tested === 0) return 'not tested'
  return tested === cells.filter((cell) => cell !== null).length - 1 ? 'decided' : 'partly tested'
}

/** In words: "1 200 more items", "2 more seeds"; '' where it is decided or cannot be said. */
export function neededWords(pair: ComparedPair): string {
  if (pair.needed === null) return ''
  const { moreItems, moreSeeds } = pair.needed
  return [
    moreItems === null ? null : `${count(moreItems)} more ${moreItems === 1 ? 'item' : 'items'}`,
    moreSeeds === null ? null : `${count(moreSeeds)} more ${moreSeeds === 1 ? 'seed' : 'seeds'}`,
  ]
    .filter((each) => each !== null)
    .join(' or ')
}

/** The closest contender that is tied with the best: what has to be told apart to know who is best. */
export function undecidedPair(row: ComparedRow, encoders: readonly EncoderRow[]): ComparedPair | null {
  const best = encoders[row.cells.findIndex((cell) => cell?.isBest)]
  if (best === undefined) return row.pairs.find(({ winner }) => winner === 'neither') ?? null
  const tied = encoders.filter((_, index) => row.cells[index]?.isTied)
  const pairs = tied.flatMap((encoder) => pairOf(row, encoder.id, best.id) ?? [])
  return pairs.toSorted((x, y) => Math.abs(y.difference) - Math.abs(x.difference))[0] ?? null
}

/** Everything known of one number, a line each: for its hover. */
export function cellLines(comparison: Comparison, row: ComparedRow, at: number): readonly string[] {
  const cell = row.cells[at]!
  const self = comparison.encoders[at]!
  const level = Math.round(comparison.confidence * 100)
  const against = comparison.encoders.flatMap((other) => {
    const pair = other.id === self.id ? null : pairOf(row, other.id, self.id)
    if (pair === null) return []
    const effect = pair.effects[0]
    const needed = neededWords(pair)
    const outcome = pair.winner === 'neither' ? 'tied' : pair.winner === 'b' ? 'better' : 'worse'
    return [
      `against ${other.shortName}: ${difference(pair.difference, row.unit)} ${differenceInterval(pair.low, pair.high, row.unit)}, p (Holm) ${pValue(pair.holmPValue)}` +
        `${row.better === 'neither' ? '' : `, ${outcome}`}${effect === undefined ? '' : `; ${effect.name} ${effect.value.toFixed(2)}, ${effect.size}`}${needed === '' ? '' : `; ${needed} would decide`}`,
    ]
  })
  return [
    `${self.name}: ${quantity(cell.value, row.unit)}${cell.isBest ? ', the best' : cell.isTied ? ', statistically tied with the best' : ''}`,
    `${level} % interval ${interval(cell.low, cell.high, row.unit)}; ${count(cell.n)} items`,
    ...(cell.perSeed.length > 1 ? [`by seed: ${cell.perSeed.map(({ value }) => quantity(value, row.unit)).join(', ')}`] : []),
    ...against,
  ]
}

/** Long form, one line a number: what another program wants. */
export function comparisonCsv(comparison: Comparison): readonly (readonly (string | number | null)[])[] {
  return [
    ['metric', 'data', 'unit', 'better', 'encoder', 'value', 'low', 'high', 'items', 'best', 'tied with the best'],
    ...comparison.rows.flatMap((row) =>
      row.cells.flatMap((cell, at) =>
        cell === null
          ? []
          : [[row.metric, row.dataset, row.unit, row.better, comparison.encoders[at]!.name, cell.value, cell.low, cell.high, cell.n, cell.isBest ? 'yes' : 'no', cell.isTied ? 'yes' : 'no']],
      ),
    ),
  ]
}
