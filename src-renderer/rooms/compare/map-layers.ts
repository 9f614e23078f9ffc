// Maps of several encoders as they are drawn: one unit and one scale for all of them, because maps on scales of their own cannot
// be compared by eye.

import type { MapMethod, MapTarget, Maps, PatchLayer } from '../../../src-main/domain/patch-maps.ts'
import type { PatchMap } from '../../../src-main/domain/study-results.ts'
import { FOR_AND_AGAINST, type Rgb } from '../../charts/colour-scales.ts'
import { largest, mapDifference, relativeToEven, type MapScale } from '../../charts/heat-map.ts'

/**
 * How a method's numbers are shown. 'density': each map relative to an even spread, so that encoders whose numbers differ in size
 * stand on one scale. 'plain': as they are. 'signed': as they are, white at zero.
 */
const MANNERS: Readonly<Record<MapMethod, 'density' | 'plain' | 'signed' | 'colour' | 'class'>> = {
  gradient: 'density',
  'grad-cam': 'density',
  'integrated-gradients': 'signed',
  occlusion: 'signed',
  rollout: 'density',
  attention: 'density',
  components: 'colour',
  similarity: 'plain',
  'patch-norm': 'plain',
  segmentation: 'class',
}

export interface ShownScale {
  readonly scale: MapScale
  readonly top: number
  readonly bottom: number
  readonly ends: readonly [Rgb, Rgb]
  /** What the numbers at the colour bar are. */
  readonly caption: string
  readonly unit: string
}

export interface ShownMap {
  /** As in the question. */
  readonly encoder: string
  readonly map: PatchMap | null
  readonly layer: PatchLayer | null
  readonly frame: Maps['encoders'][number]['frame'] | null
  /** Why there is no map; null where there is one. */
  readonly reason: string | null
}

export interface ShownMaps {
  readonly scale: ShownScale
  readonly sides: readonly ShownMap[]
}

export interface Look {
  readonly method: MapMethod
  /** Of methods that are about an answer. */
  readonly target: MapTarget | null
  /** Gradient of this token of the answer alone. */
  readonly token: number | null
}

export function shownMaps(maps: Maps, encoders: readonly string[], look: Look, values: string): ShownMaps {
  const manner = MANNERS[look.method]
  const sides = encoders.map((encoder): ShownMap => {
    const layer = findLayer(maps, encoder, look)
    const reason = layer === null ? (maps.missing.find((each) => each.encoder === encoder && each.method === look.method)?.reason ?? 'not computed') : null
    const map = layer && { rows: layer.rows, columns: layer.columns, values: layer.values }
    return {
      encoder,
      layer,
      reason,
      map: map === null ? null : manner === 'density' ? relativeToEven(map) : manner === 'colour' ? asColours(layer!) : map,
      frame: maps.encoders.find((each) => each.encoder === encoder)?.frame ?? null,
    }
  })
  const drawn = sides.flatMap(({ map }) => (map === null ? [] : [map]))
  const all = drawn.flatMap(({ values }) => values)
  const ends = FOR_AND_AGAINST
  const scale: ShownScale =
    manner === 'density'
      ? { scale: 'viridis', top: largest(drawn), bottom: 0, ends, caption: 'times an even spread; one scale for all encoders', unit: '×' }
      : manner === 'signed'
        ? { scale: 'difference', top: largest(drawn), bottom: 0, ends, caption: `${values}; one scale for all encoders`, unit: '' }
        : manner === 'plain'
          ? { scale: 'viridis', top: extreme(all, Math.max, 1), bottom: extreme(all, Math.min, 0), ends, caption: `${values}; one scale for all encoders`, unit: '' }
          : { scale: manner, top: 1, bottom: 0, ends, caption: values, unit: '' }
  return { scale, sides }
}

/** a − b in the unit that both are shown in; a reason in words where there is none. */
export function shownDifference({ scale, sides }: ShownMaps, a: string, b: string): PatchMap | string {
  if (scale.scale === 'colour' || scale.scale === 'class') return 'Colours have no difference.'
  const pair = pairOf(sides, a, b)
  return typeof pair === 'string' ? pair : mapDifference(pair[0].map, pair[1].map)
}

