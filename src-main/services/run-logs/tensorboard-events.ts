// Scalars as TensorBoard reads them: an event file is TFRecords (length, masked CRC-32C, bytes, masked CRC-32C) of Event messages
// (tensorflow/core/util/event.proto). Written by hand: it is three kinds of fields, and nothing is read here.

export interface Scalar {
  readonly tag: string
  readonly step: number
  readonly value: number
  /** Seconds since 1970. */
  readonly wallTime: number
}

/** One event file. The first record names the format's version, as every reader expects. */
export function eventFile(scalars: Iterable<Scalar>, startedAt: number): Uint8Array {
  const records = [record(Buffer.concat([double(1, startedAt), bytes(3, Buffer.from('brain.Event:2'))]))]
  for (const { tag, step, value, wallTime } of scalars) {
    const summaryValue = Buffer.concat([bytes(1, Buffer.from(tag)), float(2, value)])
    records.push(record(Buffer.concat([double(1, wallTime), integer(2, step), bytes(5, bytes(1, summaryValue))])))
  }
  return Buffer.concat(records)
}

function record(data: Buffer): Buffer {
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(data.length))
  return Buffer.concat([length, maskedCrc(length), data, maskedCrc(data)])
}

function varint(value: number): Buffer {
  const out: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...out, rest])
    out.push((rest % 128) + 128)
  }
}

const tagOf = (field: number, wireType: number) => varint(field * 8 + wireType)
const integer = (field: number, value: number) => Buffer.concat([tagOf(field, 0), varint(value)])
const bytes = (field: number, value: Buffer) => Buffer.concat([tagOf(field, 2), varint(value.length), value])

function double(field: number, value: number): Buffer {
  const out = Buffer.alloc(8)
  out.writeDoubleLE(value)
  return Buffer.concat([tagOf(field, 1), out])
}

function float(field: number, value: number): Buffer {
  const out = Buffer.alloc(4)
  out.writeFloatLE(value)
  return Buffer.concat([tagOf(field, 5), out])
}

/** CRC-32C (Castagnoli), reflected. */
const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
  return value
})

export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of data) crc = TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

/** As TFRecord stores it: turned by 15 bits, plus a constant, so that a CRC of data with CRCs in it stays telling. */
function maskedCrc(data: Uint8Array): Buffer {
  const crc = crc32c(data)
  const out = Buffer.alloc(4)
  out.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0)
  return out
}
