// A map of points as pixels: where each falls for a pan and zoom, which is under the pointer, which lie inside a line, and the
// picture itself. A hundred thousand points are written straight into the picture's memory, a few pixels each: no drawing
// call per point, so that a frame costs a few milliseconds without a graphics card too.

import { boundsOf, isInside, type Outline } from '../../../src-main/domain/feature-map.ts'

/** Pixels of a point (x, y): `left + scale · x`, `top − scale · y`; up on the map is up on the screen. */
export interface MapView {
  readonly scale: number
  readonly left: number
  readonly top: number
}

export interface Places {
  readonly x: ArrayLike<number>
  readonly y: ArrayLike<number>
}

const MARGIN = 24

/** Shows every point, as large as it goes. */
export function fitted({ x, y }: Places, width: number, height: number): MapView {
  let [lowX, highX, lowY, highY] = [Infinity, -Infinity, Infinity, -Infinity]
  for (let i = 0; i < x.length; i++) {
    lowX = Math.min(lowX, x[i]!)
    highX = Math.max(highX, x[i]!)
    lowY = Math.min(lowY, y[i]!)
    highY = Math.max(highY, y[i]!)
  }
  if (x.length === 0) return { scale: 1, left: width / 2, top: height / 2 }
  // Points that all lie in one place have no size to fit.
  const size = Math.max((highX - lowX) / Math.max(1, width - 2 * MARGIN), (highY - lowY) / Math.max(1, height - 2 * MARGIN))
  const scale = size > 0 ? 1 / size : 1
  return { scale, left: width / 2 - (scale * (lowX + highX)) / 2, top: height / 2 + (scale * (lowY + highY)) / 2 }
}

/** What is under the pixel stays under it. */
export function zoomed(view: MapView, factor: number, at: readonly [x: number, y: number]): MapView {
  return {
    scale: view.scale * factor,
    left: at[0] - (at[0] - view.left) * factor,
    top: at[1] - (at[1] - view.top) * factor,
  }
}

export const toMap = (view: MapView, [x, y]: readonly [x: number, y: number]): [x: number, y: number] => [(x - view.left) / view.scale, (view.top - y) / view.scale]

/** Points sorted into square cells, so that what is near a place is found without looking at all. */
export function createPointIndex({ x, y }: Places) {
  const n = x.length
  const side = Math.max(1, Math.ceil(Math.sqrt(n / 4)))
  let [lowX, highX, lowY, highY] = [Infinity, -Infinity, Infinity, -Infinity]
  for (let i = 0; i < n; i++) {
    lowX = Math.min(lowX, x[i]!)
    highX = Math.max(highX, x[i]!)
    lowY = Math.min(lowY, y[i]!)
    highY = Math.max(highY, y[i]!)
  }
  const cellOf = (value: number, low: number, high: number) => (high > low ? Math.min(side - 1, Math.max(0, Math.floor(((value - low) / (high - low)) * side))) : 0)
  const begins = new Int32Array(side * side + 1)
  const cells = new Int32Array(n)
  for (let i = 0; i < n; i++) {
    cells[i] = cellOf(y[i]!, lowY, highY) * side + cellOf(x[i]!, lowX, highX)
    begins[cells[i]! + 1]!++
  }
  for (let i = 0; i < side * side; i++) begins[i + 1]! += begins[i]!
  const next = begins.slice(0, -1)
  const sorted = new Int32Array(n)
  for (let i = 0; i < n; i++) sorted[next[cells[i]!]!++] = i

  function* within(left: number, right: number, bottom: number, top: number): Generator<number> {
    if (n === 0) return
    const [fromColumn, toColumn] = [cellOf(left, lowX, highX), cellOf(right, lowX, highX)]
    for (let row = cellOf(bottom, lowY, highY); row <= cellOf(top, lowY, highY); row++)
      for (let at = begins[row * side + fromColumn]!; at < begins[row * side + toColumn + 1]!; at++) {
        const i = sorted[at]!
        if (x[i]! >= left && x[i]! <= right && y[i]! >= bottom && y[i]! <= top) yield i
      }
  }

  return {
    /** The point nearest to a place on the map and at most `radius` from it; −1: none. */
    nearest(px: number, py: number, radius: number): number {
      let [best, least] = [-1, radius * radius]
      for (const i of within(px - radius, px + radius, py - radius, py + radius)) {
        const distance = (x[i]! - px) ** 2 + (y[i]! - py) ** 2
        if (distance <= least) [best, least] = [i, distance]
      }
      return best
    },
    inside(outline: Outline): number[] {
      const { left, right, top, bottom } = boundsOf(outline)
      const found: number[] = []
      for (const i of within(left, right, top, bottom)) if (isInside(outline, x[i]!, y[i]!)) found.push(i)
      return found
    },
  }
}

