// One scene: what is in it, where, and every pixel of it. A scene is a pure function of seed, split, index and size; what
// it needs to answer questions (visible pixels, order in depth, colours, the printed word) is kept exactly.
// Every fourth scene is laid out for one of the vision-centric questions, so that each is asked equally often.

import { LabError } from '../../domain/errors.ts'
import { createRandom, type Random } from '../../domain/random.ts'
import { SPLITS, type Box, type Split } from '../../domain/sample.ts'
import type { RawImage } from '../../engine/preprocess/raw-image.ts'
import { SIGN_STYLES, type Artwork, type SignStyle, type Sprite } from './artwork.ts'
import {
  CLASSES,
  GROUND_RGB,
  GROUNDS,
  PATTERNS,
  TINTS,
  WORDS,
  type Ground,
  type ObjectClass,
  type Pattern,
  type Rgb,
  type Tint,
} from './vocabulary.ts'

export const THEMES = ['count', 'relation', 'size', 'depth'] as const
type Theme = (typeof THEMES)[number]

export interface SceneObject {
  readonly name: string
  readonly tint: Tint | null
  /** Tight box of the visible pixels. */
  readonly box: Box
  /** 1 where this object is what one sees; (H, W), rows from the top. */
  readonly visible: Uint8Array
  /** Tight box of the object as if nothing stood in front of it. */
  readonly wholeBox: Box
  /** Visible pixels, and pixels if nothing stood in front. */
  readonly visiblePixels: number
  readonly wholePixels: number
  /** For each other object, by index: how many of its pixels this one hides. */
  readonly hides: readonly number[]
}

export interface Sign {
  readonly word: string
  readonly color: SignStyle['name']
  readonly box: Box
}

export interface Scene {
  readonly split: Split
  readonly index: number
  readonly image: RawImage
  readonly ground: { readonly color: Ground; readonly pattern: Pattern }
  /** From the back to the front. */
  readonly objects: readonly SceneObject[]
  /** In front of everything, hiding nothing. */
  readonly sign: Sign | null
}

/** Scenes of one split are numbered; a split holds at most this many. */
export const MAX_SCENES = 300_000

/**
 * The random stream of a scene's layout. Split and index become one character, which makes the stream's seed differ for
 * every scene of a seed with certainty, not just with high probability: the hash is injective in its last character.
 */
function layoutRandom(seed: number, split: Split, index: number): Random {
  return createRandom(seed, 'layout', String.fromCodePoint(0x10000 + index * SPLITS.length + SPLITS.indexOf(split)))
}

/** Lengths are given for a scene of 64 pixels and scaled from there. */
const DESIGN_SIZE = 64

export function drawScene(artwork: Artwork, seed: number, split: Split, index: number, size: number): Scene {
  const random = layoutRandom(seed, split, index)
  const theme = THEMES[index % 4]!
  const hasSign = Math.floor(index / 4) % 2 === 1
  const count = 1 + (Math.floor(index / 8) % 4)
  // Most layouts succeed at once; a crowded one starts over with everything a little smaller.
  for (let attempt = 0; attempt < 200; attempt++) {
    const scale = (size / DESIGN_SIZE) * Math.max(0.6, 1 - attempt * 0.004)
    const layout = tryLayout(artwork, random, theme, hasSign, count, size, scale)
    if (layout === null) continue
    const scene = compose(random, layout, size)
    if (scene !== null) return { split, index, ...scene }
  }
  throw new LabError('internal', `scene ${split}/${index} of seed ${seed} found no layout at ${size} pixels`)
}

interface Wanted {
  readonly objectClass: ObjectClass
  readonly side: number
}

interface Placed {
  readonly name: string
  readonly tint: Tint | null
  readonly sprite: Sprite
  readonly x: number
  readonly y: number
}

interface Layout {
  readonly placed: readonly Placed[]
  readonly sign: {
    readonly word: string
    readonly style: SignStyle
    readonly sprite: Sprite
    readonly x: number
    readonly y: number
  } | null
  readonly ground: Ground
  readonly pattern: Pattern
}

