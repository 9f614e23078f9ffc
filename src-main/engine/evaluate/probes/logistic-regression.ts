// The linear probe: multinomial logistic regression with an L2 penalty, at the optimum that scikit-learn's
// LogisticRegression defines (λ = 1/C, intercept not penalised, features as given). L-BFGS whose initial inverse Hessian is
// that of the same problem with a mean curvature: features of any scale converge in a few dozen evaluations, where plain
// L-BFGS takes hundreds. A native or WebAssembly backend may carry most of the way in float32; the end is always found in
// double precision, so that the answer is the problem's and not the backend's. Absent: class weights, other penalties.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../../domain/errors.ts'
import { cholesky, choleskySolve } from '../measures/cholesky.ts'
import { symmetricEigen } from '../measures/eigen.ts'
import {
  allDotProducts,
  centreColumns,
  columnMeans,
  hasFastBackend,
  LARGE_PRODUCT,
  multiplyTransposed,
  requireMatrix,
  requireSameColumns,
  transpose,
  type DoubleMatrix,
  type Matrix,
} from '../measures/matrix.ts'
import { accuracy, argmaxRow, classesOf, requireLabels } from './labels.ts'
import { minimise, type Preconditioner } from './lbfgs.ts'

export interface LogisticRegression {
  /** Labels that occurred in training, ascending, (K). */
  readonly classes: Int32Array
  /** (K, d); with two classes the two rows are opposite, and their difference is scikit-learn's coef_. */
  readonly weights: DoubleMatrix
  /** (K), of sum 0. */
  readonly intercepts: Float64Array
  readonly lambda: number
  /** Σ NLL + ½λ‖W‖² at the end, in nats. */
  readonly objective: number
  /** What the quadratic model says is left to gain, per training item, in nats. */
  readonly remaining: number
  readonly evaluations: number
  /** false: `maxEvaluations` came first, or float32 products allowed no further descent above the tolerance. */
  readonly converged: boolean
  /** 'single' when the problem is so large that float32 on the tensor backend had the last word too. */
  readonly precision: 'double' | 'single'
}

export interface LogisticOptions {
  /** Loss and gradient together count as one. */
  readonly maxEvaluations?: number
  /** Stop when the predicted gain per item falls below this, in nats. */
  readonly tolerance?: number
}

/**
 * Minimises over W (K, d) and b (K):
 *
 *   Σ_i −log softmax(W·x_i + b)[y_i] + ½·λ·‖W‖²
 *
 * With two classes the penalty is λ‖W‖² instead: scikit-learn then fits one weight vector w = W₁ − W₀ with ½λ‖w‖², and
 * this is the same optimum.
 * @param features  (n, d); labels (n), integers
 * @param lambda    > 0; scikit-learn's C is 1/λ
 * @throws LabError 'invalid-input' for NaN, one class only, λ ≤ 0, shapes that do not fit
 */
export function fitLogisticRegression(
  features: Matrix,
  labels: ArrayLike<number>,
  lambda: number,
  options: LogisticOptions = {},
): LogisticRegression {
  const problem = openProblem(features, labels)
  try {
    return problem.solve(lambda, [], options).model
  } finally {
    problem.dispose()
  }
}

/** log P(class | x), (n, K); columns in the order of `model.classes`. */
export function logProbabilities(model: LogisticRegression, features: Matrix): DoubleMatrix {
  requireMatrix(features, 'features', 0)
  requireSameColumns(features, model.weights, 'features, weights')
  const table = multiplyTransposed(features, model.weights)
  const K = model.classes.length
  for (let i = 0; i < table.rows; i++) {
    let largest = -Infinity
    for (let k = 0; k < K; k++) {
      table.values[i * K + k]! += model.intercepts[k]!
      largest = Math.max(largest, table.values[i * K + k]!)
    }
    let sum = 0
    for (let k = 0; k < K; k++) sum += Math.exp(table.values[i * K + k]! - largest)
    const logSum = largest + Math.log(sum)
    for (let k = 0; k < K; k++) table.values[i * K + k]! -= logSum
  }
  return table
}

