// A map over patches as pixels. Every map is shown in one unit, "times an even spread": the patch's share of the map's
// sum, times the number of patches. 1 is what a map without any preference would have everywhere, so encoders whose
// gradients differ in size can stand on one scale.

import type { PatchMap } from '../../src-main/domain/study-results.ts'
import { classColor, difference as differenceColor, viridis, type Rgb } from './colour-scales.ts'

/** Values relative to an even spread; a map that is zero everywhere stays zero. */
export function relativeToEven(map: PatchMap): PatchMap {
  const sum = map.values.reduce((total, value) => total + value, 0)
  return { ...map, values: map.values.map((value) => (sum > 0 ? (value * map.values.length) / sum : 0)) }
}

/**
 * a − b, patch by patch. Grids that differ are compared on the finer of the two, interpolated between patch centres: both
 * maps are then densities over the same picture.
 */
export function mapDifference(a: PatchMap, b: PatchMap): PatchMap {
  if (a.rows === b.rows && a.columns === b.columns) return { ...a, values: a.values.map((value, index) => value - b.values[index]!) }
  const [rows, columns] = [Math.max(a.rows, b.rows), Math.max(a.columns, b.columns)]
  const at = (map: PatchMap, row: number, column: number) =>
    valueAt(map, ((column + 0.5) / columns) * map.columns, ((row + 0.5) / rows) * map.rows, false)
  const values = Array.from({ length: rows * columns }, (_, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns]
    return at(a, row, column) - at(b, row, column)
  })
  return { rows, columns, values }
}

/** The largest value (or distance from zero) of several maps: one scale for all of them. */
export function largest(maps: readonly PatchMap[]): number {
  return Math.max(1e-9, ...maps.flatMap((map) => map.values.map(Math.abs)))
}

export type MapScale = 'viridis' | 'difference' | 'colour' | 'class'

export interface Painting {
  readonly map: PatchMap
  readonly width: number
  readonly height: number
  /** Value that gets the scale's last colour. */
  readonly top: number
  /** Value that gets the first colour of viridis; of a difference it is −top. */
  readonly bottom?: number
  /** True: every patch a flat square, as the encoder sees it. False: interpolated between patch centres. */
  readonly isRaw: boolean
  /** 'colour': three values a patch, red, green and blue from 0 to 1. 'class': the values are numbers of classes. */
  readonly scale: MapScale
  /** Of the difference scale's ends. */
  readonly ends?: readonly [Rgb, Rgb]
  /** Colours of classes by their numbers. */
  readonly palette?: readonly Rgb[] | undefined
}

/** RGBA, row by row, opaque: the canvas element's own opacity lets the image through. */
export function paintMap({ map, width, height, top, bottom = 0, isRaw, scale, ends, palette }: Painting): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(width * height * 4)
  const colorAt = (x: number, y: number): Rgb => {
    // Between two classes there is no third.
    if (scale === 'class') return classColorIn(palette, valueAt(map, x, y, true))
    if (scale === 'colour') {
      const channel = (index: number) => Math.round(255 * valueAt(map, x, y, isRaw, { index, of: 3 }))
      return [channel(0), channel(1), channel(2)]
    }
    const value = valueAt(map, x, y, isRaw)
    return scale === 'viridis' ? viridis((value - bottom) / (top - bottom || 1)) : differenceColor(value / top, ends![0], ends![1])
  }
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [r, g, b] = colorAt(((x + 0.5) / width) * map.columns, ((y + 0.5) / height) * map.rows)
      const at = (y * width + x) * 4
      pixels[at] = r
      pixels[at + 1] = g
      pixels[at + 2] = b
      pixels[at + 3] = 255
    }
  return pixels
}

function classColorIn(palette: readonly Rgb[] | undefined, number: number): Rgb {
  return palette === undefined ? classColor(number) : palette[number]!
}

const ONE = { index: 0, of: 1 } as const

/** Value at a place given in patches; patch (i, j) has its centre at (i + ½, j + ½). */
export function valueAt(map: PatchMap, x: number, y: number, isRaw: boolean, channel: { readonly index: number; readonly of: number } = ONE): number {
  const get = (column: number, row: number) => {
    const patch = Math.min(map.rows - 1, Math.max(0, row)) * map.columns + Math.min(map.columns - 1, Math.max(0, column))
    return map.values[patch * channel.of + channel.index]!
  }
  if (isRaw) return get(Math.floor(x), Math.floor(y))
  const [left, above] = [Math.floor(x - 0.5), Math.floor(y - 0.5)]
  const [toRight, down] = [x - 0.5 - left, y - 0.5 - above]
  const upper = get(left, above) * (1 - toRight) + get(left + 1, above) * toRight
  const lower = get(left, above + 1) * (1 - toRight) + get(left + 1, above + 1) * toRight
  return upper * (1 - down) + lower * down
}
