// Laws of comparing two encoders' representations: an encoder is wholly like itself, tables have a row and column a layer, every
// picture has its place, and too few pictures are refused.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { jobSchema, type RepresentationJob } from '../../src-main/domain/job.ts'
import { representationSchema, type Representation } from '../../src-main/domain/representation.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { runRepresentationJob } from '../../src-main/jobs/representation-job.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { tinyProject, type TinyProject } from './evaluate/tiny-project.ts'

const root = mkdtempSync(join(tmpdir(), 'pivot-lab-representation-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let tiny: TinyProject
let folders: readonly [string, string]
beforeAll(async () => {
  await openBackend()
  tiny = tinyProject(root)
  folders = [await tiny.checkpoint(1), await tiny.checkpoint(2)]
})

async function compared(fields: object = {}, settings: object = {}, signal = { aborted: false }): Promise<Representation> {
  const job = jobSchema.parse({
    kind: 'representation', project: root, a: folders[0], b: folders[1], languageModel: folders[0], snapshot: tiny.snapshots.captions, split: 'test',
    settings: { limit: 18, neighbours: 3, ...settings }, ...fields,
  })
  let value: unknown
  for await (const event of runRepresentationJob(job as RepresentationJob, signal)) if (event.kind === 'answer') ({ value } = event)
  return representationSchema.parse(value)
}

it('there is a table of either measure for every two models, a place for every picture, and no tensor stays', async () => {
  const before = tf.memory().numTensors
  const found = await compared()
  expect(tf.memory().numTensors).toBe(before)
  expect(found.tables.map(({ rows, columns }) => `${rows} ${columns}`)).toEqual(['a b', 'a a', 'b b', 'a language', 'b language'].flatMap((each) => [each, each]))
  for (const { values, best, columns } of found.tables) {
    expect([values.length, values[0]!.length]).toEqual([2, columns === 'language' ? 3 : 2])
    expect(best.value).toBe(Math.max(...values.flat()))
    expect(values[best.row]![best.column]).toBe(best.value)
  }
  expect([found.images, found.moved.length, new Set(found.moved.map(({ image }) => image)).size]).toEqual([18, 18, 18])
  expect(found.changed.every(({ a, b, shared }) => a.length === 3 && b.length === 3 && shared <= 3)).toBe(true)
})

it('an encoder compared with itself has not changed', async () => {
  const { tables, kept, residual, moved, a, b } = await compared({ b: folders[0] })
  expect(tables[0]!.values.map((row, i) => row[i])).toEqual([expect.closeTo(1, 5), expect.closeTo(1, 5)])
  expect([kept, residual]).toEqual([1, expect.closeTo(0, 5)])
  for (const { before, after } of moved) expect(after).toEqual(before.map((value) => expect.closeTo(value, 4)))
  expect(a).toEqual(b)
})

it('without captions language is left out and that is said; a stop is heeded; too few pictures are refused', async () => {
  const { tables, notes } = await compared({ snapshot: tiny.snapshots.questions })
  expect(tables.some(({ columns }) => columns === 'language')).toBe(false)
  expect(notes.join()).toContain('caption')
  expect(await faultOfPromise(compared({}, {}, { aborted: true }))).toMatchObject({ code: 'cancelled' })
  expect(await faultOfPromise(compared({}, { neighbours: 50 }))).toMatchObject({ code: 'invalid-input', message: expect.stringContaining('found 18') })
})
