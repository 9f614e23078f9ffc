// AdamW against the recurrence of its paper, written out in doubles.

import * as tf from '@tensorflow/tfjs'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Module } from '../../../src-main/domain/model-spec.ts'
import { adamWUpdate, clipCoefficient, globalNorm, type Trained } from '../../../src-main/engine/optim/adamw.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { expectClose } from '../../support/all-close.ts'
import { aTensor } from '../../support/finite-differences.ts'
import { expectNoLeak } from '../../support/no-leak.ts'

beforeAll(() => openBackend('native'))
afterEach(() => tf.disposeVariables())

const SETTINGS = { beta1: 0.9, beta2: 0.99, epsilon: 1e-6, weightDecay: 0.1 }
const RATES: Record<Module, number> = { visionEncoder: 1e-2, projector: 3e-2, languageModel: 0 }

function aWeight(module: Module, decays: boolean, seed: number): Trained {
  const variable = (values: tf.Tensor) => tf.variable(values)
  return {
    module,
    decays,
    weight: variable(aTensor([2, 3], seed)),
    first: variable(tf.zeros([2, 3])),
    second: variable(tf.zeros([2, 3])),
  }
}

function update(
  trained: readonly Trained[],
  gradients: readonly tf.Tensor[],
  step: number,
  { scale = 1, healthy = true, rates = RATES, settings = SETTINGS } = {},
) {
  tf.tidy(() =>
    adamWUpdate(
      trained,
      gradients,
      settings,
      {
        learningRates: {
          visionEncoder: tf.scalar(rates.visionEncoder),
          projector: tf.scalar(rates.projector),
          languageModel: tf.scalar(rates.languageModel),
        },
        correction1: tf.scalar(1 - settings.beta1 ** step),
        correction2: tf.scalar(1 - settings.beta2 ** step),
      },
      tf.scalar(scale),
      tf.scalar(healthy, 'bool') as tf.Scalar,
    ),
  )
}

/** PyTorch's AdamW of one number over several gradients, in doubles: the weight, and both moments, after each. */
function recurrence(w: number, gradients: readonly number[], rate: number, decays: boolean) {
  const { beta1, beta2, epsilon, weightDecay } = SETTINGS
  let [m, v] = [0, 0]
  return gradients.map((g, i) => {
    if (decays) w *= 1 - rate * weightDecay
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    const step = i + 1
    w -= (rate * (m / (1 - beta1 ** step))) / (Math.sqrt(v / (1 - beta2 ** step)) + epsilon)
    return { w, m, v }
  })
}

const bits = (trained: readonly Trained[]) =>
  trained.flatMap(({ weight, first, second }) =>
    [weight, first, second].map((each) => Buffer.from(Float32Array.from(each.dataSync()).buffer).toString('hex')),
  )

