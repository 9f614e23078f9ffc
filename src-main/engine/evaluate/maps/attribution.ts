// Which parts of an input move a score, four ways: the gradient's size, Grad-CAM (arXiv 1610.02391, eq. 1 and 2), integrated
// gradients (arXiv 1703.01365, eq. 1) and occlusion (arXiv 1311.2901, section 4.2). Each takes any score, so that each can be
// checked on a linear one, whose maps are known. Nothing is smoothed, clipped or normalised.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../../domain/errors.ts'
import type { PatchGrid } from '../measures/localisation.ts'
import { gradients } from '../../nn/gradients.ts'
import type { Score } from './answer-score.ts'

/** Σ_d |∂score/∂x_{t,d}|. @param x (B, I, D) @returns B maps of (I) */
export function gradientMagnitude(score: Score, x: tf.Tensor): readonly Float64Array[] {
  return readMaps(tf.tidy(() => tf.sum(tf.abs(gradients(() => score(x), [x]).gradients[0]!), -1)))
}

/**
 * ReLU(Σ_d α_d·x_{t,d}) with α_d the mean over t of ∂score/∂x_{t,d}.
 * @param x  activations (B, I, D)   @param mapped  of the tokens, those that α is averaged over and the map is of, from this one on
 * @returns B maps of (I − mapped)
 */
export function gradCam(score: Score, x: tf.Tensor, mapped = 0): readonly Float64Array[] {
  return readMaps(
    tf.tidy(() => {
      const [B, I, D] = x.shape as [number, number, number]
      const ofPatches = (of: tf.Tensor) => tf.slice(of, [0, mapped, 0], [B, I - mapped, D])
      const alpha = tf.mean(ofPatches(gradients(() => score(x), [x]).gradients[0]!), 1, true) // (B, 1, D)
      return tf.relu(tf.sum(tf.mul(alpha, ofPatches(x)), -1)) // (B, I)
    }),
  )
}

export interface Attribution {
  /** (N), signed; together they are to − from, up to the quadrature's error. */
  readonly map: Float64Array
  /** The score of the baseline and of the input. */
  readonly from: number
  readonly to: number
  /** How many points the integral was taken at. */
  readonly points: number
}

/** The sum may miss to − from by this share of it, or by that share of the sizes that it adds up; else the points are doubled. */
const TOLERANCE = { ofDifference: 0.02, ofSizes: 0.01 }
const POINTS = { first: 8, most: 128 }

/**
 * (x − x₀)·∫₀¹ ∂score/∂x (x₀ + t·(x − x₀)) dt, summed over each part's numbers, by Gauss–Legendre quadrature. By completeness
 * the sum over parts is score(x) − score(x₀): that is checked, and more points are taken until it holds.
 * @param input,baseline  (N, W)   @param batch  points at a time
 */
export function integratedGradients(score: Score, input: tf.Tensor, baseline: tf.Tensor, batch = 8): Attribution {
  const [N, W] = input.shape as [number, number]
  const [from, to] = tf.tidy(() => Array.from(score(tf.stack([baseline, input])).dataSync())) as [number, number]
  for (let points = POINTS.first; ; points *= 2) {
    const { nodes, weights } = gaussLegendre(points)
    const sum = tf.tidy(() => {
      const way = tf.reshape(tf.sub(input, baseline), [1, N, W])
      let total: tf.Tensor = tf.zeros([N])
      for (let at = 0; at < points; at += batch) {
        const t = nodes.slice(at, at + batch)
        total = tf.tidy(() => {
          const x = tf.add(tf.reshape(baseline, [1, N, W]), tf.mul(way, tf.tensor3d(t, [t.length, 1, 1])))
          const slope = gradients(() => score(x), [x]).gradients[0]! // (b, N, W)
          const along = tf.sum(tf.mul(slope, way), -1) // (b, N)
          return tf.add(total, tf.sum(tf.mul(along, tf.tensor2d(weights.slice(at, at + batch), [t.length, 1])), 0))
        })
      }
      return total
    })
    const map = Float64Array.from(sum.dataSync())
    sum.dispose()
    const missed = Math.abs(map.reduce((a, b) => a + b, 0) - (to - from))
    const sizes = map.reduce((a, b) => a + Math.abs(b), 0)
    if (points >= POINTS.most || missed <= TOLERANCE.ofDifference * Math.abs(to - from) || missed <= TOLERANCE.ofSizes * sizes) return { map, from, to, points }
  }
}

