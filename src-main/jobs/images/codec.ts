// Image files to 8-bit RGB and back, the lab's only door to image formats. PNG and BMP are our own; JPEG, WebP, TIFF, AVIF
// and the first frame of a GIF go through libvips (wasm-vips), whose JPEG decoder is libjpeg-turbo's, as Pillow's is.
// As the reference processors do: alpha dropped and not composited, colour profiles ignored, EXIF orientation only on request.

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { LabError } from '../../domain/errors.ts'
import type { Decoding } from '../../domain/preprocess-spec.ts'
import type { RawImage } from '../../engine/preprocess/raw-image.ts'
import { readImageHeader } from './header.ts'
import { decodeBmp } from './bmp.ts'
import { decodePng, encodePng } from './png.ts'

export { encodePng } from './png.ts'

const AS_REFERENCE: Decoding = { orientation: 'ignore', alpha: 'drop' }

export interface DecodeOptions {
  /** Names the file in messages. */
  readonly name: string
  /** As the reference processors do unless it says otherwise: EXIF orientation ignored, alpha dropped. */
  readonly decoding?: Decoding
}

/** @throws LabError 'invalid-input' naming file, what was expected, what was found and the remedy */
export async function decodeImage(bytes: Uint8Array, { name, decoding = AS_REFERENCE }: DecodeOptions): Promise<RawImage> {
  const { format } = readImageHeader(bytes, name)
  if (format === 'png' && decoding.alpha === 'drop' && decoding.orientation === 'ignore') return decodePng(bytes, name)
  if (format === 'bmp') return decodeBmp(bytes, name)
  const vips = await openVips(format === 'avif' ? 'avif' : 'ordinary')
  return decodeWithVips(vips, bytes, name, decoding)
}

/** @throws LabError 'not-found' when there is no such file, 'invalid-input' when it is no whole image */
export async function readImage(file: string, decoding: Decoding = AS_REFERENCE): Promise<RawImage> {
  return decodeImage(await readBytes(file), { name: file, decoding })
}

/**
 * A JPEG whose longer side is `side` pixels, turned as a photograph's EXIF says: for looking at, not for measuring.
 * @throws LabError 'invalid-input' when the bytes are no whole image
 */
export async function encodeThumbnail(bytes: Uint8Array, name: string, side: number): Promise<Uint8Array> {
  const { format } = readImageHeader(bytes, name)
  const source = format === 'bmp' ? encodePng(decodeBmp(bytes, name)) : bytes
  const vips = await openVips(format === 'avif' ? 'avif' : 'ordinary')
  const owned: VipsImage[] = []
  try {
    const small = vips.Image.thumbnailBuffer(source, side, { height: side, size: 'down' })
    owned.push(small)
    const flat = small.hasAlpha() ? small.flatten({ background: [255, 255, 255] }) : small
    if (flat !== small) owned.push(flat)
    return flat.writeToBuffer('.jpg', { Q: 82, strip: true })
  } catch (thrown) {
    throw new LabError('invalid-input', `${name}: expected a whole image, found: ${vipsMessage(thrown)}`, { file: name })
  } finally {
    for (const image of owned.reverse()) image.delete()
  }
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file)
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException
    if (code === 'ENOENT')
      throw new LabError('not-found', `${file}: expected an image file, found nothing; restore it or import the data set again`, {
        file,
      })
    throw new LabError('invalid-input', `${file}: expected a readable image file: ${message}`, { file }, thrown)
  }
}

/** The part of wasm-vips that is used. Its own declarations describe thousands of operations and need the DOM. */
interface Vips {
  readonly Image: {
    newFromBuffer(bytes: Uint8Array, loadOptions: string, options: Record<string, unknown>): VipsImage
    thumbnailBuffer(bytes: Uint8Array, width: number, options: Record<string, unknown>): VipsImage
  }
  readonly Cache: { max(operations: number): void }
  concurrency(threads: number): void
}
interface VipsImage {
  readonly width: number
  readonly height: number
  readonly bands: number
  readonly interpretation: string
  readonly format: string
  autorot(): VipsImage
  hasAlpha(): boolean
  flatten(options: Record<string, unknown>): VipsImage
  writeToBuffer(format: string, options: Record<string, unknown>): Uint8Array
  writeToMemory(): Uint8Array
  delete(): void
}

