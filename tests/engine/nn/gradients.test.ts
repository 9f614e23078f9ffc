// The lab's own walk over the tape: the gradients of tf.grads, with less kept and at any depth.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { LabError } from '../../../src-main/domain/errors.ts'
import { gradients } from '../../../src-main/engine/nn/gradients.ts'
import { withGradient } from '../../../src-main/engine/nn/with-gradient.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { expectClose } from '../../support/all-close.ts'
import { aTensor } from '../../support/finite-differences.ts'
import { expectNoLeak } from '../../support/no-leak.ts'

beforeAll(() => openBackend('native'))

/** Uses x twice, splits, joins and hands dy on: what accumulation and clones are for. */
function tangled(x: tf.Tensor, w: tf.Tensor): tf.Tensor {
  const y = tf.add(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), x)
  const [a, b] = tf.split(tf.tanh(y), 2, 1)
  return tf.add(tf.concat([tf.mul(a!, b!), b!], 1), x)
}

/** Runs `body`, calling `look` just before anything is disposed: where memory stands highest. */
function watched(body: () => tf.TensorContainer, look: () => void): tf.TensorContainer {
  const engine = tf.engine() as unknown as { disposeTensor(tensor: tf.Tensor): void }
  const dispose = engine.disposeTensor.bind(engine)
  engine.disposeTensor = (tensor) => {
    look()
    dispose(tensor)
  }
  try {
    return body()
  } finally {
    engine.disposeTensor = dispose
  }
}

function mostBuffers(body: () => tf.TensorContainer): number {
  const before = tf.memory().numDataBuffers
  let most = 0
  tf.dispose(watched(body, () => (most = Math.max(most, tf.memory().numDataBuffers))))
  return most - before
}

describe('gradients', () => {
  it('are those of tf.grads, with and without dy', () => {
    const [x, w] = [aTensor([3, 4], 'x'), aTensor([4, 4], 'w')]
    const dy = aTensor([3, 4], 'dy')
    for (const given of [null, dy]) {
      const found = gradients(() => tangled(x, w), [x, w], given)
      const expected = tf.grads((a: tf.Tensor, b: tf.Tensor) => tangled(a, b))([x, w], given ?? undefined)
      expect(found.value.dataSync()).toEqual(tangled(x, w).dataSync())
      found.gradients.forEach((gradient, i) => expectClose(gradient, expected[i]!, 1e-6, `gradient ${i}`))
    }
  })

  it('are zeros of its shape for an x that f does not use, and ones where f is x itself', () => {
    const [x, unused] = [aTensor([2], 'x'), aTensor([3, 2], 'unused')]
    const { gradients: found } = gradients(() => tf.square(x), [x, unused])
    expectClose(found[0]!, tf.mul(x, 2), 1e-7)
    expect(found[1]!.shape).toEqual([3, 2])
    expect(Array.from(found[1]!.dataSync())).toEqual([0, 0, 0, 0, 0, 0])
    expect(Array.from(gradients(() => x, [x]).gradients[0]!.dataSync())).toEqual([1, 1])
  })

  it('leave the value, the gradients and nothing else', () => {
    const [x, w] = [aTensor([3, 4], 'x'), aTensor([4, 4], 'w')]
    const { value, gradients: found } = expectNoLeak(() => gradients(() => tangled(x, w), [x, w]), 3)
    tf.dispose([value, ...found])
  })

  it('free what was saved as the way back passes it, where tf.grads keeps it to the end', () => {
    const x = aTensor([64, 64], 'x', 0.1)
    const deep = (held: tf.Tensor) => {
      let y = held
      for (let i = 0; i < 30; i++) y = tf.tanh(tf.matMul(y as tf.Tensor2D, held as tf.Tensor2D))
      return tf.sum(y) as tf.Scalar
    }
    const ours = mostBuffers(() => gradients(() => deep(x), [x]) as unknown as tf.TensorContainerObject)
    const theirs = mostBuffers(() => tf.grad(deep)(x))
    // 30 steps keep two tensors each for the way back; tf.grads adds every gradient that it meets.
    expect(ours).toBeLessThan(0.6 * theirs)
  })

  it('free each gradient once it was passed on: the way back through thirty steps that save nothing holds few', () => {
    const x = aTensor([8], 'x')
    let most = 0
    const chain = (watch: (dy: tf.Tensor) => void) => {
      let y = x
      for (let i = 0; i < 30; i++) y = tf.neg(y)
      return withGradient([y], (held) => ({ value: tf.clone(held), saved: [], gradient: (dy) => (watch(dy), [dy]) }))
    }
    const before = tf.memory().numDataBuffers
    const body = () => gradients(() => chain(() => (most = 0)), [x]) as unknown as tf.TensorContainerObject
    tf.dispose(watched(body, () => (most = Math.max(most, tf.memory().numDataBuffers - before))))
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThan(10)
  })

  it('may be taken inside a written gradient, at any depth', () => {
    const x = aTensor([3], 'x')
    /** x³ whose gradient is computed by taking gradients again. */
    const cubed = (input: tf.Tensor, depth: number): tf.Tensor =>
      withGradient([input], (held) => ({
        value: tf.pow(held, 3),
        saved: [held],
        gradient: (dy, [again]) =>
          gradients(() => (depth === 0 ? tf.pow(again!, 3) : cubed(again!, depth - 1)), [again!], dy).gradients,
      }))
    for (const depth of [0, 1, 2]) {
      const { value, gradients: found } = expectNoLeak(() => gradients(() => tf.square(cubed(tf.tanh(x), depth)), [x]), 2)
      const expected = tf.grad((input: tf.Tensor) => tf.pow(tf.tanh(input), 6))(x)
      expectClose(found[0]!, expected, 1e-6, `depth ${depth}`)
      tf.dispose([value, ...found, expected])
    }
  })

  it('name the kernel that has no gradient, and leave nothing behind', () => {
    const x = tf.tensor1d([0.5, 1.5])
    const call = () => gradients(() => tf.square(tf.sum(tf.topk(tf.square(x), 1).values)), [x])
    expectNoLeak(() => {
      expect(call).toThrow(LabError)
      expect(call).toThrow(/TopK/)
    })
  })

  it('leave nothing behind when f throws, and the next call works', () => {
    const x = aTensor([2], 'x')
    expectNoLeak(() => {
      expect(() =>
        gradients(() => {
          tf.square(x)
          throw new Error('in the middle')
        }, [x]),
      ).toThrow('in the middle')
    })
    expectClose(gradients(() => tf.square(x), [x]).gradients[0]!, tf.mul(x, 2), 1e-7)
  })

  it('carry what is not a number into every gradient that it touches', () => {
    const [x, w] = [tf.tensor2d([[Number.NaN, 1]]), tf.ones([2, 2])]
    const { gradients: found } = gradients(() => tf.square(tf.matMul(x, w as tf.Tensor2D)), [w])
    expect(Array.from(found[0]!.dataSync()).every(Number.isNaN)).toBe(true)
  })
})
