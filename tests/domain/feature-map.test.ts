// A line drawn around points: what is inside does not depend on where the line begins, which way it runs, or how it is moved.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { boundsOf, isInside, type Outline } from '../../src-main/domain/feature-map.ts'

const square: Outline = [[0, 0], [4, 0], [4, 4], [0, 4]]
const point = fc.tuple(fc.double({ min: -10, max: 10, noNaN: true }), fc.double({ min: -10, max: 10, noNaN: true }))
const line = fc.array(point, { minLength: 3, maxLength: 20 })

describe('a closed line', () => {
  it('holds what is inside and nothing outside, of a shape with a bay and of one that crosses itself', () => {
    expect([isInside(square, 2, 2), isInside(square, 5, 2), isInside(square, 2, -1)]).toEqual([true, false, false])
    const bay: Outline = [[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]]
    expect([isInside(bay, 2, 2), isInside(bay, 2, 0.5), isInside(bay, 0.5, 2)]).toEqual([false, true, true])
    // A pentagram drawn in one go: its middle is crossed twice.
    const star: Outline = [[0, 3], [2, -3], [-3, 1], [3, 1], [-2, -3]]
    expect([isInside(star, 0, 0), isInside(star, 0, 2)]).toEqual([false, true])
  })

  it('is the same wherever it begins and whichever way it runs', () => {
    fc.assert(
      fc.property(line, point, fc.nat(19), (outline, [x, y], turn) => {
        const at = turn % outline.length
        const turned = [...outline.slice(at), ...outline.slice(0, at)]
        expect(isInside(turned, x, y)).toBe(isInside(outline, x, y))
        // On an edge rounding decides, and may decide otherwise from the other end.
        const distance = Math.min(...outline.map((a, i) => awayFrom(a, outline[(i + 1) % outline.length]!, [x, y])))
        if (distance > 1e-9) expect(isInside(outline.toReversed(), x, y)).toBe(isInside(outline, x, y))
      }),
      { seed: 5 },
    )
  })

  it('holds nothing beyond its bounds', () => {
    fc.assert(
      fc.property(line, point, (outline, [x, y]) => {
        const { left, right, top, bottom } = boundsOf(outline)
        if (x < left || x > right || y < top || y > bottom) expect(isInside(outline, x, y)).toBe(false)
      }),
      { seed: 6 },
    )
  })

  it('may have more points than a call has arguments', () => {
    const circle = Array.from({ length: 300_000 }, (_, i) => [Math.cos(i), Math.sin(i) * 2] as const)
    const { left, right, top, bottom } = boundsOf(circle)
    for (const [found, expected] of [[left, -1], [right, 1], [top, -2], [bottom, 2]] as const) expect(found).toBeCloseTo(expected, 6)
  })
})

type Point = readonly [number, number]
function awayFrom([ax, ay]: Point, [bx, by]: Point, [x, y]: Point): number {
  const length = (bx - ax) ** 2 + (by - ay) ** 2
  const t = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length))
  return Math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay))
}
