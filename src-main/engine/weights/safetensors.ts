// The safetensors format: 8 bytes of header length, a JSON header, then the tensors end to end. Parsing trusts nothing:
// a truncated or lying header is refused before anything is allocated. Bytes in, bytes out; files are elsewhere.

import { LabError } from '../../domain/errors.ts'
import type { NamedArray, NamedArrays } from './initial.ts'
import { roundedBytes, type WeightDtype } from './rounding.ts'

// Both exist on every platform the engine runs on; it is compiled without the types of any of them.
declare const TextDecoder: new (label: string, options: { fatal: boolean }) => { decode(bytes: Uint8Array): string }
declare const TextEncoder: new () => { encode(text: string): Uint8Array }

/** The reference library's own limit on the header. */
const MAX_HEADER_BYTES = 100_000_000
/** A thousand times what a large model has; a header of more is made to exhaust memory. */
const MAX_TENSORS = 1_000_000
/** No tensor of any model has more axes. */
const MAX_RANK = 16
const BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
} as const
export type SafetensorsDtype = keyof typeof BYTES
/** What weights are kept in; any other dtype is a count, a mask, or quantised. */
export const FLOAT_DTYPES: readonly SafetensorsDtype[] = ['F64', 'F32', 'F16', 'BF16']

export interface SafetensorsEntry {
  readonly dtype: SafetensorsDtype
  readonly shape: readonly number[]
  /** Byte range after the header. */
  readonly begin: number
  readonly end: number
}
export interface SafetensorsHeader {
  readonly entries: ReadonlyMap<string, SafetensorsEntry>
  readonly metadata: Readonly<Record<string, string>>
  /** Where the first tensor's bytes begin in the file. */
  readonly dataOffset: number
}

/**
 * Length of the JSON header, from the file's first 8 bytes.
 * @throws LabError 'corrupt-artifact' when the file cannot hold such a header
 */
export function headerLength(first8: Uint8Array, fileBytes: number, file: string): number {
  const fault = (found: string) => corrupt(file, `expected 8 bytes that give the header's length, found ${found}`)
  if (fileBytes < 8 || first8.byteLength < 8) throw fault(`a file of ${fileBytes} bytes`)
  const length = new DataView(first8.buffer, first8.byteOffset, 8).getBigUint64(0, true)
  if (length > BigInt(MAX_HEADER_BYTES)) throw fault(`a length of ${length}, above the format's ${MAX_HEADER_BYTES}`)
  if (8 + Number(length) > fileBytes) throw fault(`a length of ${length} in a file of ${fileBytes} bytes: it is truncated`)
  return Number(length)
}

/** @throws LabError 'corrupt-artifact' naming the tensor whose entry is wrong, and why */
export function parseHeader(json: Uint8Array, fileBytes: number, file: string): SafetensorsHeader {
  const dataOffset = 8 + json.byteLength
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json))
  } catch {
    throw corrupt(file, 'the header is not JSON')
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw corrupt(file, 'the header is not an object')
  const count = Object.keys(parsed).length
  if (count > MAX_TENSORS) throw corrupt(file, `the header names ${count} tensors, above the limit of ${MAX_TENSORS}`)
  const entries = new Map<string, SafetensorsEntry>()
  let metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(parsed)) {
    if (name === '__metadata__') metadata = Object.fromEntries(Object.entries(value ?? {}).map(([key, each]) => [key, String(each)]))
    else entries.set(name, parseEntry(name, value, fileBytes - dataOffset, file))
  }
  assertCovered([...entries], fileBytes - dataOffset, file)
  return { entries, metadata, dataOffset }
}

/** The format's own rule: the tensors lie end to end and fill the file. */
function assertCovered(entries: [string, SafetensorsEntry][], dataBytes: number, file: string): void {
  entries.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)
  let [reached, before] = [0, 'the header']
  for (const [name, { begin, end }] of entries) {
    if (begin < reached) throw corrupt(file, `the tensors ${before} and ${name} overlap`)
    if (begin > reached) throw corrupt(file, `between ${before} and ${name}: ${begin - reached} bytes belong to no tensor`)
    ;[reached, before] = [end, name]
  }
  if (reached < dataBytes) throw corrupt(file, `after ${before}: ${dataBytes - reached} bytes belong to no tensor`)
}

function parseEntry(name: string, value: unknown, dataBytes: number, file: string): SafetensorsEntry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown }
  if (typeof dtype !== 'string' || !Object.hasOwn(BYTES, dtype))
    throw corrupt(file, `${name}: expected a dtype of ${Object.keys(BYTES).join(', ')}, found ${JSON.stringify(dtype)}`)
  const isSizes = (sizes: unknown): sizes is number[] =>
    Array.isArray(sizes) && sizes.length <= MAX_RANK && sizes.every((size) => Number.isSafeInteger(size) && size >= 0)
  if (!isSizes(shape)) throw corrupt(file, `${name}: expected a shape of at most ${MAX_RANK} whole numbers, found ${JSON.stringify(shape)}`)
  if (!isSizes(offsets) || offsets.length !== 2) throw corrupt(file, `${name}: expected two data_offsets, found ${JSON.stringify(offsets)}`)
  const [begin, end] = offsets as [number, number]
  // A product beyond what a number counts exactly is no size of anything that fits a file.
  const bytes = shape.reduce((product, size) => product * size, 1) * BYTES[dtype as SafetensorsDtype]
  if (end - begin !== bytes) throw corrupt(file, `${name}: ${dtype} [${shape.join(', ')}] takes ${bytes} bytes, data_offsets span ${end - begin}`)
  if (end > dataBytes) throw corrupt(file, `${name}: ends at byte ${end} of ${dataBytes}: the file is truncated`)
  return { dtype: dtype as SafetensorsDtype, shape, begin, end }
}

