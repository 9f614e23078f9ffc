// The safetensors format: what goes in comes out bit for bit, half precision is widened exactly, and no header is believed.

import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../src-main/domain/random.ts'
import type { NamedArray } from '../../../src-main/engine/weights/initial.ts'
import {
  headerLength,
  parseHeader,
  readSafetensors,
  toFloat32,
  writeSafetensors,
  type SafetensorsDtype,
} from '../../../src-main/engine/weights/safetensors.ts'
import { faultOf } from '../../support/fault-of.ts'
import { refusal } from '../../support/refusal.ts'

const bits = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex')

/** A file of a header, given as text or as what is to become JSON, and `data` bytes of zeros. */
function fileOf(header: unknown, data = 64, length?: bigint): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const bytes = Buffer.alloc(8 + json.length + data)
  bytes.writeBigUInt64LE(length ?? BigInt(json.length))
  json.copy(bytes, 8)
  return bytes
}
const entry = (fields: Record<string, unknown> = {}) => ({ t: { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16], ...fields } })

describe('a file', () => {
  const specials = Float32Array.of(
    0,
    -0,
    1e-45,
    -1e-45,
    1.1754944e-38,
    3.4028235e38,
    -3.4028235e38,
    Infinity,
    -Infinity,
    NaN,
    Math.PI,
    1 / 3,
  )
  const tensors: Record<string, NamedArray> = {
    'b.weight': { shape: [3, 4], values: specials },
    'a.weight': { shape: [2], values: Float32Array.of(1, 2) },
    scalar: { shape: [], values: Float32Array.of(7) },
    empty: { shape: [0, 5], values: new Float32Array(0) },
    'ünïcode/名前 "quoted"': { shape: [1], values: Float32Array.of(-1) },
  }

  it('comes back as it went in, bit for bit', () => {
    const back = readSafetensors(writeSafetensors(tensors))
    expect(Object.keys(back).sort()).toEqual(Object.keys(tensors).sort())
    for (const [name, { shape, values }] of Object.entries(tensors)) {
      expect(back[name]!.shape).toEqual(shape)
      expect(bits(back[name]!.values), name).toBe(bits(values))
    }
  })

  it('of equal tensors is equal bytes, in whatever order they came', () => {
    const reversed = Object.fromEntries(Object.entries(tensors).reverse())
    expect(Buffer.from(writeSafetensors(reversed)).equals(writeSafetensors(tensors))).toBe(true)
  })

  it('begins its data at a multiple of eight bytes, whatever the length of the names, and keeps its metadata', () => {
    for (let length = 1; length <= 16; length++) {
      const bytes = writeSafetensors(
        { ['é'.repeat(length)]: { shape: [1], values: Float32Array.of(1) } },
        { format: 'pt', key: 'vàlue' },
      )
      const header = headerLength(bytes.subarray(0, 8), bytes.length, 'f')
      expect(header % 8).toBe(0)
      const parsed = parseHeader(bytes.subarray(8, 8 + header), bytes.length, 'f')
      expect(parsed.metadata).toEqual({ format: 'pt', key: 'vàlue' })
      expect(parsed.dataOffset).toBe(8 + header)
    }
  })

  it('is read from any place in a larger buffer, and what is read keeps none of it', () => {
    const bytes = writeSafetensors(tensors)
    const shifted = Buffer.alloc(bytes.length + 3)
    shifted.set(bytes, 3)
    const back = readSafetensors(shifted.subarray(3))
    shifted.fill(0xff)
    for (const [name, { values }] of Object.entries(tensors)) expect(bits(back[name]!.values), name).toBe(bits(values))
  })

  it('of random tensors comes back too', () => {
    const random = createRandom(1, 'fuzz')
    for (let round = 0; round < 20; round++) {
      const made = Object.fromEntries(
        Array.from({ length: random.integer(6) }, (_, i): [string, NamedArray] => {
          const shape = Array.from({ length: random.integer(4) }, () => random.integer(4))
          const size = shape.reduce((product, each) => product * each, 1)
          return [`t${i}.${random.integer(1000)}`, { shape, values: Float32Array.from({ length: size }, () => random.normal()) }]
        }),
      )
      const back = readSafetensors(writeSafetensors(made))
      expect(Object.fromEntries(Object.entries(back).map(([name, { shape, values }]) => [name, [shape, bits(values)]]))).toEqual(
        Object.fromEntries(Object.entries(made).map(([name, { shape, values }]) => [name, [shape, bits(values)]])),
      )
    }
  })
})

