// Features as plain matrices, and the few products that measures and probes need, in double precision on typed arrays: the
// number a probe reports then does not depend on which backend ran the encoder. Only products beyond LARGE_PRODUCT
// multiply-adds, minutes of work here, go to the tensor backend, in float32.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../../domain/errors.ts'

/** Row-major (rows, columns): one row an item, one column a feature. */
export interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly values: Float32Array | Float64Array
}

/** A matrix this module made, in doubles. */
export interface DoubleMatrix extends Matrix {
  readonly values: Float64Array
}

/** Multiply-adds from which a product is handed to the tensor backend: about 10 s on one core here. */
export const LARGE_PRODUCT = 2e10

/** @throws LabError 'invalid-input' on a shape that does not fit its values, too few rows, NaN or infinity */
export function requireMatrix(matrix: Matrix, name: string, atLeastRows = 1): void {
  const { rows, columns, values } = matrix
  if (!Number.isInteger(rows) || !Number.isInteger(columns) || columns < 1 || rows * columns !== values.length)
    throw new LabError(
      'invalid-input',
      `${name}: expected rows × columns values, got shape (${rows}, ${columns}) with ${values.length} values`,
    )
  if (rows < atLeastRows)
    throw new LabError('invalid-input', `${name}: expected at least ${atLeastRows} rows, got ${rows}`, { rows })
  for (let i = 0; i < values.length; i++)
    if (!Number.isFinite(values[i]))
      throw new LabError(
        'invalid-input',
        `${name}: expected finite features, got ${values[i]} in row ${Math.floor(i / columns)}. Did the encoder overflow?`,
        {
          row: Math.floor(i / columns),
        },
      )
}

export function requireSameRows(a: Matrix, b: Matrix, names: string): void {
  if (a.rows !== b.rows)
    throw new LabError('invalid-input', `${names}: expected the same items in both, got ${a.rows} and ${b.rows} rows`)
}

export function requireSameColumns(a: Matrix, b: Matrix, names: string): void {
  if (a.columns !== b.columns)
    throw new LabError('invalid-input', `${names}: expected the same features in both, got ${a.columns} and ${b.columns} columns`)
}

/** Each row divided by its Euclidean norm; a row of zeros stays, and has cosine 0 with everything. */
export function normaliseRows(matrix: Matrix): DoubleMatrix {
  const { rows, columns } = matrix
  const values = Float64Array.from(matrix.values)
  for (let i = 0; i < rows; i++) {
    const row = values.subarray(i * columns, (i + 1) * columns)
    // Dividing by the largest first keeps squares of ±1e200 from overflowing.
    let largest = 0
    for (const value of row) largest = Math.max(largest, Math.abs(value))
    if (largest === 0) continue
    let squares = 0
    for (const value of row) squares += (value / largest) ** 2
    const norm = Math.sqrt(squares)
    for (let j = 0; j < columns; j++) row[j] = row[j]! / largest / norm
  }
  return { rows, columns, values }
}

/** Column means, (columns), in two passes so that a large common offset does not cost digits. */
export function columnMeans(matrix: Matrix): Float64Array {
  const { rows, columns, values } = matrix
  const means = new Float64Array(columns)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) means[j]! += values[i * columns + j]! / rows
  const rest = new Float64Array(columns)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) rest[j]! += (values[i * columns + j]! - means[j]!) / rows
  return means.map((value, j) => value + rest[j]!)
}

/** The matrix with `means`, its own by default, taken from every row. */
export function centreColumns(matrix: Matrix, means: Float64Array = columnMeans(matrix)): DoubleMatrix {
  const { rows, columns } = matrix
  const values = Float64Array.from(matrix.values)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const deviation = values[i * columns + j]! - means[j]!
      // What rounding leaves of a constant feature must not pass for variance.
      values[i * columns + j] = Math.abs(deviation) <= 1e-14 * Math.abs(means[j]!) ? 0 : deviation
    }
  return { rows, columns, values }
}

/** The given rows, in the given order. */
export function takeRows(matrix: Matrix, rows: ArrayLike<number>): Matrix {
  const { columns } = matrix
  const values = new (matrix.values instanceof Float32Array ? Float32Array : Float64Array)(rows.length * columns)
  for (let i = 0; i < rows.length; i++)
    values.set(matrix.values.subarray(rows[i]! * columns, (rows[i]! + 1) * columns), i * columns)
  return { rows: rows.length, columns, values }
}

