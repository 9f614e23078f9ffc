// A brush over an image's pixels: what a stroke paints or erases. The same code paints what is seen and what is stored.

import type { Box } from '../sample.ts'

/** Pixels of the image; continuous. */
export interface Point {
  readonly x: number
  readonly y: number
}

/** 1 inside, 0 outside, row by row. */
export interface Bitmap {
  readonly width: number
  readonly height: number
  readonly pixels: Uint8Array
}

/**
 * Sets to `value` every pixel whose middle lies within `radius` of the way from `from` to `to`, and the pixels under both
 * ends, so that the finest brush leaves a mark.
 * @returns the smallest box that holds all that may have changed; null: the stroke lies outside the image
 */
export function stroke({ width, height, pixels }: Bitmap, from: Point, to: Point, radius: number, value: 0 | 1): Box | null {
  const clampX = (x: number) => Math.min(width, Math.max(0, x))
  const clampY = (y: number) => Math.min(height, Math.max(0, y))
  const [left, right] = [clampX(Math.floor(Math.min(from.x, to.x) - radius)), clampX(Math.ceil(Math.max(from.x, to.x) + radius) + 1)]
  const [top, bottom] = [clampY(Math.floor(Math.min(from.y, to.y) - radius)), clampY(Math.ceil(Math.max(from.y, to.y) + radius) + 1)]
  if (left >= right || top >= bottom) return null
  const [dx, dy] = [to.x - from.x, to.y - from.y]
  const length2 = dx * dx + dy * dy
  for (let y = top; y < bottom; y++)
    for (let x = left; x < right; x++) {
      const [px, py] = [x + 0.5 - from.x, y + 0.5 - from.y]
      const along = length2 === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length2))
      if ((px - along * dx) ** 2 + (py - along * dy) ** 2 <= radius * radius) pixels[y * width + x] = value
    }
  for (const { x, y } of [from, to]) {
    const [column, row] = [Math.floor(x), Math.floor(y)]
    if (column >= 0 && row >= 0 && column < width && row < height) pixels[row * width + column] = value
  }
  return [left, top, right - left, bottom - top]
}

/** The smallest and largest brush and the first one, as shares of the image's shorter side. */
export const BRUSH = { least: 0.004, most: 0.5, first: 0.05, step: 1.25 } as const

/** The radius in pixels of a brush whose width is `share` of the shorter side; at least half a pixel. */
export function brushRadius(share: number, { width, height }: { readonly width: number; readonly height: number }): number {
  return Math.max(0.5, (share * Math.min(width, height)) / 2)
}

/** `share` grown by `steps` of the scale; shrunk where they are negative. */
export function brushSize(share: number, steps: number): number {
  return Math.min(BRUSH.most, Math.max(BRUSH.least, share * BRUSH.step ** steps))
}
