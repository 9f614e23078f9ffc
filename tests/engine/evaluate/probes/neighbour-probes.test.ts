import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../../src-main/domain/random.ts'
import type { Matrix } from '../../../../src-main/engine/evaluate/measures/matrix.ts'
import { accuracy, correctness } from '../../../../src-main/engine/evaluate/probes/labels.ts'
import { predictByNeighbours } from '../../../../src-main/engine/evaluate/probes/nearest-neighbours.ts'
import { cosines, fitPrototypes, predictByPrototypes } from '../../../../src-main/engine/evaluate/probes/prototypes.ts'
import { refusal } from '../../../support/refusal.ts'

const rows = (...values: number[][]): Matrix => ({
  rows: values.length,
  columns: values[0]!.length,
  values: Float64Array.from(values.flat()),
})

describe('prototypes', () => {
  it('the prototype is the direction of the mean of directions, not of the mean', () => {
    // (1, 0) and (0, 100): each direction counts once, so the prototype is at 45°.
    const { weights } = fitPrototypes(rows([1, 0], [0, 100], [-1, 0]), [0, 0, 1])
    expect([...weights.values]).toEqual([Math.SQRT1_2, Math.SQRT1_2, -1, 0].map((each) => expect.closeTo(each, 14)))
  })

  it('the nearest by cosine wins, whatever the length; the lower label at ties', () => {
    const prototypes = fitPrototypes(rows([1, 0], [0, 1]), [5, 3])
    expect([...predictByPrototypes(prototypes, rows([1e200, 1], [1e-200, 1], [2, 2], [0, 0]))]).toEqual([5, 3, 3, 3])
    expect([...cosines(prototypes, rows([0, 0])).values]).toEqual([0, 0])
  })

  it('one class is always right, no items give no predictions', () => {
    const prototypes = fitPrototypes(rows([1, 2]), [4])
    expect([...predictByPrototypes(prototypes, rows([-1, -2]))]).toEqual([4])
    expect(predictByPrototypes(prototypes, { rows: 0, columns: 2, values: new Float32Array() })).toHaveLength(0)
  })

  it('refuses NaN, no training items, another width', () => {
    for (const call of [
      () => fitPrototypes(rows([NaN, 1]), [0]),
      () => fitPrototypes({ rows: 0, columns: 2, values: new Float32Array() }, []),
      () => predictByPrototypes(fitPrototypes(rows([1, 2]), [0]), rows([1, 2, 3])),
    ])
      expect(refusal(call)).toBe('invalid-input')
  })
})

describe('k-NN', () => {
  const train = rows([1, 0], [0.9, 0.1], [0, 1], [0.1, 1], [0.2, 1])
  const labels = [1, 1, 2, 2, 2]

  it('near votes outweigh many far ones: e^(1/T) against the rest', () => {
    const query = rows([1, 0.05])
    expect([...predictByNeighbours(train, labels, query, [1, 5]).get(5)!]).toEqual([1])
    // At a high temperature every vote counts alike, and class 2 has three.
    expect([...predictByNeighbours(train, labels, query, [5], 1000).get(5)!]).toEqual([2])
  })

  it('every k by itself agrees with all k at once', () => {
    const random = createRandom(3)
    const cloud = (n: number): Matrix => ({
      rows: n,
      columns: 4,
      values: Float64Array.from({ length: n * 4 }, () => random.normal()),
    })
    const [many, queries] = [cloud(50), cloud(20)]
    const classes = Array.from({ length: 50 }, (_, i) => i % 4)
    const together = predictByNeighbours(many, classes, queries, [20, 1, 10])
    for (const k of [1, 10, 20])
      expect([...together.get(k)!]).toEqual([...predictByNeighbours(many, classes, queries, [k]).get(k)!])
  })

  it('a temperature of 1e-4 does not overflow', () => {
    expect([...predictByNeighbours(train, labels, rows([0, 1], [1, 0]), [5], 1e-4).get(5)!]).toEqual([2, 1])
  })

  it('an item without direction takes the lower label of its ties', () => {
    expect([...predictByNeighbours(train, labels, rows([0, 0]), [2]).get(2)!]).toEqual([1])
  })

  it('refuses more neighbours than items, NaN, temperature 0', () => {
    for (const call of [
      () => predictByNeighbours(train, labels, train, [6]),
      () => predictByNeighbours(train, labels, train, [0]),
      () => predictByNeighbours(train, labels, rows([NaN, 1]), [1]),
      () => predictByNeighbours(train, labels, train, [1], 0),
      () => predictByNeighbours(train, labels.slice(1), train, [1]),
    ])
      expect(refusal(call)).toBe('invalid-input')
  })
})

describe('correctness', () => {
  it('is 1 where right; accuracy is its mean', () => {
    expect([...correctness([1, 2, 3], [1, 0, 3])]).toEqual([1, 0, 1])
    expect(accuracy([1, 2, 3, 4], [1, 0, 3, 4])).toBe(0.75)
    expect(refusal(() => accuracy([], []))).toBe('invalid-input')
    expect(refusal(() => accuracy([1], [1, 2]))).toBe('invalid-input')
  })
})
