import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { createRandom } from '../../../src-main/domain/random.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { outcomeOn, difference, type Input } from './agreement.ts'
import { blockLoss, blockShapes } from './transformer-block.ts'

beforeAll(async () => {
  await openBackend('wasm', { threads: 3 })
})

const inputs: readonly Input[] = Object.values(blockShapes).map((shape) => ({ shape }))

describe('a transformer block', () => {
  it('has the loss and the gradients of the plain backend', async () => {
    const found = await outcomeOn('wasm', blockLoss, inputs, 1)
    const expected = await outcomeOn('cpu', blockLoss, inputs, 1)
    expect(difference(found, expected)).toBeLessThan(1e-5)
  })

  it('has gradients that are the slopes of its loss', async () => {
    await tf.setBackend('wasm')
    const random = createRandom(7)
    const values = inputs.map(({ shape }) =>
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.5 * random.normal()),
    )
    const tensors = () => values.map((x, i) => tf.tensor(x, [...inputs[i]!.shape]))
    const gradients = tf.tidy(() =>
      tf
        .grads((...xs: tf.Tensor[]) => blockLoss(...xs))(tensors())
        .map((gradient) => Float32Array.from(gradient.dataSync())),
    )
    const lossAt = () => tf.tidy(() => blockLoss(...tensors()).dataSync()[0]!)
    const step = 1e-2
    values.forEach((x, i) => {
      // Along one random direction through all elements of the input: the slope is the gradient's component along it.
      const start = Float32Array.from(x)
      const direction = Float32Array.from(x, () => random.normal())
      const move = (by: number) => x.forEach((_, j) => (x[j] = start[j]! + by * direction[j]!))
      const slope = gradients[i]!.reduce((sum, g, j) => sum + g * direction[j]!, 0)
      const scale = Math.hypot(...gradients[i]!) * Math.hypot(...direction)
      move(step / Math.hypot(...direction))
      const above = lossAt()
      move(-step / Math.hypot(...direction))
      const below = lossAt()
      x.set(start)
      const measured = ((above - below) / (2 * step)) * Math.hypot(...direction)
      expect(Math.abs(measured - slope), Object.keys(blockShapes)[i]).toBeLessThan(0.02 * scale + 1e-4)
    })
  })

  it('gives the same bits on one thread as on five', async () => {
    const [one, five] = await Promise.all(
      ['1', '5'].map(async (threads) => {
        const { stdout } = await promisify(execFile)(process.execPath, [`${import.meta.dirname}/transformer-block.ts`, threads])
        return stdout
      }),
    )
    expect(one).toMatch(/^[0-9a-f]{64}$/)
    expect(five).toBe(one)
  })
})

describe('memory', () => {
  it('is given back: steps that follow one another hold no more than the first', async () => {
    await tf.setBackend('wasm')
    const weight = tf.variable(tf.randomNormal([64, 64], 0, 1, 'float32', 1))
    const step = () =>
      tf.tidy(() => {
        const { grads } = tf.variableGrads(
          () => tf.mean(tf.square(tf.matMul(tf.tanh(weight), weight, false, true))) as tf.Scalar,
          [weight],
        )
        weight.assign(tf.sub(weight, tf.mul(grads[weight.name]!, 0.01)))
      })
    step()
    const heapBytes = () => (tf.backend() as unknown as { wasm: { HEAPU8: Uint8Array } }).wasm.HEAPU8.length
    const before = { ...tf.memory(), heap: heapBytes() }
    for (let i = 0; i < 200; i++) step()
    expect({ ...tf.memory(), heap: heapBytes() }).toEqual(before)
    weight.dispose()
  })

  it('of a weight that is assigned is not the old one, for convolutions and products alike', async () => {
    await tf.setBackend('wasm')
    const image = tf.ones<tf.Rank.R4>([1, 3, 3, 1])
    const weight = tf.variable(tf.ones<tf.Rank.R4>([2, 2, 1, 1]))
    const outputs = () => [
      tf.conv2d(image, weight, 1, 'valid').dataSync()[0],
      tf.matMul(tf.ones([1, 4]), weight.reshape([4, 1])).dataSync()[0],
    ]
    expect(outputs()).toEqual([4, 4])
    weight.assign(tf.fill([2, 2, 1, 1], 3))
    expect(outputs()).toEqual([12, 12])
    tf.dispose([image, weight])
  })

  it('that is not there is refused by name, and what is there stays', async () => {
    await tf.setBackend('wasm')
    const kept = tf.tensor1d([1, 2, 3])
    // Each is more than can be added; the allocator would take the last three for negative numbers.
    for (const count of [2 ** 30, 2 ** 30 - 2 ** 16, 2 ** 30 - 2 ** 20])
      expect(() => tf.tile(tf.zeros([1]), [count])).toThrow(expect.objectContaining({ code: 'out-of-memory' }))
    expect([...tf.add(kept, 1).dataSync()]).toEqual([2, 3, 4])
    kept.dispose()
  })
})
