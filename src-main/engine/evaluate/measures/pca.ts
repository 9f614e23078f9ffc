// Principal components of features, exact, as scikit-learn's PCA with the full solver: centred, not scaled.

import { LabError } from '../../../domain/errors.ts'
import { symmetricEigen } from './eigen.ts'
import {
  centreColumns,
  columnMeans,
  multiplyOverItems,
  multiplyTransposed,
  requireMatrix,
  requireSameColumns,
  type DoubleMatrix,
  type Matrix,
} from './matrix.ts'

export interface Pca {
  /** (d). */
  readonly mean: Float64Array
  /** Row k is direction k, of length 1; its entry of largest size is positive, so that a picture does not flip, (k, d). */
  readonly components: DoubleMatrix
  /** Variance along each direction, divisor n − 1, descending, (k). */
  readonly explainedVariance: Float64Array
  /** Share of the total variance, (k). */
  readonly explainedVarianceRatio: Float64Array
}

/**
 * The first `count` principal components of features (n, d): eigenvectors of XcᵀXc/(n − 1), or, where d > n, of the
 * smaller XcXcᵀ. Directions beyond the rank of the data have variance 0 and a component of zeros.
 * @throws LabError 'invalid-input' unless n ≥ 2, 1 ≤ count ≤ min(n, d), values are finite and not all rows are equal
 */
export function pca(features: Matrix, count: number): Pca {
  requireMatrix(features, 'features', 2)
  const { rows: n, columns: d } = features
  if (!Number.isInteger(count) || count < 1 || count > Math.min(n, d))
    throw new LabError(
      'invalid-input',
      `count: expected 1 to ${Math.min(n, d)} components for ${n} rows of ${d} features, got ${count}`,
    )
  const mean = columnMeans(features)
  const centred = centreColumns(features, mean)
  let total = 0
  for (const value of centred.values) total += value * value
  if (total === 0) throw new LabError('invalid-input', 'features: all rows are equal, so no direction explains anything')
  const eigen =
    d <= n
      ? symmetricEigen(multiplyOverItems(centred, centred).values, d)
      : symmetricEigen(multiplyTransposed(centred, centred).values, n)
  const components = new Float64Array(count * d)
  const explainedVariance = new Float64Array(count)
  for (let k = 0; k < count; k++) {
    const value = eigen.values[k]!
    if (value <= 1e-14 * total) continue
    explainedVariance[k] = value / (n - 1)
    const component = components.subarray(k * d, (k + 1) * d)
    if (d <= n) component.set(eigen.vectors.subarray(k * d, (k + 1) * d))
    // An eigenvector u of XcXcᵀ gives the direction Xcᵀu/√λ.
    else
      for (let i = 0; i < n; i++)
        for (let j = 0; j < d; j++) component[j]! += (eigen.vectors[k * n + i]! * centred.values[i * d + j]!) / Math.sqrt(value)
    if (largestIsNegative(component)) for (let j = 0; j < d; j++) component[j] = -component[j]!
  }
  return {
    mean,
    components: { rows: count, columns: d, values: components },
    explainedVariance,
    explainedVarianceRatio: explainedVariance.map((value) => (value * (n - 1)) / total),
  }
}

/** Coordinates of features (m, d) along the components: (X − mean)·componentsᵀ, (m, k). */
export function project(model: Pca, features: Matrix): DoubleMatrix {
  requireMatrix(features, 'features')
  requireSameColumns(features, model.components, 'features, components')
  return multiplyTransposed(centreColumns(features, model.mean), model.components)
}

function largestIsNegative(vector: Float64Array): boolean {
  let largest = 0
  for (const value of vector) if (Math.abs(value) > Math.abs(largest)) largest = value
  return largest < 0
}