/** P(class | x), (n, K). */
export function probabilities(model: LogisticRegression, features: Matrix): DoubleMatrix {
  const table = logProbabilities(model, features)
  return { ...table, values: table.values.map(Math.exp) }
}

/** The most probable label of each item, (n). */
export function predict(model: LogisticRegression, features: Matrix): Int32Array {
  const table = logProbabilities(model, features)
  return Int32Array.from({ length: table.rows }, (_, i) => model.classes[argmaxRow(table.values, table.columns, i)]!)
}

export interface LambdaResult {
  readonly lambda: number
  readonly validationAccuracy: number
  readonly converged: boolean
  readonly evaluations: number
}

export interface LambdaSweep {
  /** The model of the largest validation accuracy; at ties the larger λ, which claims less. */
  readonly model: LogisticRegression
  /** In the order given. */
  readonly results: readonly LambdaResult[]
  /** The chosen λ is the smallest or largest of several: the optimum may lie outside the grid. */
  readonly atEdge: boolean
}

/** Predicted gain per item, in nats, at which a λ of a sweep is compared on validation; the chosen one is then finished. */
const SWEEP_TOLERANCE = 1e-8

/**
 * Fits every λ, from strong to weak, each from where the two before it point to, and keeps the one that does best on
 * validation. Yields after each, so that the caller can show progress or stop by leaving.
 */
export function* sweepLambda(
  train: { readonly features: Matrix; readonly labels: ArrayLike<number> },
  validation: { readonly features: Matrix; readonly labels: ArrayLike<number> },
  lambdas: readonly number[],
  options: LogisticOptions = {},
): Generator<{ readonly done: number; readonly of: number; readonly result: LambdaResult }, LambdaSweep> {
  if (lambdas.length === 0) throw new LabError('invalid-input', 'lambdas: expected at least one, got none')
  for (const lambda of lambdas) requirePositive(lambda)
  requireMatrix(validation.features, 'validation features', 1)
  requireLabels(validation.labels, validation.features, 'validation labels')
  requireSameColumns(train.features, validation.features, 'train, validation')
  const problem = openProblem(train.features, train.labels)
  const descending = [...new Set(lambdas)].sort((a, b) => b - a)
  const rough = { ...options, tolerance: Math.max(SWEEP_TOLERANCE, options.tolerance ?? 0) }
  try {
    const path: { readonly lambda: number; readonly solution: Solution; readonly result: LambdaResult }[] = []
    for (const lambda of descending) {
      const { model, solution } = problem.solve(lambda, startsFor(lambda, path), rough)
      const validationAccuracy = accuracy(predict(model, validation.features), validation.labels)
      const result = { lambda, validationAccuracy, converged: model.converged, evaluations: model.evaluations }
      path.push({ lambda, solution, result })
      yield { done: path.length, of: descending.length, result }
    }
    const best = path.reduce((held, each) => (each.result.validationAccuracy > held.result.validationAccuracy ? each : held))
    const { model } = problem.solve(best.lambda, [best.solution], options)
    return {
      model,
      results: lambdas.map((lambda) => path.find((each) => each.lambda === lambda)!.result),
      atEdge: descending.length > 1 && (best.lambda === descending[0] || best.lambda === descending.at(-1)),
    }
  } finally {
    problem.dispose()
  }
}

/** The last solution, and the line through the last two over log λ: separable classes make weights grow along it. */
function startsFor(
  lambda: number,
  path: readonly { readonly lambda: number; readonly solution: Solution }[],
): readonly Solution[] {
  const [before, last] = [path.at(-2), path.at(-1)]
  if (!last) return []
  if (!before) return [last.solution]
  const further = Math.min(1, Math.log(last.lambda / lambda) / Math.log(before.lambda / last.lambda))
  return [last.solution, last.solution.map((value, i) => value + further * (value - before.solution[i]!))]
}

