// Reference values: NumPy with the formulas of Kornblith 2019, Song 2012 and platonic-rep's code on the features below.

import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../../src-main/domain/random.ts'
import {
  bestMutualKnn,
  clampOutliers,
  linearCka,
  linearCkaByFeatures,
  linearCkaByGram,
  minibatchCka,
  mutualKnn,
  shuffledBaseline,
  unbiasedCka,
} from '../../../../src-main/engine/evaluate/measures/alignment.ts'
import { multiplyTransposed, takeRows, type Matrix } from '../../../../src-main/engine/evaluate/measures/matrix.ts'
import { nearestNeighbours } from '../../../../src-main/engine/evaluate/measures/neighbours.ts'
import { refusal } from '../../../support/refusal.ts'

const table = (rows: number, columns: number, at: (i: number, j: number) => number): Matrix => ({
  rows,
  columns,
  values: Float64Array.from({ length: rows * columns }, (_, k) => at(Math.floor(k / columns), k % columns)),
})
const scale = (matrix: Matrix, factor: number): Matrix => ({
  ...matrix,
  values: Float64Array.from(matrix.values, (value) => value * factor),
})
const x = table(12, 5, (i, j) => Math.sin(1 + 7 * i + 3 * j))
const y = table(12, 3, (i, j) => Math.cos(2 + 3 * i * j + i))
const spiky: Matrix = { ...x, values: Float64Array.from(x.values, (value) => value * Math.exp(3 * Math.abs(value))) }
const noise = (rows: number, columns: number, seed: number) => {
  const random = createRandom(seed)
  return table(rows, columns, () => random.normal())
}

describe('linear CKA', () => {
  it('agrees with NumPy: biased, unbiased, minibatch', () => {
    expect(linearCka(x, y)).toBeCloseTo(0.5518924439980578, 12)
    expect(unbiasedCka(x, y)).toBeCloseTo(0.46190690719585775, 12)
    const half = (matrix: Matrix, start: number) =>
      takeRows(
        matrix,
        [0, 1, 2, 3, 4, 5].map((i) => i + start),
      )
    expect(
      minibatchCka([
        [half(x, 0), half(y, 0)],
        [half(x, 6), half(y, 6)],
      ]),
    ).toBeCloseTo(0.7596420011766134, 12)
  })

  it('the feature form is the Gram form', () => {
    for (const [n, dx, dy] of [
      [5, 40, 30],
      [60, 4, 7],
      [20, 20, 1],
    ] as const) {
      const [a, b] = [noise(n, dx, 1), noise(n, dy, 2)]
      expect(linearCkaByFeatures(a, b)).toBeCloseTo(linearCkaByGram(a, b), 12)
    }
  })

  it('is 1 with itself, and does not see rotation, scale or offset', () => {
    const [c, s] = [Math.cos(0.7), Math.sin(0.7)]
    const turned = table(12, 5, (i, j) =>
      j === 0
        ? c * x.values[i * 5]! - s * x.values[i * 5 + 1]!
        : j === 1
          ? s * x.values[i * 5]! + c * x.values[i * 5 + 1]!
          : x.values[i * 5 + j]!,
    )
    const moved = table(12, 5, (i, j) => 1e6 + 300 * turned.values[i * 5 + j]!)
    expect(linearCka(x, x)).toBeCloseTo(1, 14)
    expect(unbiasedCka(x, x)).toBeCloseTo(1, 12)
    expect(linearCka(moved, y)).toBeCloseTo(linearCka(x, y), 8)
  })

  it('survives features of 1e100 and 1e-100', () => {
    for (const factor of [1e100, 1e-100, -100]) expect(linearCka(scale(x, factor), y)).toBeCloseTo(0.5518924439980578, 12)
  })

  it('unrelated wide features look alike to the biased form and not to the unbiased one; shuffling shows it', () => {
    const [a, b] = [noise(30, 300, 3), noise(30, 300, 4)]
    expect(linearCka(a, b)).toBeGreaterThan(0.8)
    expect(Math.abs(unbiasedCka(a, b))).toBeLessThan(0.15)
    const baseline = shuffledBaseline(linearCka, a, b, createRandom(5), 5)
    expect(Math.abs(baseline.mean - linearCka(a, b))).toBeLessThan(0.05)
    expect(baseline.largest).toBeGreaterThanOrEqual(baseline.mean)
    expect(shuffledBaseline(linearCka, a, b, createRandom(5), 5)).toEqual(baseline)
  })

  it('refuses other items, NaN, constant features, and too few items', () => {
    const constant = table(12, 2, () => 0.1)
    const broken = table(12, 2, (i) => (i === 3 ? NaN : i))
    for (const call of [
      () => linearCka(x, noise(11, 2, 1)),
      () => linearCka(x, broken),
      () => linearCka(x, constant),
      () => unbiasedCka(noise(3, 2, 1), noise(3, 2, 2)),
      () => minibatchCka([]),
    ])
      expect(refusal(call)).toBe('invalid-input')
  })
})

