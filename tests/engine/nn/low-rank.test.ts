// The product that LoRA trains: against the composed form, by finite differences, and for what it keeps.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { checkpointed } from '../../../src-main/engine/nn/checkpointing.ts'
import { gradients } from '../../../src-main/engine/nn/gradients.ts'
import { linear } from '../../../src-main/engine/nn/linear.ts'
import { lowRank, merged, mergedValues } from '../../../src-main/engine/nn/low-rank.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { expectClose, expectFinite } from '../../support/all-close.ts'
import { aTensor, expectSameFunction, expectSlopes } from '../../support/finite-differences.ts'
import { expectNoLeak } from '../../support/no-leak.ts'

beforeAll(() => openBackend('native'))

const factors = (scale = 1) => [aTensor([7, 6], 'x', scale), aTensor([3, 6], 'A'), aTensor([5, 3], 'B')]
const product = (scale: tf.Tensor) => (x?: tf.Tensor, A?: tf.Tensor, B?: tf.Tensor) => lowRank(x!, A!, B!, scale)

/** A frozen layer with an adapter, and the names of what is trained in it. */
function adaptedLayer() {
  const frozen = (shape: number[], seed: string) => tf.variable(aTensor(shape, seed), false)
  return {
    'up.weight': frozen([5, 6], 'W'),
    'up.bias': frozen([5], 'b'),
    'up.lora_A.weight': tf.variable(aTensor([3, 6], 'A')),
    'up.lora_B.weight': tf.variable(aTensor([5, 3], 'B')),
    'up.lora_scale': tf.variable(tf.scalar(0.7), false),
  }
}

describe('the low-rank product', () => {
  it('is s·(x·Aᵀ)·Bᵀ with its gradients', () => {
    const scale = tf.scalar(0.7)
    const composed = (x?: tf.Tensor, A?: tf.Tensor, B?: tf.Tensor) =>
      tf.mul(tf.matMul(tf.matMul(x!, A!, false, true), B!, false, true), 0.7)
    expectSameFunction(product(scale), composed, factors())
    expectSlopes(product(scale), factors())
  })

  it('is finite, and so is its gradient, for inputs of ±100 and of 1e6', () => {
    for (const size of [100, 1e6]) {
      const xs = factors(size)
      const { value, gradients: found } = gradients(() => product(tf.scalar(2))(...xs), xs)
      for (const each of [value, ...found]) expectFinite(each)
    }
  })

  it('merged into the weight is the same layer', () => {
    const held = adaptedLayer()
    const whole = merged(held['up.weight'], held['up.lora_A.weight'], held['up.lora_B.weight'], held['up.lora_scale'])
    const x = aTensor([2, 4, 6], 'x')
    expectClose(linear({ 'up.weight': whole, 'up.bias': held['up.bias'] }, 'up', x), linear(held, 'up', x), 1e-6)
  })
})

describe('the values of a merged weight', () => {
  it('are those of the merged weight, leave nothing behind, and pass through no tidy, which would box each of them', () => {
    const held = adaptedLayer()
    const factors = [held['up.weight'], held['up.lora_A.weight'], held['up.lora_B.weight'], held['up.lora_scale']] as const
    const given: unknown[] = []
    const engine = tf.engine()
    const endScope = engine.endScope.bind(engine)
    engine.endScope = (result) => {
      given.push(result)
      endScope(result)
    }
    try {
      const values = expectNoLeak(() => mergedValues(...factors))
      expect([...values]).toEqual([...merged(...factors).dataSync()])
    } finally {
      engine.endScope = endScope
    }
    expect(given.length).toBeGreaterThan(0)
    expect(given.filter((each) => ArrayBuffer.isView(each))).toEqual([])
  })
})

describe('a frozen layer', () => {
  it('with an adapter has the gradients of the composed layer, checkpointed as well, and leaves nothing behind', () => {
    const held = adaptedLayer()
    const x = aTensor([4, 6], 'x')
    const xs = [x, held['up.lora_A.weight'], held['up.lora_B.weight']]
    const loss = (y: tf.Tensor) => tf.sum(tf.square(y))
    const composed = () =>
      tf.add(
        tf.add(tf.matMul(x as tf.Tensor2D, held['up.weight'] as tf.Tensor2D, false, true), held['up.bias']),
        tf.mul(
          tf.matMul(tf.matMul(x as tf.Tensor2D, held['up.lora_A.weight'] as tf.Tensor2D, false, true), held['up.lora_B.weight'] as tf.Tensor2D, false, true),
          0.7,
        ),
      )
    const expected = gradients(() => loss(composed()), xs)
    const plain = expectNoLeak(() => gradients(() => loss(linear(held, 'up', x)), xs), 4)
    const saved = expectNoLeak(() => gradients(() => loss(checkpointed((weights, input) => linear(weights, 'up', input), held, x)), xs), 4)
    expectClose(plain.value, expected.value, 1e-5)
    plain.gradients.forEach((gradient, i) => expectClose(gradient, expected.gradients[i]!, 1e-5, `gradient ${i}`))
    saved.gradients.forEach((gradient, i) => expect(gradient.dataSync()).toEqual(plain.gradients[i]!.dataSync()))
  })

  it('keeps no input for a gradient that nobody wants', () => {
    const x = aTensor([64, 64], 'x')
    const keptBy = (weight: tf.Tensor): number => {
      let kept = 0
      tf.tidy(() => {
        gradients(() => {
          const before = tf.memory().numDataBuffers
          const through = (input: tf.Tensor) => linear({ 'up.weight': weight }, 'up', input)
          const y = tf.tidy(() => tf.sum(through(through(x))))
          kept = tf.memory().numDataBuffers - before
          return y
        }, [x])
      })
      return kept
    }
    const [trained, frozen] = [true, false].map((isTrained) => keptBy(tf.variable(aTensor([64, 64], 'W'), isTrained)))
    expect(frozen!).toBeLessThan(trained!)
  })
})