/**
 * A tensor's bytes as float32 (F16 and BF16 are widened exactly; whole numbers are converted).
 * @throws LabError 'invalid-input' for 8-bit floats, which mean nothing without their scales
 */
export function toFloat32(entry: SafetensorsEntry, bytes: Uint8Array): NamedArray {
  // A copy: the bytes may not be aligned, and must not keep the whole file in memory. (A Buffer's own slice does not copy.)
  const { buffer } = new Uint8Array(bytes)
  return { shape: entry.shape, values: widened(entry.dtype, buffer) }
}

function widened(dtype: SafetensorsDtype, buffer: ArrayBuffer): Float32Array {
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer)
    case 'F64':
      return Float32Array.from(new Float64Array(buffer))
    case 'F16': {
      const halves = new Uint16Array(buffer)
      const wide = new Float32Array(halves.length)
      // By table: a half has 65536 values, a model hundreds of millions of halves.
      HALVES ??= Float32Array.from({ length: 65536 }, (_, half) => halfToNumber(half))
      for (let i = 0; i < halves.length; i++) wide[i] = HALVES[halves[i]!]!
      return wide
    }
    case 'BF16': {
      const halves = new Uint16Array(buffer)
      const wide = new Uint32Array(halves.length)
      for (let i = 0; i < halves.length; i++) wide[i] = halves[i]! << 16
      return new Float32Array(wide.buffer)
    }
    case 'I64':
      return Float32Array.from(new BigInt64Array(buffer), Number)
    case 'U64':
      return Float32Array.from(new BigUint64Array(buffer), Number)
    case 'I32':
      return Float32Array.from(new Int32Array(buffer))
    case 'U32':
      return Float32Array.from(new Uint32Array(buffer))
    case 'I16':
      return Float32Array.from(new Int16Array(buffer))
    case 'U16':
      return Float32Array.from(new Uint16Array(buffer))
    case 'I8':
      return Float32Array.from(new Int8Array(buffer))
    case 'U8':
    case 'BOOL':
      return Float32Array.from(new Uint8Array(buffer))
    case 'F8_E4M3':
    case 'F8_E5M2':
      throw new LabError('invalid-input', `expected ${FLOAT_DTYPES.join(', ')}, found ${dtype}: 8-bit weights are quantised. Choose the folder with the original weights.`)
  }
}

let HALVES: Float32Array | null = null

/** All tensors of a file that is in memory, widened to float32. */
export function readSafetensors(bytes: Uint8Array, file = 'safetensors'): Record<string, NamedArray> {
  const length = headerLength(bytes.subarray(0, 8), bytes.byteLength, file)
  const { entries, dataOffset } = parseHeader(bytes.subarray(8, 8 + length), bytes.byteLength, file)
  return Object.fromEntries(
    [...entries].map(([name, entry]) => [name, toFloat32(entry, bytes.subarray(dataOffset + entry.begin, dataOffset + entry.end))]),
  )
}

/** A file's bytes as float32: equal tensors give equal bytes. */
export function writeSafetensors(tensors: NamedArrays, metadata?: Readonly<Record<string, string>>): Uint8Array {
  const pieces = [...safetensorsPieces(tensors, 'float32', metadata)]
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

/**
 * A file's bytes, tensor by tensor, so that no two need be in memory. Names are sorted, and the data begins at a multiple of 8.
 * @param dtype  what the values are rounded to, to nearest, ties to even
 */
export function* safetensorsPieces(
  tensors: NamedArrays,
  dtype: WeightDtype = 'float32',
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
): Generator<Uint8Array> {
  const name = ({ float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const)[dtype]
  const names = Object.keys(tensors).sort()
  const header: Record<string, unknown> = { __metadata__: metadata }
  let offset = 0
  for (const each of names) {
    const { shape } = tensors[each]!
    const bytes = shape.reduce((product, size) => product * size, 1) * BYTES[name]
    header[each] = { dtype: name, shape, data_offsets: [offset, (offset += bytes)] }
  }
  const text = JSON.stringify(header)
  const padded = new TextEncoder().encode(text.padEnd(text.length + ((8 - (new TextEncoder().encode(text).length % 8)) % 8), ' '))
  const length = new Uint8Array(8)
  new DataView(length.buffer).setBigUint64(0, BigInt(padded.length), true)
  yield length
  yield padded
  for (const each of names) yield roundedBytes(tensors[each]!.values, dtype)
}

/** IEEE 754 half precision to a number. */
function halfToNumber(half: number): number {
  const [sign, exponent, fraction] = [half & 0x8000 ? -1 : 1, (half >> 10) & 0x1f, half & 0x3ff]
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction ? NaN : sign * Infinity
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

function corrupt(file: string, what: string): LabError {
  return new LabError('corrupt-artifact', `${file}: ${what}. Copy or export the file again.`, { file })
}
