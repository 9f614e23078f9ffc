// Laws of reading what wandb logged offline: every number that its own reader gives, in every manner in which values have been written; what
// cannot be read is named by file and byte, and what a killed training left whole is read. The log beside this file was written by
// wandb 0.31.0, and rows.json is what its own message classes read from it.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { readWandbRun } from '../../../src-main/services/run-logs/wandb-file.ts'
import { faultOf } from '../../support/fault-of.ts'

const folder = join(import.meta.dirname, 'wandb')
const offline = join(folder, 'offline-run-20261124_220356-0llo4fyl')
const bytes = readFileSync(join(offline, readdirSync(offline)[0]!))
const run = readWandbRun(bytes, 'run.wandb')

describe('a log that wandb wrote', () => {
  it('has the run’s name, notes, tags, group and the configuration as it was at the end', () => {
    expect(run).toMatchObject({ id: '0llo4fyl', project: 'eyes', name: 'dpo beta 0.1', notes: 'a note', tags: ['a', 'b'], group: 'g', exitCode: 0, brokenAt: null })
    expect(run.config).toEqual({ lr: 0.0001, model: { width: 96, heads: [1, 2] }, note: 'ünï', late: true })
    expect(new Date(run.startedAtMs!).getUTCFullYear()).toBe(2026)
  })

  it('has every finite number that its own reader gives, step by step', () => {
    const { rows } = JSON.parse(readFileSync(join(folder, 'rows.json'), 'utf8')) as { rows: Readonly<Record<string, string>>[] }
    rows.forEach((expected, i) => {
      const own = Object.entries(expected).filter(([name, value]) => !name.startsWith('_') && Number.isFinite(Number(value)))
      expect(run.rows[i]).toEqual({ step: Number(expected['_step']), seconds: Number(expected['_runtime']), values: Object.fromEntries(own.map(([name, value]) => [name, Number(value)])) })
    })
    expect(rows).toHaveLength(12)
    expect(run.rows[0]!.values).toMatchObject({ 'eval.acc': 0, 'eval.deep.x': 0, 'train/loss': 1 })
    expect(run.notFinite).toBe(2)
  })

  it('is read in the newer manner too, where values have types of their own; what is no number is named', () => {
    expect(run.rows[12]).toEqual({ step: 12, seconds: null, values: { 'train/loss': 0.25, count: -7 } })
    expect(run.leftOut.toSorted()).toEqual(['flag', 'table', 'text', 'word'])
  })
})

describe('what cannot be read', () => {
  it('is told apart from a log: another file, a newer format, an empty one', () => {
    expect(faultOf(() => readWandbRun(Buffer.from('hello world'), 'a.txt'))).toMatchObject({ code: 'invalid-input', message: expect.stringMatching(/a\.txt.*":W&B".*"hell"/) })
    expect(faultOf(() => readWandbRun(new Uint8Array(0), 'b'))).toMatchObject({ message: expect.stringContaining('an empty file') })
    expect(faultOf(() => readWandbRun(Buffer.concat([bytes.subarray(0, 6), Buffer.from([9])]), 'c'))).toMatchObject({ message: expect.stringContaining('found 9') })
  })

  it('a byte that changed is found by its checksum and named; no change is taken for a log', () => {
    for (let at = 7; at < bytes.length; at += 13) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 0x41
      let read: unknown
      try {
        read = readWandbRun(changed, 'run.wandb')
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: 'corrupt-artifact', message: expect.stringMatching(/run\.wandb: expected .* byte \d+/) })
        continue
      }
      // A length that grew past the end looks like a file that breaks off.
      expect(read).toMatchObject({ brokenAt: expect.any(Number) })
    }
  })

  it('a log that breaks off anywhere is read up to there, or says that it holds no run', () => {
    let most = 0
    for (let length = 7; length < bytes.length; length += 29) {
      try {
        const { rows, brokenAt, exitCode } = readWandbRun(bytes.subarray(0, length), 'run.wandb')
        expect(rows.length).toBeGreaterThanOrEqual(most)
        expect(rows).toEqual(run.rows.slice(0, rows.length))
        expect(exitCode === null || brokenAt !== null).toBe(true)
        most = rows.length
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: 'corrupt-artifact', message: expect.stringContaining('found none') })
        expect(most).toBe(0)
      }
    }
    expect(most).toBeGreaterThan(10)
  })
})

/** A log of records laid out in blocks of 32 KiB. */
function logOf(records: readonly Buffer[]): Buffer {
  let out = Buffer.from([...Buffer.from(':W&B'), 0xe1, 0xbe, 0])
  for (const record of records)
    for (let at = 0, isFirst = true; ; isFirst = false) {
      let left = 32768 - (out.length % 32768)
      if (left < 7) {
        out = Buffer.concat([out, Buffer.alloc(left)])
        left = 32768
      }
      const piece = record.subarray(at, at + left - 7)
      at += piece.length
      const isLast = at === record.length
      const header = Buffer.alloc(7)
      header[6] = isFirst ? (isLast ? 1 : 2) : isLast ? 4 : 3
      header.writeUInt32LE(crc32(piece, crc32(header.subarray(6))), 0)
      header.writeUInt16LE(piece.length, 4)
      out = Buffer.concat([out, header, piece])
      if (isLast) break
    }
  return out
}

const varint = (value: number): number[] => (value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))])
const field = (number: number, content: Buffer | string) => Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(Buffer.byteLength(content))]), Buffer.from(content)])
const item = (key: string, json: string) => field(1, Buffer.concat([field(1, key), field(16, json)]))

it('records over several blocks are put together, whatever their length', () => {
  const head = field(17, Buffer.concat([field(1, 'long'), field(8, 'a long one')]))
  for (const length of [32754, 32755, 32761, 32768, 70000, 140000]) {
    const log = logOf([head, field(2, Buffer.concat([item('text', JSON.stringify('y'.repeat(length))), item('x', '3')])), field(2, item('x', '4'))])
    const read = readWandbRun(log, 'long')
    expect(read.rows.map(({ step, values }) => [step, values['x']])).toEqual([[0, 3], [1, 4]])
    expect(read).toMatchObject({ name: 'a long one', exitCode: null, leftOut: ['text'], brokenAt: null })
  }
})
