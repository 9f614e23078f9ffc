import fc from 'fast-check'
import { expect, it } from 'vitest'
import { emptyFilter } from '../../../src-renderer/rooms/data/sample-filters.ts'
import {
  countSelected,
  extend,
  follow,
  isSelected,
  moveBy,
  nothingSelected,
  pick,
  selectAll,
  selectionFor,
  toggle,
} from '../../../src-renderer/rooms/data/sample-selection.ts'

const order = [40, 10, 30, 20, 50]
const selectedOf = (selection: typeof nothingSelected, rows: readonly number[] = order) => rows.filter((row) => isSelected(selection, row))

it('Shift selects from the anchor to where one is, in either direction, and forgets the range before', () => {
  const at = pick(order, 2)
  expect(selectedOf(extend(at, order, 4))).toEqual([30, 20, 50])
  expect(selectedOf(extend(extend(at, order, 4), order, 0))).toEqual([40, 10, 30])
})

it('all but some is sent as the filter with exceptions, some as their rows', () => {
  const filter = emptyFilter('mine')
  const most = toggle(selectAll(nothingSelected), order, 1)
  expect(selectedOf(most)).toEqual([40, 30, 20, 50])
  expect(countSelected(most, order.length)).toBe(4)
  expect(selectionFor(most, filter)).toEqual({ kind: 'filter', filter, except: [10] })
  expect(selectionFor(pick(order, 0), filter)).toEqual({ kind: 'rows', rows: [40] })
})

it('toggling twice leaves a selection as it was, whatever was selected', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(4)), fc.boolean(), fc.nat(4), (places, all, place) => {
      const before = { ...nothingSelected, all, marked: new Set(places.map((each) => order[each]!)) }
      expect(selectedOf(toggle(toggle(before, order, place), order, place))).toEqual(selectedOf(before))
    }),
  )
})

it('what left the list is no longer selected, and one stands on the same sample', () => {
  const before = extend(pick(order, 1), order, 3)
  const after = follow(before, order, [50, 20, 10])
  expect(selectedOf(after, [50, 20, 10])).toEqual([20, 10])
  expect(after.current).toBe(1)
  expect(after.marked.has(30)).toBe(false)
  expect(follow(before, order, []).current).toBe(-1)
})

it('keys stay within the grid, and lines are kept at its edges', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End'),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 12 }),
      fc.nat(199),
      (key, total, columns, from) => {
        const place = from % total
        const next = moveBy(key, place, total, columns, 3)!
        expect(next).toBeGreaterThanOrEqual(0)
        expect(next).toBeLessThan(total)
        if (/Up|Down/.test(key) && key.startsWith('Arrow')) expect(Math.abs(next - place) % columns).toBe(0)
      },
    ),
  )
  expect(moveBy('x', 0, 5, 2, 1)).toBeNull()
  expect(moveBy('End', -1, 0, 2, 1)).toBeNull()
})

it('a place whose row is not known yet is not selected', () => {
  const beginning = Uint32Array.of(40, 10, 0, 0)
  expect([...extend(pick(beginning, 1), beginning, 3).marked]).toEqual([10])
  expect(toggle(pick(beginning, 0), beginning, 2)).toEqual(pick(beginning, 0))
})