function requirePositive(lambda: number): void {
  if (!(lambda > 0 && Number.isFinite(lambda)))
    throw new LabError('invalid-input', `lambda: expected a finite number above 0, got ${lambda}`)
}

/** Weights (K, r) and then intercepts (K), in the problem's own coordinates. */
type Solution = Float64Array

/** A training set made ready once for several λ. */
function openProblem(features: Matrix, labels: ArrayLike<number>) {
  requireMatrix(features, 'features', 2)
  requireLabels(labels, features, 'labels')
  const { classes, positions } = classesOf(labels)
  const K = classes.length
  if (K < 2)
    throw new LabError('invalid-input', `labels: expected at least two classes to tell apart, got only class ${classes[0]}`)
  const means = columnMeans(features)
  // Centring moves the intercept, which is free, and nothing else; it uncouples the intercept from the weights.
  const { coordinates, back } = reduce(centreColumns(features, means))
  const [n, r] = [coordinates.rows, coordinates.columns]
  const x = coordinates.values
  const xTransposed = transpose(coordinates)
  const gram = multiplyTransposed(xTransposed, xTransposed).values
  const multiplyAdds = n * r * K
  // Below this, sending weights back and forth costs more than it saves.
  const singles = multiplyAdds > 2e6 && hasFastBackend() ? backendProducts(x, xTransposed.values, n, r) : null
  // A hundred evaluations must stay below a few minutes on one core.
  const precision = singles !== null && multiplyAdds > LARGE_PRODUCT / 40 ? 'single' : 'double'
  // Where float32 has the last word the doubles, most of the memory, are let go.
  const doubles = precision === 'single' ? null : doubleProducts(x, xTransposed.values, n, r)
  const logits = new Float64Array(K * n)
  const logSums = new Float64Array(n)

  /** The objective at `at`; its gradient is written to `gradient`. Also the mean of p(1 − p), the curvature of softmax. */
  const evaluate = (products: Products, at: Float64Array, lambda: number, gradient: Float64Array) => {
    products.logits(at.subarray(0, K * r), K, logits)
    for (let k = 0; k < K; k++) {
      const intercept = at[K * r + k]!
      const row = logits.subarray(k * n, (k + 1) * n)
      for (let i = 0; i < n; i++) row[i]! += intercept
    }
    const loss = softmaxResiduals(logits, positions, logSums, K, n)
    products.gradient(logits, K, gradient.subarray(0, K * r))
    for (let k = 0; k < K; k++) {
      let sum = 0
      for (let i = k * n; i < (k + 1) * n; i++) sum += logits[i]!
      gradient[K * r + k] = sum
    }
    let squares = 0
    for (let j = 0; j < K * r; j++) {
      squares += at[j]! ** 2
      gradient[j]! += lambda * at[j]!
    }
    return { value: loss.value + 0.5 * lambda * squares, curvature: loss.curvature }
  }

  return {
    dispose: () => singles?.dispose(),
    /** From the best of `starts`, or from equal weights where there is none. */
    solve(
      lambda: number,
      starts: readonly Solution[],
      options: LogisticOptions,
    ): { readonly model: LogisticRegression; readonly solution: Solution } {
      requirePositive(lambda)
      const { maxEvaluations = 1000, tolerance = 1e-13 } = options
      const penalty = K === 2 ? 2 * lambda : lambda
      const preconditioner = createPreconditioner(gram, n, r, K, penalty)
      const objective = (products: Products) => (point: Float64Array, gradient: Float64Array) =>
        evaluate(products, point, penalty, gradient)
      const first = objective(singles ?? doubles!)
      const scratch = new Float64Array(K * r + K)
      const tried = (starts.length === 0 ? [balancedStart(positions, K, r, n)] : starts).map((point) => ({
        point,
        value: starts.length < 2 ? 0 : first(point, scratch).value,
      }))
      const at = tried.reduce((held, each) => (each.value < held.value ? each : held)).point.slice()
      let evaluations = starts.length < 2 ? 0 : starts.length
      let found = minimise(
        first,
        at,
        preconditioner,
        maxEvaluations - evaluations,
        n * (singles ? Math.max(precision === 'single' ? LAST_SINGLE_TOLERANCE : SINGLE_TOLERANCE, tolerance) : tolerance),
        singles ? (precision === 'single' ? 1e-8 : 1e-10) : 1e-14,
      )
      evaluations += found.evaluations
      if (singles && precision === 'double' && (tolerance < SINGLE_TOLERANCE || !found.converged)) {
        found = minimise(objective(doubles!), at, preconditioner, maxEvaluations - evaluations, n * tolerance, 1e-14)
        evaluations += found.evaluations
      }
      const weights = back(at.subarray(0, K * r), K)
      const intercepts = at.slice(K * r)
      for (let k = 0; k < K; k++)
        for (let j = 0; j < means.length; j++) intercepts[k]! -= weights[k * means.length + j]! * means[j]!
      const centre = intercepts.reduce((sum, each) => sum + each, 0) / K
      return {
        solution: at,
        model: {
          classes,
          weights: { rows: K, columns: means.length, values: weights },
          intercepts: intercepts.map((each) => each - centre),
          lambda,
          objective: found.value,
          remaining: found.remaining / n,
          evaluations,
          converged: found.converged,
          precision,
        },
      }
    },
  }
}

