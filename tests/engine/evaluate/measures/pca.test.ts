// Reference values: scikit-learn 1.9, PCA(svd_solver='full').

import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../../src-main/domain/random.ts'
import { symmetricEigen } from '../../../../src-main/engine/evaluate/measures/eigen.ts'
import type { Matrix } from '../../../../src-main/engine/evaluate/measures/matrix.ts'
import { pca, project } from '../../../../src-main/engine/evaluate/measures/pca.ts'
import { refusal } from '../../../support/refusal.ts'

const spiky = (rows: number, columns: number): Matrix => ({
  rows,
  columns,
  values: Float64Array.from({ length: rows * columns }, (_, k) => {
    const value = Math.sin(1 + 7 * Math.floor(k / columns) + 3 * (k % columns))
    return value * Math.exp(3 * Math.abs(value))
  }),
})

const TALL = {
  variance: [587.6911556500662, 47.15856345633779, 1.377645139337865],
  ratio: [0.9236877911191612, 0.07412020564296974, 0.002165276750325549],
  first: [0.4293556171507428, -0.4559486517221143, 0.465009186313841, -0.45556990285858895, 0.4289371763639123],
}
const WIDE = {
  ratio: [0.5861961943636717, 0.2755007357246334, 0.08064590526154403],
  first: [0.324188399641011, -0.2893342744688363, 0.24894880243159914],
}

describe('eigenvalues of a symmetric matrix', () => {
  it('2 1 / 1 2 has 3 and 1', () => {
    const { values, vectors } = symmetricEigen(Float64Array.of(2, 1, 1, 2), 2)
    expect([...values]).toEqual([expect.closeTo(3, 14), expect.closeTo(1, 14)])
    expect(Math.abs(vectors[0]!)).toBeCloseTo(Math.SQRT1_2, 14)
  })

  it('A·v = λ·v, and the vectors are orthonormal, also with equal and zero eigenvalues', () => {
    const random = createRandom(7)
    for (const [n, rank] of [
      [1, 1],
      [3, 3],
      [30, 30],
      [25, 4],
    ] as const) {
      const factor = Float64Array.from({ length: n * rank }, () => random.normal())
      const a = new Float64Array(n * n)
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++) for (let k = 0; k < rank; k++) a[i * n + j]! += factor[i * rank + k]! * factor[j * rank + k]!
      const { values, vectors } = symmetricEigen(a, n)
      for (let k = 0; k < n; k++) {
        const v = vectors.subarray(k * n, (k + 1) * n)
        for (let i = 0; i < n; i++) {
          let sum = 0
          for (let j = 0; j < n; j++) sum += a[i * n + j]! * v[j]!
          expect(Math.abs(sum - values[k]! * v[i]!)).toBeLessThan(1e-11 * Math.max(1, values[0]!))
        }
        for (let other = 0; other <= k; other++) {
          let sum = 0
          for (let j = 0; j < n; j++) sum += v[j]! * vectors[other * n + j]!
          expect(sum).toBeCloseTo(other === k ? 1 : 0, 11)
        }
      }
    }
  })

  it('the identity and the zero matrix keep unit vectors', () => {
    for (const value of [0, 1]) {
      const n = 4
      const matrix = Float64Array.from({ length: n * n }, (_, k) => (k % (n + 1) === 0 ? value : 0))
      const { values, vectors } = symmetricEigen(matrix, n)
      expect([...values]).toEqual([value, value, value, value])
      expect(vectors.reduce((sum, each) => sum + Math.abs(each), 0)).toBe(n)
    }
  })
})

describe('PCA', () => {
  it('agrees with scikit-learn for many rows', () => {
    const model = pca(spiky(12, 5), 3)
    TALL.ratio.forEach((ratio, k) => expect(model.explainedVarianceRatio[k]).toBeCloseTo(ratio, 12))
    TALL.variance.forEach((variance, k) => expect(model.explainedVariance[k]! / variance).toBeCloseTo(1, 12))
    TALL.first.forEach((value, j) => expect(model.components.values[j]).toBeCloseTo(value, 11))
  })

  it('agrees with scikit-learn for many columns', () => {
    const model = pca(spiky(6, 20), 3)
    WIDE.ratio.forEach((ratio, k) => expect(model.explainedVarianceRatio[k]).toBeCloseTo(ratio, 12))
    WIDE.first.forEach((value, j) => expect(model.components.values[j]).toBeCloseTo(value, 11))
  })

  it('the projections have mean 0 and the explained variances, uncorrelated', () => {
    const features = spiky(12, 5)
    const model = pca(features, 3)
    const scores = project(model, features)
    for (let k = 0; k < 3; k++)
      for (let l = 0; l <= k; l++) {
        let [sum, products] = [0, 0]
        for (let i = 0; i < 12; i++) {
          sum += scores.values[i * 3 + k]!
          products += scores.values[i * 3 + k]! * scores.values[i * 3 + l]!
        }
        expect(sum).toBeCloseTo(0, 10)
        expect(products / 11).toBeCloseTo(k === l ? model.explainedVariance[k]! : 0, 9)
      }
  })

  it('directions beyond the rank have no variance, in either shape', () => {
    for (const [rows, columns] of [
      [6, 3],
      [3, 6],
    ] as const) {
      const line: Matrix = {
        rows,
        columns,
        values: Float64Array.from({ length: rows * columns }, (_, k) => Math.floor(k / columns) * ((k % columns) + 1)),
      }
      const model = pca(line, 2)
      expect([...model.explainedVarianceRatio]).toEqual([expect.closeTo(1, 12), 0])
      expect(project(model, line).values.every(Number.isFinite)).toBe(true)
    }
  })

  it('refuses one row, too many components, equal rows, NaN', () => {
    const ones: Matrix = { rows: 3, columns: 2, values: new Float32Array(6).fill(0.1) }
    for (const call of [
      () => pca(spiky(1, 5), 1),
      () => pca(spiky(4, 5), 5),
      () => pca(spiky(4, 5), 0),
      () => pca(ones, 1),
      () => pca({ ...ones, values: new Float32Array(6).fill(NaN) }, 1),
      () => pca({ ...ones, rows: 2 }, 1),
    ])
      expect(refusal(call)).toBe('invalid-input')
  })
})