describe('mutual k-NN', () => {
  it("agrees with platonic-rep's preparation, exact and quick", () => {
    expect(clampOutliers(spiky).values.reduce((most, value) => Math.max(most, value))).toBeCloseTo(20.04702009792648, 10)
    expect(mutualKnn(spiky, y, { k: 3 })).toBeCloseTo(0.5, 12)
    expect(mutualKnn(spiky, y, { k: 3, quantile: 'row-mean' })).toBeCloseTo(0.4166666666666667, 12)
  })

  it('is 1 with itself and with all others as neighbours; chance is k/(n − 1)', () => {
    expect(mutualKnn(x, x, { k: 4 })).toBe(1)
    expect(mutualKnn(x, y, { k: 11 })).toBe(1)
    expect(Math.abs(mutualKnn(noise(400, 8, 1), noise(400, 8, 2)) - 10 / 399)).toBeLessThan(0.01)
  })

  it('preparing matters only for the rows it touches: scaling rows is undone by normalising, not by plain', () => {
    const stretched = table(12, 5, (i, j) => (1 + 10 * i) * x.values[i * 5 + j]!)
    const at = (matrix: Matrix, prepare: 'normalise' | 'plain') => mutualKnn(matrix, y, { k: 3, prepare })
    expect(at(stretched, 'normalise')).toBe(at(x, 'normalise'))
    expect(at(stretched, 'plain')).not.toBe(at(x, 'plain'))
  })

  it('the best pair of layers is the largest of the table', () => {
    const best = bestMutualKnn([noise(12, 4, 8), x], [y, x], { k: 3 })
    expect(best).toMatchObject({ score: 1, layerX: 1, layerY: 1 })
    expect(best.table[1]![0]).toBe(mutualKnn(x, y, { k: 3 }))
  })

  it('refuses as many neighbours as items', () => {
    expect(refusal(() => mutualKnn(x, y, { k: 12 }))).toBe('invalid-input')
    expect(refusal(() => bestMutualKnn([], [y]))).toBe('invalid-input')
  })
})

describe('neighbours', () => {
  it('at equal similarity the lower index comes first', () => {
    const same = table(5, 2, () => 1)
    expect([...nearestNeighbours(same, same, 3, true).indices]).toEqual([1, 2, 3, 0, 2, 3, 0, 1, 3, 0, 1, 2, 0, 1, 2])
  })

  it('the blocked product is the product, whatever the remainder of its tiles', () => {
    for (const [n, m] of [
      [1, 1],
      [2, 4],
      [3, 5],
      [5, 7],
      [6, 9],
    ] as const) {
      const [a, b] = [noise(n, 6, 1), noise(m, 6, 2)]
      const product = multiplyTransposed(a, b).values
      for (let i = 0; i < n; i++)
        for (let j = 0; j < m; j++) {
          let sum = 0
          for (let k = 0; k < 6; k++) sum += a.values[i * 6 + k]! * b.values[j * 6 + k]!
          expect(product[i * m + j]).toBeCloseTo(sum, 12)
        }
    }
  })
})
