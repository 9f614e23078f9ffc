// Importing: what was read is there once, under its content's name, and nothing is half there.

import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { DataJob } from '../../src-main/domain/data-job.ts'
import type { DataTaskRow } from '../../src-main/domain/data-task.ts'
import { LabError } from '../../src-main/domain/errors.ts'
import type { ImportEvent } from '../../src-main/domain/import-event.ts'
import { parse } from '../../src-main/domain/parse.ts'
import { sampleFilterSchema } from '../../src-main/domain/sample-query.ts'
import { sampleSchema } from '../../src-main/domain/sample.ts'
import { encodePng } from '../../src-main/jobs/images/codec.ts'
import { runDataJob } from '../../src-main/jobs/run-data-job.ts'
import { aLab, type ReadDataset } from '../support/a-lab.ts'
import { anImportedPair, anImportedQuestion } from '../support/builders.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex')
const reading = (...events: readonly ImportEvent[]): ReadDataset =>
  async function* () {
    yield* events
  }

describe('importing', () => {
  it('twice changes nothing: same samples, same snapshot, same files', async () => {
    const folder = temporaryFolder()
    const { lab } = aLab(folder)
    const first = await lab.datasets.import({ path: '/data/questions/700', name: 'mine' })
    const files = readdirSync(join(folder, 'snapshots'))
    const second = await lab.datasets.import({ path: '/data/questions/700', name: 'mine' })
    expect([first.added, first.unchanged, second.added, second.unchanged]).toEqual([700, 0, 0, 700])
    expect(second.datasets).toMatchObject([
      { id: first.datasets[0]!.id, snapshot: first.datasets[0]!.snapshot, samples: { train: 0, validation: 0, test: 700 } },
    ])
    expect(readdirSync(join(folder, 'snapshots'))).toEqual(files)
    await lab.close()
  })

  it('a snapshot is named by its bytes, holds one sample a line in import order, and equal content is one file', async () => {
    const folder = temporaryFolder()
    const { lab } = aLab(folder)
    const [first] = (await lab.datasets.import({ path: '/data/questions/5', name: 'one' })).datasets
    const [second] = (await lab.datasets.import({ path: '/elsewhere/questions/5', name: 'two' })).datasets
    const text = readFileSync(join(folder, 'snapshots', `${first!.snapshot}.jsonl`), 'utf8')
    expect(sha256(text)).toBe(first!.snapshot)
    expect(second!.snapshot).toBe(first!.snapshot)
    expect(readdirSync(join(folder, 'snapshots'))).toHaveLength(1)
    const samples = text
      .trimEnd()
      .split('\n')
      .map((line) => parse(sampleSchema, JSON.parse(line)))
    expect(samples.map(({ source }) => source)).toEqual(['row 0', 'row 1', 'row 2', 'row 3', 'row 4'])
    await lab.close()
  })

  it('copies an image once, under its hash, and the same content twice in a file is one sample', async () => {
    const folder = temporaryFolder()
    const source = temporaryFolder()
    const bytes = encodePng({ width: 8, height: 4, data: new Uint8Array(96) })
    writeFileSync(join(source, 'Photo.PNG'), bytes)
    const rows = ['one', 'two', 'two'].map((question) => JSON.stringify({ image: 'Photo.PNG', question, answer: 'yes' }))
    writeFileSync(join(source, 'data.jsonl'), rows.join('\n'))
    const { lab } = aLab(folder, { dataRunner: (job, signal) => runDataJob(job as DataJob, signal) })
    const summary = await lab.datasets.import({ path: join(source, 'data.jsonl'), name: null })
    expect(summary).toMatchObject({ added: 2, unchanged: 1, datasets: [{ name: 'data', images: 1 }] })
    const path = `images/${sha256(bytes).slice(0, 2)}/${sha256(bytes)}.png`
    expect(lab.findImage(sha256(bytes))).toEqual({ sha256: sha256(bytes), path, width: 8, height: 4 })
    expect(sha256(readFileSync(join(folder, path)))).toBe(sha256(bytes))
    await lab.close()
  })

  it('by reference leaves images where they are', async () => {
    const folder = temporaryFolder()
    const image = { file: '/photos/a.jpg', sha256: 'a'.repeat(64), bytes: 9, width: 8, height: 4, format: 'jpeg' }
    const { lab } = aLab(folder, { readDataset: reading(anImportedQuestion(1, { image })) })
    await lab.datasets.import({ path: '/data', name: 'mine', images: 'reference' })
    expect(lab.findImage(image.sha256)!.path).toBe('/photos/a.jpg')
    expect(existsSync(join(folder, 'images'))).toBe(false)
    await lab.close()
  })

  it('of nothing but faults is refused with the first of them, and leaves no dataset', async () => {
    const fault: ImportEvent = {
      kind: 'fault',
      file: 'rows.jsonl',
      line: 3,
      field: 'image',
      expected: 'a file',
      found: 'nothing at a.png',
    }
    const { lab } = aLab(temporaryFolder(), { readDataset: reading(fault) })
    const refused = await faultOfPromise(lab.datasets.import({ path: '/data', name: 'mine' }))
    expect(refused.code).toBe('invalid-input')
    expect(refused.message).toContain('rows.jsonl, line 3: image: expected a file, found nothing at a.png')
    expect(lab.datasets.list()).toEqual([])
    await lab.close()
  })

  it('names the rows that were left out, and keeps the others', async () => {
    const fault: ImportEvent = {
      kind: 'fault',
      file: 'rows.jsonl',
      line: 3,
      field: 'image',
      expected: 'a file',
      found: 'nothing',
    }
    const { lab } = aLab(temporaryFolder(), { readDataset: reading(anImportedQuestion(1), fault, anImportedQuestion(2)) })
    const summary = await lab.datasets.import({ path: '/data', name: 'mine' })
    expect(summary.added).toBe(2)
    expect(summary.problems).toEqual(['rows.jsonl, line 3: image: expected a file, found nothing'])
    await lab.close()
  })

  it('of another kind under the same name is refused', async () => {
    const { lab } = aLab(temporaryFolder())
    await lab.datasets.import({ path: '/data/questions/2', name: 'mine' })
    expect((await faultOfPromise(lab.datasets.import({ path: '/data/preferences/2', name: 'mine' }))).code).toBe('conflict')
    expect(lab.datasets.named('mine').kind).toBe('questions')
    await lab.close()
  })

  it('of two kinds at once makes a dataset of each', async () => {
    const { lab } = aLab(temporaryFolder(), {
      readDataset: reading(anImportedQuestion(1), anImportedPair(1), anImportedQuestion(2)),
    })
    const { datasets } = await lab.datasets.import({ path: '/data', name: 'mine' })
    expect(datasets.map(({ name, kind }) => [name, kind])).toEqual([
      ['mine', 'questions'],
      ['mine preferences', 'preferences'],
    ])
    await lab.close()
  })

  it('stopped on the way keeps what it has, and goes on without a double when it is asked for again', async () => {
    const { lab, runner } = aLab(temporaryFolder())
    const controller = new AbortController()
    let messages = 0
    runner.beforeEvent = () => {
      messages += 1
      if (messages === 6) controller.abort()
    }
    const request = { path: '/data/questions/1200', name: 'mine' }
    expect((await faultOfPromise(lab.datasets.import(request, controller.signal))).code).toBe('cancelled')
    expect(lab.datasets.named('mine')).toMatchObject({ snapshot: null, samples: { test: 499 } })
    expect(lab.tasks.list()).toMatchObject([{ status: 'paused' }])
    const again = await lab.datasets.import(request)
    expect([again.added, again.unchanged]).toEqual([1200, 0])
    expect(lab.tasks.list()).toMatchObject([{ id: again.taskId, status: 'finished' }])
    await lab.close()
  })

  it('cancelled leaves nothing behind: no sample, no dataset, no image', async () => {
    const folder = temporaryFolder()
    const source = temporaryFolder()
    for (const i of [0, 1, 2]) writeFileSync(join(source, `${i}.png`), encodePng({ width: 8, height: 4, data: new Uint8Array(96).fill(i) }))
    writeFileSync(join(source, 'data.jsonl'), [0, 1, 2].map((i) => JSON.stringify({ image: `${i}.png`, question: 'Q', answer: 'A' })).join('\n'))
    const { lab } = aLab(folder, {
      async *dataRunner(job, signal) {
        yield* runDataJob(job as DataJob, signal)
        await lab.tasks.cancel(lab.tasks.list()[0]!.id)
        throw new LabError('cancelled', 'as the process says')
      },
    })
    await faultOfPromise(lab.datasets.import({ path: join(source, 'data.jsonl'), name: 'mine' }))
    expect(lab.datasets.list()).toEqual([])
    expect(lab.curation.count(sampleFilterSchema.parse({}))).toBe(0)
    expect(readdirSync(join(folder, 'images'), { recursive: true }).filter((name) => String(name).endsWith('.png'))).toEqual([])
    expect(lab.tasks.list()).toMatchObject([{ status: 'cancelled' }])
    await lab.close()
  })

  it('that its process left behind is failed at the next start, and can be resumed', async () => {
    const folder = temporaryFolder()
    const first = aLab(folder, {
      readDataset: async function* () {
        yield anImportedQuestion(1)
        yield anImportedQuestion(2)
        throw new LabError('process-died', 'killed')
      },
    })
    await faultOfPromise(first.lab.datasets.import({ path: '/data/questions/4', name: 'mine' }))
    await first.lab.close()
    const second = aLab(folder)
    const [{ id, status }] = second.lab.tasks.list() as [DataTaskRow]
    expect(status).toBe('failed')
    second.lab.tasks.resume(id)
    expect((await second.lab.tasks.ended(id)).result).toMatchObject({ added: 4, unchanged: 0 })
    await second.lab.close()
  })
})

describe('a snapshot', () => {
  it('holds nobody up who writes meanwhile, and what came after it is in the next one', async () => {
    const { lab } = aLab(temporaryFolder())
    await lab.datasets.import({ path: '/data/questions/700', name: 'mine' })
    const { id } = lab.datasets.named('mine')
    const filter = sampleFilterSchema.parse({ datasetId: id })
    const exclude = { kind: 'state', state: 'excluded' } as const
    for (let i = 0; i < 4; i++) {
      const [row] = lab.curation.order({ filter, sort: 'imported', direction: 'ascending' })
      const taking = lab.datasets.takeSnapshot(id)
      // Beside it, at moments that differ: settings as any other row of the database.
      for (let j = 0; j < i; j++) await new Promise(setImmediate)
      lab.settings.set({ labeller: `Ada ${i}` })
      await lab.curation.change({ kind: 'rows', rows: [row!] }, exclude)
      await taking
      const kept = await lab.datasets.snapshotOf('mine')
      expect(lab.datasets.versions(id).find(({ sha256: of }) => of === kept)?.samples).toBe(700 - i - 1)
    }
    await lab.close()
  })
})
