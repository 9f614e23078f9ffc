// Near duplicates by their lowest frequencies: a picture in another size, brightness or contrast is near itself, another is far.

import { expect, it } from 'vitest'
import { hammingDistance } from '../../src-main/domain/hash-clusters.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import type { RawImage } from '../../src-main/engine/preprocess/raw-image.ts'
import { resizeImage } from '../../src-main/engine/preprocess/resize.ts'
import { perceptualHash } from '../../src-main/jobs/examine-images-job.ts'

/** A picture of soft spots. */
function picture(seed: number): RawImage {
  const random = createRandom(seed, 'spots')
  const spots = Array.from({ length: 12 }, () => [random.uniform() * 96, random.uniform() * 72, 8 + random.uniform() * 12, random.uniform() * 160 - 80] as const)
  const grey = (x: number, y: number) => spots.reduce((sum, [cx, cy, r, by]) => sum + by * Math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * r * r)), 128)
  return { width: 96, height: 72, data: Uint8Array.from({ length: 96 * 72 * 3 }, (_, at) => Math.min(255, Math.max(0, Math.round(grey(Math.floor(at / 3) % 96, Math.floor(at / 3 / 96)))))) }
}
const mapped = ({ data, ...size }: RawImage, of: (value: number) => number): RawImage => ({ ...size, data: data.map((value) => Math.min(255, Math.max(0, Math.round(of(value))))) })
const distance = (a: RawImage, b: RawImage) => hammingDistance(BigInt(`0x${perceptualHash(a)}`), BigInt(`0x${perceptualHash(b)}`))

it('is near for an edited copy and far for another picture', () => {
  for (const seed of [1, 2, 3, 4]) {
    const own = picture(seed)
    for (const copy of [resizeImage(own, 48, 36, 'bilinear'), resizeImage(own, 150, 110, 'bicubic'), mapped(own, (value) => 0.8 * value), mapped(own, (value) => 128 + 0.7 * (value - 128))])
      expect(distance(own, copy)).toBeLessThanOrEqual(8)
    expect(distance(own, picture(seed + 10))).toBeGreaterThan(14)
  }
})

it('says the bit of a frequency where it is: a slope to the right is the second of the first row', () => {
  // Falls from left to right: cos(π·(2x + 1)/64) falls too, so that frequency (0, 1) alone is large and positive.
  const slope: RawImage = { width: 32, height: 32, data: Uint8Array.from({ length: 32 * 32 * 3 }, (_, at) => Math.round(128 + 100 * Math.cos((Math.PI * (2 * (Math.floor(at / 3) % 32) + 1)) / 64))) }
  expect(perceptualHash(slope).slice(0, 1)).toMatch(/[c-f]/) // the constant, then (0, 1)
  expect(perceptualHash(slope).slice(2)).toMatch(/^0+$/) // nothing changes from row to row
})

it('of one colour is one hash, whatever the colour and size', () => {
  const flat = (value: number, side: number): RawImage => ({ width: side, height: side, data: new Uint8Array(side * side * 3).fill(value) })
  expect(new Set([flat(0, 8), flat(255, 8), flat(77, 50), flat(13, 33)].map((image) => perceptualHash(image).slice(1))).size).toBe(1)
})