/** An eigen decomposition of so many items costs about what all the fits that it would shorten do. */
const MOST_REDUCED = 512

/**
 * Where there are more features than items, the weights lie in the span of the items: coordinates along its principal
 * axes, (n, r), hold the whole problem with the same norm. `back` turns weights (K, r) into weights (K, d).
 */
function reduce(centred: DoubleMatrix): {
  readonly coordinates: DoubleMatrix
  readonly back: (weights: Float64Array, K: number) => Float64Array
} {
  const { rows: n, columns: d } = centred
  if (d <= n || n > MOST_REDUCED) return { coordinates: centred, back: (weights) => weights.slice() }
  const eigen = symmetricEigen(multiplyTransposed(centred, centred).values, n)
  const rank = Math.max(1, eigen.values.filter((value) => value > 1e-13 * eigen.values[0]!).length)
  const coordinates = new Float64Array(n * rank)
  // Xc = U·S·Vᵀ: coordinates are U·S, the axes are Vᵀ = S⁻¹·Uᵀ·Xc.
  const axes = new Float64Array(rank * d)
  for (let k = 0; k < rank; k++) {
    const size = Math.sqrt(Math.max(0, eigen.values[k]!))
    for (let i = 0; i < n; i++) {
      const u = eigen.vectors[k * n + i]!
      coordinates[i * rank + k] = u * size
      if (size > 0) for (let j = 0; j < d; j++) axes[k * d + j]! += (u / size) * centred.values[i * d + j]!
    }
  }
  return {
    coordinates: { rows: n, columns: rank, values: coordinates },
    back: (weights, K) => {
      const out = new Float64Array(K * d)
      for (let k = 0; k < K; k++)
        for (let a = 0; a < rank; a++) for (let j = 0; j < d; j++) out[k * d + j]! += weights[k * rank + a]! * axes[a * d + j]!
      return out
    },
  }
}

/** No weights, and intercepts that give every class its share: the optimum for λ → ∞. */
function balancedStart(positions: Int32Array, K: number, r: number, n: number): Float64Array {
  const start = new Float64Array(K * r + K)
  for (const position of positions) start[K * r + position]! += 1
  for (let k = 0; k < K; k++) start[K * r + k] = Math.log(start[K * r + k]! / n)
  const centre = start.subarray(K * r).reduce((sum, each) => sum + each, 0) / K
  for (let k = 0; k < K; k++) start[K * r + k]! -= centre
  return start
}

