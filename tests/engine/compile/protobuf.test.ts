// The writer against bytes worked out by hand from the wire format (protobuf.dev/programming-guides/encoding).

import { describe, expect, it } from 'vitest'
import { ProtoWriter } from '../../../src-main/engine/compile/protobuf.ts'

function hex(writer: ProtoWriter): string {
  return Buffer.from(writer.finish()).toString('hex')
}

describe('a protobuf message', () => {
  it('writes small, large and negative integers as varints', () => {
    // Field 1, 150: the guide's own example. −1 is ten bytes: 2^64 − 1 in groups of seven bits.
    expect(hex(new ProtoWriter().int(1, 150))).toBe('089601')
    expect(hex(new ProtoWriter().int(1, 0))).toBe('0800')
    expect(hex(new ProtoWriter().int(2, -1))).toBe('10ffffffffffffffffff01')
  })

  it('writes field numbers above 15 in two bytes', () => {
    // 20·8 + 0 = 160 = 0b1_0100000.
    expect(hex(new ProtoWriter().bool(20, true))).toBe('a00101')
  })

  it('writes strings as UTF-8 with their length in bytes', () => {
    expect(hex(new ProtoWriter().string(2, 'testing'))).toBe('120774657374696e67')
    expect(hex(new ProtoWriter().string(2, 'β'))).toBe('1202ceb2')
  })

  it('writes a float as four little-endian bytes', () => {
    expect(hex(new ProtoWriter().float(5, 1))).toBe('2d0000803f')
  })

  it('writes a nested message and a map entry by their length', () => {
    expect(hex(new ProtoWriter().message(3, (inner) => inner.int(1, 150)))).toBe('1a03089601')
    expect(hex(new ProtoWriter().entry(4, 'a', (entry) => entry.int(2, 1)))).toBe('22050a01611001')
  })

  it('keeps its bytes when it grows', () => {
    const long = 'x'.repeat(100_000)
    const bytes = new ProtoWriter().int(1, 1).string(2, long).int(3, 1).finish()
    expect(Buffer.from(bytes.subarray(0, 2)).toString('hex')).toBe('0801')
    expect(Buffer.from(bytes.subarray(6, -2)).toString()).toBe(long)
    expect(Buffer.from(bytes.subarray(-2)).toString('hex')).toBe('1801')
  })
})
