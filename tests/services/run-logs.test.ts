// Laws of exported logs: event files read back record by record with right checksums, times run forward, the CSV holds every number,
// and a folder that is there is left alone.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Lab } from '../../src-main/compose.ts'
import { crc32c, eventFile } from '../../src-main/services/run-logs/tensorboard-events.ts'
import { aLabWithData } from '../support/a-lab.ts'
import { aStudyConfig } from '../support/builders.ts'
import { faultOfPromise } from '../support/fault-of.ts'

let lab: Lab
let runIds: readonly string[]
const folder = mkdtempSync(join(tmpdir(), 'pivot-lab-run-logs-'))
beforeAll(async () => {
  lab = (await aLabWithData(folder)).lab
  const { studyId } = lab.studies.start({ kind: 'config', config: aStudyConfig({ seeds: [0] }) })
  await lab.studies.ended(studyId)
  runIds = lab.studies.get(studyId).runs.map(({ id }) => id).slice(0, 2)
})
afterAll(async () => {
  await lab.close()
  rmSync(folder, { recursive: true, force: true })
})

/** The records of a file, each checked against both of its masked checksums. */
function recordsOf(file: Buffer): readonly Buffer[] {
  const records: Buffer[] = []
  const masked = (data: Buffer) => (((crc32c(data) >>> 15) | (crc32c(data) << 17)) + 0xa282ead8) >>> 0
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at))
    expect(file.readUInt32LE(at + 8)).toBe(masked(file.subarray(at, at + 8)))
    const data = file.subarray(at + 12, at + 12 + length)
    expect(file.readUInt32LE(at + 12 + length)).toBe(masked(data))
    records.push(data)
    at += 16 + length
  }
  return records
}

describe('event files', () => {
  it('the checksum is Castagnoli’s: the published check value, and that of nothing', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa)
    expect(crc32c(Buffer.alloc(0))).toBe(0)
  })

  it('a scalar is an event of wall time, step, tag and value, byte for byte', () => {
    const [version, event] = recordsOf(Buffer.from(eventFile([{ tag: 'loss', step: 300, value: 0.5, wallTime: 2 }], 1)))
    expect(version!.subarray(9).toString()).toBe('\u001a\u000dbrain.Event:2')
    // double 2.0 in field 1; varint 300 in field 2; in field 5 a summary whose value has the tag and the float 0.5
    expect(event!.toString('hex')).toBe('09' + '0000000000000040' + '10ac02' + '2a0d' + '0a0b' + '0a04' + '6c6f7373' + '15' + '0000003f')
  })

  it('each run has a folder with one file; a record for the version and one for each number; times run forward', async () => {
    const { path, runId } = await lab.runLogs.write(runIds, 'tensorboard', null)
    expect(runId).toBe(null)
    const folders = readdirSync(path)
    expect(folders).toHaveLength(2)
    for (const each of folders) {
      const id = runIds.find((run) => each.endsWith(run))!
      const records = recordsOf(readFileSync(join(path, each, readdirSync(join(path, each))[0]!)))
      const count = lab.runs.series(id, [], 10_000).reduce((sum, { points }) => sum + points.length, 0)
      expect(records).toHaveLength(1 + count)
      const times = records.map((record) => record.readDoubleLE(1))
      expect(times).toEqual(times.toSorted((a, b) => a - b))
    }
  })
})

describe('CSV', () => {
  it('has a line for every number, with names quoted where they must be', async () => {
    const { path } = await lab.runLogs.write([runIds[0]!], 'csv', join(folder, 'out'))
    const [head, ...lines] = readFileSync(join(path, 'runs.csv'), 'utf8').trimEnd().split('\n')
    expect(head).toBe('run,name,metric,step,value,seconds')
    expect(lines).toHaveLength(lab.runs.series(runIds[0]!, [], 10_000).reduce((sum, { points }) => sum + points.length, 0))
    expect(lines.every((line) => line.includes('"Seed 0: stage') || !line.includes('stage 0,'))).toBe(true)
  })

  it('an unknown run is refused, and a folder that holds something is left alone', async () => {
    expect(await faultOfPromise(lab.runLogs.write(['nothing'], 'csv', null))).toMatchObject({ code: 'not-found' })
    mkdirSync(join(folder, 'full'))
    writeFileSync(join(folder, 'full', 'mine.txt'), 'kept')
    expect(await faultOfPromise(lab.runLogs.write(runIds, 'csv', join(folder, 'full')))).toMatchObject({ code: 'conflict' })
    expect(readdirSync(join(folder, 'full'))).toEqual(['mine.txt'])
  })
})
