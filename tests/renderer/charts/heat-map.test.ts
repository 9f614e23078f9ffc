import { expect, it } from 'vitest'
import { difference, viridis } from '../../../src-renderer/charts/colour-scales.ts'
import { largest, mapDifference, paintMap, relativeToEven, valueAt } from '../../../src-renderer/charts/heat-map.ts'

const map = { rows: 2, columns: 2, values: [1, 3, 0, 0] }

it('says an even map is 1 everywhere, whatever its size', () => {
  expect(relativeToEven({ rows: 2, columns: 2, values: [5, 5, 5, 5] }).values).toEqual([1, 1, 1, 1])
  expect(relativeToEven(map).values).toEqual([1, 3, 0, 0])
  expect(relativeToEven({ ...map, values: [0, 0, 0, 0] }).values).toEqual([0, 0, 0, 0])
})

it('agrees with viridis at its ends and in the middle', () => {
  const reference = [
    [0, [68, 1, 84]],
    [0.5, [33, 145, 140]],
    [1, [253, 231, 37]],
  ] as const
  for (const [t, expected] of reference)
    viridis(t).forEach((channel, index) => expect(Math.abs(channel - expected[index]!)).toBeLessThanOrEqual(4))
  expect(viridis(-3)).toEqual(viridis(0))
  expect(viridis(7)).toEqual(viridis(1))
})

it('is white where two maps agree and runs to each side’s colour', () => {
  const [low, high] = [
    [200, 80, 0],
    [0, 90, 200],
  ] as const
  expect(difference(0, low, high)).toEqual([255, 255, 255])
  expect(difference(-1, low, high)).toEqual(low)
  expect(difference(1, low, high)).toEqual(high)
})

it('shows every patch as a flat square on the raw grid', () => {
  expect([0.1, 0.9].map((x) => valueAt(map, x, 0.2, true))).toEqual([1, 1])
  expect(valueAt(map, 1.01, 0.2, true)).toBe(3)
})

it('interpolates between patch centres and does not invent values beyond the outer ones', () => {
  expect(valueAt(map, 0.5, 0.5, false)).toBe(1)
  expect(valueAt(map, 1, 0.5, false)).toBe(2)
  expect(valueAt(map, 1, 1, false)).toBe(1)
  expect(valueAt(map, 0, 0, false)).toBe(1)
})

it('paints the largest value in the last colour of the scale and leaves no pixel transparent', () => {
  const pixels = paintMap({ map, width: 2, height: 2, top: largest([map]), isRaw: true, scale: 'viridis' })
  expect([...pixels.slice(4, 7)]).toEqual([...viridis(1)])
  expect([3, 7, 11, 15].map((index) => pixels[index])).toEqual([255, 255, 255, 255])
})

it('puts several maps on the scale of the largest', () => {
  expect(largest([map, { ...map, values: [0, 0, 9, 0] }])).toBe(9)
  expect(largest([mapDifference(map, { ...map, values: [5, 3, 0, 0] })])).toBe(4)
})
