// How alike two sets of features of the same items are: linear CKA (Kornblith et al. 2019, arXiv 1905.00414), its unbiased
// and minibatch forms (Nguyen et al. 2021, arXiv 2010.15327), and mutual k-NN (Huh et al. 2024, arXiv 2405.07987, as in
// github.com/minyoungg/platonic-rep). None of them depends on rotation or on the overall scale of either side.

import { LabError } from '../../../domain/errors.ts'
import type { Random } from '../../../domain/random.ts'
import { quantileOfSorted } from '../../../domain/statistics/description.ts'
import {
  centreColumns,
  innerProduct,
  multiplyOverItems,
  multiplyTransposed,
  normaliseRows,
  requireMatrix,
  requireSameRows,
  takeRows,
  type DoubleMatrix,
  type Matrix,
} from './matrix.ts'
import { nearestNeighbours, type Neighbours } from './neighbours.ts'

/**
 * Linear CKA with the biased HSIC, in [0, 1]:
 *
 *   HSIC(K, L)/√(HSIC(K, K)·HSIC(L, L)),  K = XXᵀ, L = YYᵀ, HSIC(K, L) = tr(KHLH), H = I − 11ᵀ/n
 *
 * which equals ‖XcᵀYc‖²/(‖XcᵀXc‖·‖YcᵀYc‖) in Frobenius norms. The cheaper form is computed: by features it costs n·d²,
 * by Gram matrices n²·d. With n ≲ d it is near 1 for unrelated features; show `shuffledBaseline` beside it.
 * @param x  (n, dx); y (n, dy): row i is the same item in both
 * @throws LabError 'invalid-input' for fewer than 2 items, NaN, or a side whose rows are all equal
 */
export function linearCka(x: Matrix, y: Matrix): number {
  const byFeatures = x.columns * y.columns + x.columns ** 2 + y.columns ** 2
  return byFeatures <= x.rows * (x.columns + y.columns) ? linearCkaByFeatures(x, y) : linearCkaByGram(x, y)
}

/** The feature-space form, for n ≫ d. */
export function linearCkaByFeatures(x: Matrix, y: Matrix): number {
  const [a, b] = centredPair(x, y)
  return ckaOf(squares(multiplyOverItems(a, b)), Math.sqrt(squares(multiplyOverItems(a, a)) * squares(multiplyOverItems(b, b))))
}

/** The Gram form, for d ≫ n. */
export function linearCkaByGram(x: Matrix, y: Matrix): number {
  const [a, b] = centredPair(x, y)
  const [k, l] = [multiplyTransposed(a, a).values, multiplyTransposed(b, b).values]
  return ckaOf(innerProduct(k, l), Math.sqrt(innerProduct(k, k) * innerProduct(l, l)))
}

/**
 * Linear CKA with the unbiased HSIC (Song et al. 2012, eq. 5), for n ≥ 4 items:
 *
 *   HSIC₁(K, L) = [tr(K̃L̃) + 1ᵀK̃1·1ᵀL̃1/((n − 1)(n − 2)) − 2/(n − 2)·1ᵀK̃L̃1]/(n(n − 3)),  K̃ = K without its diagonal
 *
 * About 0 for unrelated features at any n and d; it may fall slightly below.
 */
export function unbiasedCka(x: Matrix, y: Matrix): number {
  const sums = unbiasedHsics(x, y)
  if (sums.kk <= 0 || sums.ll <= 0)
    throw new LabError(
      'invalid-input',
      `unbiased CKA is undefined here: a side's HSIC with itself is not positive for ${x.rows} items. Use more items.`,
    )
  return sums.kl / Math.sqrt(sums.kk * sums.ll)
}

