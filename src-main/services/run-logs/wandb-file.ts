// What Weights & Biases wrote of a run while it was offline: offline-run-*/run-<id>.wandb, a log in blocks of 32 KiB (LevelDB's format, with
// plain CRC-32) of Record messages (wandb/proto/wandb_internal.proto). Read by hand, because nothing that reads it runs without Python
// and of the messages a dozen fields matter. The configuration is in it too: files/config.yaml, where there is one, repeats it.

import { crc32 } from 'node:zlib'
import { LabError } from '../../domain/errors.ts'

export interface LoggedRow {
  readonly step: number
  /** Since the run began; null: not told. */
  readonly seconds: number | null
  /** Finite numbers by name; parts of a nested name are joined by dots, as in its own pages. */
  readonly values: Readonly<Record<string, number>>
}

export interface WandbRun {
  readonly id: string
  readonly project: string
  readonly group: string
  readonly name: string
  readonly notes: string
  readonly tags: readonly string[]
  /** As it was at the end, without what wandb keeps for itself. */
  readonly config: Readonly<Record<string, unknown>>
  /** Milliseconds since 1970; null: not told. */
  readonly startedAtMs: number | null
  /** null: the log ends without an ending. */
  readonly exitCode: number | null
  /** In the order of the log; several rows may be of one step. */
  readonly rows: readonly LoggedRow[]
  /** Numbers that are not finite, which the lab does not keep. */
  readonly notFinite: number
  /** Names whose values are no numbers: texts, pictures, histograms. */
  readonly leftOut: readonly string[]
  /** Byte at which the file breaks off within a record; null: it is whole. */
  readonly brokenAt: number | null
}

const BLOCK = 32 * 1024
const HEADER = 7
const [WHOLE, FIRST, MIDDLE, LAST] = [1, 2, 3, 4]
const NUMBERS_OF_WANDB = /^_/

/**
 * @param file  for messages
 * @throws LabError 'invalid-input' for a file of another kind, 'corrupt-artifact' naming the byte at which it is damaged, or without a run
 */
