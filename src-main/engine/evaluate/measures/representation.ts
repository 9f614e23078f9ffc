// Two sets of features of the same items, as wholes: CKA of every pair of layers, how many directions are used, whose neighbours
// changed, and the best turn and scale of one onto the other. Plain numbers, no tensor.

import { LabError } from '../../../domain/errors.ts'
import { symmetricEigen } from './eigen.ts'
import { centreColumns, multiplyOverItems, multiplyTransposed, normaliseRows, requireMatrix, requireSameRows, takeRows, type DoubleMatrix, type Matrix } from './matrix.ts'
import { nearestNeighbours } from './neighbours.ts'
import { pca, project } from './pca.ts'

/**
 * Minibatch linear CKA (Nguyen et al. 2021, arXiv 2010.15327, eq. 3) of every layer of x with every layer of y: unbiased HSICs
 * averaged over batches of the same items, then one ratio a pair. One batch of all items is the unbiased CKA.
 * @param batch  items a batch; the last ones that do not fill one are left out, unless there is no other
 * @returns (layers of x, layers of y); about 0 for unrelated features, 0 where a layer tells no items apart
 */
export function ckaTable(layersX: readonly Matrix[], layersY: readonly Matrix[], batch: number): readonly (readonly number[])[] {
  const all = [...layersX, ...layersY]
  all.forEach((layer, i) => {
    requireMatrix(layer, `layer ${i}`, 4)
    requireSameRows(all[0]!, layer, 'layers')
  })
  const n = all[0]!.rows
  const size = Math.min(batch, n)
  const cross = layersX.map(() => layersY.map(() => 0))
  const [ownX, ownY] = [layersX.map(() => 0), layersY.map(() => 0)]
  // One scale a layer for all batches: HSIC is quadratic in it, and the ratio does not know it.
  const scales = all.map((layer) => 1 / (largestOf(centreColumns(layer)) || 1))
  for (let at = 0; at + size <= n; at += size) {
    const rows = Array.from({ length: size }, (_, i) => at + i)
    const grams = all.map((layer, i) => hollowGram(takeRows(layer, rows), scales[i]!))
    const [x, y] = [grams.slice(0, layersX.length), grams.slice(layersX.length)]
    x.forEach((k, i) => {
      ownX[i]! += hsic(k, k)
      y.forEach((l, j) => (cross[i]![j]! += hsic(k, l)))
    })
    y.forEach((l, j) => (ownY[j]! += hsic(l, l)))
  }
  return cross.map((row, i) => row.map((value, j) => (ownX[i]! > 0 && ownY[j]! > 0 ? value / Math.sqrt(ownX[i]! * ownY[j]!) : 0)))
}

interface HollowGram {
  /** (n, n), zeros on the diagonal. */
  readonly values: Float64Array
  readonly rows: Float64Array
  readonly total: number
  readonly n: number
}

function hollowGram(features: Matrix, scale: number): HollowGram {
  const centred = centreColumns(features)
  const scaled = { ...centred, values: centred.values.map((value) => value * scale) }
  const { values } = multiplyTransposed(scaled, scaled)
  const n = features.rows
  const rows = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    values[i * n + i] = 0
    for (let j = 0; j < n; j++) rows[i]! += values[i * n + j]!
  }
  return { values, rows, total: rows.reduce((a, b) => a + b, 0), n }
}

/** The unbiased HSIC (Song et al. 2012, eq. 5). */
function hsic(k: HollowGram, l: HollowGram): number {
  const { n } = k
  let [trace, between] = [0, 0]
  for (let i = 0; i < k.values.length; i++) trace += k.values[i]! * l.values[i]!
  for (let i = 0; i < n; i++) between += k.rows[i]! * l.rows[i]!
  return (trace + (k.total * l.total) / ((n - 1) * (n - 2)) - (2 * between) / (n - 2)) / (n * (n - 3))
}

/** exp(−Σ p·log p), p the shares of the variance along the principal directions (Roy & Vetterli 2007): 1 to min(n, d). */
export function effectiveRank(features: Matrix): number {
  requireMatrix(features, 'features', 2)
  const centred = centreColumns(features)
  const { rows: n, columns: d } = centred
  const { values } = d <= n ? symmetricEigen(multiplyOverItems(centred, centred).values, d) : symmetricEigen(multiplyTransposed(centred, centred).values, n)
  const positive = values.map((value) => Math.max(0, value))
  const total = positive.reduce((a, b) => a + b, 0)
  if (total === 0) return 1
  let entropy = 0
  for (const value of positive) if (value > 0) entropy -= (value / total) * Math.log(value / total)
  return Math.exp(entropy)
}