/** A·Bᵀ: (n, d), (m, d) → (n, m), all pairs of dot products. */
export function multiplyTransposed(a: Matrix, b: Matrix): DoubleMatrix {
  requireSameColumns(a, b, 'a, b')
  const [n, m, d] = [a.rows, b.rows, a.columns]
  if (belongsToBackend(n * m * d)) return onBackend(n, m, () => tf.matMul(asTensor(a), asTensor(b), false, true))
  const out = new Float64Array(n * m)
  allDotProducts(asDoubles(a), asDoubles(b), n, m, d, out)
  return { rows: n, columns: m, values: out }
}

/** out[i·m + j] = x_i·y_j for rows of x (n, d) and y (m, d), without allocating. */
export function allDotProducts(x: Float64Array, y: Float64Array, n: number, m: number, d: number, out: Float64Array): void {
  let i = 0
  // Three rows by three at a time: nine sums stay in registers while six streams are read.
  for (; i + 2 < n; i += 3) {
    const p0 = i * d
    const p1 = p0 + d
    const p2 = p1 + d
    let j = 0
    for (; j + 2 < m; j += 3) {
      let [s00, s01, s02, s10, s11, s12, s20, s21, s22] = [0, 0, 0, 0, 0, 0, 0, 0, 0]
      const q0 = j * d
      const q1 = q0 + d
      const q2 = q1 + d
      for (let k = 0; k < d; k++) {
        const u0 = x[p0 + k]!
        const u1 = x[p1 + k]!
        const u2 = x[p2 + k]!
        const v0 = y[q0 + k]!
        const v1 = y[q1 + k]!
        const v2 = y[q2 + k]!
        s00 += u0 * v0
        s01 += u0 * v1
        s02 += u0 * v2
        s10 += u1 * v0
        s11 += u1 * v1
        s12 += u1 * v2
        s20 += u2 * v0
        s21 += u2 * v1
        s22 += u2 * v2
      }
      const at = i * m + j
      out[at] = s00
      out[at + 1] = s01
      out[at + 2] = s02
      out[at + m] = s10
      out[at + m + 1] = s11
      out[at + m + 2] = s12
      out[at + 2 * m] = s20
      out[at + 2 * m + 1] = s21
      out[at + 2 * m + 2] = s22
    }
    for (; j < m; j++) for (let r = i; r < i + 3; r++) out[r * m + j] = dot(x, r * d, y, j * d, d)
  }
  for (; i < n; i++) for (let j = 0; j < m; j++) out[i * m + j] = dot(x, i * d, y, j * d, d)
}

/** Aᵀ·B: (n, p), (n, q) → (p, q), sums over items. */
export function multiplyOverItems(a: Matrix, b: Matrix): DoubleMatrix {
  requireSameRows(a, b, 'a, b')
  const [n, p, q] = [a.rows, a.columns, b.columns]
  if (belongsToBackend(n * p * q)) return onBackend(p, q, () => tf.matMul(asTensor(a), asTensor(b), true, false))
  return multiplyTransposed(transpose(a), transpose(b))
}

/** (n, m) → (m, n), in doubles. */
export function transpose(matrix: Matrix): DoubleMatrix {
  const { rows, columns, values } = matrix
  const out = new Float64Array(values.length)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = values[i * columns + j]!
  return { rows: columns, columns: rows, values: out }
}

export function asDoubles(matrix: Matrix): Float64Array {
  return matrix.values instanceof Float64Array ? matrix.values : Float64Array.from(matrix.values)
}

export function innerProduct(a: Float64Array, b: Float64Array): number {
  return dot(a, 0, b, 0, a.length)
}

function dot(x: Float64Array, xStart: number, y: Float64Array, yStart: number, length: number): number {
  let sum = 0
  for (let k = 0; k < length; k++) sum += x[xStart + k]! * y[yStart + k]!
  return sum
}

function belongsToBackend(multiplyAdds: number): boolean {
  return multiplyAdds > LARGE_PRODUCT && hasFastBackend()
}

/** A native or WebAssembly backend is open. tfjs's plain JavaScript one is slower than the loops here, at any size. */
export function hasFastBackend(): boolean {
  // Before any backend is ready this is undefined, whatever the type says.
  const backend = tf.getBackend() as string | undefined
  return backend !== undefined && backend !== '' && backend !== 'cpu'
}

function asTensor(matrix: Matrix): tf.Tensor2D {
  return tf.tensor2d(Float32Array.from(matrix.values), [matrix.rows, matrix.columns])
}

function onBackend(rows: number, columns: number, product: () => tf.Tensor): DoubleMatrix {
  const result = tf.tidy(product)
  const values = Float64Array.from(result.dataSync())
  result.dispose()
  return { rows, columns, values }
}