/** Colours as 32 bits, alpha first, blue, green, red: what a little-endian machine keeps as RGBA. */
export const packed = ([r, g, b]: readonly [number, number, number]): number => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0

/** Points in sight decide the size of a dot: a crowd is dots of two pixels, a few are large enough to be met. */
export function dotRadius(inSight: number): number {
  return inSight > 40_000 ? 1 : inSight > 8_000 ? 1.5 : inSight > 1_500 ? 2.5 : 3.5
}

export interface Painting {
  readonly places: Places
  readonly view: MapView
  readonly width: number
  readonly height: number
  /** Of each point, packed. */
  readonly colours: Uint32Array
  /** 1: as a background to the others; absent: none. */
  readonly isFaint: Uint8Array | null
  readonly faint: number
  readonly ground: number
  /** Painted last, larger, each with a rim. */
  readonly marked: readonly number[]
  readonly rim: number
}

/** Fills `pixels` (width × height, packed) with the map. Faint points lie below the others, marked ones above. */
export function paintPoints(pixels: Uint32Array, painting: Painting): void {
  const { places, view, width, height, colours, isFaint, faint, ground, marked, rim } = painting
  const { x, y } = places
  const { scale, left, top } = view
  pixels.fill(ground)
  let inSight = 0
  for (let i = 0; i < x.length; i++) {
    const px = left + scale * x[i]!
    const py = top - scale * y[i]!
    if (px >= 0 && px < width && py >= 0 && py < height) inSight++
  }
  const radius = dotRadius(inSight)
  const dot = stamp(radius)
  const put = (i: number, colour: number, shape: readonly Int32Array[]) => {
    const px = Math.round(left + scale * x[i]!)
    const py = Math.round(top - scale * y[i]!)
    const reach = shape.length >> 1
    if (px < -reach || px >= width + reach || py < -reach || py >= height + reach) return
    for (let line = 0; line < shape.length; line++) {
      const row = py + line - reach
      if (row < 0 || row >= height) continue
      const [from, to] = shape[line] as unknown as [number, number]
      const begin = Math.max(0, px + from)
      const end = Math.min(width - 1, px + to)
      const at = row * width
      for (let column = begin; column <= end; column++) pixels[at + column] = colour
    }
  }
  if (isFaint !== null) for (let i = 0; i < x.length; i++) if (isFaint[i] === 1) put(i, faint, dot)
  for (let i = 0; i < x.length; i++) if (isFaint === null || isFaint[i] === 0) put(i, colours[i]!, dot)
  const [outer, inner] = [stamp(radius + 3), stamp(radius + 1.5)]
  for (const i of marked) put(i, rim, outer)
  for (const i of marked) put(i, colours[i]!, inner)
}

const stamps = new Map<number, readonly Int32Array[]>()
/** A disc as lines: from which to which pixel each reaches, relative to its centre. */
function stamp(radius: number): readonly Int32Array[] {
  let made = stamps.get(radius)
  if (made === undefined) {
    const reach = Math.floor(radius)
    made = Array.from({ length: 2 * reach + 1 }, (_, line) => {
      const half = Math.floor(Math.sqrt(Math.max(0, radius * radius - (line - reach) ** 2)))
      return Int32Array.of(-half, half)
    })
    stamps.set(radius, made)
  }
  return made
}