/** Minibatch CKA: unbiased HSICs averaged over batches of the same items in both sets, then one ratio. */
export function minibatchCka(batches: Iterable<readonly [Matrix, Matrix]>): number {
  let [kl, kk, ll, count] = [0, 0, 0, 0]
  for (const [x, y] of batches) {
    const sums = unbiasedHsics(x, y)
    // Every batch was scaled by its own largest entry; HSIC is quadratic in each kernel's scale.
    const [scaleX, scaleY] = [sums.largestX ** 2, sums.largestY ** 2]
    kl += sums.kl * scaleX * scaleY
    kk += sums.kk * scaleX ** 2
    ll += sums.ll * scaleY ** 2
    count++
  }
  if (count === 0) throw new LabError('invalid-input', 'minibatch CKA: expected at least one batch, got none')
  if (kk <= 0 || ll <= 0)
    throw new LabError('invalid-input', 'minibatch CKA is undefined here: HSIC with itself is not positive. Use larger batches.')
  return kl / Math.sqrt(kk * ll)
}

export interface MutualKnnOptions {
  readonly k?: number
  /**
   * 'clamp' clamps at a quantile of |x| and then divides each row by its norm, as platonic-rep does; 'normalise' only
   * divides; 'plain' takes the features as they are.
   */
  readonly prepare?: 'clamp' | 'normalise' | 'plain'
  /** 'pooled': the quantile of all values, platonic-rep's exact form; 'row-mean': the mean of each row's, its quick form. */
  readonly quantile?: 'pooled' | 'row-mean'
  /** Share of values left alone. */
  readonly share?: number
}

/** Mutual k-NN: mean over items of |kNN_X(i) ∩ kNN_Y(i)|/k, neighbours by dot product without self. Chance is k/(n − 1). */
export function mutualKnn(x: Matrix, y: Matrix, options: MutualKnnOptions = {}): number {
  requireSameRows(x, y, 'x, y')
  return overlap(preparedNeighbours(x, 'x', options), preparedNeighbours(y, 'y', options))
}

export interface LayerPair {
  /** The largest score over all pairs. */
  readonly score: number
  readonly layerX: number
  readonly layerY: number
  /** Scores of every pair, (layers of x, layers of y). */
  readonly table: readonly (readonly number[])[]
}

/**
 * Mutual k-NN of every layer of one model with every layer of another; the reported score is the largest, as in the
 * Platonic representation paper. A maximum of many is biased upwards: compare it only with maxima over as many pairs.
 */
export function bestMutualKnn(layersX: readonly Matrix[], layersY: readonly Matrix[], options: MutualKnnOptions = {}): LayerPair {
  if (layersX.length === 0 || layersY.length === 0)
    throw new LabError('invalid-input', `layers: expected at least one on each side, got ${layersX.length} and ${layersY.length}`)
  for (const layer of [...layersX, ...layersY]) requireSameRows(layersX[0]!, layer, 'layers')
  const x = layersX.map((layer, i) => preparedNeighbours(layer, `layer ${i} of x`, options))
  const y = layersY.map((layer, i) => preparedNeighbours(layer, `layer ${i} of y`, options))
  const table = x.map((left) => y.map((right) => overlap(left, right)))
  let best = { score: -1, layerX: 0, layerY: 0 }
  table.forEach((row, layerX) => row.forEach((score, layerY) => (best = score > best.score ? { score, layerX, layerY } : best)))
  return { ...best, table }
}

/** What a measure says when the items of y are shuffled, so that nothing is left to find: mean and largest of `rounds`. */
export function shuffledBaseline(
  measure: (x: Matrix, y: Matrix) => number,
  x: Matrix,
  y: Matrix,
  random: Random,
  rounds = 10,
): { readonly mean: number; readonly largest: number } {
  const order = Array.from({ length: y.rows }, (_, i) => i)
  const values = Array.from({ length: rounds }, () => measure(x, takeRows(y, random.shuffle(order))))
  return { mean: values.reduce((sum, each) => sum + each, 0) / rounds, largest: Math.max(...values) }
}

/**
 * Features clamped to ±the quantile of their absolute values. 'pooled' takes the value at index ⌊share·count⌋ of all, sorted;
 * 'row-mean' averages the linearly interpolated quantile of each row.
 */