/** Turns logits (K, n) into softmax − one-hot in place. Returns Σ NLL and the mean of p(1 − p) over items and classes. */
function softmaxResiduals(logits: Float64Array, positions: Int32Array, scratch: Float64Array, K: number, n: number) {
  scratch.set(logits.subarray(0, n))
  for (let k = 1; k < K; k++)
    for (let i = 0, at = k * n; i < n; i++, at++) if (logits[at]! > scratch[i]!) scratch[i] = logits[at]!
  let value = 0
  for (let i = 0; i < n; i++) value += scratch[i]! - logits[positions[i]! * n + i]!
  const sums = new Float64Array(n)
  for (let k = 0; k < K; k++)
    for (let i = 0, at = k * n; i < n; i++, at++) {
      const e = Math.exp(logits[at]! - scratch[i]!)
      logits[at] = e
      sums[i]! += e
    }
  for (let i = 0; i < n; i++) {
    value += Math.log(sums[i]!)
    scratch[i] = 1 / sums[i]!
  }
  let squares = 0
  for (let k = 0; k < K; k++)
    for (let i = 0, at = k * n; i < n; i++, at++) {
      const p = logits[at]! * scratch[i]!
      logits[at] = p
      squares += p * p
    }
  for (let i = 0; i < n; i++) logits[positions[i]! * n + i]! -= 1
  return { value, curvature: Math.max(0, 1 - squares / n) / K }
}

/** Predicted gain per item, in nats, down to which float32 products carry the way before doubles take over. */
const SINGLE_TOLERANCE = 1e-8
/** The same where float32 has the last word: above its own rounding at any size. */
const LAST_SINGLE_TOLERANCE = 1e-7

interface Products {
  /** out (K, n) = W (K, r)·Xᵀ */
  logits(weights: Float64Array, K: number, out: Float64Array): void
  /** out (K, r) = R (K, n)·X */
  gradient(residuals: Float64Array, K: number, out: Float64Array): void
  dispose(): void
}

function doubleProducts(x: Float64Array, xTransposed: Float64Array, n: number, r: number): Products {
  return {
    logits: (weights, K, out) => allDotProducts(weights, x, K, n, r, out),
    gradient: (residuals, K, out) => allDotProducts(residuals, xTransposed, K, r, n, out),
    dispose: () => undefined,
  }
}

/** float32 on the tensor backend. X stays there both ways round: WebAssembly multiplies by a transpose ten times slower. */
function backendProducts(x: Float64Array, xTransposed: Float64Array, n: number, r: number): Products {
  const features = tf.tensor2d(Float32Array.from(x), [n, r])
  const transposed = tf.tensor2d(Float32Array.from(xTransposed), [r, n])
  const multiply = (left: Float64Array, rows: number, right: tf.Tensor2D, out: Float64Array) => {
    const product = tf.tidy(() => tf.matMul(tf.tensor2d(Float32Array.from(left), [rows, right.shape[0]]), right))
    out.set(product.dataSync())
    product.dispose()
  }
  return {
    logits: (weights, K, out) => multiply(weights, K, transposed, out),
    gradient: (residuals, K, out) => multiply(residuals, K, features, out),
    dispose: () => tf.dispose([features, transposed]),
  }
}

/**
 * The Hessian with every p(1 − p) replaced by their mean c and the classes uncoupled, by one Cholesky factor:
 * c·XᵀX + λI for each class, c·n for each intercept.
 */
function createPreconditioner(gram: Float64Array, n: number, r: number, K: number, lambda: number): Preconditioner {
  let held = 0
  const factor = new Float64Array(r * r)
  return {
    update(curvature) {
      const c = Math.max(curvature, 1e-12)
      if (held !== 0 && c > held / 1.5 && c < held * 1.5) return
      held = c
      for (let j = 0; j < r * r; j++) factor[j] = c * gram[j]!
      for (let j = 0; j < r; j++) factor[j * r + j]! += lambda
      cholesky(factor, r)
    },
    apply(v, out) {
      for (let k = 0; k < K; k++) choleskySolve(factor, r, v.subarray(k * r, (k + 1) * r), out.subarray(k * r, (k + 1) * r))
      for (let k = K * r; k < K * r + K; k++) out[k] = v[k]! / (held * n)
    },
  }
}
