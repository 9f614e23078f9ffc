// Nearest neighbours by dot product: the one selection that k-NN probe and mutual k-NN share.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../../domain/errors.ts'
import { hasFastBackend, LARGE_PRODUCT, multiplyTransposed, type Matrix } from './matrix.ts'

export interface Neighbours {
  readonly k: number
  /** Row i lists the neighbours of query i, nearest first; at equal similarity the lower index first, (n, k). */
  readonly indices: Int32Array
  /** Their similarities, (n, k). */
  readonly similarities: Float64Array
}

/** Queries of one block: bounds the table of similarities to a few dozen megabytes. */
const BLOCK_VALUES = 4e6

/**
 * The k rows of `candidates` (m, d) with the largest dot product with each row of `queries` (n, d).
 * @param exceptSelf  row i of the queries is row i of the candidates, and is not its own neighbour
 */
export function nearestNeighbours(queries: Matrix, candidates: Matrix, k: number, exceptSelf = false): Neighbours {
  const available = candidates.rows - (exceptSelf ? 1 : 0)
  if (!Number.isInteger(k) || k < 1 || k > available)
    throw new LabError('invalid-input', `k: expected 1 to ${available} neighbours out of ${candidates.rows} items, got ${k}`)
  const indices = new Int32Array(queries.rows * k)
  const similarities = new Float64Array(queries.rows * k)
  const blockRows = Math.max(1, Math.floor(BLOCK_VALUES / candidates.rows))
  const products = productsWith(candidates, queries.rows)
  try {
    for (let start = 0; start < queries.rows; start += blockRows) {
      const rows = Math.min(blockRows, queries.rows - start)
      const block = {
        rows,
        columns: queries.columns,
        values: queries.values.subarray(start * queries.columns, (start + rows) * queries.columns),
      }
      const table = products.of(block)
      for (let i = 0; i < rows; i++) {
        const row = table.subarray(i * candidates.rows, (i + 1) * candidates.rows)
        const at = (start + i) * k
        selectLargest(row, k, exceptSelf ? start + i : -1, indices.subarray(at, at + k), similarities.subarray(at, at + k))
      }
    }
  } finally {
    products.dispose()
  }
  return { k, indices, similarities }
}

/** Dot products of blocks of queries with all candidates. Many of them go to the tensor backend, where the candidates then stay. */
function productsWith(candidates: Matrix, queries: number): { of(block: Matrix): Float32Array | Float64Array; dispose(): void } {
  if (queries * candidates.rows * candidates.columns <= LARGE_PRODUCT || !hasFastBackend())
    return { of: (block) => multiplyTransposed(block, candidates).values, dispose: () => {} }
  const held = tf.tidy(() => tf.transpose(tf.tensor2d(Float32Array.from(candidates.values), [candidates.rows, candidates.columns])))
  return {
    of(block) {
      const product = tf.tidy(() => tf.matMul(tf.tensor2d(Float32Array.from(block.values), [block.rows, block.columns]), held))
      const values = product.dataSync() as Float32Array
      product.dispose()
      return values
    },
    dispose: () => held.dispose(),
  }
}

/** Keeps the k largest in order while reading once; a later equal value goes behind. */
function selectLargest(row: Float32Array | Float64Array, k: number, except: number, indices: Int32Array, values: Float64Array): void {
  let held = 0
  for (let j = 0; j < row.length; j++) {
    if (j === except) continue
    const value = row[j]!
    if (held === k && value <= values[k - 1]!) continue
    let at = held < k ? held++ : k - 1
    while (at > 0 && values[at - 1]! < value) {
      values[at] = values[at - 1]!
      indices[at] = indices[at - 1]!
      at--
    }
    values[at] = value
    indices[at] = j
  }
}
