// The native engine, where set-up has built it; elsewhere these tests are skipped and say so.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { openBackend, type BackendInfo } from '../../../src-main/jobs/backend/backend.ts'
import { difference, outcomeOn, type Expression, type Input } from './agreement.ts'
import { blockLoss, blockShapes } from './transformer-block.ts'

const opened: BackendInfo | Error = await openBackend('native').catch((thrown: unknown) => thrown as Error)
if (opened instanceof Error) console.log(`skipped: the native engine, since ${opened.message}`)

describe.skipIf(opened instanceof Error)('the native engine', () => {
  const info = opened as BackendInfo

  async function expectAgreement(expression: Expression, inputs: readonly Input[], tolerance = 5e-6, gradients = true) {
    const found = await outcomeOn('tensorflow', expression, inputs, 1, gradients)
    const expected = await outcomeOn('cpu', expression, inputs, 1, gradients)
    expect(difference(found, expected), JSON.stringify(inputs)).toBeLessThan(tolerance)
  }

  beforeAll(async () => void (await tf.setBackend('tensorflow')))

  it('says which TensorFlow it is, on which device, and that nothing stood against it', async () => {
    expect(info).toMatchObject({ kind: 'native', why: null })
    expect(info.engine).toMatch(/^TensorFlow \d+\.\d+/)
    expect(info.threads).toBeGreaterThan(0)
    expect(info.device).not.toBe('')
    expect(await openBackend('auto')).toBe(info)
    expect(process.env.TF_FORCE_GPU_ALLOW_GROWTH).toBe('true')
  })

  it('runs topk, which needs a function that newer Node versions lack', async () => {
    await tf.setBackend('tensorflow')
    expect(tf.tidy(() => [...tf.topk(tf.tensor1d([3, 1, 4, 1, 5]), 2).values.dataSync()])).toEqual([5, 4])
  })

  it('has the loss and the gradients of the plain backend in a transformer block', async () => {
    await expectAgreement(
      blockLoss,
      Object.values(blockShapes).map((shape) => ({ shape })),
      1e-5,
    )
  })

  it('has the repaired gradients: broadcast operands, running sums', async () => {
    const product = await outcomeOn('tensorflow', (a, b) => tf.matMul(a!, b!), [{ shape: [3, 4, 5] }, { shape: [1, 5, 2] }], 1)
    const repeated = await outcomeOn(
      'cpu',
      (a, b) => tf.matMul(a!, tf.tile(b!, [3, 1, 1])),
      [{ shape: [3, 4, 5] }, { shape: [1, 5, 2] }],
      1,
    )
    expect(difference(product, repeated)).toBeLessThan(5e-6)
    for (const name of ['squaredDifference', 'maximum', 'minimum'] as const)
      await expectAgreement((a, b) => tf[name](a!, b!), [{ shape: [3, 4] }, { shape: [4] }])
    for (const axis of [0, 1]) await expectAgreement((x) => tf.cumsum(x!, axis), [{ shape: [3, 4] }])
  })
})
