// What the points of a map can be coloured by, and the colours: a few classes each get one, amounts run along viridis.

import { MAP_AMOUNTS, MAP_CLASSES, type MapColour, type MapValues } from '../../../src-main/domain/feature-map.ts'
import { viridis, type Rgb } from '../../charts/colour-scales.ts'
import { packed } from './map-view.ts'

export const CLASS_LABELS: Readonly<Record<(typeof MAP_CLASSES)[number], string>> = {
  category: 'Category',
  split: 'Split',
  dataset: 'Dataset',
  group: 'Group',
  kind: 'Kind',
  tag: 'Tag',
  format: 'Image format',
  source: 'Source',
}
export const AMOUNT_LABELS: Readonly<Record<(typeof MAP_AMOUNTS)[number], string>> = {
  pixels: 'Size of the image',
  textLength: 'Length of text',
  brightness: 'Brightness',
  contrast: 'Contrast',
}

/** Name of a way of colouring that a list of choices carries, and back. */
export const keyOf = (colour: MapColour): string => JSON.stringify(colour)
export const colourOf = (key: string): MapColour => JSON.parse(key) as MapColour

export const colourChoices = [
  ...MAP_CLASSES.map((field) => ({ value: keyOf({ by: 'class', field }), label: CLASS_LABELS[field] })),
  ...MAP_AMOUNTS.map((field) => ({ value: keyOf({ by: 'amount', field }), label: AMOUNT_LABELS[field] })),
]

/**
 * Which classes are told apart: those that the person chose, else the most frequent; the others share one colour.
 * @returns place of each class among `colours`; −1: with the others
 */
export function toldApart(names: number, chosen: readonly number[], colours: number): Int32Array {
  const places = new Int32Array(names).fill(-1)
  const shown = chosen.length > 0 ? chosen.slice(0, colours) : Array.from({ length: Math.min(names, colours) }, (_, i) => i)
  shown.forEach((name, place) => (places[name] = place))
  return places
}

/** Least and greatest of what is known. */
export function extentOf(of: Float64Array): readonly [low: number, high: number] {
  let [low, high] = [Infinity, -Infinity]
  for (const value of of)
    if (!Number.isNaN(value)) {
      low = Math.min(low, value)
      high = Math.max(high, value)
    }
  return low <= high ? [low, high] : [0, 0]
}

/**
 * A packed colour for each point.
 * @param rows  of the points, in their order: values are matched by row, so that a map that was asked a moment before a sample
 *   was deleted shows no point in another's colour
 */
export function colourPoints(rows: Uint32Array, values: MapValues | null, chosen: readonly number[], classes: readonly Rgb[], rest: Rgb): Uint32Array {
  const colours = new Uint32Array(rows.length).fill(packed(rest))
  if (values === null) return colours
  const places = new Map<number, number>()
  values.rows.forEach((row, i) => places.set(row, i))
  if (values.kind === 'classes') {
    const apart = toldApart(values.names.length, chosen, classes.length)
    const palette = classes.map(packed)
    rows.forEach((row, i) => {
      const name = values.of[places.get(row) ?? -1] ?? -1
      const place = name < 0 ? -1 : apart[name]!
      if (place >= 0) colours[i] = palette[place]!
    })
    return colours
  }
  const [low, high] = extentOf(values.of)
  rows.forEach((row, i) => {
    const value = values.of[places.get(row) ?? -1] ?? Number.NaN
    if (!Number.isNaN(value)) colours[i] = packed(viridis(high > low ? (value - low) / (high - low) : 0.5))
  })
  return colours
}

/** "rgb(1, 2, 3)" as a canvas resolves tokens. */
export function rgbOf(colour: string): Rgb {
  const [r, g, b] = (colour.match(/[\d.]+/g) ?? []).map(Number)
  return [r ?? 0, g ?? 0, b ?? 0]
}
