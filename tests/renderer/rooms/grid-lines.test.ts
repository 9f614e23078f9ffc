// Every line of a list of any length can be reached, and what is in sight is always drawn.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { contentHeight, firstDrawn, lineOfSlot, linesDrawn, offsetAt, scrollTopFor, type GridLines } from '../../../src-renderer/rooms/data/grid-lines.ts'

const BEYOND = 3
/** Up to a million lines of 362 pixels: ten times what a window can lay out. */
const grids = fc.record({ lines: fc.integer({ min: 1, max: 1_000_000 }), lineHeight: fc.integer({ min: 60, max: 362 }), height: fc.integer({ min: 200, max: 1400 }), padding: fc.constant(8) })
const lowest = (grid: GridLines) => Math.max(0, contentHeight(grid) - grid.height)
const drawnAt = (grid: GridLines, scrollTop: number) => {
  const drawn = linesDrawn(grid, BEYOND)
  const first = firstDrawn(grid, offsetAt(grid, scrollTop), BEYOND)
  return Array.from({ length: drawn }, (_, slot) => lineOfSlot(slot, first, drawn))
}

it('lays out no more than a window can, and a shorter list as it is', () => {
  fc.assert(
    fc.property(grids, (grid) => {
      const whole = grid.lines * grid.lineHeight + 2 * grid.padding
      expect(contentHeight(grid)).toBeLessThan(2 ** 25)
      if (whole < 30_000_000) expect([contentHeight(grid), offsetAt(grid, 137)]).toEqual([whole, 137])
    }),
  )
})

it('draws each line once, all in sight among them, at the top, at the bottom and between', () => {
  fc.assert(
    fc.property(grids, fc.double({ min: 0, max: 1, noNaN: true }), (grid, share) => {
      const scrollTop = share * lowest(grid)
      const offset = offsetAt(grid, scrollTop)
      const lines = drawnAt(grid, scrollTop).toSorted((a, b) => a - b)
      expect(new Set(lines).size).toBe(lines.length)
      const inSight = (y: number) => Math.min(grid.lines - 1, Math.max(0, Math.floor((y - grid.padding) / grid.lineHeight)))
      expect(lines[0]).toBeLessThanOrEqual(inSight(offset))
      expect(lines.at(-1)).toBeGreaterThanOrEqual(inSight(offset + grid.height - 1))
      expect(lines.at(-1)).toBeLessThan(grid.lines)
    }),
  )
})

it('a line keeps its slot while it is drawn', () => {
  const grid = { lines: 1000, lineHeight: 190, height: 800, padding: 8 }
  const [before, after] = [drawnAt(grid, 20_000), drawnAt(grid, 20_000 + 190)]
  expect(before.filter((line, slot) => after[slot] === line)).toHaveLength(before.length - 1)
})

it('brings any line into sight, and leaves one that is in sight where it is', () => {
  fc.assert(
    fc.property(grids, fc.nat(999_999), fc.double({ min: 0, max: 1, noNaN: true }), (grid, at, share) => {
      const line = at % grid.lines
      const moved = Math.min(lowest(grid), Math.max(0, scrollTopFor(grid, share * lowest(grid), line)))
      const top = grid.padding + line * grid.lineHeight - offsetAt(grid, moved)
      expect(top).toBeGreaterThanOrEqual(-1e-3 * grid.lineHeight)
      if (grid.lineHeight + grid.padding > grid.height) return
      expect(top + grid.lineHeight).toBeLessThanOrEqual(grid.height + 1e-3 * grid.lineHeight)
      expect(scrollTopFor(grid, moved, line)).toBeCloseTo(moved, 3)
    }),
  )
})
