// Rotary positions: a rotation of pairs, whose gradient is the rotation back.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { rotaryAngles, rotaryFrequencies, rotate, type RotaryAngles } from '../../../src-main/engine/nn/rotary.ts'
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

describe('scaled frequencies', () => {
  const [width, theta] = [16, 10000]
  const plain = rotaryFrequencies(width, theta, { kind: 'default' })
  const llama3 = { kind: 'llama3', factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 64 } as const
  const yarn = {
    kind: 'yarn',
    factor: 4,
    originalMaxPositionEmbeddings: 64,
    attentionFactor: null,
    betaFast: 32,
    betaSlow: 1,
    mscale: null,
    mscaleAllDim: null,
    truncate: true,
  } as const

  it('linear: every position counts a factor less', () => {
    expectClose(
      rotaryFrequencies(width, theta, { kind: 'linear', factor: 4 }),
      plain.map((each) => each / 4),
      1e-7,
    )
    const angles = rotaryAngles(tf.tensor2d([[8]], [1, 1], 'int32'), width, theta, { kind: 'linear', factor: 4 })
    expectClose(angles.cos, anglesAt([[2]], width).cos, 1e-6)
  })

  it('llama3 and yarn keep fast frequencies, divide slow ones, and never leave that range between', () => {
    for (const scaling of [llama3, yarn]) {
      const found = rotaryFrequencies(width, theta, scaling)
      expect(found[0]).toBe(plain[0])
      expectClose(found.subarray(-1), [plain.at(-1)! / scaling.factor], 1e-9)
      found.forEach((each, i) => {
        expect(each).toBeLessThanOrEqual(plain[i]!)
        expect(each).toBeGreaterThanOrEqual(Math.fround(plain[i]! / scaling.factor) * (1 - 1e-6))
      })
    }
    // Two turns over the trained length lie a third of the way from one turn to four: 2/3·f/8 + 1/3·f = 5/12·f.
    const [turning] = rotaryFrequencies(2, theta, { ...llama3, originalMaxPositionEmbeddings: 4 * Math.PI })
    expect(turning).toBeCloseTo(5 / 12, 6)
  })

  it('yarn lengthens queries and keys by 0.1·ln(factor) + 1, and its gradient is still exact', () => {
    const x = aTensor([1, 1, 2, width], 'x')
    const angles = rotaryAngles(tf.tensor2d([[3, 70]], [1, 2], 'int32'), width, theta, yarn)
    expectClose(tf.norm(rotate(x, angles)), [(0.1 * Math.log(4) + 1) * tf.norm(x).dataSync()[0]!], 1e-6)
    expectSameFunction((each) => rotate(each!, angles), composed(angles), [x])
  })

  it('dynamic changes nothing up to the trained length, and stretches the base beyond it by that length', () => {
    const scaling = { kind: 'dynamic', factor: 2, originalMaxPositionEmbeddings: 8 } as const
    const at = (positions: number[]) => rotaryAngles(tf.tensor2d([positions], undefined, 'int32'), width, theta, scaling)
    expectClose(at([0, 3, 7]).cos, anglesAt([[0, 3, 7]], width).cos, 1e-6)
    // 16 positions for 8: the base times (2·16/8 − 1)^(16/14) = 3^(8/7).
    const stretched = rotaryAngles(tf.tensor2d([[15]], undefined, 'int32'), width, theta * 3 ** (8 / 7))
    expectClose(at([15]).cos, stretched.cos, 1e-5)
    expectClose(at([15]).signedSin, stretched.signedSin, 1e-5)
  })
})