describe('three steps', () => {
  it('agree with the written recurrence to the digits of float32: decay, no decay, a rate of each module', () => {
    const trained = [
      aWeight('visionEncoder', true, 1),
      aWeight('visionEncoder', false, 2),
      aWeight('projector', true, 3),
      aWeight('languageModel', true, 4),
    ]
    const before = trained.map(({ weight }) => Array.from(weight.dataSync()))
    // The second gradient is as small as ε, where a misplaced ε shows.
    const gradients = [1, 1e-6, -3].map((size, step) => trained.map((_, i) => aTensor([2, 3], `gradient ${step} ${i}`, size)))
    const expected = trained.map(({ module, decays }, i) =>
      before[i]!.map((w, j) =>
        recurrence(
          w,
          gradients.map((each) => each[i]!.dataSync()[j]!),
          RATES[module],
          decays,
        ),
      ),
    )
    gradients.forEach((each, step) => {
      update(trained, each, step + 1)
      trained.forEach(({ weight, first, second }, i) => {
        const at = (part: 'w' | 'm' | 'v') => expected[i]!.map((numbers) => numbers[step]![part])
        expectClose(weight, at('w'), 2e-7, `weight ${i} after step ${step + 1}`)
        expectClose(first, at('m'), 2e-7, `first moment ${i}`)
        expectClose(second, at('v'), 2e-7, `second moment ${i}`)
      })
    })
  })

  it('with gradients as small as ε alone agree too', () => {
    const trained = [aWeight('projector', false, 1)]
    const before = trained[0]!.weight.dataSync()[0]!
    const gradient = tf.fill([2, 3], 2e-6)
    const change = recurrence(0, [2e-6], RATES.projector, false)[0]!.w
    update(trained, [gradient], 1)
    // 3e-2 · 2e-6 / (2e-6 + 1e-6) = 0.02
    expect(change).toBeCloseTo(-0.02, 8)
    expect(trained[0]!.weight.dataSync()[0]! - before).toBeCloseTo(change, 6)
  })

  it('at a rate of zero leave the weight as it is, and keep the moments going', () => {
    const trained = [aWeight('languageModel', true, 4)]
    const [weight] = bits(trained)
    update(trained, [aTensor([2, 3], 'gradient')], 1)
    expect(bits(trained)[0]).toBe(weight)
    expectClose(trained[0]!.first, tf.mul(aTensor([2, 3], 'gradient'), 0.1), 1e-7)
  })
})

describe('an unhealthy step', () => {
  it('leaves weights and moments as they were, bit for bit, whatever the gradients and the norm', () => {
    const trained = [aWeight('visionEncoder', true, 1), aWeight('projector', false, 2)]
    update(trained, [aTensor([2, 3], 'a'), aTensor([2, 3], 'b')], 1)
    const before = bits(trained)
    for (const value of [Number.NaN, Infinity, -Infinity, 3e38])
      for (const scale of [1, 0, Number.NaN]) {
        update(trained, [tf.fill([2, 3], value), aTensor([2, 3], 'b')], 2, { healthy: false, scale })
        expect(bits(trained), `${value}, scale ${scale}`).toEqual(before)
      }
    update(trained, [aTensor([2, 3], 'a'), aTensor([2, 3], 'b')], 2)
    expect(bits(trained)).not.toEqual(before)
  })
})

describe('clipping', () => {
  it('scales every gradient by min(1, max / (norm + 1e-6))', () => {
    const gradients = [tf.tensor1d([3, 0]), tf.tensor2d([[0], [4]])]
    const norm = globalNorm(gradients)
    expectClose(norm, [5], 1e-7)
    expectClose(clipCoefficient(norm, 1), [1 / (5 + 1e-6)], 1e-7)
    expect(clipCoefficient(norm, 6).dataSync()[0]).toBe(1)
    expect(clipCoefficient(tf.scalar(0), 1).dataSync()[0]).toBe(1)
  })

  it('a clipped step is the step of the scaled gradient', () => {
    const [clipped, scaled] = [[aWeight('projector', true, 1)], [aWeight('projector', true, 1)]]
    const gradient = aTensor([2, 3], 'gradient', 8)
    update(clipped, [gradient], 1, { scale: 0.25 })
    update(scaled, [tf.mul(gradient, 0.25)], 1)
    expect(bits(clipped)).toEqual(bits(scaled))
  })

  it('a norm that is not finite says so', () => {
    expect(globalNorm([tf.tensor1d([1, Number.NaN])]).dataSync()[0]).toBeNaN()
    expect(globalNorm([tf.tensor1d([1]), tf.tensor1d([Infinity])]).dataSync()[0]).toBe(Infinity)
  })
})

it('an update leaves no tensor behind', () => {
  const trained = [aWeight('visionEncoder', true, 1), aWeight('projector', false, 2)]
  const gradients = [aTensor([2, 3], 'a'), aTensor([2, 3], 'b')]
  expectNoLeak(() => update(trained, gradients, 1))
})
