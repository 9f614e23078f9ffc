import { expect, it } from 'vitest'
import { smooth, type Point } from '../../../src-renderer/charts/smoothing.ts'

const points: readonly Point[] = [
  [1, 4],
  [2, 0],
  [3, 0],
]

it('gives the points back at strength zero', () => {
  expect(smooth(points, 0)).toBe(points)
})

it('begins at the first value and not at zero', () => {
  // m1 = 0.5·0 + 0.5·4 = 2, divided by 1 − 0.5 = 4; m2 = 1, divided by 0.75 = 4/3; m3 = 0.5, divided by 0.875 = 4/7.
  const values = smooth(points, 0.5).map(([, value]) => value)
  expect(values[0]).toBeCloseTo(4, 12)
  expect(values[1]).toBeCloseTo(4 / 3, 12)
  expect(values[2]).toBeCloseTo(4 / 7, 12)
})

it('leaves a constant as it is', () => {
  for (const [, value] of smooth(
    [
      [1, 7],
      [2, 7],
      [3, 7],
    ],
    0.98,
  ))
    expect(value).toBeCloseTo(7, 10)
})
