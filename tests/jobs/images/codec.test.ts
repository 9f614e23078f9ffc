// Decoding agrees with Pillow bit for bit (pillow.json: files made and decoded by it), and no file can hurt the lab.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { crc32, deflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { resizeImage } from '../../../src-main/engine/preprocess/resize.ts'
import type { Resample } from '../../../src-main/domain/preprocess-spec.ts'
import { createRandom } from '../../../src-main/domain/random.ts'
import { decodeImage, encodePng, readImage } from '../../../src-main/jobs/images/codec.ts'
import { readImageHeader } from '../../../src-main/jobs/images/header.ts'

interface Golden {
  readonly images: readonly { name: string; base64: string; width: number; height: number; rgbSha256: string }[]
  readonly resizes: readonly { resample: Resample; width: number; height: number; rgbSha256: string }[]
}
const golden = JSON.parse(readFileSync(new URL('pillow.json', import.meta.url), 'utf8')) as Golden
const bytesOf = (name: string) =>
  new Uint8Array(Buffer.from(golden.images.find((image) => image.name === name)!.base64, 'base64'))
/** A PNG of 8-bit samples from its compressed rows. */
function pngOf(width: number, height: number, colourType: number, rows: Uint8Array): Uint8Array {
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
    length.writeUInt32BE(data.length)
    check.writeUInt32BE(crc32(body))
    return Buffer.concat([length, body, check])
  }
  const header = Buffer.from([0, 0, 0, width, 0, 0, 0, height, 8, colourType, 0, 0, 0])
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk('IHDR', header), chunk('IDAT', rows), chunk('IEND', new Uint8Array(0))])
}
const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex')

describe('decodeImage', () => {
  it.each(golden.images)('gives the pixels that Pillow gives for $name', async ({ name, width, height, rgbSha256 }) => {
    const image = await decodeImage(bytesOf(name), { name })
    expect(readImageHeader(bytesOf(name), name)).toMatchObject({ width, height })
    expect([image.width, image.height, sha256(image.data)]).toEqual([width, height, rgbSha256])
  })

  it('turns a photograph only when it is asked to', async () => {
    const [stored, turned] = [
      await decodeImage(bytesOf('turned.jpg'), { name: 'turned.jpg' }),
      await decodeImage(bytesOf('turned.jpg'), { name: 'turned.jpg', decoding: { orientation: 'apply', alpha: 'drop' } }),
    ]
    expect([turned.width, turned.height]).toEqual([stored.height, stored.width])
    // EXIF 6: the stored picture's lower left corner is shown at the upper left.
    expect([...turned.data.subarray(0, 3)]).toEqual([
      ...stored.data.subarray((stored.height - 1) * stored.width * 3).subarray(0, 3),
    ])
  })

  it('shows white or black through transparent pixels only when it is asked to', async () => {
    // One row: filter none, then a reddish pixel that is opaque and one that is not there.
    const row = Uint8Array.of(0, 200, 10, 20, 255, 200, 10, 20, 0)
    const name = 'alpha.png'
    const bytes = pngOf(2, 1, 6, deflateSync(row))
    const pixels = async (alpha: 'drop' | 'white' | 'black') => [...(await decodeImage(bytes, { name, decoding: { orientation: 'ignore', alpha } })).data]
    expect(await pixels('drop')).toEqual([200, 10, 20, 200, 10, 20])
    expect(await pixels('white')).toEqual([200, 10, 20, 255, 255, 255])
    expect(await pixels('black')).toEqual([200, 10, 20, 0, 0, 0])
  })

  it.each(golden.images)('refuses $name cut off anywhere, naming the file', async ({ name }) => {
    const whole = bytesOf(name)
    // The last bytes may be optional (a missing end marker loses no pixel), so the cuts stay within the pixels.
    for (const share of [0, 0.03, 0.3, 0.6, 0.85]) {
      const cut = whole.subarray(0, Math.floor(whole.length * share))
      const outcome = await decodeImage(cut, { name: 'picture.bin' }).then(
        () => 'decoded',
        (error: unknown) => error,
      )
      expect(outcome, `${share}`).toMatchObject({
        code: 'invalid-input',
        message: expect.stringMatching(/^picture\.bin: expected .*found|header says|ends/),
      })
    }
  })

  it('never crashes or hangs on damaged bytes', async () => {
    const random = createRandom(1, 'damage')
    for (const { name } of golden.images)
      for (let trial = 0; trial < 12; trial++) {
        const damaged = bytesOf(name)
        for (let i = 0; i < 4; i++) damaged[8 + random.integer(damaged.length - 8)] = random.integer(256)
        const outcome = await decodeImage(damaged, { name }).catch((error: unknown) => error)
        if (outcome instanceof Error) expect(outcome).toMatchObject({ name: 'LabError', code: 'invalid-input' })
      }
  })

  it('refuses a decompression bomb before decoding it', async () => {
    const bomb = bytesOf('rgb.png')
    new DataView(bomb.buffer).setUint32(16, 60_000)
    new DataView(bomb.buffer).setUint32(20, 60_000)
    await expect(decodeImage(bomb, { name: 'bomb.png' })).rejects.toThrow(
      /bomb\.png: expected at most 100 megapixels.*60000 × 60000; scale it down/,
    )
  })

  it('refuses compressed data that unpack to more than the picture needs', async () => {
    const image = encodePng({ width: 2, height: 2, data: new Uint8Array(12) })
    const tooMuch = deflateSync(Buffer.alloc(50_000_000))
    const at = Buffer.from(image).indexOf('IDAT') - 4
    const forged = Buffer.concat([
      image.subarray(0, at),
      Buffer.from([0, 0, 0, 0]),
      Buffer.from('IDAT'),
      tooMuch,
      Buffer.alloc(4),
      image.subarray(-12),
    ])
    forged.writeUInt32BE(tooMuch.length, at)
    await expect(decodeImage(forged, { name: 'forged.png' })).rejects.toMatchObject({ code: 'invalid-input' })
  })

  it('says what a foreign file is not, and that a missing one is missing', async () => {
    await expect(decodeImage(Buffer.from('<svg/>'), { name: 'a.svg' })).rejects.toThrow(
      'a.svg: expected a PNG, JPEG, WebP, GIF, TIFF, BMP or AVIF image, found bytes 3c 73 76 67 2f 3e; convert it to PNG',
    )
    await expect(decodeImage(new Uint8Array(), { name: 'a.png' })).rejects.toThrow('an empty file')
    await expect(readImage('/no/such/file.png')).rejects.toMatchObject({ code: 'not-found' })
  })
})

describe('encodePng', () => {
  it('loses nothing', async () => {
    const random = createRandom(0, 'noise')
    for (const [width, height] of [
      [1, 1],
      [3, 17],
      [64, 5],
    ] as const) {
      const data = Uint8Array.from({ length: width * height * 3 }, () => random.integer(256))
      expect(await decodeImage(encodePng({ width, height, data }), { name: 'round trip' })).toEqual({ width, height, data })
    }
  })
})

describe('resizeImage', () => {
  it.each(golden.resizes)(
    'gives what Pillow gives: $resample to $width × $height',
    async ({ resample, width, height, rgbSha256 }) => {
      const image = await decodeImage(bytesOf('rgb.png'), { name: 'rgb.png' })
      expect(sha256(resizeImage(image, width, height, resample).data)).toBe(rgbSha256)
    },
  )
})
