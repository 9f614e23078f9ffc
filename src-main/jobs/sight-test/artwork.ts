// The pictures that scenes are made of: Twemoji graphics (CC-BY 4.0) and signs lettered in DejaVu Sans, drawn once by
// resvg in WebAssembly at a large size and averaged down to the size asked for. The same bytes on every machine.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { initWasm, Resvg } from '@resvg/resvg-wasm'
import { LabError } from '../../domain/errors.ts'
import { classNamed, TINT_RGB, type ObjectClass, type Rgb, type Tint } from './vocabulary.ts'

/** A picture with transparency: RGBA, colour multiplied by alpha, 0 to 255. */
export interface Sprite {
  readonly width: number
  readonly height: number
  readonly rgba: Float32Array
}

export interface Artwork {
  /** The object cut out tightly, its longer side `side` pixels. */
  object(name: string, tint: Tint | null, side: number, mirrored: boolean): Sprite
  /** A board `height` pixels high with `word` in capitals on it. */
  sign(word: string, style: SignStyle, height: number): Sprite
}

export interface SignStyle {
  readonly name: Tint | 'white' | 'black'
  readonly board: Rgb
  readonly letters: Rgb
}

/** Only pairs of high contrast: the letters are few pixels wide. */
export const SIGN_STYLES: readonly SignStyle[] = [
  { name: 'white', board: [250, 250, 250], letters: [20, 20, 20] },
  { name: 'black', board: [20, 20, 20], letters: [250, 250, 250] },
  { name: 'yellow', board: TINT_RGB.yellow, letters: [20, 20, 20] },
  { name: 'red', board: [196, 26, 48], letters: [255, 255, 255] },
  { name: 'green', board: [28, 112, 54], letters: [255, 255, 255] },
  { name: 'blue', board: [30, 84, 170], letters: [255, 255, 255] },
]

const here = createRequire(import.meta.url)
/** Sprites up to this side are kept; larger ones would fill the memory. */
const CACHED_SIDE = 64

let ready: Promise<void> | null = null

/**
 * @param largestSide  the longest side that will be asked for, pixels
 * @throws LabError 'not-found' when a package with artwork is not installed
 */
export async function openArtwork(largestSide: number): Promise<Artwork> {
  const [wasm, font] = [
    readAsset('@resvg/resvg-wasm/index_bg.wasm'),
    readAsset('dejavu-fonts-ttf/ttf/DejaVuSansCondensed-Bold.ttf'),
  ]
  // Once per process: the module refuses a second initialisation.
  ready ??= initWasm(wasm)
  await ready
  const masterSide = Math.max(144, Math.ceil(largestSide * 1.25))
  const masters = new Map<string, Sprite>()
  const sprites = new Map<string, Sprite>()
  const remembered = (key: string, keep: boolean, make: () => Sprite): Sprite => {
    const known = sprites.get(key)
    if (known !== undefined) return known
    const made = make()
    if (keep) sprites.set(key, made)
    return made
  }
  const master = (name: string, tint: Tint | null): Sprite => {
    const key = `${name} ${tint}`
    const drawn = masters.get(key) ?? cutOut(drawSvg(objectSvg(classNamed(name), tint), masterSide, []))
    masters.set(key, drawn)
    return drawn
  }
  return {
    object: (name, tint, side, mirrored) =>
      remembered(`${name} ${tint} ${side} ${mirrored}`, side <= CACHED_SIDE, () => {
        const whole = master(name, tint)
        const scale = side / Math.max(whole.width, whole.height)
        const small = shrink(whole, Math.max(1, Math.round(whole.width * scale)), Math.max(1, Math.round(whole.height * scale)))
        return mirrored ? mirror(small) : small
      }),
    sign: (word, style, height) =>
      remembered(`sign ${word} ${style.name} ${height}`, height <= CACHED_SIDE, () => {
        const { svg, width } = signSvg(word, style, height)
        return drawSvg(svg, width, [font])
      }),
  }
}

function readAsset(path: string): Uint8Array {
  try {
    return readFileSync(here.resolve(path))
  } catch (thrown) {
    throw new LabError(
      'not-found',
      `${path}: expected among the installed packages, found nothing; run npm install`,
      { path },
      thrown,
    )
  }
}

function objectSvg({ code, tint: fills }: ObjectClass, tint: Tint | null): string {
  const svg = Buffer.from(readAsset(`@twemoji/svg/${code}.svg`)).toString('utf8')
  if (tint === null || fills === null) return svg
  return svg.replace(/#[0-9a-f]{6}/gi, (fill) => {
    const lightness = fills[fill.toUpperCase()]
    return lightness === undefined ? fill : hex(TINT_RGB[tint].map((value) => Math.min(255, value * lightness)))
  })
}

