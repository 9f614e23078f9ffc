// Which samples of a list are selected: some, or all but some, so that selecting a hundred thousand costs nothing. It is
// walked as a file manager's list: a place one stands on, and an anchor from which Shift extends.

import type { Selection } from '../../../src-main/domain/curation.ts'
import type { SampleFilter } from '../../../src-main/domain/sample-query.ts'

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
export function pick(order: readonly number[], place: number): SampleSelection {
  return { all: false, marked: new Set([order[place]!]), current: place, anchor: place }
}

/** Adds or takes away this place. */
export function toggle(selection: SampleSelection, order: readonly number[], place: number): SampleSelection {
  const marked = new Set(selection.marked)
  if (!marked.delete(order[place]!)) marked.add(order[place]!)
  return { ...selection, marked, current: place, anchor: place }
}

/** Selects from the anchor to this place, and nothing else. */
export function extend({ anchor }: SampleSelection, order: readonly number[], place: number): SampleSelection {
  const from = Math.max(0, anchor)
  return { all: false, marked: new Set(order.slice(Math.min(from, place), Math.max(from, place) + 1)), current: place, anchor: from }
}

export function selectAll(selection: SampleSelection): SampleSelection {
  return { ...selection, all: true, marked: new Set() }
}

/** Stands on the same samples in a list that changed; what is no longer in it is no longer selected. */
export function follow(selection: SampleSelection, before: readonly number[], after: readonly number[]): SampleSelection {
  const places = new Map(after.map((row, place) => [row, place]))
  const moved = (place: number) => (place < 0 ? -1 : (places.get(before[place]!) ?? Math.min(place, after.length - 1)))
  return {
    all: selection.all,
    marked: new Set([...selection.marked].filter((row) => places.has(row))),
    current: moved(selection.current),
    anchor: moved(selection.anchor),
  }
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

/** What main is asked to change. */
export function selectionFor({ all, marked }: SampleSelection, filter: SampleFilter): Selection {
  return all ? { kind: 'filter', filter, except: [...marked] } : { kind: 'rows', rows: [...marked] }
}
