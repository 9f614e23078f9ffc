// Examples that carry maps, and what is drawn of them: one map a side, in one unit, on one scale.

import { largest, mapDifference, relativeToEven } from '../../charts/heat-map.ts'
import { isMask, pixelsOf } from '../../../src-main/domain/mask.ts'
import type { Region } from '../../../src-main/domain/sample.ts'
import type { Example, ItemDetail, PatchMap } from '../../../src-main/domain/study-results.ts'
import { ENCODERS, type EncoderName } from '../../../src-main/domain/study.ts'

export const MAP_KINDS = ['sft', 'chosen', 'rejected', 'dpo'] as const
export type MapKind = (typeof MAP_KINDS)[number]
type MapDetail = Extract<ItemDetail, { kind: 'maps' }>

export interface MapExample {
  readonly itemId: string
  readonly group: string | null
  readonly image: NonNullable<Example['image']>
  readonly prompt: string
  readonly chosen: string
  readonly rejected: string
  readonly region: Region
  /** Per encoder and kind, relative to an even spread. */
  readonly maps: Partial<Readonly<Record<EncoderName, Readonly<Record<MapKind, PatchMap>>>>>
}

/** One entry an item, whichever of its measures brought it; items without maps or image are left out. */
export function mapExamples(examples: readonly Example[]): readonly MapExample[] {
  const found = new Map<string, MapExample>()
  for (const example of examples) {
    if (example.image === null || found.has(example.itemId)) continue
    const details = example.encoders.flatMap(({ encoder, detail }) =>
      detail?.kind === 'maps' ? [[encoder, detail] as const] : [],
    )
    const first = details[0]?.[1]
    if (first === undefined) continue
    found.set(example.itemId, {
      itemId: example.itemId,
      group: example.group,
      image: example.image,
      prompt: first.prompt.replace(/<image>\s*/g, ''),
      chosen: first.chosen,
      rejected: first.rejected,
      region: first.region,
      maps: Object.fromEntries(details.map(([encoder, detail]) => [encoder, relativeMaps(detail)])),
    })
  }
  return [...found.values()]
}

/** Energy of a map inside the region relative to the region's area, as domain/metric.ts defines it; null without a region. */
export function energyInside(
  map: PatchMap,
  region: Region,
  image: { readonly width: number; readonly height: number },
): number | null {
  const isInside = insideTest(region)
  let [inside, area, sum] = [0, 0, 0]
  for (let row = 0; row < map.rows; row++)
    for (let column = 0; column < map.columns; column++) {
      const covered = coverage(isInside, image, column / map.columns, row / map.rows, 1 / map.columns, 1 / map.rows)
      const value = map.values[row * map.columns + column]!
      inside += value * covered
      sum += value
      area += covered / map.values.length
    }
  return area > 0 && sum > 0 ? inside / sum / area : null
}

type InsideTest = (x: number, y: number) => boolean

function insideTest(region: Region): InsideTest {
  const tests = region.map((shape): InsideTest => {
    if (!isMask(shape)) return (x, y) => x >= shape[0] && x < shape[0] + shape[2] && y >= shape[1] && y < shape[1] + shape[3]
    const pixels = pixelsOf(shape)
    return (x, y) => pixels[Math.floor(y) * shape.size[1] + Math.floor(x)] === 1
  })
  return (x, y) => tests.some((test) => test(x, y))
}

/** Share of a patch that lies in the region; overlapping shapes are sampled, not added. */
function coverage(
  isInside: InsideTest,
  image: { readonly width: number; readonly height: number },
  x: number,
  y: number,
  width: number,
  height: number,
): number {
  const GRID = 4
  let hits = 0
  for (let i = 0; i < GRID; i++)
    for (let j = 0; j < GRID; j++) {
      const [px, py] = [(x + ((i + 0.5) / GRID) * width) * image.width, (y + ((j + 0.5) / GRID) * height) * image.height]
      if (isInside(px, py)) hits++
    }
  return hits / GRID ** 2
}

/** The scale's top for the maps of one kind, over every encoder shown. */
export function commonTop(example: MapExample, kind: MapKind): number {
  return largest(ENCODERS.flatMap((encoder) => (example.maps[encoder] === undefined ? [] : [example.maps[encoder][kind]])))
}

/** DPO's map minus SFT's; null while one of them is missing. */
export function armDifference(example: MapExample, kind: MapKind): PatchMap | null {
  const { sft, dpo } = example.maps
  return sft === undefined || dpo === undefined ? null : mapDifference(dpo[kind], sft[kind])
}

function relativeMaps(detail: MapDetail): Readonly<Record<MapKind, PatchMap>> {
  return Object.fromEntries(MAP_KINDS.map((kind) => [kind, relativeToEven(detail.maps[kind])])) as Record<MapKind, PatchMap>
}
