// The map of points: what is shown is where it belongs, and what is met by the pointer is what lies there.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isInside } from '../../../src-main/domain/feature-map.ts'
import { createRandom } from '../../../src-main/domain/random.ts'
import { colourPoints, extentOf, toldApart } from '../../../src-renderer/rooms/data/map-colours.ts'
import { createPointIndex, dotRadius, fitted, packed, paintPoints, toMap, zoomed, type Painting } from '../../../src-renderer/rooms/data/map-view.ts'

const random = createRandom(0, 'map')
const some = (n: number) => ({ x: Array.from({ length: n }, () => random.normal()), y: Array.from({ length: n }, () => 3 * random.normal()) })

describe('the view', () => {
  it('fits every point into the frame', () => {
    for (const places of [some(1), some(2), some(500), { x: [7, 7], y: [2, 2] }]) {
      const { scale, left, top } = fitted(places, 800, 500)
      for (let i = 0; i < places.x.length; i++) {
        const [px, py] = [left + scale * places.x[i]!, top - scale * places.y[i]!]
        expect(px >= 0 && px <= 800 && py >= 0 && py <= 500).toBe(true)
      }
    }
  })

  it('keeps what is under the pointer there, however often it is zoomed', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.2, max: 5, noNaN: true }), fc.integer({ min: 0, max: 800 }), fc.integer({ min: 0, max: 500 }), (factor, x, y) => {
        const view = { scale: 40, left: 300, top: 200 }
        const [before, after] = [toMap(view, [x, y]), toMap(zoomed(view, factor, [x, y]), [x, y])]
        expect(after[0]).toBeCloseTo(before[0], 9)
        expect(after[1]).toBeCloseTo(before[1], 9)
      }),
      { seed: 1 },
    )
  })
})

describe('the index', () => {
  it('meets the nearest point within reach and no other', () => {
    const places = some(400)
    const index = createPointIndex(places)
    for (let trial = 0; trial < 200; trial++) {
      const [px, py, radius] = [1.5 * random.normal(), 4 * random.normal(), 0.5 * random.uniform()]
      const distances = places.x.map((x, i) => Math.hypot(x - px, places.y[i]! - py))
      const least = Math.min(...distances)
      expect(index.nearest(px, py, radius)).toBe(least <= radius ? distances.indexOf(least) : -1)
    }
  })

  it('finds inside a line what looking at every point finds, and nothing among no points', () => {
    const places = some(400)
    const index = createPointIndex(places)
    const outline = [[-1, -2], [1.5, -3], [0.3, 0.5], [1, 4], [-2, 2]] as const
    const expected = places.x.flatMap((x, i) => (isInside(outline, x, places.y[i]!) ? [i] : []))
    expect(index.inside(outline).toSorted((a, b) => a - b)).toEqual(expected)
    expect(expected.length).toBeGreaterThan(20)
    const none = createPointIndex({ x: [], y: [] })
    expect([none.nearest(0, 0, 9), none.inside(outline)]).toEqual([-1, []])
  })
})

describe('the picture', () => {
  const [ground, faint, rim] = [packed([255, 255, 255]), packed([200, 200, 200]), packed([0, 0, 0])]
  const paint = (more: Partial<Painting>) => {
    const painting: Painting = {
      places: { x: [0, 5], y: [0, 5] },
      view: { scale: 10, left: 20, top: 80 },
      width: 100,
      height: 100,
      colours: Uint32Array.of(packed([255, 0, 0]), packed([0, 0, 255])),
      isFaint: null,
      faint,
      ground,
      marked: [],
      rim,
      ...more,
    }
    const pixels = new Uint32Array(painting.width * painting.height)
    paintPoints(pixels, painting)
    return (x: number, y: number) => pixels[y * painting.width + x]
  }

  it('has a dot of its colour where each point falls, up on the map being up on the screen, and ground elsewhere', () => {
    const at = paint({})
    expect([at(20, 80), at(70, 30), at(50, 50)]).toEqual([packed([255, 0, 0]), packed([0, 0, 255]), ground])
  })

  it('puts faint points below the others, and marked ones above with a rim', () => {
    const together = { x: [0, 0], y: [0, 0] }
    expect(paint({ places: together, isFaint: Uint8Array.of(0, 1) })(20, 80)).toBe(packed([255, 0, 0]))
    expect(paint({ isFaint: Uint8Array.of(1, 0) })(20, 80)).toBe(faint)
    const at = paint({ places: together, marked: [0] })
    expect([at(20, 80), at(20 + Math.floor(dotRadius(2)) + 3, 80)]).toEqual([packed([255, 0, 0]), rim])
  })

  it('writes nothing outside of the frame, however points lie over its edges', () => {
    for (const [x, y] of [[-2, 8], [8, 8.1], [-2.1, -2], [3, 80], [1e9, -1e9]] as const) expect(() => paint({ places: { x: [x, x], y: [y, y] }, marked: [0, 1] })).not.toThrow()
    // A dot beyond the right edge does not come in again at the left of the next line.
    const at = paint({ places: { x: [8.05, 8.05], y: [4, 4] } })
    for (let y = 0; y < 100; y++) expect(at(0, y)).toBe(ground)
  })
})

describe('colours', () => {
  const palette = [[1, 0, 0], [2, 0, 0]] as const
  const rest = [9, 9, 9] as const

  it('tell the most frequent classes apart, or those that were chosen', () => {
    expect([...toldApart(4, [], 2)]).toEqual([0, 1, -1, -1])
    expect([...toldApart(4, [3, 1], 2)]).toEqual([1 - 2, 1, -1, 0])
  })

  it('follow the row and not the place: a point whose value is missing gets none of another', () => {
    const values = { kind: 'classes', rows: [10, 30], names: ['a', 'b'], of: [1, 0] } as const
    expect([...colourPoints(Uint32Array.of(10, 20, 30), { ...values, rows: Uint32Array.of(10, 30), names: ['a', 'b'], of: Int32Array.of(1, 0) }, [], palette, rest)]).toEqual([packed([2, 0, 0]), packed(rest), packed([1, 0, 0])])
  })

  it('of amounts run from the least to the greatest; what is not known has none', () => {
    expect(extentOf(Float64Array.of(3, NaN, -1))).toEqual([-1, 3])
    expect(extentOf(Float64Array.of(NaN))).toEqual([0, 0])
    const colours = colourPoints(Uint32Array.of(1, 2, 3), { kind: 'amounts', rows: Uint32Array.of(1, 2, 3), of: Float64Array.of(0, NaN, 1) }, [], palette, rest)
    expect(colours[1]).toBe(packed(rest))
    expect(colours[0]).not.toBe(colours[2])
  })
})