export function readWandbRun(bytes: Uint8Array, file: string): WandbRun {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.length < HEADER || view.toString('latin1', 0, 4) !== ':W&B' || view.readUInt16LE(4) !== 0xbee1)
    throw new LabError('invalid-input', `${file}: expected the log of a wandb run, which begins with ":W&B", found ${view.length === 0 ? 'an empty file' : JSON.stringify(view.toString('latin1', 0, 4))}; choose a folder offline-run-…`, { file })
  if (view[6] !== 0) throw new LabError('invalid-input', `${file}: expected version 0 of the format, found ${view[6]}; a newer lab may read it`, { file })

  let run: { readonly id: string; readonly project: string; readonly group: string; readonly name: string; readonly notes: string; readonly tags: string[]; readonly startedAtMs: number | null } | null = null
  const config: Record<string, unknown> = {}
  const rows: LoggedRow[] = []
  const leftOut = new Set<string>()
  let [exitCode, notFinite, lastStep] = [null as number | null, 0, -1]
  const log = records(view, file)
  let next = log.next()
  for (; !next.done; next = log.next()) {
    const { data, at } = next.value
    const fieldsAt = (of: Uint8Array) => fieldsOf(of, () => damaged(file, at, 'a message that cannot be read'))
    for (const { field, value } of fieldsAt(data)) {
      if (!(value instanceof Uint8Array)) continue
      if (field === RECORD.run) {
        const of = fieldsAt(value)
        const texts = (number: number) => of.filter((each) => each.field === number).map((each) => text(each.value))
        for (const each of of) if (each.field === RUN.config) mergeConfig(config, each.value as Uint8Array, fieldsAt)
        const start = of.find((each) => each.field === RUN.startTime)
        const seconds = start === undefined ? undefined : fieldsAt(start.value as Uint8Array).find((each) => each.field === 1)?.value
        const id = texts(RUN.id)[0] ?? ''
        run = { id, project: texts(RUN.project)[0] ?? '', group: texts(RUN.group)[0] ?? '', name: texts(RUN.name)[0] || id, notes: texts(RUN.notes)[0] ?? '', tags: texts(RUN.tags), startedAtMs: typeof seconds === 'bigint' ? Number(seconds) * 1000 : null }
      } else if (field === RECORD.config) mergeConfig(config, value, fieldsAt)
      else if (field === RECORD.exit) exitCode = Number(BigInt.asIntN(32, (fieldsAt(value).find((each) => each.field === 1)?.value as bigint | undefined) ?? 0n))
      else if (field === RECORD.history) {
        const of = fieldsAt(value)
        const entries = of.filter((each) => each.field === HISTORY.item).flatMap((each) => itemOf(each.value as Uint8Array, fieldsAt) ?? [])
        const told = of.find((each) => each.field === HISTORY.step)
        const own = entries.find(({ name }) => name === '_step')?.value
        const counted = told === undefined ? undefined : fieldsAt(told.value as Uint8Array).find((each) => each.field === 1)?.value
        // A step of 0 is not written out; a log without steps counts its rows.
        const step = typeof own === 'number' ? own : told === undefined ? lastStep + 1 : Number(counted ?? 0n)
        lastStep = step
        const values: Record<string, number> = {}
        for (const { name, value: each } of entries) {
          if (NUMBERS_OF_WANDB.test(name)) continue
          if (typeof each !== 'number') leftOut.add(name)
          else if (Number.isFinite(each)) values[name] = each
          else notFinite += 1
        }
        const seconds = entries.find(({ name }) => name === '_runtime')?.value
        rows.push({ step, seconds: typeof seconds === 'number' ? seconds : null, values })
      }
    }
  }
  if (run === null) throw new LabError('corrupt-artifact', `${file}: expected a record that describes the run, found none${next.value === null ? '' : ` before the file breaks off at byte ${next.value}`}; sync it from the machine that wrote it, or leave it out`, { file })
  delete config['_wandb']
  return { ...run, config, exitCode, rows, notFinite, leftOut: [...leftOut], brokenAt: next.value }
}

/** Numbers of the fields that are read. */
const RECORD = { history: 2, config: 5, run: 17, exit: 18 } as const
const RUN = { id: 1, project: 3, config: 4, group: 6, name: 8, notes: 9, tags: 10, startTime: 17 } as const
const HISTORY = { item: 1, step: 2 } as const
const ITEM = { key: 1, nestedKey: 2, none: 3, boolean: 4, integer: 5, number: 6, text: 7, json: 8, valueJson: 16 } as const

interface LogRecord {
  readonly data: Uint8Array
  /** Where it begins in the file. */
  readonly at: number
}

/** Records put together of their pieces; returns where the file breaks off, or null. */
function* records(bytes: Buffer, file: string): Generator<LogRecord, number | null> {
  let pieces: Buffer[] = []
  let [at, begun] = [HEADER, HEADER]
  while (at < bytes.length) {
    const left = BLOCK - (at % BLOCK)
    // What is too short for a header is filled with zeros.
    if (left < HEADER) {
      at += left
      continue
    }
    if (at + HEADER > bytes.length) return pieces.length > 0 ? begun : at
    const [checksum, length, type] = [bytes.readUInt32LE(at), bytes.readUInt16LE(at + 4), bytes[at + 6]!]
    // A file that was laid out before it was written ends in zeros.
    if (checksum === 0 && length === 0 && type === 0) return bytes.subarray(at).every((byte) => byte === 0) ? (pieces.length > 0 ? begun : null) : damaged(file, at, 'zeros between records')
    if (type > LAST || length > left - HEADER) damaged(file, at, `a piece of type ${type} and ${length} bytes, with ${left - HEADER} left in its block`)
    const data = bytes.subarray(at + HEADER, at + HEADER + length)
    if (data.length < length) return pieces.length > 0 ? begun : at
    if (crc32(data, crc32(bytes.subarray(at + 6, at + HEADER))) !== checksum) damaged(file, at, 'bytes that do not agree with their checksum')
    if ((type === WHOLE || type === FIRST) !== (pieces.length === 0)) damaged(file, at, type === MIDDLE || type === LAST ? 'the end of a record without its beginning' : 'a record that begins within another')
    if (pieces.length === 0) begun = at
    pieces.push(data)
    at += HEADER + length
    if (type === WHOLE || type === LAST) {
      yield { data: pieces.length === 1 ? data : Buffer.concat(pieces), at: begun }
      pieces = []
    }
  }
  return pieces.length > 0 ? begun : null
}

