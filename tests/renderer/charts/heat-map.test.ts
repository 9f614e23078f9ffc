import { expect, it } from 'vitest'
import { classColor, difference, FOR_AND_AGAINST, parseColor, viridis } from '../../../src-renderer/charts/colour-scales.ts'
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

it('compares grids that differ on the finer one: what is even in both has no difference', () => {
  const coarse = { rows: 1, columns: 1, values: [2] }
  const even = { rows: 3, columns: 2, values: [2, 2, 2, 2, 2, 2] }
  expect(mapDifference(even, coarse)).toEqual({ rows: 3, columns: 2, values: [0, 0, 0, 0, 0, 0] })
  expect(mapDifference(coarse, { ...even, values: even.values.map(() => 5) }).values.every((value) => value === -3)).toBe(true)
  // What is antisymmetric stays so.
  const [ab, ba] = [mapDifference(map, even), mapDifference(even, map)]
  ab.values.forEach((value, index) => expect(value).toBeCloseTo(-ba.values[index]!, 12))
})

it('paints colours as they are, and classes without anything between them', () => {
  const at = (pixels: Uint8ClampedArray, index: number) => [...pixels.slice(index * 4, index * 4 + 4)]
  const colours = { rows: 1, columns: 2, values: [1, 0, 0, 0, 0.5, 1] }
  const painted = paintMap({ map: colours, width: 2, height: 1, top: 1, isRaw: true, scale: 'colour' })
  expect([at(painted, 0), at(painted, 1)]).toEqual([[255, 0, 0, 255], [0, 128, 255, 255]])
  const classes = paintMap({ map: { rows: 1, columns: 2, values: [0, 7] }, width: 8, height: 1, top: 7, isRaw: false, scale: 'class' })
  const seen = new Set(Array.from({ length: 8 }, (_, index) => at(classes, index).slice(0, 3).join()))
  expect(seen).toEqual(new Set([classColor(0).join(), classColor(7).join()]))
})

it('gives sixty classes sixty colours', () => {
  expect(new Set(Array.from({ length: 60 }, (_, number) => classColor(number).join())).size).toBe(60)
})

it('begins viridis where the scale begins, and is white where nothing speaks for or against', () => {
  const flat = { rows: 1, columns: 1, values: [5] }
  const low = paintMap({ map: flat, width: 1, height: 1, bottom: 5, top: 9, isRaw: true, scale: 'viridis' })
  expect([...low.slice(0, 3)]).toEqual([...viridis(0)])
  const zero = paintMap({ map: { ...flat, values: [0] }, width: 1, height: 1, top: 1, isRaw: true, scale: 'difference', ends: FOR_AND_AGAINST })
  expect([...zero.slice(0, 3)]).toEqual([255, 255, 255])
})

it('reads colours as style sheets and computed styles write them', () => {
  expect(parseColor('#b4530a')).toEqual([180, 83, 10])
  expect(parseColor('rgb(180, 83, 10)')).toEqual([180, 83, 10])
})
