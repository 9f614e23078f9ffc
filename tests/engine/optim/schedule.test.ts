// The learning rate over a run against numbers computed by hand; parity-job.test.ts has those that Hugging Face's trainer logged.

import { expect, it } from 'vitest'
import { scheduleFactor } from '../../../src-main/engine/optim/schedule.ts'

const factors = (schedule: 'cosine' | 'linear' | 'constant', steps: number, warmupRatio: number) =>
  Array.from({ length: steps }, (_, step) => scheduleFactor({ schedule, steps, warmupRatio }, step))

it('warms up from zero, then falls along half a cosine', () => {
  // 2 of 6 steps warm up; then cos(π·k/4) of k = 0 … 3: 1, (1 + √½)/2, ½, (1 − √½)/2.
  const expected = [0, 0.5, 1, (1 + Math.SQRT1_2) / 2, 0.5, (1 - Math.SQRT1_2) / 2]
  factors('cosine', 6, 2 / 6).forEach((factor, i) => expect(factor).toBeCloseTo(expected[i]!, 12))
})

it('linear falls by the same at every step after the warm-up', () => {
  expect(factors('linear', 6, 2 / 6)).toEqual([0, 0.5, 1, 0.75, 0.5, 0.25])
})

it('constant stays at its peak after the warm-up', () => {
  expect(factors('constant', 6, 0.5)).toEqual([0, 1 / 3, 2 / 3, 1, 1, 1])
  expect(factors('constant', 3, 0)).toEqual([1, 1, 1])
})

it('rounds the number of warm-up steps up, as Hugging Face does', () => {
  // 0.03 · 100 = 3 and 0.03 · 101 = 3.03 → 4
  expect(factors('constant', 100, 0.03).findIndex((factor) => factor === 1)).toBe(3)
  expect(factors('constant', 101, 0.03).findIndex((factor) => factor === 1)).toBe(4)
})

it('is within [0, 1], never rises after the warm-up, and reaches zero after the last step', () => {
  for (const [steps, warmupRatio] of [
    [1, 0],
    [1, 1],
    [2, 0.5],
    [7, 0.3],
    [50, 0.03],
    [50, 1],
  ] as const) {
    const found = [...factors('cosine', steps, warmupRatio), scheduleFactor({ schedule: 'cosine', steps, warmupRatio }, steps)]
    const warmup = Math.ceil(warmupRatio * steps)
    found.forEach((factor, step) => {
      expect(factor).toBeGreaterThanOrEqual(0)
      expect(factor).toBeLessThanOrEqual(1)
      if (step > warmup) expect(factor).toBeLessThanOrEqual(found[step - 1]!)
    })
    if (warmup < steps) expect(found[steps]).toBeCloseTo(0, 12)
  }
})