function damaged(file: string, at: number, found: string): never {
  throw new LabError('corrupt-artifact', `${file}: expected a whole record at byte ${at}, found ${found}; copy the file again from where it was written`, { file, at })
}

interface Field {
  readonly field: number
  /** A varint, a fixed number of 8 bytes as its bits, or bytes. */
  readonly value: bigint | number | Uint8Array
}

/** The fields of a protocol-buffer message. @param fail  throws */
function fieldsOf(bytes: Uint8Array, fail: () => never): readonly Field[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const fields: Field[] = []
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (at >= bytes.length) fail()
      const byte = bytes[at++]!
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
    return fail()
  }
  while (at < bytes.length) {
    const tag = varint()
    const [field, type] = [Number(tag >> 3n), Number(tag & 7n)]
    const size = type === 1 ? 8 : type === 5 ? 4 : type === 2 ? Number(varint()) : 0
    if ((type !== 0 && type !== 1 && type !== 2 && type !== 5) || at + size > bytes.length) fail()
    if (type === 0) fields.push({ field, value: varint() })
    else fields.push({ field, value: type === 1 ? view.getFloat64(at, true) : bytes.subarray(at, at + size) })
    at += size
  }
  return fields
}

const text = (value: Field['value']): string => (value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : '')

interface Entry {
  readonly name: string
  readonly value: unknown
}

/** A name and what was logged under it; null: nothing was. */
function itemOf(bytes: Uint8Array, fieldsAt: (of: Uint8Array) => readonly Field[]): Entry | null {
  const of = fieldsAt(bytes)
  const nested = of.filter(({ field }) => field === ITEM.nestedKey).map(({ value }) => text(value))
  const key = of.find(({ field }) => field === ITEM.key)
  const name = nested.length > 0 ? nested.join('.') : text(key?.value ?? 0)
  const found = of.find(({ field }) => field >= ITEM.none && field !== ITEM.key && field !== ITEM.nestedKey)
  if (name === '' || found === undefined) return null
  switch (found.field) {
    case ITEM.boolean:
      return { name, value: found.value !== 0n }
    case ITEM.integer:
      // Zigzag: the sign is the lowest bit.
      return { name, value: Number(((found.value as bigint) >> 1n) ^ -((found.value as bigint) & 1n)) }
    case ITEM.number:
      return { name, value: found.value }
    case ITEM.text:
      return { name, value: text(found.value) }
    case ITEM.json:
    case ITEM.valueJson:
      return { name, value: fromJson(text(found.value)) }
    default:
      return { name, value: null }
  }
}

/** Python's JSON, which has numbers that are none. */
function fromJson(written: string): unknown {
  const special = { NaN, Infinity, '-Infinity': -Infinity, '"NaN"': NaN, '"Infinity"': Infinity, '"-Infinity"': -Infinity }[written]
  if (special !== undefined) return special
  try {
    return JSON.parse(written)
  } catch {
    return written
  }
}

/** Puts the updates of a ConfigRecord into `config`, and takes out what it removes. */
function mergeConfig(config: Record<string, unknown>, bytes: Uint8Array, fieldsAt: (of: Uint8Array) => readonly Field[]): void {
  for (const { field, value } of fieldsAt(bytes)) {
    if (!(value instanceof Uint8Array)) continue
    const entry = itemOf(value, fieldsAt)
    if (field === 1 && entry !== null) config[entry.name] = entry.value
    if (field === 2) delete config[text(fieldsAt(value).find((each) => each.field === ITEM.key)?.value ?? 0)]
  }
}
