import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { createRandom } from '../../../src-main/domain/random.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { difference, outcomeOn } from './agreement.ts'

beforeAll(async () => {
  // More threads than this machine may have cores: the law must hold whoever takes which task, in whatever order.
  await openBackend('wasm', { threads: 4 })
})

const TRANSPOSES = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const

function shapesOf(
  batchA: readonly number[],
  batchB: readonly number[],
  m: number,
  k: number,
  n: number,
  transposeA: boolean,
  transposeB: boolean,
) {
  return [{ shape: [...batchA, ...(transposeA ? [k, m] : [m, k])] }, { shape: [...batchB, ...(transposeB ? [n, k] : [k, n])] }]
}

describe.each(TRANSPOSES)('a product with transposeA %s and transposeB %s', (transposeA, transposeB) => {
  const product = (a: tf.Tensor, b: tf.Tensor) => tf.matMul(a, b, transposeA, transposeB)

  it('agrees with the plain backend, gradients too, at random sizes', async () => {
    const random = createRandom(1, String(transposeA), String(transposeB))
    for (let trial = 0; trial < 25; trial++) {
      const size = () => (random.uniform() < 0.2 ? 1 : 1 + random.integer(40))
      const batch = random.pick([[], [], [3], [2, 3]])
      const inputs = shapesOf(batch, batch, size(), size(), size(), transposeA, transposeB)
      const found = await outcomeOn('wasm', product, inputs, trial)
      const expected = await outcomeOn('cpu', product, inputs, trial)
      expect(difference(found, expected), JSON.stringify(inputs)).toBeLessThan(2e-6)
    }
  })

  it('agrees where one factor is repeated along batch axes, and the gradient has the factor’s own shape', async () => {
    for (const [batchA, batchB] of [
      [[3], [1]],
      [[1], [4]],
      [
        [2, 1],
        [1, 3],
      ],
      [[2, 3], [3]],
      [[], [2, 2]],
      [[3, 1], [2]],
    ] as const) {
      const inputs = shapesOf(batchA, batchB, 7, 5, 9, transposeA, transposeB)
      const found = await outcomeOn('wasm', product, inputs, 3)
      // The plain backend repeats only whole batches: the factors are repeated for it beforehand.
      const outer = tf.broadcast_util.assertAndGetBroadcastShape([...batchA], [...batchB])
      const repeated = (a: tf.Tensor, b: tf.Tensor) =>
        product(tf.broadcastTo(a, [...outer, ...a.shape.slice(-2)]), tf.broadcastTo(b, [...outer, ...b.shape.slice(-2)]))
      const expected = await outcomeOn('cpu', repeated, inputs, 3)
      expect(difference(found, expected), JSON.stringify(inputs)).toBeLessThan(2e-6)
    }
  })

  it('agrees across the kernel’s blocks of 256 columns, 96 rows and 256 terms', async () => {
    const inputs = shapesOf([], [], 197, 515, 263, transposeA, transposeB)
    const found = await outcomeOn('wasm', product, inputs, 4, false)
    const expected = await outcomeOn('cpu', product, inputs, 4, false)
    expect(difference(found, expected)).toBeLessThan(2e-6)
  })

  it('with bias and activation in one call adds the bias once', async () => {
    const inputs = [...shapesOf([2], [2], 6, 130, 10, transposeA, transposeB), { shape: [10] }]
    const found = await outcomeOn(
      'wasm',
      (a, b, bias) => tf.fused.matMul({ a, b, transposeA, transposeB, bias: bias!, activation: 'relu' }),
      inputs,
      5,
      false,
    )
    const expected = await outcomeOn('cpu', (a, b, bias) => tf.relu(tf.add(product(a!, b!), bias!)), inputs, 5, false)
    expect(difference(found, expected)).toBeLessThan(2e-6)
  })
})

describe('a product', () => {
  it('of nothing summed is zero, and of no rows is empty', async () => {
    await tf.setBackend('wasm')
    expect([...tf.matMul(tf.zeros([2, 0]), tf.zeros([0, 3])).dataSync()]).toEqual([0, 0, 0, 0, 0, 0])
    expect(tf.matMul(tf.zeros([0, 4]), tf.zeros([4, 3])).shape).toEqual([0, 3])
  })

  it('refuses integers, whose products the kernel does not compute', async () => {
    await tf.setBackend('wasm')
    expect(() => tf.matMul(tf.ones([2, 2], 'int32'), tf.ones([2, 2], 'int32'))).toThrow(
      expect.objectContaining({ code: 'invalid-input' }),
    )
  })
})
