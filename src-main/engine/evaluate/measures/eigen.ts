// Eigenvalues and eigenvectors of a symmetric matrix: Householder reduction to three diagonals, then the implicit QL
// iteration (Wilkinson & Reinsch 1971, tred2 and tql2; Golub & Van Loan, section 8.3). Exact to rounding, O(n³):
// 0.2 s for n = 192, 4 s for n = 768. Absent: anything iterative that could stop early.

import { LabError } from '../../../domain/errors.ts'

export interface Eigen {
  /** Descending, (n). */
  readonly values: Float64Array
  /** Row k is the unit eigenvector of values[k], (n, n). */
  readonly vectors: Float64Array
}

/** @param matrix  symmetric, (n, n); only its lower triangle is read */
export function symmetricEigen(matrix: Float64Array, n: number): Eigen {
  if (matrix.length !== n * n) throw new LabError('internal', `symmetricEigen: expected ${n * n} values, got ${matrix.length}`)
  const z = matrix.slice()
  const diagonal = new Float64Array(n)
  const off = new Float64Array(n)
  tridiagonalise(z, diagonal, off, n)
  // Rotations act on two columns; as rows of the transpose they run through contiguous memory.
  const vectors = transpose(z, n)
  implicitQl(vectors, diagonal, off, n)
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => diagonal[j]! - diagonal[i]!)
  const sorted = new Float64Array(n * n)
  order.forEach((from, to) => sorted.set(vectors.subarray(from * n, (from + 1) * n), to * n))
  return { values: Float64Array.from(order, (i) => diagonal[i]!), vectors: sorted }
}

/** z becomes the orthogonal Q of QᵀAQ = T; `diagonal` and `off` (below the diagonal, from index 1) become T. */
function tridiagonalise(z: Float64Array, diagonal: Float64Array, off: Float64Array, n: number): void {
  for (let i = n - 1; i > 0; i--) {
    const row = z.subarray(i * n, i * n + i)
    let scale = 0
    for (const value of row) scale += Math.abs(value)
    if (i === 1 || scale === 0) {
      off[i] = row[i - 1]!
      diagonal[i] = 0
      continue
    }
    let h = 0
    for (let k = 0; k < i; k++) {
      row[k]! /= scale
      h += row[k]! ** 2
    }
    const f = row[i - 1]!
    const g = f >= 0 ? -Math.sqrt(h) : Math.sqrt(h)
    off[i] = scale * g
    h -= f * g
    row[i - 1] = f - g
    // off[0…i−1] = A·u/h, read row by row from the lower triangle.
    off.fill(0, 0, i)
    for (let j = 0; j < i; j++) {
      z[j * n + i] = row[j]! / h
      const uj = row[j]!
      let sum = z[j * n + j]! * uj
      for (let k = 0; k < j; k++) {
        const a = z[j * n + k]!
        sum += a * row[k]!
        off[k]! += a * uj
      }
      off[j]! += sum
    }
    let along = 0
    for (let j = 0; j < i; j++) {
      off[j]! /= h
      along += off[j]! * row[j]!
    }
    const half = along / (2 * h)
    for (let j = 0; j < i; j++) {
      const uj = row[j]!
      const w = off[j]! - half * uj
      off[j] = w
      for (let k = 0; k <= j; k++) z[j * n + k]! -= uj * off[k]! + w * row[k]!
    }
    diagonal[i] = h
  }
  diagonal[0] = 0
  off[0] = 0
  const projection = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    if (diagonal[i] !== 0) {
      projection.fill(0, 0, i)
      for (let k = 0; k < i; k++) {
        const u = z[i * n + k]!
        for (let j = 0; j < i; j++) projection[j]! += u * z[k * n + j]!
      }
      for (let k = 0; k < i; k++) {
        const u = z[k * n + i]!
        for (let j = 0; j < i; j++) z[k * n + j]! -= projection[j]! * u
      }
    }
    diagonal[i] = z[i * n + i]!
    z[i * n + i] = 1
    for (let j = 0; j < i; j++) {
      z[j * n + i] = 0
      z[i * n + j] = 0
    }
  }
}

/** Turns T into its eigenvalues in `diagonal`, applying every rotation to the rows of `vectors`. */
function implicitQl(vectors: Float64Array, diagonal: Float64Array, off: Float64Array, n: number): void {
  off.copyWithin(0, 1)
  off[n - 1] = 0
  for (let l = 0; l < n; l++) {
    for (let iteration = 0; ; iteration++) {
      let m = l
      for (; m < n - 1; m++) {
        const size = Math.abs(diagonal[m]!) + Math.abs(diagonal[m + 1]!)
        if (Math.abs(off[m]!) <= Number.EPSILON * size) break
      }
      if (m === l) break
      if (iteration === 100) throw new LabError('internal', `symmetricEigen: no convergence at eigenvalue ${l} of ${n}`)
      let g = (diagonal[l + 1]! - diagonal[l]!) / (2 * off[l]!)
      let r = Math.hypot(g, 1)
      g = diagonal[m]! - diagonal[l]! + off[l]! / (g + (g >= 0 ? r : -r))
      let [s, c, p] = [1, 1, 0]
      let i = m - 1
      for (; i >= l; i--) {
        const f = s * off[i]!
        const b = c * off[i]!
        r = Math.hypot(f, g)
        off[i + 1] = r
        if (r === 0) {
          diagonal[i + 1]! -= p
          off[m] = 0
          break
        }
        s = f / r
        c = g / r
        g = diagonal[i + 1]! - p
        r = (diagonal[i]! - g) * s + 2 * c * b
        p = s * r
        diagonal[i + 1] = g + p
        g = c * r - b
        const [upper, lower] = [i * n, (i + 1) * n]
        for (let k = 0; k < n; k++) {
          const [a, d] = [vectors[upper + k]!, vectors[lower + k]!]
          vectors[lower + k] = s * a + c * d
          vectors[upper + k] = c * a - s * d
        }
      }
      if (r === 0 && i >= l) continue
      diagonal[l]! -= p
      off[l] = g
      off[m] = 0
    }
  }
}

function transpose(matrix: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) out[j * n + i] = matrix[i * n + j]!
  return out
}
