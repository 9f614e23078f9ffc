// Laws of attribution. On a linear score every map is known with a pencil; on a curved one integrated gradients add up to what the
// input adds, the gradient is the slope, and covering nothing changes nothing.

import * as tf from '@tensorflow/tfjs'
import { describe, expect, it } from 'vitest'
import type { Score } from '../../../../src-main/engine/evaluate/maps/answer-score.ts'
import { gaussLegendre, gradCam, gradientMagnitude, integratedGradients, occlusion } from '../../../../src-main/engine/evaluate/maps/attribution.ts'
import { expectClose } from '../../../support/all-close.ts'
import { aTensor } from '../../../support/finite-differences.ts'
import { expectNoLeak } from '../../../support/no-leak.ts'

const [N, W] = [4, 3]
const slope = aTensor([1, N, W], 'slope')
/** Σ slope·x: the gradient is the slope, everywhere. */
const linear: Score = (x) => tf.sum(tf.mul(x, slope), [1, 2]) as tf.Tensor1D
/** Curved in every direction, and each part with every other. */
const curved: Score = (x) => tf.tanh(tf.sum(tf.mul(tf.square(tf.add(x, 0.3)), slope), [1, 2])) as tf.Tensor1D
const grid = { rows: 2, columns: 2 }
const rowsOf = (tensor: tf.Tensor) => tensor.arraySync() as number[][]

describe('on a linear score', () => {
  const input = aTensor([N, W], 'input') as tf.Tensor2D
  const [slopes, values] = [(slope.arraySync() as number[][][])[0]!, rowsOf(input)]
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, each, i) => sum + each * b[i]!, 0)

  it("the gradient's size is that of the slope, whatever the input and however many items", () => {
    const maps = expectNoLeak(() => tf.tidy(() => gradientMagnitude(linear, tf.stack([input, tf.neg(input)])) as never)) as unknown as Float64Array[]
    const expected = slopes.map((row) => row.reduce((sum, each) => sum + Math.abs(each), 0))
    for (const map of maps) expectClose(map, expected, 1e-6)
  })

  it('integrated gradients are slope times way, exactly, with the fewest points', () => {
    const baseline = aTensor([N, W], 'baseline')
    const { map, from, to, points } = expectNoLeak(() => integratedGradients(linear, input, baseline))
    expectClose(map, slopes.map((row, i) => dot(row, values[i]!) - dot(row, rowsOf(baseline)[i]!)), 1e-5)
    expect(map.reduce((a, b) => a + b, 0)).toBeCloseTo(to - from, 5)
    expect(points).toBe(8)
  })

  it('occlusion takes away what the covered patch gives, and covering with itself nothing', () => {
    const cover = tf.zeros([W])
    expectClose(expectNoLeak(() => occlusion(linear, input, cover, grid, 1)), slopes.map((row, i) => dot(row, values[i]!)), 1e-5)
    const alike = tf.tile(tf.slice(input, [1, 0], [1, W]), [N, 1])
    expectClose(occlusion(linear, alike, tf.reshape(tf.slice(input, [1, 0], [1, W]), [W]), grid, 1), new Float64Array(N), 1e-6)
  })

  it('a square covers its patches together, and each patch gets the fall of the squares that cover it', () => {
    const whole = values.reduce((sum, row, i) => sum + dot(slopes[i]!, row), 0)
    expectClose(occlusion(linear, input, tf.zeros([W]), grid, 2), new Float64Array(N).fill(whole), 1e-5)
    // Three patches in a row under squares of two: the second square is pushed back, and the middle patch is in both.
    const three = tf.slice(input, [0, 0], [3, W])
    const ofThree: Score = (x) => tf.sum(tf.mul(x, tf.slice(slope, [0, 0, 0], [1, 3, W])), [1, 2]) as tf.Tensor1D
    const [a, b, c] = [0, 1, 2].map((i) => dot(slopes[i]!, values[i]!)) as [number, number, number]
    expectClose(occlusion(ofThree, three, tf.zeros([W]), { rows: 1, columns: 3 }, 2), [a + b, (a + 2 * b + c) / 2, b + c], 1e-5)
  })

  it('Grad-CAM weighs channels by their mean slope over the mapped tokens and keeps what is positive', () => {
    for (const mapped of [0, 1]) {
      const kept = slopes.slice(mapped)
      const alpha = [0, 1, 2].map((d) => kept.reduce((sum, row) => sum + row[d]!, 0) / kept.length)
      const [map] = expectNoLeak(() => tf.tidy(() => gradCam(linear, tf.reshape(input, [1, N, W]), mapped) as never)) as unknown as Float64Array[]
      expectClose(map!, values.slice(mapped).map((row) => Math.max(0, dot(alpha, row))), 1e-5)
    }
  })
})

describe('on a curved score', () => {
  it('the gradient is the slope of the score itself', () => {
    const x = aTensor([1, N, W], 'x', 0.3)
    const step = 1e-2
    const expected = Array.from({ length: N }, (_, n) =>
      Array.from({ length: W }, (_, w) => {
        const along = tf.tensor3d(Float32Array.from({ length: N * W }, (_, i) => (i === n * W + w ? step : 0)), [1, N, W])
        const at = (sign: number) => curved(tf.add(x, tf.mul(along, sign))).dataSync()[0]!
        return Math.abs((at(1) - at(-1)) / (2 * step))
      }).reduce((a, b) => a + b),
    )
    expectClose(gradientMagnitude(curved, x)[0]!, expected, 3e-3)
  })

  it('integrated gradients add up to what the input adds', () => {
    for (const seed of ['a', 'b', 'c', 'd']) {
      const { map, from, to } = integratedGradients(curved, aTensor([N, W], seed), tf.zeros([N, W]), 3)
      const sizes = map.reduce((a, b) => a + Math.abs(b), 0)
      expect(Math.abs(map.reduce((a, b) => a + b, 0) - (to - from))).toBeLessThanOrEqual(0.02 * Math.abs(to - from) + 0.01 * sizes)
    }
  })

  it('where input and baseline are the same nothing is attributed', () => {
    const x = aTensor([N, W], 'same')
    expect(integratedGradients(curved, x, x).map).toEqual(new Float64Array(N))
  })
})

it('Gauss–Legendre points integrate polynomials of degree 2·n − 1 exactly', () => {
  for (const n of [1, 2, 5, 16]) {
    const { nodes, weights } = gaussLegendre(n)
    for (let power = 0; power < 2 * n; power++)
      expect(nodes.reduce((sum, x, i) => sum + weights[i]! * x ** power, 0)).toBeCloseTo(1 / (power + 1), 12)
  }
})