function wantedObjects(random: Random, theme: Theme, hasSign: boolean, count: number): Wanted[] {
  const classes = random.shuffle(CLASSES)
  const between = (from: number, to: number) => from + random.uniform() * (to - from)
  const [first, second, third] = [classes[0]!, classes[1]!, classes[2]!]
  const thirdOne = (side: number): Wanted[] => (!hasSign && random.uniform() < 0.5 ? [{ objectClass: third, side }] : [])
  switch (theme) {
    case 'count': {
      const others = Math.min(random.integer(3), (hasSign ? 3 : 4) - count)
      const side = count + others === 1 ? between(22, 36) : count + others <= 2 ? between(18, 26) : between(15, 19)
      return [
        ...Array.from({ length: count }, () => ({ objectClass: first, side: side * between(0.92, 1.08) })),
        ...classes.slice(1, 1 + Math.max(0, others)).map((objectClass) => ({ objectClass, side: side * between(0.92, 1.08) })),
      ]
    }
    case 'relation':
      return [
        { objectClass: first, side: between(17, 25) },
        { objectClass: second, side: between(17, 25) },
        ...thirdOne(between(16, 20)),
      ]
    case 'size':
      return [
        { objectClass: first, side: between(28, 34) },
        { objectClass: second, side: between(15, 19) },
        ...thirdOne(between(15, 19)),
      ]
    case 'depth':
      return [
        { objectClass: first, side: between(24, 31) },
        { objectClass: second, side: between(22, 28) },
        ...thirdOne(between(15, 18)),
      ]
  }
}

function tryLayout(
  artwork: Artwork,
  random: Random,
  theme: Theme,
  hasSign: boolean,
  count: number,
  size: number,
  scale: number,
): Layout | null {
  const margin = Math.round(scale)
  const somewhere = (width: number, height: number) => ({
    x: margin + random.integer(Math.max(1, size - width - 2 * margin + 1)),
    y: margin + random.integer(Math.max(1, size - height - 2 * margin + 1)),
  })
  const wanted = wantedObjects(random, theme, hasSign, count).map(({ objectClass, side }) => {
    const tint = objectClass.tint === null ? null : random.pick(TINTS)
    return {
      name: objectClass.name,
      tint,
      sprite: artwork.object(objectClass.name, tint, Math.round(side * scale), random.uniform() < 0.5),
    }
  })
  const ground = groundThatContrasts(
    random,
    wanted.map(({ sprite }) => meanColor(sprite)),
  )
  if (ground === null) return null
  const pattern = random.pick(PATTERNS)

  const taken: Box[] = []
  let sign: Layout['sign'] = null
  if (hasSign) {
    const styles = SIGN_STYLES.filter(({ board }) => distance(board, GROUND_RGB[ground]) > 90)
    const [word, style] = [random.pick(WORDS), random.pick(styles)]
    const sprite = artwork.sign(word, style, Math.round(12.5 * scale))
    // Signs stand in the upper or the lower quarter, so that there is room for the rest.
    const { x } = somewhere(sprite.width, sprite.height)
    const depth = margin + random.integer(Math.round(5 * scale))
    sign = { word, style, sprite, x, y: random.uniform() < 0.5 ? depth : size - sprite.height - depth }
    taken.push([sign.x, sign.y, sprite.width, sprite.height])
  }

  const placed: Placed[] = []
  for (const [i, each] of wanted.entries()) {
    const place = findPlace(
      () => {
        if (theme === 'depth' && i === 1) return beside(random, placed[0]!, each.sprite)
        return somewhere(each.sprite.width, each.sprite.height)
      },
      (x, y) => {
        const box: Box = [x, y, each.sprite.width, each.sprite.height]
        const free = theme === 'depth' && i === 1 ? taken.filter((_, at) => at !== taken.length - 1) : taken
        return inside(box, size, margin) && free.every((other) => gap(box, other) >= 1)
      },
    )
    if (place === null) return null
    placed.push({ ...each, ...place })
    taken.push([place.x, place.y, each.sprite.width, each.sprite.height])
  }
  return { placed: random.shuffle(placed), sign, ground, pattern }
}

