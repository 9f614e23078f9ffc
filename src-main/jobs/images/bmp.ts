// Windows bitmaps to 8-bit RGB: palettes of 1, 4 and 8 bits, 16, 24 and 32 bits a pixel, bit fields, either direction. Run-length
// compressed ones are refused: hardly any program has written them since 1995.

import { LabError } from '../../domain/errors.ts'
import type { RawImage } from '../../engine/preprocess/raw-image.ts'

/** @throws LabError 'invalid-input' naming the file and what is broken in it */
export function decodeBmp(bytes: Uint8Array, name: string): RawImage {
  const broken = (expected: string, found: string) =>
    new LabError('invalid-input', `${name}: expected ${expected}, found ${found}; save it as PNG`, { file: name })
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    const from = view.getUint32(10, true)
    const headerSize = view.getUint32(14, true)
    const [width, signedHeight] = [view.getInt32(18, true), view.getInt32(22, true)]
    const height = Math.abs(signedHeight)
    const depth = view.getUint16(28, true)
    const compression = view.getUint32(30, true)
    if (compression !== 0 && compression !== 3) throw broken('an uncompressed bitmap', `compression ${compression}`)
    if (![1, 4, 8, 16, 24, 32].includes(depth)) throw broken('1, 4, 8, 16, 24 or 32 bits a pixel', `${depth} bits`)
    const stride = Math.floor((depth * width + 31) / 32) * 4
    if (from + stride * height > bytes.length) throw broken(`${stride * height} bytes of pixels`, `${Math.max(0, bytes.length - from)}`)
    const paletteAt = 14 + headerSize
    const masks =
      compression === 3
        ? [0, 4, 8].map((at) => view.getUint32(54 + at, true))
        : depth === 16
          ? [0x7c00, 0x3e0, 0x1f]
          : [0xff0000, 0xff00, 0xff]
    const channels = masks.map((mask) => ({ mask, shift: mask === 0 ? 0 : 31 - Math.clz32(mask & -mask) }))
    const data = new Uint8Array(width * height * 3)
    for (let y = 0; y < height; y++) {
      const row = from + (signedHeight > 0 ? height - 1 - y : y) * stride
      for (let x = 0; x < width; x++) {
        const to = (y * width + x) * 3
        if (depth <= 8) {
          const index = (bytes[row + ((x * depth) >> 3)]! >> (8 - depth - ((x * depth) & 7))) & (2 ** depth - 1)
          const at = paletteAt + 4 * index
          for (let c = 0; c < 3; c++) data[to + c] = at + 3 <= from ? bytes[at + 2 - c]! : 0
        } else if (depth === 24) for (let c = 0; c < 3; c++) data[to + c] = bytes[row + 3 * x + 2 - c]!
        else {
          const value = depth === 16 ? view.getUint16(row + 2 * x, true) : view.getUint32(row + 4 * x, true)
          channels.forEach(({ mask, shift }, c) => {
            const most = mask >>> shift
            data[to + c] = most === 0 ? 0 : Math.round((((value & mask) >>> shift) * 255) / most)
          })
        }
      }
    }
    return { width, height, data }
  } catch (thrown) {
    if (thrown instanceof RangeError) throw broken('a whole bitmap', 'the end of the file')
    throw thrown
  }
}
