// Masks and regions in pixels, without a canvas: run lengths to pixels and back, what a region covers, the outline of a mask.
// Run lengths are COCO's: down the columns, zeros first. Coordinates are continuous: pixel (x, y) covers [x, x+1) × [y, y+1).

import type { Box, Mask, Region, Shape } from './sample.ts'

export function isMask(shape: Shape): shape is Mask {
  return !Array.isArray(shape)
}

export const boxesOf = (region: Region): readonly Box[] => region.filter((shape): shape is Box => !isMask(shape))
export const masksOf = (region: Region): readonly Mask[] => region.filter(isMask)

/** The mask's pixels as boxes one column wide that do not overlap, column by column. */
export function* columnsOf({ size: [height], counts }: Mask): Generator<Box> {
  let at = 0
  for (const [i, count] of counts.entries()) {
    const end = at + count
    if (i % 2 === 1)
      for (let from = at; from < end;) {
        const x = Math.floor(from / height)
        const to = Math.min(end, (x + 1) * height)
        yield [x, from - x * height, 1, to - from]
        from = to
      }
    at = end
  }
}

/** 1 inside, 0 outside, row by row, (height · width). */
export function pixelsOf(mask: Mask): Uint8Array {
  const [height, width] = mask.size
  const pixels = new Uint8Array(height * width)
  for (const [x, top, , length] of columnsOf(mask)) for (let y = top; y < top + length; y++) pixels[y * width + x] = 1
  return pixels
}

/** @param pixels 1 inside, 0 outside, row by row, (height · width) */
export function maskOfPixels(pixels: Uint8Array, width: number, height: number): Mask {
  const columns = new Uint8Array(width * height)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) columns[x * height + y] = pixels[y * width + x]!
  return { size: [height, width], counts: runLengths(columns) }
}

/** Of a bitmap that is laid out column by column. */
export function runLengths(columns: Uint8Array): number[] {
  const counts: number[] = []
  let [run, value] = [0, 0]
  for (const pixel of columns) {
    if (pixel !== value) {
      counts.push(run)
      ;[run, value] = [0, pixel]
    }
    run += 1
  }
  return [...counts, run]
}

/** Pixels that a shape covers. */
export function areaOf(shape: Shape): number {
  return isMask(shape) ? shape.counts.reduce((sum, run, i) => sum + (i % 2 === 1 ? run : 0), 0) : shape[2] * shape[3]
}

/** The smallest box around a shape; null: an empty mask. */
export function frameOf(shape: Shape): Box | null {
  if (!isMask(shape)) return shape
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity]
  for (const [x, y, , length] of columnsOf(shape)) {
    left = Math.min(left, x)
    right = Math.max(right, x + 1)
    top = Math.min(top, y)
    bottom = Math.max(bottom, y + length)
  }
  return left < right ? [left, top, right - left, bottom - top] : null
}

/** What `region` covers as boxes that do not overlap but for its own boxes among each other, which come first. */
export function partsOf(region: Region): { readonly boxes: readonly Box[]; readonly rest: readonly Box[] } {
  const boxes = boxesOf(region)
  const rest = boxes.reduce<readonly Box[]>((parts, box) => parts.flatMap((part) => without(part, box)), [...columnsOfAll(masksOf(region))])
  return { boxes, rest }
}

/** Masks of one image as one: a pixel in several counts once. */
function columnsOfAll(masks: readonly Mask[]): Iterable<Box> {
  const [first, ...others] = masks
  if (first === undefined) return []
  if (others.length === 0) return columnsOf(first)
  const pixels = pixelsOf(first)
  for (const other of others) pixelsOf(other).forEach((inside, i) => (pixels[i] ||= inside))
  return columnsOf(maskOfPixels(pixels, first.size[1], first.size[0]))
}

/** `part` less `hole`, as at most four boxes. */
function without(part: Box, hole: Box): readonly Box[] {
  const [left, top, right, bottom] = [part[0], part[1], part[0] + part[2], part[1] + part[3]]
  const [from, above, to, below] = [Math.max(left, hole[0]), Math.max(top, hole[1]), Math.min(right, hole[0] + hole[2]), Math.min(bottom, hole[1] + hole[3])]
  if (from >= to || above >= below) return [part]
  const sides: readonly Box[] = [
    [left, top, from - left, bottom - top],
    [to, top, right - to, bottom - top],
    [from, top, to - from, above - top],
    [from, below, to - from, bottom - below],
  ]
  return sides.filter(([, , width, height]) => width > 0 && height > 0)
}

/** The edges between inside and outside as an SVG path, each straight piece once. */
export function outlineOf(mask: Mask): string {
  const [height, width] = mask.size
  const pixels = pixelsOf(mask)
  const at = (x: number, y: number) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : pixels[y * width + x]!)
  const pieces: string[] = []
  const along = (lines: number, length: number, isEdge: (line: number, i: number) => boolean, piece: (line: number, from: number, to: number) => string) => {
    for (let line = 0; line <= lines; line++)
      for (let i = 0, from = -1; i <= length; i++) {
        const edge = i < length && isEdge(line, i)
        if (edge && from < 0) from = i
        if (!edge && from >= 0) {
          pieces.push(piece(line, from, i))
          from = -1
        }
      }
  }
  along(height, width, (y, x) => at(x, y) !== at(x, y - 1), (y, from, to) => `M${from} ${y}H${to}`)
  along(width, height, (x, y) => at(x, y) !== at(x - 1, y), (x, from, to) => `M${x} ${from}V${to}`)
  return pieces.join('')
}