export function clampOutliers(features: Matrix, share = 0.95, quantile: 'pooled' | 'row-mean' = 'pooled'): DoubleMatrix {
  if (!(share > 0 && share <= 1)) throw new LabError('invalid-input', `share: expected more than 0 and at most 1, got ${share}`)
  const { rows, columns } = features
  const values = Float64Array.from(features.values)
  if (share === 1) return { rows, columns, values }
  const sizes = values.map(Math.abs)
  let limit = 0
  if (quantile === 'pooled') limit = sizes.sort()[Math.floor(share * sizes.length)]!
  else
    for (let i = 0; i < rows; i++) limit += quantileOfSorted(sizes.subarray(i * columns, (i + 1) * columns).sort(), share) / rows
  return { rows, columns, values: values.map((value) => Math.min(limit, Math.max(-limit, value))) }
}

function preparedNeighbours(features: Matrix, name: string, options: MutualKnnOptions): Neighbours {
  const { k = 10, prepare = 'clamp', quantile = 'pooled', share = 0.95 } = options
  requireMatrix(features, name, 2)
  const prepared =
    prepare === 'plain' ? features : normaliseRows(prepare === 'clamp' ? clampOutliers(features, share, quantile) : features)
  return nearestNeighbours(prepared, prepared, k, true)
}

function overlap(a: Neighbours, b: Neighbours): number {
  const { k } = a
  let shared = 0
  for (let i = 0; i < a.indices.length; i += k) {
    const others = new Set(b.indices.subarray(i, i + k))
    for (let j = i; j < i + k; j++) if (others.has(a.indices[j]!)) shared++
  }
  return shared / a.indices.length
}

function centredPair(x: Matrix, y: Matrix): readonly [DoubleMatrix, DoubleMatrix] {
  requireMatrix(x, 'x', 2)
  requireMatrix(y, 'y', 2)
  requireSameRows(x, y, 'x, y')
  return [scaled(centreColumns(x), 'x').matrix, scaled(centreColumns(y), 'y').matrix]
}

/** CKA ignores scale; a largest entry of 1 keeps fourth powers of 1e100 from overflowing and of 1e-100 from vanishing. */
function scaled(matrix: DoubleMatrix, name: string): { readonly matrix: DoubleMatrix; readonly largest: number } {
  let largest = 0
  for (const value of matrix.values) largest = Math.max(largest, Math.abs(value))
  if (largest === 0) throw new LabError('invalid-input', `${name}: every item has the same features, so nothing can be aligned`)
  return { matrix: { ...matrix, values: matrix.values.map((value) => value / largest) }, largest }
}

function ckaOf(numerator: number, denominator: number): number {
  return Math.min(1, numerator / denominator)
}

function unbiasedHsics(x: Matrix, y: Matrix) {
  requireMatrix(x, 'x', 4)
  requireMatrix(y, 'y', 4)
  requireSameRows(x, y, 'x, y')
  const n = x.rows
  // Centring changes no HSIC, and keeps a large common offset from swallowing the digits.
  const [a, b] = [scaled(centreColumns(x), 'x'), scaled(centreColumns(y), 'y')]
  const k = withoutDiagonal(multiplyTransposed(a.matrix, a.matrix).values, n)
  const l = withoutDiagonal(multiplyTransposed(b.matrix, b.matrix).values, n)
  const [rowsK, rowsL] = [rowSums(k, n), rowSums(l, n)]
  const hsic = (p: Float64Array, rowsP: Float64Array, q: Float64Array, rowsQ: Float64Array) =>
    (innerProduct(p, q) + (total(rowsP) * total(rowsQ)) / ((n - 1) * (n - 2)) - (2 * innerProduct(rowsP, rowsQ)) / (n - 2)) /
    (n * (n - 3))
  return {
    kl: hsic(k, rowsK, l, rowsL),
    kk: hsic(k, rowsK, k, rowsK),
    ll: hsic(l, rowsL, l, rowsL),
    largestX: a.largest,
    largestY: b.largest,
  }
}

function withoutDiagonal(gram: Float64Array, n: number): Float64Array {
  for (let i = 0; i < n; i++) gram[i * n + i] = 0
  return gram
}

function rowSums(matrix: Float64Array, n: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => total(matrix.subarray(i * n, (i + 1) * n)))
}

function total(values: Float64Array): number {
  let sum = 0
  for (const value of values) sum += value
  return sum
}

function squares(matrix: DoubleMatrix): number {
  return innerProduct(matrix.values, matrix.values)
}
