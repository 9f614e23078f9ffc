// COCO's three notations of a mask to one: run lengths, column by column, zeros first. Polygons are filled exactly as
// pycocotools fills them (cocoapi, common/maskApi.c: rleFrPoly), so that areas agree with published ones.

import { runLengths } from '../../domain/mask.ts'
import type { Mask } from '../../domain/sample.ts'
import { isRow, RowFault } from './row-fault.ts'

/** @throws RowFault on field `where`; null when there is no mask */
export function maskOf(segmentation: unknown, width: number, height: number, where: string): Mask | null {
  if (segmentation === undefined || segmentation === null) return null
  if (Array.isArray(segmentation)) return segmentation.length === 0 ? null : maskOfPolygons(segmentation, width, height, where)
  if (!isRow(segmentation)) throw new RowFault(where, 'polygons or run lengths', segmentation)
  const { size, counts } = segmentation
  if (!Array.isArray(size) || size[0] !== height || size[1] !== width)
    throw new RowFault(`${where}.size`, `[${height}, ${width}], the image's height and width`, size)
  const runs = typeof counts === 'string' ? decompressRuns(counts, where) : counts
  if (!Array.isArray(runs) || !runs.every((run): run is number => Number.isInteger(run) && run >= 0))
    throw new RowFault(`${where}.counts`, 'run lengths', counts)
  const total = runs.reduce((sum, run) => sum + run, 0)
  if (total !== width * height)
    throw new RowFault(`${where}.counts`, `runs over ${width * height} pixels`, runs, `runs over ${total}`)
  return { size: [height, width], counts: runs }
}

/** Six bits a character, least significant first; from the third run on, differences to the run before last. */
function decompressRuns(text: string, where: string): number[] {
  const runs: number[] = []
  for (let at = 0; at < text.length;) {
    let value = 0
    for (let shift = 0, more = true; more; shift += 5, at++) {
      const bits = text.charCodeAt(at) - 48
      if (!(bits >= 0 && bits < 64) || shift > 30) throw new RowFault(`${where}.counts`, 'compressed run lengths', text)
      value |= (bits & 0x1f) << shift
      more = (bits & 0x20) !== 0
      if (!more && (bits & 0x10) !== 0) value |= -1 << (shift + 5)
    }
    runs.push(runs.length > 2 ? value + runs[runs.length - 2]! : value)
  }
  return runs
}

function maskOfPolygons(polygons: readonly unknown[], width: number, height: number, where: string): Mask {
  const filled = new Uint8Array(width * height)
  polygons.forEach((polygon, i) => {
    if (
      !Array.isArray(polygon) ||
      polygon.length < 6 ||
      polygon.length % 2 !== 0 ||
      !polygon.every((value) => typeof value === 'number' && Number.isFinite(value))
    )
      throw new RowFault(`${where}[${i}]`, 'a polygon [x1, y1, x2, y2, x3, y3, …]', polygon)
    let at = 0
    polygonRuns(polygon as number[], width, height).forEach((run, index) => {
      if (index % 2 === 1) filled.fill(1, at, at + run)
      at += run
    })
  })
  return { size: [height, width], counts: runLengths(filled) }
}

/** The outline is walked on a grid five times finer; where it crosses the middle of a column, a run begins or ends. */
function polygonRuns(polygon: readonly number[], width: number, height: number): number[] {
  const SCALE = 5
  // Far outside the picture the walk changes nothing but would take for ever.
  const clamp = (value: number, limit: number) => Math.max(-limit, Math.min(2 * limit, value))
  const corners = Array.from({ length: polygon.length / 2 }, (_, i): [number, number] => [
    Math.trunc(SCALE * clamp(polygon[2 * i]!, width) + 0.5),
    Math.trunc(SCALE * clamp(polygon[2 * i + 1]!, height) + 0.5),
  ])
  const crossings: number[] = []
  let before: [number, number] | null = null
  const visit = (u: number, v: number) => {
    if (before !== null && before[0] !== u) {
      const x = (Math.min(u, before[0]) + 0.5) / SCALE - 0.5
      if (Number.isInteger(x) && x >= 0 && x <= width - 1) {
        const y = (Math.min(v, before[1]) + 0.5) / SCALE - 0.5
        crossings.push(x * height + Math.ceil(Math.max(0, Math.min(height, y))))
      }
    }
    before = [u, v]
  }
  corners.forEach((from, i) => {
    const to = corners[(i + 1) % corners.length]!
    const [dx, dy] = [Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1])]
    const isFlat = dx >= dy
    const isFlipped = isFlat ? from[0] > to[0] : from[1] > to[1]
    const [start, end] = isFlipped ? [to, from] : [from, to]
    const slope = isFlat ? (dx === 0 ? 0 : (end[1] - start[1]) / dx) : (end[0] - start[0]) / dy
    for (let step = 0, steps = isFlat ? dx : dy; step <= steps; step++) {
      const t = isFlipped ? steps - step : step
      if (isFlat) visit(t + start[0], Math.trunc(start[1] + slope * t + 0.5))
      else visit(Math.trunc(start[0] + slope * t + 0.5), t + start[1])
    }
  })
  const places = [...crossings, width * height].sort((a, b) => a - b)
  const runs: number[] = []
  let previous = 0
  const gaps = places.map((place) => {
    const gap = place - previous
    previous = place
    return gap
  })
  // Two crossings at one place cancel: the runs around them are one.
  for (let i = 0; i < gaps.length;) {
    if (i === 0 || gaps[i]! > 0) runs.push(gaps[i++]!)
    else {
      i += 1
      if (i < gaps.length) runs[runs.length - 1] = runs[runs.length - 1]! + gaps[i++]!
    }
  }
  return runs
}
