// Interprets a PreprocessSpec: from a decoded picture to the pixels an encoder takes, and the same way for places in the
// picture (boxes). Geometry runs on 8-bit values as in the reference processors; only `normalize` makes floats.

import { LabError } from '../../domain/errors.ts'
import type { PreprocessOp, PreprocessSpec } from '../../domain/preprocess-spec.ts'
import type { Box } from '../../domain/sample.ts'
import type { RawImage } from './raw-image.ts'
import { resizeImage } from './resize.ts'

type Geometry = Exclude<PreprocessOp, { op: 'normalize' | 'decode' }>

/** Values of one picture, channels first: (C, H, W). */
export interface Pixels {
  readonly width: number
  readonly height: number
  readonly data: Float32Array
}

/** Applies `spec`. Without a `normalize` the values are 0 to 255. */
export function preprocessImage(image: RawImage, spec: PreprocessSpec): Pixels {
  const sized = geometryOf(spec).reduce(applyGeometry, image)
  return normalize(sized, normalizationOf(spec))
}

/** Width and height that come out for a picture of width × height. */
export function outputSize(spec: PreprocessSpec, width: number, height: number): { width: number; height: number } {
  const { to } = placement(spec, width, height)
  return to
}

/**
 * Where a box of the original picture lies in the preprocessed one, clipped to it; null when it was cropped away.
 * Coordinates are continuous: a pixel (x, y) covers [x, x + 1) × [y, y + 1).
 */
export function mapBox(spec: PreprocessSpec, width: number, height: number, [x, y, w, h]: Box): Box | null {
  const { scale, offset, to } = placement(spec, width, height)
  const left = Math.max(0, x * scale.x + offset.x)
  const top = Math.max(0, y * scale.y + offset.y)
  const right = Math.min(to.width, (x + w) * scale.x + offset.x)
  const bottom = Math.min(to.height, (y + h) * scale.y + offset.y)
  return right > left && bottom > top ? [left, top, right - left, bottom - top] : null
}

/** What the geometry does to coordinates: x' = x · scale.x + offset.x, likewise y; and the size that comes out. */
export interface Placement {
  readonly scale: { readonly x: number; readonly y: number }
  readonly offset: { readonly x: number; readonly y: number }
  readonly to: { readonly width: number; readonly height: number }
}

export function placement(spec: PreprocessSpec, width: number, height: number): Placement {
  return geometryOf(spec).reduce<Placement>(
    ({ scale, offset, to }, op) => {
      if (op.op === 'center-crop') {
        const { left, top } = cropOrigin(to, op)
        return { scale, offset: { x: offset.x - left, y: offset.y - top }, to: { width: op.width, height: op.height } }
      }
      const size = resizedSize(op, to.width, to.height)
      const factor = { x: size.width / to.width, y: size.height / to.height }
      return {
        scale: { x: scale.x * factor.x, y: scale.y * factor.y },
        offset: { x: offset.x * factor.x, y: offset.y * factor.y },
        to: size,
      }
    },
    { scale: { x: 1, y: 1 }, offset: { x: 0, y: 0 }, to: { width, height } },
  )
}

function applyGeometry(image: RawImage, op: Geometry): RawImage {
  if (op.op === 'center-crop') return centerCrop(image, op)
  const { width, height } = resizedSize(op, image.width, image.height)
  return resizeImage(image, width, height, op.resample)
}

function resizedSize(
  op: Exclude<Geometry, { op: 'center-crop' }>,
  width: number,
  height: number,
): { width: number; height: number } {
  if (op.op === 'resize') return { width: op.width, height: op.height }
  if (op.op === 'resize-to-patches') return patchBudgetSize(op, width, height)
  const long = Math.max(1, Math.trunc((op.size * Math.max(width, height)) / Math.min(width, height)))
  return width <= height ? { width: op.size, height: long } : { width: long, height: op.size }
}

/**
 * The largest size of at most `maxPatches` patches: the scale is searched by halving, each side rounded up to whole patches,
 * step for step as the reference does (transformers, get_image_size_for_max_num_patches).
 */
function patchBudgetSize(
  { patchSize, maxPatches }: { readonly patchSize: number; readonly maxPatches: number },
  width: number,
  height: number,
): { width: number; height: number } {
  const EPSILON = 1e-5
  const patches = (scale: number, side: number) => Math.max(1, Math.ceil((side * scale) / patchSize))
  let [low, high] = [EPSILON / 10, 100]
  while (high - low >= EPSILON) {
    const scale = (low + high) / 2
    if (patches(scale, height) * patches(scale, width) <= maxPatches) low = scale
    else high = scale
  }
  return { width: patches(low, width) * patchSize, height: patches(low, height) * patchSize }
}

/** Upper left corner of the crop in the picture; negative where the picture is padded. */
function cropOrigin(
  from: { width: number; height: number },
  crop: { width: number; height: number },
): { left: number; top: number } {
  return { left: Math.floor((from.width - crop.width) / 2), top: Math.floor((from.height - crop.height) / 2) }
}

function centerCrop(image: RawImage, crop: { width: number; height: number }): RawImage {
  if (image.width === crop.width && image.height === crop.height) return image
  const { left, top } = cropOrigin(image, crop)
  const data = new Uint8Array(crop.width * crop.height * 3)
  const from = Math.max(0, left)
  const until = Math.min(image.width, left + crop.width)
  for (let y = Math.max(0, top); y < Math.min(image.height, top + crop.height); y++) {
    const row = image.data.subarray((y * image.width + from) * 3, (y * image.width + until) * 3)
    data.set(row, ((y - top) * crop.width + (from - left)) * 3)
  }
  return { width: crop.width, height: crop.height, data }
}

type Normalization = Pick<Extract<PreprocessOp, { op: 'normalize' }>, 'factor' | 'mean' | 'std'>

function normalize(image: RawImage, { factor, mean, std }: Normalization): Pixels {
  const plane = image.width * image.height
  const data = new Float32Array(plane * 3)
  for (let channel = 0; channel < 3; channel++) {
    // 256 possible values: looked up, not computed per pixel.
    const value = Float32Array.from({ length: 256 }, (_, byte) => (byte * factor - mean[channel]!) / std[channel]!)
    for (let i = 0, at = channel, to = channel * plane; i < plane; i++, at += 3, to++) data[to] = value[image.data[at]!]!
  }
  return { width: image.width, height: image.height, data }
}

function geometryOf(spec: PreprocessSpec): Geometry[] {
  return spec.filter((op) => op.op !== 'normalize' && op.op !== 'decode')
}

function normalizationOf(spec: PreprocessSpec): Normalization {
  const found = spec.filter((op) => op.op === 'normalize')
  if (found.length > 1 || (found.length === 1 && spec.at(-1) !== found[0]))
    throw new LabError('invalid-input', 'preprocess: expected at most one "normalize", as the last operation; remove or move it')
  return found[0] ?? { factor: 1, mean: [0, 0, 0], std: [1, 1, 1] }
}
