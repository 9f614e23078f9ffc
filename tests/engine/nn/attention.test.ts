// Attention with its written gradient: against the composed form in plain operations, and by its symmetries.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { attention, mergeHeads, splitHeads } from '../../../src-main/engine/nn/attention.ts'
import { causalMask, paddingMask } from '../../../src-main/engine/models/language-model.ts'
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

/** Keys and values repeated for every query head of their group, then softmax(q·kᵀ/√d + mask)·v. */
function composed(mask: tf.Tensor | null): Differentiable {
  return (q, k, v) => {
    const [B, H, , d] = q!.shape as [number, number, number, number]
    const [, Hkv, S] = k!.shape as [number, number, number, number]
    const repeated = (x: tf.Tensor) => tf.reshape(tf.tile(tf.reshape(x, [B, Hkv, 1, S * d]), [1, 1, H / Hkv, 1]), [B, H, S, d])
    const scores = tf.div(tf.matMul(q!, repeated(k!), false, true), Math.sqrt(d))
    return tf.matMul(tf.softmax(mask === null ? scores : tf.add(scores, mask)), repeated(v!))
  }
}
const written =
  (mask: tf.Tensor | null): Differentiable =>
  (q, k, v) =>
    attention(q!, k!, v!, mask)

/** @param groups  query heads that share a key/value head */
function inputs(shape: Partial<Record<'B' | 'Hkv' | 'groups' | 'T' | 'S' | 'd', number>>, scale = 1): tf.Tensor[] {
  const { B = 2, Hkv = 2, groups = 1, T = 5, d = 4 } = shape
  const { S = T } = shape
  return [aTensor([B, Hkv * groups, T, d], 'q', scale), aTensor([B, Hkv, S, d], 'k', scale), aTensor([B, Hkv, S, d], 'v', scale)]
}

describe('attention is the composed form, with its gradients,', () => {
  for (const [name, T, S, heads] of [
    ['one key/value head a query head', 5, 5, {}],
    ['grouped heads', 5, 5, { groups: 3 }],
    ['one key/value head for all', 5, 5, { Hkv: 1, groups: 4 }],
    ['more keys than queries', 3, 7, { groups: 2 }],
  ] as const) {
    const shape = { T, S, ...heads }
    it(`${name}, no mask`, () => expectSameFunction(written(null), composed(null), inputs(shape)))
    it(`${name}, causal`, () => {
      // Queries that follow S − T earlier positions: the last rows of the square.
      const mask = causalMask(S).slice([S - T, 0], [T, S])
      expectSameFunction(written(mask), composed(mask), inputs(shape))
    })
    it(`${name}, padded`, () => {
      const real = tf.tensor2d(
        Array.from({ length: 2 }, (_, b) => Array.from({ length: S }, (_, s) => (s >= b ? 1 : 0))),
        [2, S],
      )
      const mask = paddingMask(real)
      expectSameFunction(written(mask), composed(mask), inputs(shape))
    })
  }
})

it('agrees with finite differences, with grouped heads and a mask', () => {
  expectSlopes(written(causalMask(3)), inputs({ B: 1, Hkv: 1, groups: 2, T: 3, d: 2 }))
})

it('permuting queries permutes the output; permuting keys with their values changes nothing', () => {
  const [q, k, v] = inputs({ groups: 2 }) as [tf.Tensor, tf.Tensor, tf.Tensor]
  const order = tf.tensor1d([3, 0, 4, 1, 2], 'int32')
  const permuted = (x: tf.Tensor) => tf.gather(x, order, 2)
  const before = attention(q, k, v, null)
  expectClose(attention(permuted(q), k, v, null), permuted(before), 1e-6)
  expectClose(attention(q, permuted(k), permuted(v), null), before, 1e-6)
  expect(tf.max(tf.abs(tf.sub(attention(q, permuted(k), v, null), before))).dataSync()[0]!).toBeGreaterThan(0.01)
})

it('under the causal mask a later token changes nothing earlier, bit for bit', () => {
  const [q, k, v] = inputs({ groups: 2 }) as [tf.Tensor, tf.Tensor, tf.Tensor]
  const disturb = (x: tf.Tensor) => tf.concat([tf.slice(x, [0, 0, 0, 0], [-1, -1, 4, -1]), tf.fill([2, x.shape[1]!, 1, 4], 7)], 2)
  const head = (x: tf.Tensor) => tf.slice(x, [0, 0, 0, 0], [-1, -1, 4, -1]).dataSync()
  const mask = causalMask(5)
  expect(head(attention(disturb(q), disturb(k), disturb(v), mask))).toEqual(head(attention(q, k, v, mask)))
})

it('is finite, value and gradient, at ±100 and ±1000', () => {
  for (const scale of [100, 1000]) {
    const xs = inputs({ groups: 2 }, scale)
    expectFinite(written(causalMask(5))(...xs))
    for (const gradient of tapeGradients(written(causalMask(5)), xs)) expectFinite(gradient, 'gradient')
  }
})

it('masked keys count for nothing: the output is that of the keys which are seen', () => {
  const [q, k, v] = inputs({ B: 1 }) as [tf.Tensor, tf.Tensor, tf.Tensor]
  const seen = (x: tf.Tensor) => tf.slice(x, [0, 0, 2, 0], [-1, -1, 3, -1])
  const mask = paddingMask(tf.tensor2d([[0, 0, 1, 1, 1]]))
  expectClose(attention(q, k, v, mask), attention(q, seen(k), seen(v), null), 1e-6)
})

it('what is not a number in one sequence stays in it', () => {
  const xs = inputs({}) as [tf.Tensor, tf.Tensor, tf.Tensor]
  const keys = Float32Array.from(xs[1].dataSync())
  keys[0] = Number.NaN
  const found = attention(xs[0], tf.tensor(keys, xs[1].shape), xs[2], null)
  const [first, second] = tf.unstack(found)
  expect(Array.from(tf.slice(first!, [0, 0, 0], [1, -1, -1]).dataSync()).every(Number.isNaN)).toBe(true)
  expectFinite(tf.slice(first!, [1, 0, 0], [1, -1, -1]))
  expectFinite(second!)
})

it('splitting into heads and merging is the identity', () => {
  const x = aTensor([2, 3, 8], 'x')
  expect(mergeHeads(splitHeads(x, 4)).dataSync()).toEqual(x.dataSync())
})

it('leaves nothing behind', () => {
  const xs = inputs({ groups: 2 })
  const mask = causalMask(5)
  expectNoLeak(() => tf.dispose(tapeGradients(written(mask), xs)))
})
