// Positions for an image of another size than the table was made for. Interpolation is linear in the table, so it is a
// product with a matrix of weights that depends on the two sizes alone: the same on every backend, and differentiable.
// Source of the rules: torch.nn.functional.interpolate (align_corners=False), aten/src/ATen/native/UpSample.h.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../../domain/errors.ts'
import type { Grid } from '../../../domain/vision-encoder-spec.ts'
import type { PositionInterpolation } from './family.ts'

/**
 * The table of positions at `grid`; the table itself where the grid is its own.
 * @param table (s², D), row by row over a square of side s   @returns (rows·columns, D)
 */
export function resizedPositions(table: tf.Tensor, grid: Grid, how: PositionInterpolation): tf.Tensor {
  const side = sideOf(table.shape[0]!)
  if (grid.rows === side && grid.columns === side) return table
  return tf.matMul(tf.tensor2d(resizeMatrix(side, grid, how), [grid.rows * grid.columns, side * side]), table as tf.Tensor2D)
}

/** Side of a square table. @throws LabError 'invalid-input' when the number of positions is no square */
export function sideOf(positions: number): number {
  const side = Math.round(Math.sqrt(positions))
  if (side * side !== positions)
    throw new LabError('invalid-input', `position embedding: expected a square number of patch positions, found ${positions}; the lab reads square tables only`)
  return side
}

/** Weights (rows·columns, side²) that make a table of side² positions one of rows·columns. */
export function resizeMatrix(side: number, { rows, columns }: Grid, how: PositionInterpolation): Float32Array {
  const [down, across] = [axisWeights(side, rows, how), axisWeights(side, columns, how)]
  const matrix = new Float32Array(rows * columns * side * side)
  for (let y = 0, at = 0; y < rows; y++)
    for (let x = 0; x < columns; x++)
      for (let v = 0; v < side; v++)
        for (let u = 0; u < side; u++, at++) matrix[at] = down[y * side + v]! * across[x * side + u]!
  return matrix
}

/** Weights (to, from) along one axis. Pixel i covers [i, i + 1); sample points are the centres. */
function axisWeights(from: number, to: number, { filter, antialias }: PositionInterpolation): Float64Array {
  const weights = new Float64Array(to * from)
  const scale = from / to
  if (!antialias) {
    for (let i = 0; i < to; i++) {
      const centre = (i + 0.5) * scale - 0.5
      const first = Math.floor(centre) - (filter === 'bicubic' ? 1 : 0)
      // Beyond the edge the edge is repeated.
      for (let tap = first; tap < first + (filter === 'bicubic' ? 4 : 2); tap++)
        weights[i * from + Math.min(from - 1, Math.max(0, tap))]! += filter === 'bicubic' ? cubic(tap - centre, -0.75) : triangle(tap - centre)
    }
    return weights
  }
  // Antialiased, as Pillow: the filter is as wide as the shrinking asks for, cut at the edge, and sums to one.
  const stretch = Math.max(scale, 1)
  const support = (filter === 'bicubic' ? 2 : 1) * stretch
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale
    const first = Math.max(0, Math.trunc(centre - support + 0.5))
    const end = Math.min(from, Math.trunc(centre + support + 0.5))
    let total = 0
    for (let tap = first; tap < end; tap++) {
      const distance = (tap - centre + 0.5) / stretch
      total += weights[i * from + tap] = filter === 'bicubic' ? cubic(distance, -0.5) : triangle(distance)
    }
    for (let tap = first; tap < end; tap++) weights[i * from + tap]! /= total
  }
  return weights
}

const triangle = (signed: number) => Math.max(0, 1 - Math.abs(signed))

/** Keys' cubic convolution kernel. */
function cubic(signed: number, a: number): number {
  const x = Math.abs(signed)
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0
}