/** What two categorical maps come to, patch by patch. Without a true mask it can only be said whether they agree. */
export const VERDICTS = ['both right', 'only A right', 'only B right', 'both wrong', 'the same class', 'not the same class'] as const

/** Places in `VERDICTS`, on the finer of the two grids; a reason in words where there is none. */
export function classVerdicts({ sides }: ShownMaps, a: string, b: string): PatchMap | string {
  const pair = pairOf(sides, a, b)
  if (typeof pair === 'string') return pair
  const [left, right] = pair
  const [rows, columns] = [Math.max(left.map.rows, right.map.rows), Math.max(left.map.columns, right.map.columns)]
  const at = ({ map, layer }: Drawn, row: number, column: number) => {
    const patch = Math.floor(((row + 0.5) / rows) * map.rows) * map.columns + Math.floor(((column + 0.5) / columns) * map.columns)
    const truth = layer.classes?.truth?.[patch]
    return { said: layer.classes?.names[map.values[patch]!], isRight: truth === undefined ? null : truth === map.values[patch] }
  }
  const values = Array.from({ length: rows * columns }, (_, index) => {
    const [ofA, ofB] = [left, right].map((side) => at(side, Math.floor(index / columns), index % columns)) as [ReturnType<typeof at>, ReturnType<typeof at>]
    if (ofA.isRight === null || ofB.isRight === null) return ofA.said === ofB.said ? 4 : 5
    return ofA.isRight ? (ofB.isRight ? 0 : 1) : ofB.isRight ? 2 : 3
  })
  return { rows, columns, values }
}

type Drawn = ShownMap & { readonly map: PatchMap; readonly layer: PatchLayer }

function pairOf(sides: readonly ShownMap[], a: string, b: string): readonly [Drawn, Drawn] | string {
  const [left, right] = [a, b].map((encoder) => sides.find((side) => side.encoder === encoder))
  const isDrawn = (side: ShownMap | undefined): side is Drawn => side !== undefined && side.map !== null && side.layer !== null
  if (!isDrawn(left) || !isDrawn(right)) return 'One of the two has no such map.'
  if (left.frame !== null && right.frame !== null && left.frame.some((edge, i) => Math.abs(edge - right.frame![i]!) > 1))
    return 'The two see different parts of the picture: their patches do not lie on each other.'
  return [left, right]
}

export interface NamedClass {
  readonly number: number
  readonly name: string
}

/** The classes that are seen in a map or in the picture's own mask, in their order. */
export function seenClasses(sides: readonly Pick<ShownMap, 'layer'>[]): readonly NamedClass[] {
  const seen = new Map<number, string>()
  for (const { layer } of sides) for (const number of [...(layer?.values ?? []), ...(layer?.classes?.truth ?? [])]) seen.set(number, layer?.classes?.names[number] ?? '')
  return [...seen].map(([number, name]) => ({ number, name })).sort((x, y) => x.number - y.number)
}

function findLayer(maps: Maps, encoder: string, { method, target, token }: Look): PatchLayer | null {
  const own = maps.layers.filter((layer) => layer.encoder === encoder && layer.method === method)
  if (token !== null) return own.find((layer) => layer.token?.index === token) ?? null
  const whole = own.filter((layer) => layer.token === null)
  return whole.find((layer) => layer.target === target) ?? whole.find((layer) => layer.target === null) ?? (target === null ? whole[0] : undefined) ?? null
}

/** Red, green and blue from 0 to 1, by the limits that are the same for all encoders. */
function asColours({ rows, columns, values, low, high }: PatchLayer): PatchMap {
  return { rows, columns, values: values.map((value) => (value - low) / (high - low || 1)) }
}

function extreme(values: readonly number[], pick: (...values: number[]) => number, otherwise: number): number {
  return values.length === 0 ? otherwise : values.reduce((most, value) => pick(most, value))
}