const hex = (rgb: readonly number[]) => `#${rgb.map((value) => Math.round(value).toString(16).padStart(2, '0')).join('')}`

/** Widths of capitals in DejaVu Sans Condensed Bold, thousandths of the letter size, so that a board fits its word. */
const ADVANCE: Readonly<Record<string, number>> = {
  A: 697,
  B: 686,
  D: 747,
  E: 615,
  F: 615,
  H: 753,
  K: 697,
  L: 573,
  N: 753,
  O: 765,
  P: 660,
  R: 693,
  S: 648,
  T: 614,
  V: 697,
  W: 993,
  Y: 652,
}

function signSvg(word: string, style: SignStyle, height: number): { svg: string; width: number } {
  const capitals = word.toUpperCase()
  // Capitals of this face are 0.729 of the letter size high; a tenth of the board stays free above and below them.
  const size = (height * 0.68) / 0.729
  const letters = [...capitals].reduce((sum, letter) => sum + ADVANCE[letter]!, 0) / 1000
  const width = Math.round(letters * size + height * 0.45)
  const edge = Math.max(1, height / 14)
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
    <rect x="0" y="0" width="${width}" height="${height}" rx="${height / 8}" fill="${hex(style.letters)}"/>
    <rect x="${edge}" y="${edge}" width="${width - 2 * edge}" height="${height - 2 * edge}" rx="${height / 10}"
      fill="${hex(style.board)}"/>
    <text x="${width / 2}" y="${Math.round(height * 0.84)}" font-family="DejaVu Sans" font-stretch="condensed" font-weight="bold"
      font-size="${size}" text-anchor="middle" fill="${hex(style.letters)}">${capitals}</text></svg>`
  return { svg, width }
}

function drawSvg(svg: string, width: number, fontBuffers: Uint8Array[]): Sprite {
  const renderer = new Resvg(svg, {
    fitTo: { mode: 'width', value: width },
    font: { fontBuffers, defaultFontFamily: 'DejaVu Sans' },
  })
  const image = renderer.render()
  try {
    return { width: image.width, height: image.height, rgba: Float32Array.from(image.pixels) }
  } finally {
    image.free()
    renderer.free()
  }
}

/** The part that holds anything visible. */
function cutOut({ width, height, rgba }: Sprite): Sprite {
  let [left, top, right, bottom] = [width, height, 0, 0]
  for (let y = 0, at = 3; y < height; y++)
    for (let x = 0; x < width; x++, at += 4) {
      if (rgba[at]! < 64) continue
      left = Math.min(left, x)
      right = Math.max(right, x + 1)
      top = Math.min(top, y)
      bottom = Math.max(bottom, y + 1)
    }
  const cut = new Float32Array((right - left) * (bottom - top) * 4)
  for (let y = top; y < bottom; y++)
    cut.set(rgba.subarray((y * width + left) * 4, (y * width + right) * 4), (y - top) * (right - left) * 4)
  return { width: right - left, height: bottom - top, rgba: cut }
}

/** Each output pixel is the mean over the area that it covers; colour is multiplied by alpha, so no fringe appears. */
function shrink(sprite: Sprite, width: number, height: number): Sprite {
  // Rows first: they are contiguous, and leave little for the columns.
  const rows = averageAlong(sprite.rgba, 1, sprite.height, height, sprite.width * 4)
  return { width, height, rgba: averageAlong(rows, height, sprite.width, width, 4) }
}

/** (outer, length, inner) → (outer, shorter, inner), averaging along the middle axis. */
function averageAlong(values: Float32Array, outer: number, length: number, shorter: number, inner: number): Float32Array {
  const out = new Float32Array(outer * shorter * inner)
  const step = length / shorter
  for (let to = 0; to < shorter; to++) {
    const [from, until] = [to * step, (to + 1) * step]
    for (let at = Math.floor(from); at < Math.min(length, Math.ceil(until)); at++) {
      const share = (Math.min(until, at + 1) - Math.max(from, at)) / step
      for (let o = 0; o < outer; o++) {
        const [source, target] = [(o * length + at) * inner, (o * shorter + to) * inner]
        for (let i = 0; i < inner; i++) out[target + i] = out[target + i]! + values[source + i]! * share
      }
    }
  }
  return out
}

function mirror({ width, height, rgba }: Sprite): Sprite {
  const mirrored = new Float32Array(rgba.length)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      mirrored.set(rgba.subarray((y * width + x) * 4, (y * width + x) * 4 + 4), (y * width + width - 1 - x) * 4)
  return { width, height, rgba: mirrored }
}