function findPlace(
  propose: () => { x: number; y: number },
  fits: (x: number, y: number) => boolean,
): { x: number; y: number } | null {
  for (let i = 0; i < 40; i++) {
    const { x, y } = propose()
    if (fits(x, y)) return { x, y }
  }
  return null
}

/** A place from which `sprite` overlaps what is already there on one side. */
function beside(random: Random, there: Placed, sprite: Sprite): { x: number; y: number } {
  const angle = random.uniform() * 2 * Math.PI
  const reach = 0.52 + random.uniform() * 0.2
  const centreX = there.x + there.sprite.width / 2 + (Math.cos(angle) * reach * (there.sprite.width + sprite.width)) / 2
  const centreY = there.y + there.sprite.height / 2 + (Math.sin(angle) * reach * (there.sprite.height + sprite.height)) / 2
  return { x: Math.round(centreX - sprite.width / 2), y: Math.round(centreY - sprite.height / 2) }
}

function inside([x, y, width, height]: Box, size: number, margin: number): boolean {
  return x >= margin && y >= margin && x + width <= size - margin && y + height <= size - margin
}

/** Free pixels between two boxes; negative where they overlap. */
function gap([ax, ay, aw, ah]: Box, [bx, by, bw, bh]: Box): number {
  return Math.max(bx - (ax + aw), ax - (bx + bw), by - (ay + ah), ay - (by + bh))
}

function groundThatContrasts(random: Random, objects: readonly Rgb[]): Ground | null {
  return random.shuffle(GROUNDS).find((ground) => objects.every((color) => distance(color, GROUND_RGB[ground]) > 75)) ?? null
}

function distance(a: Rgb, b: Rgb): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])
}

function meanColor({ rgba }: Sprite): Rgb {
  const sum = [0, 0, 0, 0]
  for (let i = 0; i < rgba.length; i++) sum[i & 3] = sum[i & 3]! + rgba[i]!
  return [0, 1, 2].map((channel) => (255 * sum[channel]!) / sum[3]!) as unknown as Rgb
}

/** Objects less visible than this are guesswork, and so is a scene with one. */
const LEAST_VISIBLE_SHARE = 0.55

/** Paints the layout and keeps whose pixel is whose; null when something is hidden too far. */
function compose(
  random: Random,
  { placed, sign, ground, pattern }: Layout,
  size: number,
): Pick<Scene, 'image' | 'ground' | 'objects' | 'sign'> | null {
  const canvas = paintGround(random, GROUND_RGB[ground], pattern, size)
  const owner = new Int16Array(size * size).fill(-1)
  const covers = placed.map((each, i) => {
    const brightness = each.tint === null ? 0.9 + random.uniform() * 0.16 : 1
    return paint(canvas, owner, size, each, i, brightness)
  })
  if (sign !== null) paint(canvas, owner, size, sign, placed.length, 1)
  const hides = covers.map(() => covers.map(() => 0))
  covers.forEach((cover, behind) => {
    for (const pixel of cover) if (owner[pixel] !== behind && owner[pixel]! < placed.length) hides[owner[pixel]!]![behind]!++
  })
  const objects = covers.map((cover, i): SceneObject => {
    const visible = new Uint8Array(size * size)
    const seen = cover.filter((pixel) => owner[pixel] === i)
    for (const pixel of seen) visible[pixel] = 1
    return {
      name: placed[i]!.name,
      tint: placed[i]!.tint,
      box: tightBox(seen, size),
      visible,
      wholeBox: tightBox(cover, size),
      visiblePixels: seen.length,
      wholePixels: cover.length,
      hides: hides[i]!,
    }
  })
  if (objects.some((each) => each.visiblePixels < LEAST_VISIBLE_SHARE * each.wholePixels)) return null
  const data = new Uint8Array(canvas.length)
  for (let i = 0; i < data.length; i++) data[i] = Math.max(0, Math.min(255, Math.round(canvas[i]!)))
  return {
    image: { width: size, height: size, data },
    ground: { color: ground, pattern },
    objects,
    sign: sign && { word: sign.word, color: sign.style.name, box: [sign.x, sign.y, sign.sprite.width, sign.sprite.height] },
  }
}

