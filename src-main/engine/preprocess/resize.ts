// Resampling of 8-bit RGB exactly as Pillow does it, since the reference processors preprocess with Pillow: antialiased
// separable filters, 22-bit fixed-point coefficients, horizontal pass first, rounded to 8 bits after each pass.
// Source: Pillow up to 12, src/libImaging/Resample.c and Geometry.c (nearest). Pillow 13 may take the vertical pass first where
// one side grows and the other shrinks, and then differs by a few grey levels.

import type { Resample } from '../../domain/preprocess-spec.ts'
import type { RawImage } from './raw-image.ts'

const PRECISION_BITS = 22

interface Filter {
  readonly support: number
  readonly weight: (x: number) => number
}

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI))

const FILTERS: Readonly<Record<Exclude<Resample, 'nearest'>, Filter>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: {
    support: 1,
    weight: (x) => (Math.abs(x) >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(x * Math.PI))),
  },
  bicubic: {
    support: 2,
    // Keys' cubic with a = −0.5.
    weight: (signed) => {
      const x = Math.abs(signed)
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1
      return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
    },
  },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
}

/** The picture at `width` × `height`; the same object when it already has that size. */
export function resizeImage(image: RawImage, width: number, height: number, resample: Resample): RawImage {
  if (image.width === width && image.height === height) return image
  if (resample === 'nearest') return resizeNearest(image, width, height)
  const filter = FILTERS[resample]
  const wide = image.width === width ? image : resampleRows(image, width, filter)
  return wide.height === height ? wide : resampleColumns(wide, height, filter)
}

/** For each output position: the first input position, and the weights of it and its successors. */
interface Taps {
  readonly start: Int32Array
  readonly length: Int32Array
  readonly weights: Int32Array
  readonly stride: number
}

function filterTaps(inputSize: number, outputSize: number, filter: Filter): Taps {
  const scale = inputSize / outputSize
  const filterScale = Math.max(scale, 1)
  const support = filter.support * filterScale
  const stride = Math.ceil(support) * 2 + 1
  const taps: Taps = {
    start: new Int32Array(outputSize),
    length: new Int32Array(outputSize),
    weights: new Int32Array(outputSize * stride),
    stride,
  }
  const inverse = 1 / filterScale
  const exact = new Float64Array(stride)
  for (let out = 0; out < outputSize; out++) {
    const centre = (out + 0.5) * scale
    const from = Math.max(0, Math.trunc(centre - support + 0.5))
    const length = Math.min(inputSize, Math.trunc(centre + support + 0.5)) - from
    let total = 0
    for (let i = 0; i < length; i++) total += exact[i] = filter.weight((i + from - centre + 0.5) * inverse)
    for (let i = 0; i < length; i++) {
      const weight = total === 0 ? exact[i]! : exact[i]! / total
      taps.weights[out * stride + i] = Math.trunc(weight * (1 << PRECISION_BITS) + (weight < 0 ? -0.5 : 0.5))
    }
    taps.start[out] = from
    taps.length[out] = length
  }
  return taps
}

const HALF = 1 << (PRECISION_BITS - 1)
const clip8 = (sum: number) => {
  const value = sum >> PRECISION_BITS
  return value < 0 ? 0 : value > 255 ? 255 : value
}

function resampleRows(image: RawImage, width: number, filter: Filter): RawImage {
  const { start, length, weights, stride } = filterTaps(image.width, width, filter)
  const data = new Uint8Array(width * image.height * 3)
  for (let y = 0, to = 0; y < image.height; y++)
    for (let x = 0; x < width; x++, to += 3) {
      let at = (y * image.width + start[x]!) * 3
      let [r, g, b] = [HALF, HALF, HALF]
      for (let tap = x * stride, end = tap + length[x]!; tap < end; tap++, at += 3) {
        const weight = weights[tap]!
        r += image.data[at]! * weight
        g += image.data[at + 1]! * weight
        b += image.data[at + 2]! * weight
      }
      data[to] = clip8(r)
      data[to + 1] = clip8(g)
      data[to + 2] = clip8(b)
    }
  return { width, height: image.height, data }
}

function resampleColumns(image: RawImage, height: number, filter: Filter): RawImage {
  const { start, length, weights, stride } = filterTaps(image.height, height, filter)
  const row = image.width * 3
  const data = new Uint8Array(row * height)
  for (let y = 0, to = 0; y < height; y++)
    for (let x = 0; x < row; x++, to++) {
      let at = start[y]! * row + x
      let sum = HALF
      for (let tap = y * stride, end = tap + length[y]!; tap < end; tap++, at += row) sum += image.data[at]! * weights[tap]!
      data[to] = clip8(sum)
    }
  return { width: image.width, height, data }
}

function resizeNearest(image: RawImage, width: number, height: number): RawImage {
  const columns = nearestIndices(image.width, width)
  const rows = nearestIndices(image.height, height)
  const data = new Uint8Array(width * height * 3)
  for (let y = 0, to = 0; y < height; y++)
    for (let x = 0; x < width; x++, to += 3) {
      const at = (rows[y]! * image.width + columns[x]!) * 3
      data[to] = image.data[at]!
      data[to + 1] = image.data[at + 1]!
      data[to + 2] = image.data[at + 2]!
    }
  return { width, height, data }
}

/** Pillow adds the step up instead of multiplying; rounding then decides ties as it does. */
export function nearestIndices(inputSize: number, outputSize: number): Int32Array {
  const step = inputSize / outputSize
  const indices = new Int32Array(outputSize)
  for (let out = 0, position = step * 0.5; out < outputSize; out++, position += step)
    indices[out] = Math.min(inputSize - 1, Math.trunc(position))
  return indices
}
