// Rotary positions: a rotation of pairs, whose gradient is the rotation back.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, expect, it } from 'vitest'
import { rotaryAngles, rotate, type RotaryAngles } from '../../../src-main/engine/nn/rotary.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { expectClose, expectFinite } from '../../support/all-close.ts'
import {
  aTensor,
  expectSameFunction,
  expectSlopes,
  tapeGradients,
  type Differentiable,
} from '../../support/finite-differences.ts'
import { expectNoLeak } from '../../support/no-leak.ts'

beforeAll(() => openBackend('native'))

const anglesAt = (positions: readonly (readonly number[])[], width: number) =>
  rotaryAngles(tf.tensor2d(positions as number[][], undefined, 'int32'), width, 10000)

/** Each pair (x_i, x_{i+d/2}) as a complex number, times e^{i·angle}. */
const composed =
  ({ cos, signedSin }: RotaryAngles): Differentiable =>
  (x) => {
    const [a, b] = tf.split(x!, 2, -1)
    const [c] = tf.split(cos, 2, -1)
    const [, s] = tf.split(signedSin, 2, -1)
    return tf.concat([tf.sub(tf.mul(a!, c!), tf.mul(b!, s!)), tf.add(tf.mul(a!, s!), tf.mul(b!, c!))], -1)
  }

it('is the rotation of pairs, with its gradient, for shared positions and for positions of each row', () => {
  for (const positions of [
    [[0, 1, 2]],
    [
      [0, 1, 2],
      [5, 6, 9],
    ],
  ]) {
    const angles = anglesAt(positions, 6)
    expectSameFunction((x) => rotate(x!, angles), composed(angles), [aTensor([2, 2, 3, 6], 'x')])
  }
})

it('agrees with finite differences', () => {
  const angles = anglesAt([[3, 4]], 4)
  expectSlopes((x) => rotate(x!, angles), [aTensor([1, 2, 2, 4], 'x')])
})

it('position p turns pair i by p·θ^(−2i/d), in the half-split order', () => {
  // d = 4: pairs (x0, x2) and (x1, x3); angles at p = 3 are 3 and 3·10000^(−1/2) = 0.03.
  const found = rotate(tf.tensor4d([[[[1, 0, 0, 2]]]]), anglesAt([[3]], 4))
  expectClose(found, [Math.cos(3), -2 * Math.sin(0.03), Math.sin(3), 2 * Math.cos(0.03)], 1e-6)
})

it('position 0 turns nothing, lengths stay, and scores depend on the distance alone', () => {
  const [q, k] = [aTensor([1, 1, 1, 8], 'q'), aTensor([1, 1, 1, 8], 'k')]
  expectClose(rotate(q, anglesAt([[0]], 8)), q, 1e-7)
  expectClose(tf.norm(rotate(q, anglesAt([[777]], 8))), tf.norm(q), 1e-6)
  const score = (at: number, from: number) => tf.sum(tf.mul(rotate(q, anglesAt([[at]], 8)), rotate(k, anglesAt([[from]], 8))))
  // Angles of positions near 100 carry a rounding of 100·2^-24.
  expectClose(score(103, 98), score(5, 0), 2e-5)
  expect(Math.abs(score(5, 0).dataSync()[0]! - score(6, 0).dataSync()[0]!)).toBeGreaterThan(1e-3)
})

it('is finite at position 131071 and values of ±1000, and leaves nothing behind', () => {
  const angles = anglesAt([[131071, 0]], 4)
  const x = aTensor([1, 1, 2, 4], 'x', 1000)
  expectFinite(rotate(x, angles))
  expectNoLeak(() => tf.dispose(tapeGradients((held) => rotate(held!, angles), [x])))
})
