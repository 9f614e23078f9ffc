// A gradient against the slope of the function itself. Values are float32, so a step of 1e-2 balances rounding (about
// 1e-7 of the value over the step) against curvature (the step squared); a wrong formula is off by far more than both.

import * as tf from '@tensorflow/tfjs'
import { expect } from 'vitest'
import { createRandom } from '../../src-main/domain/random.ts'
import { expectClose } from './all-close.ts'

const STEP = 1e-2
/** Of the largest slope: three times the worst that the two errors above amount to on inputs near one. */
const TOLERANCE = 3e-3

export type Differentiable = (...xs: tf.Tensor[]) => tf.Tensor

/** Standard normal deviates times `scale`. The caller disposes. */
export function aTensor(shape: readonly number[], seed: number | string, scale = 1): tf.Tensor {
  const random = createRandom(0, 'a tensor', seed)
  const size = shape.reduce((product, each) => product * each, 1)
  return tf.tensor(
    Float32Array.from({ length: size }, () => scale * random.normal()),
    [...shape],
  )
}

/** The gradient that the tape gives of Σ w·f(xs), w fixed and of every sign, so that no error cancels. */
export function tapeGradients(f: Differentiable, xs: readonly tf.Tensor[]): tf.Tensor[] {
  return tf.tidy(() => {
    const w = weightsLike(f(...xs))
    return tf.grads((...held: tf.Tensor[]) => tf.sum(tf.mul(f(...held), w)))([...xs])
  })
}

/**
 * Checks the tape's gradient of f by each x against central differences: by every element, or along `directions` random
 * ones where there are too many elements.
 */
export function expectSlopes(f: Differentiable, xs: readonly tf.Tensor[], directions?: number): void {
  const gradients = tapeGradients(f, xs)
  const w = tf.tidy(() => weightsLike(f(...xs)).dataSync())
  const total = (held: readonly tf.Tensor[]): number => {
    const values = tf.tidy(() => f(...held).dataSync()) as Float32Array
    return values.reduce((sum, value, i) => sum + value * w[i]!, 0)
  }
  xs.forEach((x, which) => {
    const values = x.dataSync() as Float32Array
    const gradient = gradients[which]!.dataSync() as Float32Array
    const movedBy = (direction: Float32Array, by: number): Float32Array => values.map((value, i) => value + by * direction[i]!)
    const pairs = Array.from({ length: directions ?? values.length }, (_, i) => {
      const direction =
        directions === undefined ? values.map((_value, j) => (i === j ? 1 : 0)) : unitVector(values.length, `${which} ${i}`)
      const [up, down] = [movedBy(direction, STEP), movedBy(direction, -STEP)]
      const [above, below] = [up, down].map((moved) =>
        tf.tidy(() => total(xs.map((held, j) => (j === which ? tf.tensor(moved, x.shape) : held)))),
      )
      // The step that was taken, after rounding to float32; the gradient along it.
      const expected = gradient.reduce((sum, each, j) => sum + each * (up[j]! - down[j]!), 0)
      return { found: expected / (2 * STEP), slope: (above! - below!) / (2 * STEP) }
    })
    const largest = Math.max(...pairs.map(({ slope }) => Math.abs(slope)))
    expect(largest, `x${which}: f depends on it`).toBeGreaterThan(0)
    expectClose(
      pairs.map(({ found }) => found / largest),
      pairs.map(({ slope }) => slope / largest),
      TOLERANCE,
      `gradient by x${which}`,
    )
  })
  tf.dispose(gradients)
}

function unitVector(length: number, seed: string): Float32Array {
  const random = createRandom(0, 'direction', seed)
  const values = Float32Array.from({ length }, () => random.normal())
  const norm = Math.hypot(...values)
  return values.map((value) => value / norm)
}

/** Two forms of one function: equal values and equal gradients, up to the rounding of float32. */
export function expectSameFunction(
  found: Differentiable,
  expected: Differentiable,
  xs: readonly tf.Tensor[],
  tolerance = 2e-6,
): void {
  tf.tidy(() => {
    expectClose(found(...xs), expected(...xs), tolerance, 'value')
    const [a, b] = [tapeGradients(found, xs), tapeGradients(expected, xs)]
    // Sums over many elements: rounding grows with their number.
    xs.forEach((_, i) => expectClose(a[i]!, b[i]!, 5 * tolerance, `gradient by x${i}`))
  })
}

function weightsLike(y: tf.Tensor): tf.Tensor {
  return aTensor(y.shape, 'cotangent')
}
