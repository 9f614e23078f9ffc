// Which samples of a list are selected: some, or all but some, so that selecting a hundred thousand costs nothing. It is
// walked as a file manager's list: a place one stands on, and an anchor from which Shift extends. A place whose row is not known
// yet holds UNKNOWN, and is not selected.

import type { Selection } from '../../../src-main/domain/curation.ts'
import type { SampleFilter } from '../../../src-main/domain/sample-query.ts'

/** Rows in order. */
export type SampleOrder = ArrayLike<number>
/** No sample has this row. */
export const UNKNOWN = 0

export interface SampleSelection {
  /** True: all but the marked ones are selected. */
  readonly all: boolean
  readonly marked: ReadonlySet<number>
  /** Places in the list; -1: nowhere yet. */
  readonly current: number
  readonly anchor: number
}

export const nothingSelected: SampleSelection = { all: false, marked: new Set(), current: -1, anchor: -1 }

export const isSelected = ({ all, marked }: SampleSelection, row: number): boolean => marked.has(row) !== all

export const countSelected = ({ all, marked }: SampleSelection, total: number): number => (all ? total - marked.size : marked.size)

/** Selects this place alone. */
export function pick(order: SampleOrder, place: number): SampleSelection {
  return { all: false, marked: rowsBetween(order, place, place), current: place, anchor: place }
}

/** Adds or takes away this place. */
export function toggle(selection: SampleSelection, order: SampleOrder, place: number): SampleSelection {
  if (order[place] === UNKNOWN) return selection
  const marked = new Set(selection.marked)
  if (!marked.delete(order[place]!)) marked.add(order[place]!)
  return { ...selection, marked, current: place, anchor: place }
}

/** Selects from the anchor to this place, and nothing else. */
export function extend({ anchor }: SampleSelection, order: SampleOrder, place: number): SampleSelection {
  const from = Math.max(0, anchor)
  return { all: false, marked: rowsBetween(order, Math.min(from, place), Math.max(from, place)), current: place, anchor: from }
}

/** Both ends belong to it. */
function rowsBetween(order: SampleOrder, from: number, to: number): ReadonlySet<number> {
  const rows = new Set<number>()
  for (let place = from; place <= to; place++) if (order[place] !== UNKNOWN) rows.add(order[place]!)
  return rows
}

export function selectAll(selection: SampleSelection): SampleSelection {
  return { ...selection, all: true, marked: new Set() }
}

/** Stands on the same samples in a list that changed; what is no longer in it is no longer selected. */
export function follow(selection: SampleSelection, before: SampleOrder, after: SampleOrder): SampleSelection {
  const { all, marked, current, anchor } = selection
  if (marked.size === 0 && current < 0 && anchor < 0) return selection
  const [currentRow, anchorRow] = [before[current], before[anchor]]
  const moved = { current: -1, anchor: -1 }
  const left = new Set<number>()
  for (let place = 0; place < after.length; place++) {
    const row = after[place]!
    if (marked.has(row)) left.add(row)
    if (row === currentRow) moved.current = place
    if (row === anchorRow) moved.anchor = place
  }
  const nearest = (place: number, found: number) => (place < 0 ? -1 : found >= 0 ? found : Math.min(place, after.length - 1))
  return { all, marked: left, current: nearest(current, moved.current), anchor: nearest(anchor, moved.anchor) }
}

/** The place that a key leads to in a grid of so many columns, `page` lines of it in sight; null: not a key that moves. */
export function moveBy(key: string, place: number, total: number, columns: number, page: number): number | null {
  const steps: Readonly<Record<string, number>> = {
    ArrowLeft: place - 1,
    ArrowRight: place + 1,
    ArrowUp: place - columns,
    ArrowDown: place + columns,
    PageUp: place - columns * page,
    PageDown: place + columns * page,
    Home: 0,
    End: total - 1,
  }
  const next = steps[key]
  if (next === undefined || total === 0) return null
  // Up from the first line and down from the last stay where they are instead of running along the line.
  if ((key === 'ArrowUp' && next < 0) || (key === 'ArrowDown' && next >= total)) return Math.max(0, place)
  return Math.min(total - 1, Math.max(0, next))
}

/** −1: not in it. */
export function placeOf(order: SampleOrder, row: number): number {
  for (let place = 0; place < order.length; place++) if (order[place] === row) return place
  return -1
}

/** What main is asked to change. */
export function selectionFor({ all, marked }: SampleSelection, filter: SampleFilter): Selection {
  return all ? { kind: 'filter', filter, except: [...marked] } : { kind: 'rows', rows: [...marked] }
}