describe('widening', () => {
  const every = new Uint16Array(65536).map((_, i) => i)
  const widen = (dtype: SafetensorsDtype, bytes: Uint8Array, count: number) =>
    toFloat32({ dtype, shape: [count], begin: 0, end: bytes.length }, bytes).values

  it('of every BF16 pattern is that pattern before sixteen zero bits', () => {
    const found = widen('BF16', new Uint8Array(every.buffer), 65536)
    const words = new Uint32Array(found.buffer)
    for (let i = 0; i < 65536; i++) {
      // A not-a-number may change its payload on the way through a float register, never its kind.
      if (Number.isNaN(found[i]!)) expect((i & 0x7f80) === 0x7f80 && (i & 0x7f) !== 0, `pattern ${i}`).toBe(true)
      else if (words[i] !== (i << 16) >>> 0) expect.fail(`pattern ${i}: ${words[i]}`)
    }
  })

  it('of every F16 pattern is the value that IEEE 754 gives it', () => {
    const found = widen('F16', new Uint8Array(every.buffer), 65536)
    // An independent reader of the format: the platform's own.
    const view = new Float16Array(every.buffer)
    for (let i = 0; i < 65536; i++) if (!Object.is(found[i], view[i])) expect.fail(`pattern ${i}: ${found[i]} for ${view[i]}`)
    // 0x3555 = 1.0101010101₂ · 2⁻² = 0.333251953125; 0x0001 = 2⁻²⁴; 0x7bff = 65504
    expect([found[0x3555], found[1], found[0x7bff], found[0xfc00], found[0x8000]]).toEqual([
      0.333251953125,
      2 ** -24,
      65504,
      -Infinity,
      -0,
    ])
  })

  it('of 8-bit floats is refused: they mean nothing without their scales', () => {
    for (const dtype of ['F8_E4M3', 'F8_E5M2'] as const) {
      const fault = faultOf(() => widen(dtype, Uint8Array.of(1, 2), 2))
      expect([fault.code, fault.message]).toEqual(['invalid-input', expect.stringContaining(dtype)])
    }
  })

  it('of whole numbers, booleans and doubles is their value', () => {
    const of = (dtype: SafetensorsDtype, values: ArrayBufferView<ArrayBuffer>) =>
      Array.from(widen(dtype, new Uint8Array(values.buffer), 2))
    expect(of('I64', BigInt64Array.of(-5n, 1n << 40n))).toEqual([-5, 2 ** 40])
    expect(of('I32', Int32Array.of(-5, 7))).toEqual([-5, 7])
    expect(of('I16', Int16Array.of(-5, 300))).toEqual([-5, 300])
    expect(of('I8', Int8Array.of(-5, 7))).toEqual([-5, 7])
    expect(of('U8', Uint8Array.of(0, 255))).toEqual([0, 255])
    expect(of('BOOL', Uint8Array.of(0, 1))).toEqual([0, 1])
    expect(of('F64', Float64Array.of(0.1, -2))).toEqual([Math.fround(0.1), -2])
  })
})

