// Images that stand in for the true one: blurred until only colours and places remain, of another sample by lot, or the
// most alike of a set.

import type { Random } from '../../domain/random.ts'
import type { ImageRef } from '../../domain/sample.ts'
import type { Matrix } from '../../engine/evaluate/measures/matrix.ts'
import { resizeImage } from '../../engine/preprocess/resize.ts'
import type { RawImage } from '../../engine/preprocess/raw-image.ts'

/** Side to which an image is shrunk: objects vanish, the layout of colours stays. */
const BLURRED_SIDE = 8

/** The image shrunk to 8 × 8 pixels and stretched to its own size again. */
export function blurred(image: RawImage): RawImage {
  const small = resizeImage(image, BLURRED_SIDE, BLURRED_SIDE, 'bilinear')
  return resizeImage(small, image.width, image.height, 'bicubic')
}

/**
 * For each place an image of another place that is not the same image, by lot; null where there is none. Each image is
 * lent about as often as it occurs, so a prior over images is not changed.
 */
export function anotherImage(images: readonly (ImageRef | null)[], random: Random): readonly (ImageRef | null)[] {
  const lent = random.shuffle(images)
  return images.map((own, i) => {
    if (own === null) return null
    for (let step = 0; step < lent.length; step++) {
      const other = lent[(i + step) % lent.length]!
      if (other !== null && other.sha256 !== own.sha256) return other
    }
    return null
  })
}

/** For each row the index of the most alike other row by cosine, −1 where there is none. @param rows (n, d) */
export function mostAlike({ rows, columns, values }: Matrix): readonly number[] {
  const unit = unitRows({ rows, columns, values })
  return Array.from({ length: rows }, (_, i) => {
    let [best, index] = [-Infinity, -1]
    for (let j = 0; j < rows; j++) {
      if (j === i) continue
      const similarity = dot(unit, columns, i, j)
      if (similarity > best) [best, index] = [similarity, j]
    }
    return index
  })
}

/**
 * Farthest-point order (Gonzalez 1985): each next row is the one farthest, by cosine distance, from all before it.
 * @param rows (n, d) @returns the order, and of each the distance to the nearest before it (of the first: 1)
 */
export function farthestOrder({ rows, columns, values }: Matrix, start: number): readonly { readonly row: number; readonly distance: number }[] {
  const unit = unitRows({ rows, columns, values })
  const nearest = new Float64Array(rows).fill(Infinity)
  const order: { row: number; distance: number }[] = []
  let [row, distance] = [start, 1]
  while (order.length < rows) {
    order.push({ row, distance })
    nearest[row] = -Infinity
    let [next, farthest] = [-1, -Infinity]
    for (let j = 0; j < rows; j++) {
      if (nearest[j] === -Infinity) continue
      nearest[j] = Math.min(nearest[j]!, Math.max(0, 1 - dot(unit, columns, row, j)))
      if (nearest[j]! > farthest) [next, farthest] = [j, nearest[j]!]
    }
    ;[row, distance] = [next, farthest]
  }
  return order
}

function unitRows({ rows, columns, values }: Matrix): Float64Array {
  const unit = Float64Array.from(values)
  for (let i = 0; i < rows; i++) {
    let sum = 0
    for (let c = 0; c < columns; c++) sum += unit[i * columns + c]! ** 2
    const scale = sum > 0 ? 1 / Math.sqrt(sum) : 0
    for (let c = 0; c < columns; c++) unit[i * columns + c]! *= scale
  }
  return unit
}

function dot(unit: Float64Array, columns: number, i: number, j: number): number {
  let sum = 0
  for (let c = 0; c < columns; c++) sum += unit[i * columns + c]! * unit[j * columns + c]!
  return sum
}
