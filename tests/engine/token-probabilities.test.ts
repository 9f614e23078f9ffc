// The softmax of logits at one place: against its closed form, at extremes, and in order.

import { describe, expect, it } from 'vitest'
import { createRandom } from '../../src-main/domain/random.ts'
import { tokenProbabilities } from '../../src-main/engine/token-probabilities.ts'

describe('the probability of a token', () => {
  it('is exp z / Σ exp z: logits 0, ln 2, ln 5 give 1/8, 2/8, 5/8', () => {
    const { chosen, likeliest } = tokenProbabilities(new Float32Array([0, Math.log(2), Math.log(5)]), 0, 2)
    expect(chosen).toEqual({ id: 0, probability: expect.closeTo(1 / 8, 6) as number })
    expect(likeliest.map(({ id }) => id)).toEqual([2, 1])
    expect(likeliest.map(({ probability }) => probability)).toEqual([expect.closeTo(5 / 8, 6), expect.closeTo(2 / 8, 6)])
  })

  it('neither overflows nor loses the tail at ±1000', () => {
    const { chosen, likeliest } = tokenProbabilities(new Float32Array([1000, -1000, 1000]), 1, 3)
    expect(chosen.probability).toBe(0)
    expect(likeliest).toEqual([{ id: 0, probability: 0.5 }, { id: 2, probability: 0.5 }, { id: 1, probability: 0 }])
  })

  it('tells the most likely as sorting would, ties by the lower id, and no more than there are', () => {
    const random = createRandom(3, 'logits')
    const logits = Float32Array.from({ length: 500 }, () => random.integer(40))
    const sorted = [...logits.keys()].toSorted((a, b) => logits[b]! - logits[a]! || a - b)
    expect(tokenProbabilities(logits, 0, 7).likeliest.map(({ id }) => id)).toEqual(sorted.slice(0, 7))
    expect(tokenProbabilities(new Float32Array([1, 2]), 0, 5).likeliest).toHaveLength(2)
    expect(tokenProbabilities(logits, 0, 500).likeliest.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 6)
  })
})
