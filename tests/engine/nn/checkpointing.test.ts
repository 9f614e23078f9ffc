// Gradient checkpointing: the same numbers with less kept between the forward and the backward pass.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, expect, it } from 'vitest'
import { checkpointed } from '../../../src-main/engine/nn/checkpointing.ts'
import { gradients } from '../../../src-main/engine/nn/gradients.ts'
import { linear } from '../../../src-main/engine/nn/linear.ts'
import { layerNorm } from '../../../src-main/engine/nn/norm.ts'
import type { Weights } from '../../../src-main/engine/shapes.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { aTensor } from '../../support/finite-differences.ts'
import { expectNoLeak } from '../../support/no-leak.ts'

beforeAll(() => openBackend('native'))

const weights: () => Weights = () => ({
  'norm.weight': aTensor([8], 'gamma'),
  'norm.bias': aTensor([8], 'beta'),
  'up.weight': aTensor([16, 8], 'up'),
  'up.bias': aTensor([16], 'up bias'),
  'down.weight': aTensor([8, 16], 'down'),
})

function block(held: Weights, x: tf.Tensor, [scale]: readonly tf.Tensor[]): tf.Tensor {
  const inner = tf.tanh(linear(held, 'up', layerNorm(held, 'norm', x, 1e-5)))
  return tf.add(x, tf.mul(linear(held, 'down', inner), scale!))
}

/** Two blocks that share their weights, so that gradients of both meet. */
function through(isCheckpointed: boolean, held: Weights, x: tf.Tensor, scale: tf.Tensor): tf.Tensor {
  const once = (input: tf.Tensor) => (isCheckpointed ? checkpointed(block, held, input, [scale]) : block(held, input, [scale]))
  return tf.sum(tf.square(once(once(x))))
}

it('gives the same value and the same gradients, bit for bit', () => {
  const held = weights()
  const [x, scale] = [aTensor([3, 8], 'x'), tf.scalar(0.5)]
  const xs = [x, ...Object.values(held)]
  const [plain, saved] = [false, true].map((each) => gradients(() => through(each, held, x, scale), xs))
  expect(saved!.value.dataSync()).toEqual(plain!.value.dataSync())
  saved!.gradients.forEach((gradient, i) => expect(gradient.dataSync(), `gradient ${i}`).toEqual(plain!.gradients[i]!.dataSync()))
  expect(Math.abs(saved!.gradients[1]!.dataSync()[0]!)).toBeGreaterThan(0)
})

it('works under tf.grads too, and where nothing is recorded', () => {
  const held = weights()
  const [x, scale] = [aTensor([3, 8], 'x'), tf.scalar(0.5)]
  const slope = (isCheckpointed: boolean) => tf.grad((input: tf.Tensor) => through(isCheckpointed, held, input, scale))(x)
  expect(slope(true).dataSync()).toEqual(slope(false).dataSync())
  expect(checkpointed(block, held, x, [scale]).dataSync()).toEqual(block(held, x, [scale]).dataSync())
})

it('keeps fewer tensors between the passes and leaves none behind', () => {
  const held = weights()
  const [x, scale] = [aTensor([3, 8], 'x'), tf.scalar(0.5)]
  const keptWhileRecording = (isCheckpointed: boolean): number => {
    let kept = 0
    const before = tf.memory().numTensors
    const { value, gradients: found } = expectNoLeak(
      () =>
        gradients(() => {
          const y = tf.tidy(() => through(isCheckpointed, held, x, scale))
          kept = tf.memory().numTensors - before
          return y
        }, [x]),
      2,
    )
    tf.dispose([value, ...found])
    return kept
  }
  expect(keptWhileRecording(true)).toBeLessThan(keptWhileRecording(false))
})
