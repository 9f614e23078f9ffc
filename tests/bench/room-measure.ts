// What every part of the bench of the rooms tells: one kind of value, said as a line when it comes and, where something was
// promised, once more in a table at the end.

export interface RoomMeasure {
  readonly what: string
  readonly unit: 'ms' | 'MB' | 'images/s' | 'rows/s'
  readonly n: number
  readonly median: number
  readonly p95: number
  readonly worst: number
  /** At most so much of `p95`; null: nothing was promised. */
  readonly goal: number | null
  /** `p95` of a page that has nothing of the lab in it, moved in the same way on the same screen: the machine's share. null: none. */
  readonly floor: number | null
  /** What else was counted, as words. */
  readonly note: string
}

export function measureOf(what: string, unit: RoomMeasure['unit'], values: readonly number[], more: Partial<Pick<RoomMeasure, 'goal' | 'floor' | 'note'>> = {}): RoomMeasure {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
  return { what, unit, n: sorted.length, median: at(0.5), p95: at(0.95), worst: at(1), goal: null, floor: null, note: '', ...more }
}

/** A promise about nothing measured is not kept. */
export const isKept = ({ goal, p95 }: RoomMeasure): boolean => goal === null || p95 <= goal

export function lineOf({ what, unit, n, median, p95, worst, goal, floor, note }: RoomMeasure): string {
  const figures = n === 1 ? `${figure(median)} ${unit}` : `median ${figure(median)}, p95 ${figure(p95)}, worst ${figure(worst)} ${unit} of ${n}`
  const beside = floor === null ? '' : `; ${(p95 / floor).toFixed(2)} × a plain page's ${figure(floor)}`
  return `${what.padEnd(58)} ${figures}${goal === null ? '' : `, goal ${goal}`}${beside}${note === '' ? '' : `; ${note}`}`
}

/** What was promised and whether it is kept: the broken and the closest first. */
export function tableOf(measures: readonly RoomMeasure[], most = 40): string {
  const promised = measures.filter(({ goal }) => goal !== null).toSorted((a, b) => b.p95 / b.goal! - a.p95 / a.goal!)
  if (promised.length === 0) return ''
  const rows = promised
    .slice(0, most)
    .map((each) => [each.what, `${figure(each.p95)} ${each.unit}`, `${each.goal} ${each.unit}`, each.floor === null ? '' : `${(each.p95 / each.floor).toFixed(2)} ×`, isKept(each) ? 'kept' : 'NOT KEPT'])
  const all = [['promised', 'p95', 'at most', 'of a plain page', ''], ...rows]
  const widths = all[0]!.map((_, i) => Math.max(...all.map((row) => row[i]!.length)))
  const lines = all.map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
  return [...lines, `${promised.filter(isKept).length} of ${promised.length} promises are kept`].join('\n')
}

const figure = (value: number): string => (Math.abs(value) >= 1000 ? value.toFixed(0) : value.toFixed(1))
