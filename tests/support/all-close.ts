// Whether numbers agree, with the largest deviation in the message.

import * as tf from '@tensorflow/tfjs'
import { expect } from 'vitest'

type Numbers = tf.Tensor | ArrayLike<number>

const valuesOf = (numbers: Numbers): ArrayLike<number> => (numbers instanceof tf.Tensor ? numbers.dataSync() : numbers)

/** Every |found − expected| ≤ tolerance · max(1, largest |expected|); not-a-number agrees with nothing. */
export function expectClose(found: Numbers, expected: Numbers, tolerance: number, name = 'values'): void {
  const [a, b] = [valuesOf(found), valuesOf(expected)]
  expect(a.length, `${name}: how many`).toBe(b.length)
  let [largest, worst] = [1, 0]
  for (let i = 0; i < b.length; i++) {
    largest = Math.max(largest, Math.abs(b[i]!))
    const deviation = Math.abs(a[i]! - b[i]!)
    worst = Number.isFinite(deviation) ? Math.max(worst, deviation) : Infinity
    if (worst === Infinity) break
  }
  expect(worst / largest, `${name}: largest deviation over the largest value`).toBeLessThanOrEqual(tolerance)
}

export function expectFinite(found: Numbers, name = 'values'): void {
  const values = Array.from(valuesOf(found))
  expect(
    values.findIndex((value) => !Number.isFinite(value)),
    `${name}: first that is not finite`,
  ).toBe(-1)
}
