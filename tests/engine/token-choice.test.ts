// How a token is chosen, against transformers' processors and warpers worked out by hand.

import { expect, it } from 'vitest'
import { afterHistory, drawToken, type Sampling } from '../../src-main/engine/token-choice.ts'

/** Probabilities 0.4, 0.3, 0.2, 0.1 in mixed order: token 2 is likeliest, then 0, 3, 1. */
const LOGITS = Float32Array.from([0.3, 0.1, 0.4, 0.2], Math.log)
const drawn = (settings: Pick<Sampling, 'topK' | 'minP'>, topP = 1) =>
  [...new Set(Array.from({ length: 1000 }, (_, i) => drawToken(LOGITS, 1, topP, i / 1000, settings)))].sort()
const share = (id: number, settings: Pick<Sampling, 'topK' | 'minP'>, topP = 1) =>
  Array.from({ length: 1000 }, (_, i) => drawToken(LOGITS, 1, topP, i / 1000, settings)).filter((each) => each === id).length / 1000

it('top-k draws from the k likeliest in their proportions, and 0 from all', () => {
  expect(drawn({ topK: 2 })).toEqual([0, 2])
  expect(share(2, { topK: 2 })).toBeCloseTo(0.4 / 0.7, 2)
  expect(drawn({ topK: 0 })).toEqual([0, 1, 2, 3])
  expect(drawn({ topK: 99 })).toEqual([0, 1, 2, 3])
})

it('tokens that tie with the k-th stay, as in the reference', () => {
  const tied = Float32Array.of(1, 1, 1, 0)
  expect([...new Set(Array.from({ length: 100 }, (_, i) => drawToken(tied, 1, 1, i / 100, { topK: 2 })))].sort()).toEqual([0, 1, 2])
})

it('top-p is a share of what top-k left: of 0.4 and 0.3 the first alone is more than a half', () => {
  expect(drawn({ topK: 2 }, 0.5)).toEqual([2])
  expect(drawn({}, 0.5)).toEqual([0, 2])
})

it('min-p leaves out what is below its share of the likeliest: 0.6 · 0.4 = 0.24', () => {
  expect(drawn({ minP: 0.6 })).toEqual([0, 2])
  expect(drawn({ minP: 1 })).toEqual([2])
  expect(share(0, { minP: 0.6 })).toBeCloseTo(0.3 / 0.7, 2)
})

it('a repetition penalty divides positive and multiplies negative logits of what was said, each once', () => {
  expect([...afterHistory(Float32Array.of(3, -2, 1, 0), [0, 0, 1, 3], { repetitionPenalty: 2 })]).toEqual([1.5, -4, 1, 0])
})

it('no n-gram comes twice: after 1 2 3 1 2 a 3 is barred, and of single tokens every one that was said', () => {
  const barred = (said: readonly number[], noRepeatNgramSize: number) =>
    [...afterHistory(new Float32Array(5), said, { noRepeatNgramSize })].flatMap((logit, id) => (logit === -Infinity ? [id] : []))
  expect(barred([1, 2, 3, 1, 2], 3)).toEqual([3])
  expect(barred([1, 2, 3, 1, 2], 4)).toEqual([])
  expect(barred([1, 2, 4], 1)).toEqual([1, 2, 4])
  expect(barred([1], 2)).toEqual([])
  expect(barred([1, 1], 2)).toEqual([1])
})

it('what was given is not changed', () => {
  const given = Float32Array.of(1, 2)
  afterHistory(given, [0, 1], { repetitionPenalty: 3, noRepeatNgramSize: 1 })
  expect([...given]).toEqual([1, 2])
})
