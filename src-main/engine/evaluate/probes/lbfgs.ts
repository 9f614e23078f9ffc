// L-BFGS (Nocedal & Wright 2006, algorithm 7.4) for convex functions, with a preconditioner in place of a multiple of the
// identity: what it knows of the Hessian, the iteration need not learn.

import { innerProduct } from '../measures/matrix.ts'

export interface Preconditioner {
  /** Takes a new curvature c of the loss; cheap when it has hardly changed. */
  update(curvature: number): void
  /** out = H⁻¹·v for the preconditioner's approximation H of the Hessian. */
  apply(v: Float64Array, out: Float64Array): void
}

export interface Minimum {
  readonly value: number
  /** What the quadratic model says is left to gain. */
  readonly remaining: number
  readonly evaluations: number
  readonly converged: boolean
}

/** Pairs of steps and gradient changes that are remembered. */
const MEMORY = 20

/** Steps without a smaller predicted gain than ever before, after which rounding is all that is left. */
const PATIENCE = 30

/**
 * Minimises a convex function from `at`, which becomes the minimiser. Stops when the gain that the preconditioner's
 * quadratic predicts, ½·gᵀH⁻¹g, is below `tolerance`, or when rounding allows no progress.
 * @param rounding  relative error of the function's values: an apparent rise within it does not stop the descent
 */
export function minimise(
  evaluate: (at: Float64Array, gradient: Float64Array) => { readonly value: number; readonly curvature: number },
  at: Float64Array,
  preconditioner: Preconditioner,
  maxEvaluations: number,
  tolerance: number,
  rounding: number,
): Minimum {
  const size = at.length
  let gradient = new Float64Array(size)
  let nextGradient = new Float64Array(size)
  const next = new Float64Array(size)
  const scaled = new Float64Array(size)
  const direction = new Float64Array(size)
  const pairs: { readonly s: Float64Array; readonly y: Float64Array; readonly rho: number }[] = []
  let { value, curvature } = evaluate(at, gradient)
  let evaluations = 1
  let least = Infinity
  let sinceLeast = 0
  for (;;) {
    preconditioner.update(curvature)
    preconditioner.apply(gradient, scaled)
    const remaining = 0.5 * innerProduct(gradient, scaled)
    if (remaining <= tolerance) return { value, remaining, evaluations, converged: true }
    sinceLeast = remaining < least ? 0 : sinceLeast + 1
    least = Math.min(least, remaining)
    if (evaluations >= maxEvaluations || sinceLeast > PATIENCE) return { value, remaining, evaluations, converged: false }
    twoLoops(gradient, pairs, preconditioner, direction)
    let slope = innerProduct(gradient, direction)
    if (!(slope < 0)) {
      pairs.length = 0
      for (let i = 0; i < size; i++) direction[i] = -scaled[i]!
      slope = -2 * remaining
    }
    const noise = rounding * Math.abs(value)
    let length = 1
    let tried = value
    let accepted = false
    while (evaluations < maxEvaluations && length > 1e-12) {
      for (let i = 0; i < size; i++) next[i] = at[i]! + length * direction[i]!
      const result = evaluate(next, nextGradient)
      evaluations++
      tried = result.value
      if (tried <= value + 1e-4 * length * slope + noise) {
        curvature = result.curvature
        accepted = true
        break
      }
      // The parabola through both values and the slope, kept away from both ends.
      const parabola = (-slope * length) / (2 * ((tried - value) / length - slope))
      length = Math.min(0.5 * length, Math.max(0.1 * length, Number.isFinite(parabola) ? parabola : 0))
    }
    if (!accepted) return { value, remaining, evaluations, converged: false }
    const s = new Float64Array(size)
    const y = new Float64Array(size)
    for (let i = 0; i < size; i++) {
      s[i] = next[i]! - at[i]!
      y[i] = nextGradient[i]! - gradient[i]!
    }
    const sy = innerProduct(s, y)
    if (sy > 1e-16 * innerProduct(y, y)) {
      pairs.push({ s, y, rho: 1 / sy })
      if (pairs.length > MEMORY) pairs.shift()
    }
    at.set(next)
    value = tried
    ;[gradient, nextGradient] = [nextGradient, gradient]
  }
}

/** direction = −H⁻¹·gradient with the pairs' curvature laid over the preconditioner. */
function twoLoops(
  gradient: Float64Array,
  pairs: readonly { readonly s: Float64Array; readonly y: Float64Array; readonly rho: number }[],
  preconditioner: Preconditioner,
  direction: Float64Array,
): void {
  const q = gradient.slice()
  const alphas = new Float64Array(pairs.length)
  for (let p = pairs.length - 1; p >= 0; p--) {
    const { s, y, rho } = pairs[p]!
    const alpha = rho * innerProduct(s, q)
    alphas[p] = alpha
    for (let i = 0; i < q.length; i++) q[i]! -= alpha * y[i]!
  }
  preconditioner.apply(q, direction)
  const last = pairs.at(-1)
  if (last) {
    // The newest pair says how far the preconditioner's scale is off.
    const hy = new Float64Array(q.length)
    preconditioner.apply(last.y, hy)
    const scale = 1 / (last.rho * innerProduct(last.y, hy))
    for (let i = 0; i < direction.length; i++) direction[i]! *= scale
  }
  pairs.forEach(({ s, y, rho }, p) => {
    const beta = alphas[p]! - rho * innerProduct(y, direction)
    for (let i = 0; i < direction.length; i++) direction[i]! += beta * s[i]!
  })
  for (let i = 0; i < direction.length; i++) direction[i] = -direction[i]!
}