type VipsKind = 'ordinary' | 'avif'
const opening = new Map<VipsKind, Promise<Vips>>()

/** Opened at the first file that needs it: 100 ms, and memory that a run on PNG never pays. */
function openVips(kind: VipsKind): Promise<Vips> {
  const known = opening.get(kind)
  if (known !== undefined) return known
  const opened = (async () => {
    // The CommonJS build: the bundler leaves a required package alone, and its .wasm is found beside it.
    const load = createRequire(import.meta.url)('wasm-vips') as (options: Record<string, unknown>) => Promise<Vips>
    // Of the dynamic libraries AVIF's alone, and only where one is met: JPEG XL and SVG are not decoded. Nothing is printed: what goes wrong is thrown.
    const vips = await load({
      dynamicLibraries: kind === 'avif' ? ['vips-heif.wasm'] : [],
      preRun: (module: { ENV: Record<string, string> }) => (module.ENV['VIPS_WARNING'] = '0'),
    })
    vips.concurrency(1)
    vips.Cache.max(0)
    return vips
  })()
  opening.set(kind, opened)
  return opened
}

function decodeWithVips(vips: Vips, bytes: Uint8Array, name: string, { orientation, alpha }: Decoding): RawImage {
  const owned: VipsImage[] = []
  try {
    const loaded = vips.Image.newFromBuffer(bytes, '', { fail_on: 'truncated', access: 'sequential' })
    owned.push(loaded)
    const turned = orientation === 'apply' ? loaded.autorot() : loaded
    if (turned !== loaded) owned.push(turned)
    // A flattened grey picture is still grey: one background value a colour band.
    const level = (alpha === 'white' ? 255 : 0) * (turned.format === 'ushort' ? 257 : 1)
    const image = alpha !== 'drop' && turned.hasAlpha() ? turned.flatten({ background: Array.from({ length: turned.bands - 1 }, () => level), max_alpha: turned.format === 'ushort' ? 65535 : 255 }) : turned
    if (image !== turned) owned.push(image)
    const { width, height, bands, interpretation, format } = image
    if (format !== 'uchar' && format !== 'ushort')
      throw new LabError('invalid-input', `${name}: expected 8 or 16 bits a channel, found ${format}; save it with 8 bits`, {
        file: name,
      })
    const samples = image.writeToMemory()
    const bytesEach = format === 'ushort' ? 2 : 1
    return { width, height, data: toRgb(samples, width * height, bands, bytesEach, interpretation === 'cmyk') }
  } catch (thrown) {
    if (thrown instanceof LabError) throw thrown
    throw new LabError(
      'invalid-input',
      `${name}: expected a whole image, found: ${vipsMessage(thrown)}; copy or download the file again`,
      { file: name },
    )
  } finally {
    for (const image of owned.reverse()) image.delete()
  }
}

/** wasm-vips throws WebAssembly exceptions whose `message` is [type, text]. */
function vipsMessage(thrown: unknown): string {
  const message = (thrown as { message?: unknown } | null)?.message
  const text = Array.isArray(message) ? String(message.at(-1)) : String(message ?? thrown)
  return text.trim().replaceAll('\n', '; ') || 'damaged data'
}

function toRgb(samples: Uint8Array, pixels: number, bands: number, bytesEach: number, isCmyk: boolean): Uint8Array {
  const data = new Uint8Array(pixels * 3)
  // WebAssembly is little-endian: the high byte of a 16-bit sample is its second.
  const at = (pixel: number, band: number) => samples[(pixel * bands + band) * bytesEach + bytesEach - 1]!
  for (let pixel = 0, to = 0; pixel < pixels; pixel++, to += 3)
    for (let channel = 0; channel < 3; channel++) {
      if (isCmyk) {
        const light = 255 - at(pixel, 3)
        data[to + channel] = Math.max(0, light - multiplyDivide255(at(pixel, channel), light))
      } else data[to + channel] = at(pixel, bands < 3 ? 0 : channel)
    }
  return data
}

/** Pillow's MULDIV255: a · b / 255 to the nearest integer, without a division. */
function multiplyDivide255(a: number, b: number): number {
  const product = a * b + 128
  return ((product >> 8) + product) >> 8
}
