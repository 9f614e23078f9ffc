// Log-probabilities of tokens: against the composed form, at extremes, and by what they must sum to.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, expect, it } from 'vitest'
import { answerLogProbs, entropyOf, tokenLogProbs } from '../../../src-main/engine/objectives/log-probs.ts'
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

const ids = () => tf.tensor1d([0, 4, 2], 'int32')
const written: Differentiable = (logits) => tokenLogProbs(logits as tf.Tensor2D, ids())
const composed: Differentiable = (logits) => tf.sum(tf.mul(tf.logSoftmax(logits!), tf.oneHot(ids(), logits!.shape[1]!)), -1)

it('is log softmax at the token, with its gradient', () => {
  expectSameFunction(written, composed, [aTensor([3, 7], 'logits')])
  expectSameFunction(written, composed, [aTensor([3, 7], 'logits', 10)])
})

it('agrees with finite differences', () => expectSlopes(written, [aTensor([3, 5], 'logits')]))

it('uniform logits give −ln V, whatever their height', () => {
  for (const height of [0, 100, -1000]) expectClose(written(tf.fill([3, 7], height)), new Array(3).fill(-Math.log(7)), 1e-4)
})

it('adding a number to all logits of a row changes nothing, and its gradient sums to nothing', () => {
  const logits = aTensor([3, 7], 'logits')
  expectClose(written(tf.add(logits, 50)), written(logits), 1e-5)
  expectClose(tf.sum(tapeGradients(written, [logits])[0]!, -1), [0, 0, 0], 1e-6)
})

it('is finite, value and gradient, at ±100 and ±1000, and never above zero', () => {
  for (const scale of [100, 1000]) {
    const logits = tf.mul(tf.sign(aTensor([3, 7], 'logits')), scale)
    expectFinite(written(logits))
    expect(Math.max(...written(logits).dataSync())).toBeLessThanOrEqual(0)
    expectFinite(tapeGradients(written, [logits])[0]!)
  }
})

it('keeps what is not a number in its own row', () => {
  const values = Float32Array.from(aTensor([3, 7], 'logits').dataSync())
  values[8] = Number.NaN
  expect(Array.from(written(tf.tensor2d(values, [3, 7])).dataSync(), Number.isNaN)).toEqual([false, true, false])
})

it('probabilities of all tokens sum to one', () => {
  const row = aTensor([1, 6], 'logits', 3)
  const all = tokenLogProbs(tf.tile(row, [6, 1]) as tf.Tensor2D, tf.range(0, 6, 1, 'int32'))
  expectClose(tf.sum(tf.exp(all)), [1], 1e-6)
})

it('an answer is the sum of its tokens, and of no masked one', () => {
  const tokens = tf.tensor1d([-1, -2, -4, -8, -16, -32])
  expect(
    Array.from(
      answerLogProbs(
        tokens,
        tf.tensor2d([
          [1, 1, 0],
          [0, 1, 1],
        ]),
      ).dataSync(),
    ),
  ).toEqual([-3, -48])
})

it('entropy is ln V for uniform logits, 0 for a certain one, and −Σ p·ln p between', () => {
  // p = (1/2, 1/4, 1/4): −½·ln ½ − 2·¼·ln ¼ = 1.5·ln 2
  const logits = tf.tensor2d([
    [7, 7, 7],
    [1000, 0, 0],
    [Math.log(2), 0, 0],
  ])
  expectClose(entropyOf(logits), [Math.log(3), 0, 1.5 * Math.LN2], 1e-6)
})

it('leaves nothing behind', () => {
  const logits = aTensor([3, 7], 'logits')
  const targets = ids()
  expectNoLeak(() => tf.dispose(tapeGradients((held) => tokenLogProbs(held as tf.Tensor2D, targets), [logits])))
})
