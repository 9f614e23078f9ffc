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

/**
 * Of picture 0, 1, …: Pillow 13.0 resizes (BILINEAR) and scipy.fft.dctn (type 2) transforms 32 × 32 grey values
 * (19595 R + 38470 G + 7471 B) / 65536; bits, row by row, are the 8 × 8 lowest frequencies above the median of all but the first.
 */
const BY_SCIPY = `
  8000000000000000 e84b1be39e30a758 b1d2d0079d6d4e99 e28cd854a9036fdb e95c3363de95aa80 f5a28a4d6a95b265 c6af2601f9a91717
  ba8342f803c6fda3 bbd9362ce2e5c814 c3aada539266ed42 89d4403f79dbc6c1 fe5401ab01abc1fb fb2aae5400dd7236 bf54ad535700aa72
  a8e66d1a5d789923 d92013a5aa37ec67 dd96f421ce1e60e1 f48bd63676002b76 eed06e8dbbd07084 9e78a3e62083df54 8aad1c02d356e7ba
  b55693f00247f695 f0a7f0a50e5b8e54 917c81a37f827c8b f1c62d7b14239c59 cfd70038730f3655 ec52744117af8b59 f913d654af0045eb
  ab8ec40b9e5478ab f0a83b43d91226fe b84a6688de9f9447 d34fe454bda10a33 d88fb5a02e1b5af0 d5ff5500aaaa0a75 bc5dc37d55825582
  c41b3aa43a5b37c5 94af6a0b1d69d2a5 a9ea431676c661c7 f3cc2a50206f9d73 e41eb153d65e44a9 fa8aeb2084a754e7 ab8d8474c18b7fc2
  dd95a801e9b9269e c7832d4cb5230dfa a502a5bea50f5aba a9a9138d52bd3276 efaa006f18e69077 d1a77b44c8631e9c bb6e84f1aa00759e
  b656b0c7276d812d`.trim().split(/\s+/)

/** Ramps, wrapped, over a checkered ground. */
function patterned(i: number): RawImage {
  const [width, height] = [40 + ((i * 7) % 60), 30 + ((i * 11) % 50)]
  const value = (x: number, y: number, c: number) => (x * ((i % 7) + 1) * 3 + y * ((i % 5) + 1) * 2 + c * 40 + ((x >> 3) ^ (y >> 3)) * (i % 11) * 5) % 256
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, (_, at) => value(Math.floor(at / 3) % width, Math.floor(at / 3 / width), at % 3)) }
}

it('is bit for bit what Pillow and SciPy compute of fifty pictures', () => {
  // No bit may differ: resized pixels are Pillow's to the bit, and the sums of the two differ by less than frequencies do.
  expect(BY_SCIPY.map((_, i) => perceptualHash(patterned(i)))).toEqual(BY_SCIPY)
})
