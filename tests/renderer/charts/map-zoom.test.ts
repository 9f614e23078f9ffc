import fc from 'fast-check'
import { expect, it } from 'vitest'
import { MOST_ZOOM, panBy, toPicture, WHOLE, zoomAt } from '../../../src-renderer/charts/map-zoom.ts'

const share = fc.double({ min: 0, max: 1, noNaN: true })
const place = fc.record({ x: share, y: share })

it('leaves what is under the pointer where it is', () => {
  fc.assert(
    fc.property(place, fc.double({ min: 1, max: 4, noNaN: true }), (at, factor) => {
      const zoomed = zoomAt(WHOLE, factor, at)
      expect(toPicture(zoomed, at).x).toBeCloseTo(at.x, 9)
      expect(toPicture(zoomed, at).y).toBeCloseTo(at.y, 9)
    }),
  )
})

it('never shows what is beyond the edge, nor zooms out of the picture or in without end', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(place, fc.double({ min: 0.1, max: 10, noNaN: true }), place), { maxLength: 12 }), (moves) => {
      let zoom = WHOLE
      for (const [at, factor, by] of moves) zoom = panBy(zoomAt(zoom, factor, at), { x: by.x - 0.5, y: by.y - 0.5 })
      expect(zoom.scale).toBeGreaterThanOrEqual(1)
      expect(zoom.scale).toBeLessThanOrEqual(MOST_ZOOM)
      for (const corner of [{ x: 0, y: 0 }, { x: 1, y: 1 }]) {
        const seen = toPicture(zoom, corner)
        for (const at of [seen.x, seen.y]) {
          expect(at).toBeGreaterThanOrEqual(-1e-9)
          expect(at).toBeLessThanOrEqual(1 + 1e-9)
        }
      }
    }),
  )
})

it('follows the pointer by as much as it moved', () => {
  const zoomed = zoomAt(WHOLE, 4, { x: 0.5, y: 0.5 })
  const moved = panBy(zoomed, { x: 0.2, y: -0.1 })
  expect(toPicture(moved, { x: 0.7, y: 0.4 })).toEqual({
    x: expect.closeTo(toPicture(zoomed, { x: 0.5, y: 0.5 }).x, 9),
    y: expect.closeTo(toPicture(zoomed, { x: 0.5, y: 0.5 }).y, 9),
  })
})