/** Lays a sprite over the canvas; returns the pixels that it covers by at least half, which it then owns. */
function paint(
  canvas: Float32Array,
  owner: Int16Array,
  size: number,
  { sprite, x: left, y: top }: Pick<Placed, 'sprite' | 'x' | 'y'>,
  index: number,
  brightness: number,
): number[] {
  const covered: number[] = []
  for (let y = 0, from = 0; y < sprite.height; y++)
    for (let x = 0; x < sprite.width; x++, from += 4) {
      const alpha = sprite.rgba[from + 3]! / 255
      if (alpha === 0) continue
      const pixel = (top + y) * size + left + x
      for (let channel = 0; channel < 3; channel++) {
        const at = pixel * 3 + channel
        canvas[at] = Math.min(255, sprite.rgba[from + channel]! * brightness) + canvas[at]! * (1 - alpha)
      }
      if (alpha < 0.5) continue
      owner[pixel] = index
      covered.push(pixel)
    }
  return covered
}

function tightBox(pixels: readonly number[], size: number): Box {
  let [left, top, right, bottom] = [size, size, 0, 0]
  for (const pixel of pixels) {
    const [x, y] = [pixel % size, Math.floor(pixel / size)]
    left = Math.min(left, x)
    right = Math.max(right, x + 1)
    top = Math.min(top, y)
    bottom = Math.max(bottom, y + 1)
  }
  return [left, top, Math.max(0, right - left), Math.max(0, bottom - top)]
}

/** The background: shades of one nameable colour. */
function paintGround(random: Random, base: Rgb, pattern: Pattern, size: number): Float32Array {
  const unit = size / DESIGN_SIZE
  const contrast = 0.1 + random.uniform() * 0.06
  const drift = base.map(() => (random.uniform() - 0.5) * 12)
  const shade = shadeOf(random, pattern, size, unit)
  const canvas = new Float32Array(size * size * 3)
  for (let y = 0, at = 0; y < size; y++)
    for (let x = 0; x < size; x++, at += 3) {
      const light = shade(x, y) * contrast * 255
      for (let channel = 0; channel < 3; channel++) canvas[at + channel] = base[channel]! + drift[channel]! + light
    }
  return canvas
}

/** Lightness of the pattern at a pixel, −1 to 1. */
function shadeOf(random: Random, pattern: Pattern, size: number, unit: number): (x: number, y: number) => number {
  const angle = random.pick([0, 0.25, 0.5, 0.75]) * Math.PI
  const along = (x: number, y: number) => x * Math.cos(angle) + y * Math.sin(angle)
  const period = (5 + random.integer(5)) * unit
  switch (pattern) {
    case 'plain':
      return () => 0
    case 'gradient':
      return (x, y) => (2 * along(x - size / 2, y - size / 2)) / size
    case 'striped':
      return (x, y) => ((Math.floor(along(x, y) / period) & 1) === 0 ? -0.8 : 0.8)
    case 'checked':
      return (x, y) => (((Math.floor(x / period) + Math.floor(y / period)) & 1) === 0 ? -0.8 : 0.8)
    case 'noise': {
      const cell = Math.max(1, Math.round((1 + random.integer(3)) * unit))
      const columns = Math.ceil(size / cell)
      const values = Float32Array.from({ length: columns * columns }, () => random.uniform() * 2 - 1)
      return (x, y) => values[Math.floor(y / cell) * columns + Math.floor(x / cell)]!
    }
  }
}