export interface ChangedNeighbours {
  /** Of each item: its neighbours in x and in y, nearest first, and how many are in both. */
  readonly items: readonly { readonly x: readonly number[]; readonly y: readonly number[]; readonly shared: number }[]
  /** Mean share that is in both. */
  readonly kept: number
}

/** The k nearest others of each item by cosine, under x and under y. */
export function changedNeighbours(x: Matrix, y: Matrix, k: number): ChangedNeighbours {
  requireSameRows(x, y, 'x, y')
  const [a, b] = [x, y].map((each) => {
    const rows = normaliseRows(each)
    return nearestNeighbours(rows, rows, k, true).indices
  }) as [Int32Array, Int32Array]
  const items = Array.from({ length: x.rows }, (_, i) => {
    const [own, other] = [Array.from(a.subarray(i * k, (i + 1) * k)), Array.from(b.subarray(i * k, (i + 1) * k))]
    const others = new Set(other)
    return { x: own, y: other, shared: own.filter((each) => others.has(each)).length }
  })
  return { items, kept: items.reduce((sum, { shared }) => sum + shared, 0) / (k * x.rows) }
}

/** Directions of either side that Procrustes turns: what lies beyond is mostly noise, and the turn costs by their cube. */
const DIRECTIONS = 50

export interface Aligned {
  /** x along its own principal components, (n, m), of total size 1. */
  readonly x: DoubleMatrix
  /** y turned, mirrored and scaled onto x as well as can be, (n, m); without its part along directions that x has none of. */
  readonly y: DoubleMatrix
  /** Σ‖x − y‖² with Σ‖x‖² = 1: 1 − (Σ singular values)², between 0 and 1. */
  readonly residual: number
  /** Share of x's variance along its first two components. */
  readonly explained: number
}

/**
 * Orthogonal Procrustes with scale (Schönemann & Carroll 1970): both sides centred and of size 1, in their first principal
 * components; the turn R = UVᵀ of YᵀX = UΣVᵀ and the scale tr Σ make ‖X − s·YR‖ least.
 * @param x (n, dx), y (n, dy): row i is the same item in both
 * @throws LabError 'invalid-input' for fewer than 3 items, or a side whose rows are all equal
 */
export function procrustes(x: Matrix, y: Matrix): Aligned {
  requireSameRows(x, y, 'x, y')
  if (x.rows < 3) throw new LabError('invalid-input', `procrustes: expected at least 3 items, got ${x.rows}`)
  const m = Math.min(DIRECTIONS, x.rows - 1)
  const [of, a] = sized(x, m)
  const [, b] = sized(y, m)
  const crossed = multiplyOverItems(b, a).values // (m, m) = YᵀX
  const squared = new Float64Array(m * m) // MᵀM = V Σ² Vᵀ
  for (let i = 0; i < m; i++)
    for (let j = 0; j < m; j++) for (let k = 0; k < m; k++) squared[i * m + j]! += crossed[k * m + i]! * crossed[k * m + j]!
  const { values, vectors } = symmetricEigen(squared, m)
  const singular = values.map((value) => Math.sqrt(Math.max(0, value)))
  const turn = new Float64Array(m * m) // R = Σ u_k v_kᵀ
  for (let k = 0; k < m; k++) {
    if (singular[k]! <= 1e-9 * singular[0]!) continue
    const v = vectors.subarray(k * m, (k + 1) * m)
    for (let i = 0; i < m; i++) {
      let u = 0
      for (let j = 0; j < m; j++) u += crossed[i * m + j]! * v[j]!
      u /= singular[k]!
      for (let j = 0; j < m; j++) turn[i * m + j]! += u * v[j]!
    }
  }
  const scale = singular.reduce((sum, each) => sum + each, 0)
  const turned = new Float64Array(x.rows * m)
  for (let r = 0; r < x.rows; r++)
    for (let i = 0; i < m; i++) for (let j = 0; j < m; j++) turned[r * m + j]! += scale * b.values[r * m + i]! * turn[i * m + j]!
  return { x: a, y: { rows: x.rows, columns: m, values: turned }, residual: Math.min(1, Math.max(0, 1 - scale ** 2)), explained: (of[0] ?? 0) + (of[1] ?? 0) }
}

/** Along the first m principal components (zeros beyond the rank), of total size 1. */
function sized(features: Matrix, m: number): readonly [Float64Array, DoubleMatrix] {
  const count = Math.min(m, features.columns)
  const model = pca(features, count)
  const { values } = project(model, features)
  const size = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))
  const out = new Float64Array(features.rows * m)
  for (let i = 0; i < features.rows; i++) for (let k = 0; k < count; k++) out[i * m + k] = values[i * count + k]! / size
  return [model.explainedVarianceRatio, { rows: features.rows, columns: m, values: out }]
}

function largestOf({ values }: DoubleMatrix): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
}
