// Computes one expression on two backends of the same process: its value, and its gradient with respect to every input.
// The gradient is of the sum of the value times fixed random weights, so that no element's gradient can hide behind another's.

import * as tf from '@tensorflow/tfjs'
import { createRandom } from '../../../src-main/domain/random.ts'

export type Expression = (...inputs: tf.Tensor[]) => tf.Tensor

/** `away from zero`: magnitudes in [0.5, 2], either sign. `positive`: in [0.1, 3]. */
export type Draw = 'normal' | 'positive' | 'away from zero'

export interface Input {
  readonly shape: readonly number[]
  readonly draw?: Draw
}

export interface Outcome {
  readonly shape: readonly number[]
  readonly value: readonly number[]
  readonly gradients: readonly (readonly number[])[]
}

/** Leaves `backend` current. Throws when the expression leaks a tensor. */
export async function outcomeOn(
  backend: string,
  expression: Expression,
  inputs: readonly Input[],
  seed: number,
  withGradients = true,
): Promise<Outcome> {
  await tf.setBackend(backend)
  const before = tf.memory().numTensors
  const outcome = tf.tidy(() => {
    const tensors = inputs.map((input, i) => tf.tensor(draws(input, seed, i), [...input.shape]))
    const value = expression(...tensors)
    const result = { shape: value.shape, value: [...value.dataSync()] }
    if (!withGradients) return { ...result, gradients: [] }
    const weights = tf.tensor(draws({ shape: value.shape }, seed, 'weights'), value.shape)
    const gradients = tf.grads((...xs: tf.Tensor[]) => tf.sum(tf.mul(expression(...xs), weights)))(tensors)
    gradients.forEach((gradient, i) => {
      if (gradient.shape.join() !== inputs[i]!.shape.join())
        throw new Error(`gradient ${i} is [${gradient.shape}], its input [${inputs[i]!.shape}]`)
    })
    return { ...result, gradients: gradients.map((gradient) => [...gradient.dataSync()]) }
  })
  const leaked = tf.memory().numTensors - before
  if (leaked !== 0) throw new Error(`${leaked} tensors leaked on ${backend}`)
  return outcome
}

function draws({ shape, draw = 'normal' }: Input, seed: number, stream: number | string): Float32Array {
  const random = createRandom(seed, stream)
  return Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    if (draw === 'positive') return 0.1 + 2.9 * random.uniform()
    if (draw === 'away from zero') return (random.uniform() < 0.5 ? -1 : 1) * (0.5 + 1.5 * random.uniform())
    return random.normal()
  })
}

/** The largest difference between two outcomes, each relative to 1 plus the reference's largest magnitude. */
export function difference(found: Outcome, expected: Outcome): number {
  if (found.shape.join() !== expected.shape.join()) throw new Error(`found shape [${found.shape}], expected [${expected.shape}]`)
  return Math.max(
    relative(found.value, expected.value),
    ...found.gradients.map((gradient, i) => relative(gradient, expected.gradients[i]!)),
  )
}

function relative(found: readonly number[], expected: readonly number[]): number {
  if (found.length !== expected.length) throw new Error(`found ${found.length} numbers, expected ${expected.length}`)
  let scale = 1
  for (const x of expected) if (Number.isFinite(x)) scale = Math.max(scale, Math.abs(x))
  let worst = 0
  found.forEach((x, i) => {
    const reference = expected[i]!
    if (Object.is(x, reference) || x === reference) return
    const distance = Math.abs(x - reference) / scale
    worst = Math.max(worst, Number.isNaN(distance) ? Infinity : distance)
  })
  return worst
}
