// The safetensors format: 8 bytes of header length, a JSON header, then the tensors end to end. Parsing trusts nothing:
// a truncated or lying header is refused before anything is allocated. Bytes in, bytes out; files are elsewhere.

import { LabError } from '../../domain/errors.ts'
import type { NamedArray, NamedArrays } from './initial.ts'

// Both exist on every platform the engine runs on; it is compiled without the types of any of them.
declare const TextDecoder: new (label: string, options: { fatal: boolean }) => { decode(bytes: Uint8Array): string }
declare const TextEncoder: new () => { encode(text: string): Uint8Array }

/** The reference library's own limit on the header. */
const MAX_HEADER_BYTES = 100_000_000
const BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 } as const
export type SafetensorsDtype = keyof typeof BYTES

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
  const entries = new Map<string, SafetensorsEntry>()
  let metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(parsed)) {
    if (name === '__metadata__') metadata = Object.fromEntries(Object.entries(value ?? {}).map(([key, each]) => [key, String(each)]))
    else entries.set(name, parseEntry(name, value, fileBytes - dataOffset, file))
  }
  const ordered = [...entries].sort(([, a], [, b]) => a.begin - b.begin)
  for (let i = 1; i < ordered.length; i++)
    if (ordered[i]![1].begin < ordered[i - 1]![1].end)
      throw corrupt(file, `the tensors ${ordered[i - 1]![0]} and ${ordered[i]![0]} overlap`)
  return { entries, metadata, dataOffset }
}

function parseEntry(name: string, value: unknown, dataBytes: number, file: string): SafetensorsEntry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown }
  if (typeof dtype !== 'string' || !(dtype in BYTES))
    throw corrupt(file, `${name}: expected a dtype of ${Object.keys(BYTES).join(', ')}, found ${JSON.stringify(dtype)}`)
  const isSizes = (sizes: unknown): sizes is number[] =>
    Array.isArray(sizes) && sizes.every((size) => Number.isSafeInteger(size) && size >= 0)
  if (!isSizes(shape)) throw corrupt(file, `${name}: expected a shape of whole numbers, found ${JSON.stringify(shape)}`)
  if (!isSizes(offsets) || offsets.length !== 2) throw corrupt(file, `${name}: expected two data_offsets, found ${JSON.stringify(offsets)}`)
  const [begin, end] = offsets as [number, number]
  const bytes = shape.reduce((product, size) => product * size, 1) * BYTES[dtype as SafetensorsDtype]
  if (end - begin !== bytes) throw corrupt(file, `${name}: ${dtype} [${shape.join(', ')}] takes ${bytes} bytes, data_offsets span ${end - begin}`)
  if (end > dataBytes) throw corrupt(file, `${name}: ends at byte ${end} of ${dataBytes}: the file is truncated`)
  return { dtype: dtype as SafetensorsDtype, shape, begin, end }
}

/**
 * A tensor's bytes as float32 (F16 and BF16 are widened exactly; whole numbers are converted).
 * @throws LabError 'corrupt-artifact' for a dtype that is no number of ours
 */
export function toFloat32(entry: SafetensorsEntry, bytes: Uint8Array): NamedArray {
  // A copy: the bytes may not be aligned, and must not keep the whole file in memory. (A Buffer's own slice does not copy.)
  const { buffer } = new Uint8Array(bytes)
  const values = {
    F32: () => new Float32Array(buffer),
    F64: () => Float32Array.from(new Float64Array(buffer)),
    F16: () => Float32Array.from(new Uint16Array(buffer), halfToNumber),
    BF16: () => {
      const wide = new Uint32Array(buffer.byteLength / 2)
      new Uint16Array(buffer).forEach((half, i) => (wide[i] = half << 16))
      return new Float32Array(wide.buffer)
    },
    I64: () => Float32Array.from(new BigInt64Array(buffer), Number),
    I32: () => Float32Array.from(new Int32Array(buffer)),
    I16: () => Float32Array.from(new Int16Array(buffer)),
    I8: () => Float32Array.from(new Int8Array(buffer)),
    U8: () => Float32Array.from(new Uint8Array(buffer)),
    BOOL: () => Float32Array.from(new Uint8Array(buffer)),
  }[entry.dtype]()
  return { shape: entry.shape, values }
}

/** All tensors of a file that is in memory, widened to float32. */
export function readSafetensors(bytes: Uint8Array, file = 'safetensors'): Record<string, NamedArray> {
  const length = headerLength(bytes.subarray(0, 8), bytes.byteLength, file)
  const { entries, dataOffset } = parseHeader(bytes.subarray(8, 8 + length), bytes.byteLength, file)
  return Object.fromEntries(
    [...entries].map(([name, entry]) => [name, toFloat32(entry, bytes.subarray(dataOffset + entry.begin, dataOffset + entry.end))]),
  )
}

/** A float32 file's bytes: equal tensors give equal bytes. Names are sorted, and the data begins at a multiple of 8 bytes. */
export function writeSafetensors(tensors: NamedArrays, metadata: Readonly<Record<string, string>> = { format: 'pt' }): Uint8Array {
  const names = Object.keys(tensors).sort()
  const header: Record<string, unknown> = { __metadata__: metadata }
  let offset = 0
  for (const name of names) {
    const { shape, values } = tensors[name]!
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, (offset += values.byteLength)] }
  }
  const text = JSON.stringify(header)
  const padded = new TextEncoder().encode(text.padEnd(text.length + ((8 - (new TextEncoder().encode(text).length % 8)) % 8), ' '))
  const bytes = new Uint8Array(8 + padded.length + offset)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded.length), true)
  bytes.set(padded, 8)
  let at = 8 + padded.length
  for (const name of names) {
    const { values } = tensors[name]!
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at)
    at += values.byteLength
  }
  return bytes
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
