// A map over patches as pixels. Every map is shown in one unit, "times an even spread": the patch's share of the map's
// sum, times the number of patches. 1 is what a map without any preference would have everywhere, so encoders whose
// gradients differ in size can stand on one scale.

import type { PatchMap } from '../../src-main/domain/study-results.ts'
import { difference as differenceColor, viridis, type Rgb } from './colour-scales.ts'

/** Values relative to an even spread; a map that is zero everywhere stays zero. */
export function relativeToEven(map: PatchMap): PatchMap {
  const sum = map.values.reduce((total, value) => total + value, 0)
  return { ...map, values: map.values.map((value) => (sum > 0 ? (value * map.values.length) / sum : 0)) }
}

export function mapDifference(a: PatchMap, b: PatchMap): PatchMap {
  return { ...a, values: a.values.map((value, index) => value - (b.values[index] ?? 0)) }
}

/** The largest value (or distance from zero) of several maps: one scale for all of them. */
export function largest(maps: readonly PatchMap[]): number {
  return Math.max(1e-9, ...maps.flatMap((map) => map.values.map(Math.abs)))
}

export interface Painting {
  readonly map: PatchMap
  readonly width: number
  readonly height: number
  /** Value that gets the scale's last colour. */
  readonly top: number
  /** True: every patch a flat square, as the encoder sees it. False: interpolated between patch centres. */
  readonly isRaw: boolean
  readonly scale: 'viridis' | 'difference'
  /** Of the difference scale's ends: SFT's and DPO's own colours. */
  readonly ends?: readonly [Rgb, Rgb]
}

/** RGBA, row by row, opaque: the canvas element's own opacity lets the image through. */
export function paintMap({ map, width, height, top, isRaw, scale, ends }: Painting): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(width * height * 4)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const value = valueAt(map, ((x + 0.5) / width) * map.columns, ((y + 0.5) / height) * map.rows, isRaw)
      const [r, g, b] = scale === 'viridis' ? viridis(value / top) : differenceColor(value / top, ends![0], ends![1])
      const at = (y * width + x) * 4
      pixels[at] = r
      pixels[at + 1] = g
      pixels[at + 2] = b
      pixels[at + 3] = 255
    }
  return pixels
}

/** Value at a place given in patches; patch (i, j) has its centre at (i + ½, j + ½). */
export function valueAt(map: PatchMap, x: number, y: number, isRaw: boolean): number {
  const get = (column: number, row: number) =>
    map.values[Math.min(map.rows - 1, Math.max(0, row)) * map.columns + Math.min(map.columns - 1, Math.max(0, column))]!
  if (isRaw) return get(Math.floor(x), Math.floor(y))
  const [left, above] = [Math.floor(x - 0.5), Math.floor(y - 0.5)]
  const [toRight, down] = [x - 0.5 - left, y - 0.5 - above]
  const upper = get(left, above) * (1 - toRight) + get(left + 1, above) * toRight
  const lower = get(left, above + 1) * (1 - toRight) + get(left + 1, above + 1) * toRight
  return upper * (1 - down) + lower * down
}
