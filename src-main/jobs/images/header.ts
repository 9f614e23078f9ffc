// What an image file is and how large its picture is, read from its first bytes without decoding: enough to refuse a
// decompression bomb, a foreign file or a truncated header before any memory is spent.

import { LabError } from '../../domain/errors.ts'
import { PICTURE_EXTENSIONS } from '../../domain/model-view.ts'

export const IMAGE_FORMATS = ['png', 'jpeg', 'webp', 'gif', 'tiff', 'bmp', 'avif'] as const
export type ImageFormat = (typeof IMAGE_FORMATS)[number]
export const IMAGE_EXTENSIONS = PICTURE_EXTENSIONS.map((extension) => `.${extension}` as const)

export interface ImageHeader {
  readonly format: ImageFormat
  readonly width: number
  readonly height: number
}

/** A picture beyond either is refused: 65 535 is JPEG's own limit, 100 Mpx are 300 MB of pixels. */
export const MAX_IMAGE_SIDE = 65_535
export const MAX_IMAGE_PIXELS = 100_000_000

/**
 * @param name  names the file in messages
 * @throws LabError 'invalid-input' when the bytes are no supported image, end within the header, or promise too much
 */
export function readImageHeader(bytes: Uint8Array, name: string): ImageHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const format = formatOf(bytes)
  if (format === null)
    throw new LabError(
      'invalid-input',
      `${name}: expected a PNG, JPEG, WebP, GIF, TIFF, BMP or AVIF image, found ${describe(bytes)}; convert it to PNG`,
      {
        file: name,
      },
    )
  const { width, height } = withinFile(name, format, () => READERS[format](view))
  if (width < 1 || height < 1)
    throw new LabError(
      'invalid-input',
      `${name}: expected a picture of at least 1 × 1 pixels, its header says ${width} × ${height}; save it anew`,
      { file: name },
    )
  if (width > MAX_IMAGE_SIDE || height > MAX_IMAGE_SIDE || width * height > MAX_IMAGE_PIXELS)
    throw new LabError(
      'invalid-input',
      `${name}: expected at most ${MAX_IMAGE_PIXELS / 1e6} megapixels and ${MAX_IMAGE_SIDE} pixels a side, ` +
        `its header says ${width} × ${height}; scale it down`,
      { file: name, width, height },
    )
  return { format, width, height }
}

/**
 * Looks for the mark that ends a picture, which a cut-off download lacks. No proof: only decoding is.
 * @throws LabError 'invalid-input' naming the file
 */
export function assertWholeImage(bytes: Uint8Array, format: ImageFormat, name: string): void {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const isWhole: Readonly<Record<ImageFormat, () => boolean>> = {
    png: () => view.lastIndexOf('IEND', undefined, 'latin1') > 0,
    jpeg: () => view.lastIndexOf(Buffer.from([0xff, 0xd9])) > 0,
    gif: () => view.lastIndexOf(0x3b) > 0,
    webp: () => view.readUInt32LE(4) + 8 <= view.length,
    tiff: () => true,
    bmp: () => true,
    avif: () => true,
  }
  if (!isWhole[format]())
    throw new LabError(
      'invalid-input',
      `${name}: expected the end of the ${format.toUpperCase()} picture, found the end of the file; copy or download it again`,
      { file: name },
    )
}

function formatOf(bytes: Uint8Array): ImageFormat | null {
  const starts = (...expected: number[]) => expected.every((byte, i) => bytes[i] === byte)
  const text = (from: number, expected: string) =>
    [...expected].every((character, i) => bytes[from + i] === character.charCodeAt(0))
  if (starts(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return 'png'
  if (starts(0xff, 0xd8, 0xff)) return 'jpeg'
  if (text(0, 'RIFF') && text(8, 'WEBP')) return 'webp'
  if (text(0, 'GIF87a') || text(0, 'GIF89a')) return 'gif'
  if (starts(0x42, 0x4d) && bytes.length > 26) return 'bmp'
  if (text(4, 'ftypavif') || text(4, 'ftypavis')) return 'avif'
  if (starts(0x49, 0x49, 0x2a, 0) || starts(0x4d, 0x4d, 0, 0x2a)) return 'tiff'
  return null
}

function describe(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'an empty file'
  return `bytes ${[...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`
}

type Size = { width: number; height: number }

/** Reading past the end is what a truncated file looks like to a DataView. */
function withinFile(name: string, format: ImageFormat, read: () => Size): Size {
  try {
    return read()
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown
    throw new LabError(
      'invalid-input',
      `${name}: expected a whole ${format.toUpperCase()} header, the file ends or goes astray within it; ` +
        'copy or download it again',
      {
        file: name,
      },
    )
  }
}

const READERS: Readonly<Record<ImageFormat, (view: DataView) => Size>> = {
  png: (view) => ({ width: view.getUint32(16), height: view.getUint32(20) }),
  gif: (view) => ({ width: view.getUint16(6, true), height: view.getUint16(8, true) }),
  jpeg: jpegSize,
  webp: webpSize,
  tiff: tiffSize,
  bmp: (view) => ({ width: view.getInt32(18, true), height: Math.abs(view.getInt32(22, true)) }),
  avif: avifSize,
}

/** Walks the segments to the first start-of-frame (SOF0–SOF15 without DHT, JPG, DAC). */
function jpegSize(view: DataView): Size {
  for (let at = 2; ;) {
    if (view.getUint8(at) !== 0xff) throw new RangeError('no marker where a segment must begin')
    const marker = view.getUint8(at + 1)
    // Fill bytes and markers without a length.
    if (marker === 0xff) at += 1
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) at += 2
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) }
    else if (marker === 0xd9 || marker === 0xda) throw new RangeError('no frame before the scan')
    else at += 2 + view.getUint16(at + 2)
  }
}

function webpSize(view: DataView): Size {
  const chunk = view.getUint32(12)
  if (chunk === 0x56503858 /* VP8X */) {
    const uint24 = (at: number) => view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
    return { width: uint24(24) + 1, height: uint24(27) + 1 }
  }
  if (chunk === 0x5650384c /* VP8L */) {
    const bits = view.getUint32(21, true)
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
  }
  if (chunk === 0x56503820 /* VP8 */)
    return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff }
  throw new RangeError('unknown first chunk')
}

/** First image file directory: tag 256 is the width, 257 the height, each as SHORT or LONG. */
function tiffSize(view: DataView): Size {
  const little = view.getUint8(0) === 0x49
  const directory = view.getUint32(4, little)
  const size = { width: 0, height: 0 }
  for (let i = 0; i < view.getUint16(directory, little); i++) {
    const entry = directory + 2 + i * 12
    const tag = view.getUint16(entry, little)
    const value = view.getUint16(entry + 2, little) === 3 ? view.getUint16(entry + 8, little) : view.getUint32(entry + 8, little)
    if (tag === 256) size.width = value
    if (tag === 257) size.height = value
  }
  return size
}

/** The largest image spatial extents (box ispe) among the file's properties: tiles of a grid have smaller ones. */
function avifSize(view: DataView): Size {
  const bytes = Buffer.from(view.buffer, view.byteOffset, Math.min(view.byteLength, 1_000_000))
  let size = { width: 0, height: 0 }
  for (let at = bytes.indexOf('ispe', 0, 'latin1'); at >= 0; at = bytes.indexOf('ispe', at + 4, 'latin1')) {
    const found = { width: view.getUint32(at + 8), height: view.getUint32(at + 12) }
    if (found.width * found.height > size.width * size.height) size = found
  }
  if (size.width === 0) throw new RangeError('no spatial extents')
  return size
}
