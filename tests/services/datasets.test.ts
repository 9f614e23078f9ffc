// Importing: what was read is there once, under its content's name, and nothing is half there.

import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ImportEvent } from '../../src-main/domain/import-event.ts'
import { parse } from '../../src-main/domain/parse.ts'
import { sampleSchema } from '../../src-main/domain/sample.ts'
import type { ReadDataset } from '../../src-main/services/parts.ts'
import { aLab } from '../support/a-lab.ts'
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
    const file = join(temporaryFolder(), 'Photo.PNG')
    writeFileSync(file, 'the bytes of an image')
    const image = { file, sha256: sha256('the bytes of an image'), bytes: 21, width: 8, height: 4 }
    const { lab } = aLab(folder, {
      readDataset: reading(anImportedQuestion(1, { image }), anImportedQuestion(2, { image }), anImportedQuestion(2, { image })),
    })
    const summary = await lab.datasets.import({ path: '/data', name: null })
    expect(summary).toMatchObject({ added: 2, unchanged: 1, datasets: [{ name: 'data', images: 1 }] })
    const path = join('images', image.sha256.slice(0, 2), `${image.sha256}.png`)
    expect(lab.findImage(image.sha256)).toEqual({ sha256: image.sha256, path, width: 8, height: 4 })
    expect(readFileSync(join(folder, path), 'utf8')).toBe('the bytes of an image')
    await lab.close()
  })

  it('by reference leaves images where they are', async () => {
    const folder = temporaryFolder()
    const image = { file: '/photos/a.jpg', sha256: 'a'.repeat(64), bytes: 9, width: 8, height: 4 }
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

  it('can be cancelled, and done again from the start without a double', async () => {
    const { lab } = aLab(temporaryFolder())
    const signal = { aborted: false }
    const cancelled = await faultOfPromise(
      lab.datasets.import({ path: '/data/questions/1200', name: 'mine' }, () => {}, {
        get aborted() {
          return (signal.aborted ||= lab.datasets.list().some(({ samples }) => samples.test >= 500))
        },
      }),
    )
    expect(cancelled.code).toBe('cancelled')
    expect(lab.datasets.named('mine').snapshot).toBeNull()
    const again = await lab.datasets.import({ path: '/data/questions/1200', name: 'mine' })
    expect([again.added, again.unchanged]).toEqual([700, 500])
    await lab.close()
  })
})
