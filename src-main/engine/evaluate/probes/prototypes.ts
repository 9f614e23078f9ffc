// The cheapest probe: one prototype a class, the mean of its normalised training features; the nearest by cosine wins. The
// paper validates it as a stand-in for logistic regression (arXiv 2510.16333, appendix E.3). Nothing is fitted or chosen.

import {
  multiplyTransposed,
  normaliseRows,
  requireMatrix,
  requireSameColumns,
  type DoubleMatrix,
  type Matrix,
} from '../measures/matrix.ts'
import { argmaxRow, classesOf, requireLabels } from './labels.ts'

export interface Prototypes {
  /** Labels that occurred in training, ascending, (K). */
  readonly classes: Int32Array
  /** normalise(mean of normalise(x) over the class), (K, d). */
  readonly weights: DoubleMatrix
}

/** @param features  (n, d); labels (n), integers. Items of length 0 pull their class nowhere. */
export function fitPrototypes(features: Matrix, labels: ArrayLike<number>): Prototypes {
  requireMatrix(features, 'features', 1)
  requireLabels(labels, features, 'labels')
  const { classes, positions } = classesOf(labels)
  const { rows: n, columns: d } = features
  const unit = normaliseRows(features).values
  const sums = new Float64Array(classes.length * d)
  // The sum has the direction of the mean, and the length goes anyway.
  for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) sums[positions[i]! * d + j]! += unit[i * d + j]!
  return { classes, weights: normaliseRows({ rows: classes.length, columns: d, values: sums }) }
}

/** Cosine of each item with each prototype, (n, K). */
export function cosines(prototypes: Prototypes, features: Matrix): DoubleMatrix {
  requireMatrix(features, 'features', 0)
  requireSameColumns(features, prototypes.weights, 'features, prototypes')
  return multiplyTransposed(normaliseRows(features), prototypes.weights)
}

/** The label of the nearest prototype, (n); the lower label at ties. */
export function predictByPrototypes(prototypes: Prototypes, features: Matrix): Int32Array {
  const table = cosines(prototypes, features)
  return Int32Array.from({ length: table.rows }, (_, i) => prototypes.classes[argmaxRow(table.values, table.columns, i)]!)
}