describe('a hostile file is refused as corrupt, by name and before anything of its size is allocated:', () => {
  const cases: Record<string, Uint8Array> = {
    'no bytes at all': new Uint8Array(0),
    'less than a length': Uint8Array.of(1, 2, 3),
    'a header longer than the file': fileOf('{}', 0, 1000n),
    'a header above the limit': fileOf('{}', 0, 100_000_001n),
    'a header of 2⁶³ bytes': fileOf('{}', 0, 1n << 63n),
    'no JSON': fileOf('{"t": '),
    'no UTF-8': fileOf(Buffer.from([0x7b, 0xff, 0x7d]).toString('latin1')),
    'an array': fileOf('[]'),
    null: fileOf('null'),
    'a number': fileOf('7'),
    'an entry that is null': fileOf({ t: null }),
    'an entry that is a string': fileOf({ t: 'F32' }),
    'an unknown dtype': fileOf(entry({ dtype: 'F4' })),
    'a dtype of the prototype': fileOf(entry({ dtype: 'constructor' })),
    'no dtype': fileOf(entry({ dtype: undefined })),
    'a negative size': fileOf(entry({ shape: [-2, -2] })),
    'a fractional size': fileOf(entry({ shape: [0.5, 8] })),
    'a size beyond whole numbers': fileOf(entry({ shape: [2 ** 60, 2 ** 60] })),
    'sizes whose product is beyond whole numbers': fileOf(
      entry({ shape: [2 ** 30, 2 ** 30, 2 ** 30], data_offsets: [0, 2 ** 52] }),
    ),
    'a shape that is no list': fileOf(entry({ shape: '2,2' })),
    'offsets that do not fit the shape': fileOf(entry({ data_offsets: [0, 12] })),
    'offsets the wrong way round': fileOf(entry({ data_offsets: [16, 0] })),
    'a negative offset': fileOf(entry({ data_offsets: [-16, 0] })),
    'one offset': fileOf(entry({ data_offsets: [16] })),
    'an end beyond the file': fileOf(entry({ data_offsets: [56, 72] })),
    'a tensor of terabytes': fileOf(entry({ shape: [2 ** 40], data_offsets: [0, 2 ** 42] })),
    'tensors that overlap': fileOf({ ...entry(), u: { dtype: 'F32', shape: [2], data_offsets: [8, 16] } }),
    'bytes between two tensors that belong to none': fileOf({ ...entry(), u: { dtype: 'F32', shape: [11], data_offsets: [20, 64] } }),
    'bytes after the last tensor': fileOf({ t: { dtype: 'F32', shape: [12], data_offsets: [0, 48] } }),
    'a shape of a hundred axes': fileOf(entry({ shape: new Array(100).fill(1), data_offsets: [0, 4] }), 4),
    'tensors that are one': fileOf({ ...entry(), u: entry().t }),
  }
  for (const [name, bytes] of Object.entries(cases))
    it(name, () => {
      const fault = faultOf(() => readSafetensors(bytes, 'encoder.safetensors'))
      expect(fault.code).toBe('corrupt-artifact')
      expect(fault.message).toContain('encoder.safetensors')
      expect(fault.details).toEqual({ file: 'encoder.safetensors' })
    })

  it('a good file cut off anywhere, or with any byte of its header changed, is read or refused, never anything else', () => {
    const bytes = writeSafetensors({
      'a.weight': { shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) },
      b: { shape: [1], values: Float32Array.of(5) },
    })
    for (let length = 0; length < bytes.length; length++)
      expect(refusal(() => readSafetensors(bytes.subarray(0, length)))).toBe('corrupt-artifact')
    const random = createRandom(3, 'bytes')
    let refused = 0
    for (let round = 0; round < 500; round++) {
      const changed = bytes.slice()
      changed[random.integer(bytes.length - 20)] = random.integer(256)
      try {
        const tensors = Object.values(readSafetensors(changed))
        for (const { shape, values } of tensors) expect(values.length).toBe(shape.reduce((product, size) => product * size, 1))
      } catch (thrown) {
        expect((thrown as { code?: string }).code).toBe('corrupt-artifact')
        refused++
      }
    }
    expect(refused).toBeGreaterThan(100)
  })
})
