import * as tf from '@tensorflow/tfjs'
import { expect, it, vi } from 'vitest'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'

it('the plain backend opens, says so, and keeps TensorFlow.js from advertising itself', async () => {
  const warn = vi.spyOn(console, 'warn')
  const info = await openBackend('cpu')
  expect(info).toMatchObject({ kind: 'cpu', gpu: false, threads: 1, why: 'the backend cpu was asked for' })
  expect([...tf.matMul(tf.ones([1, 3]), tf.ones([3, 1])).dataSync()]).toEqual([3])
  expect(warn).not.toHaveBeenCalled()
})