/** Nodes in (0, 1) and weights that add up to 1: exact for polynomials of degree 2·n − 1. */
export function gaussLegendre(n: number): { readonly nodes: number[]; readonly weights: number[] } {
  const nodes: number[] = []
  const weights: number[] = []
  for (let i = 0; i < n; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5))
    let slope = 0
    for (let round = 0; round < 100; round++) {
      let [p, before] = [1, 0]
      for (let k = 0; k < n; k++) [p, before] = [((2 * k + 1) * x * p - k * before) / (k + 1), p]
      slope = (n * (x * p - before)) / (x * x - 1)
      const step = p / slope
      x -= step
      if (Math.abs(step) < 1e-15) break
    }
    nodes.push((1 - x) / 2)
    weights.push(1 / ((1 - x * x) * slope * slope))
  }
  return { nodes, weights }
}

/**
 * How far the score falls when a square of patches is covered; negative where the score rises. Squares lie side by side, the last
 * of a row pushed back into the picture; a patch in two squares gets their mean.
 * @param input  (N, W), N = rows·columns patches   @param cover  what a covered patch shows, (W)
 * @param side   of the square, patches   @param batch  squares at a time
 */
export function occlusion(score: Score, input: tf.Tensor, cover: tf.Tensor, grid: PatchGrid, side: number, batch = 16): Float64Array {
  const { rows, columns } = grid
  const [N, W] = input.shape as [number, number]
  if (rows * columns !== N) throw new LabError('internal', `occlusion: expected ${rows} × ${columns} patches, got ${N}`)
  const squares: number[][] = []
  /** The `side` places from `at` on, moved back where they would leave `length`. */
  const reach = (at: number, length: number) => Array.from({ length: Math.min(side, length) }, (_, i) => Math.max(0, Math.min(at, length - side)) + i)
  for (let row = 0; row < rows; row += side)
    for (let column = 0; column < columns; column += side)
      squares.push(reach(row, rows).flatMap((y) => reach(column, columns).map((x) => y * columns + x)))
  const whole = tf.tidy(() => score(tf.reshape(input, [1, N, W])).dataSync()[0]!)
  const fall = new Float64Array(N)
  const times = new Float64Array(N)
  for (let at = 0; at < squares.length; at += batch) {
    const group = squares.slice(at, at + batch)
    const covered = new Float32Array(group.length * N)
    group.forEach((square, i) => square.forEach((patch) => (covered[i * N + patch] = 1)))
    const scores = tf.tidy(() => {
      const mask = tf.tensor3d(covered, [group.length, N, 1])
      return score(tf.add(tf.mul(input, tf.sub(1, mask)), tf.mul(tf.reshape(cover, [1, 1, W]), mask))).dataSync()
    })
    group.forEach((square, i) =>
      square.forEach((patch) => {
        fall[patch]! += whole - scores[i]!
        times[patch]! += 1
      }),
    )
  }
  return fall.map((sum, patch) => sum / times[patch]!)
}

/** Reads (B, I) as B maps, and disposes it. */
function readMaps(maps: tf.Tensor): readonly Float64Array[] {
  const [B, I] = maps.shape as [number, number]
  const values = maps.dataSync()
  maps.dispose()
  return Array.from({ length: B }, (_, b) => Float64Array.from(values.subarray(b * I, (b + 1) * I)))
}
