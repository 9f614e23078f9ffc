// Cholesky's factorisation of a symmetric positive definite matrix, and the solution of A·x = v by it.

/** Lower factor L of A = L·Lᵀ in place, row by row; a pivot that rounding made non-positive is lifted to its scale. */
export function cholesky(a: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const row = a.subarray(i * n, i * n + i + 1)
    const scale = row[i]!
    for (let j = 0; j <= i; j++) {
      const other = a.subarray(j * n, j * n + j + 1)
      let sum = row[j]!
      for (let k = 0; k < j; k++) sum -= row[k]! * other[k]!
      row[j] = j < i ? sum / other[j]! : Math.sqrt(Math.max(sum, 1e-14 * scale))
    }
  }
}

/** out = A⁻¹·v from the factor of A, (n). */
export function choleskySolve(l: Float64Array, n: number, v: Float64Array, out: Float64Array): void {
  for (let i = 0; i < n; i++) {
    let sum = v[i]!
    for (let k = 0; k < i; k++) sum -= l[i * n + k]! * out[k]!
    out[i] = sum / l[i * n + i]!
  }
  for (let i = n - 1; i >= 0; i--) {
    const value = out[i]! / l[i * n + i]!
    out[i] = value
    for (let k = 0; k < i; k++) out[k]! -= l[i * n + k]! * value
  }
}
