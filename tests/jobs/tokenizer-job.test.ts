// The tokenizer of a model from nothing, learned from the text of snapshots and written where a model finds it.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JobEvent, TokenizerJob } from '../../src-main/domain/job.ts'
import { createChatTokenizer } from '../../src-main/engine/text/tokenizer.ts'
import { readTokenizerFiles } from '../../src-main/jobs/tokenizer-files.ts'
import { runTokenizerJob } from '../../src-main/jobs/tokenizer-job.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { tinyProject, type TinyProject } from './evaluate/tiny-project.ts'
import { readSamples, writeSnapshot } from './tiny-training.ts'

const root = mkdtempSync(join(tmpdir(), 'pivot-lab-tokenizer-'))
let tiny: TinyProject
beforeAll(() => {
  tiny = tinyProject(root)
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const aJob = (folder: string, snapshots: readonly string[], vocabSize = 300): TokenizerJob => ({
  kind: 'tokenizer',
  project: tiny.project,
  folder: join(root, folder),
  snapshots: [...snapshots],
  vocabSize,
})
async function collect(job: TokenizerJob, signal = { aborted: false }): Promise<JobEvent[]> {
  const events: JobEvent[] = []
  for await (const event of runTokenizerJob(job, signal)) events.push(event)
  return events
}

describe('the tokenizer job', () => {
  it('writes the two files of a tokenizer that reads its text in few tokens', async () => {
    const { captions, preferences, questions, objects } = tiny.snapshots
    const events = await collect(aJob('made', [captions, preferences, questions, objects], 400))
    expect(events.map(({ kind }) => kind)).toEqual(['part', 'progress', 'progress', 'progress', 'progress', 'artifact'])
    expect(events.at(-1)).toEqual({ kind: 'artifact', name: 'tokenizer', path: join(root, 'made') })
    expect(readdirSync(join(root, 'made')).sort()).toEqual(['tokenizer.json', 'tokenizer_config.json'])
    const tokenizer = createChatTokenizer(await readTokenizerFiles(join(root, 'made')))
    // Words of a conversation, of an answer and of a question were all read: each is fewer tokens than letters.
    for (const word of [' picture', ' think', ' colour'])
      expect(tokenizer.encode(word).length, word).toBeLessThan(word.length - 2)
  })

  it('learns the same from the same data', async () => {
    await collect(aJob('a', [tiny.snapshots.captions]))
    await collect(aJob('b', [tiny.snapshots.captions]))
    expect(await readTokenizerFiles(join(root, 'b'))).toEqual(await readTokenizerFiles(join(root, 'a')))
  })

  it('learns nothing from held-out text', async () => {
    const samples = readSamples(tiny, tiny.snapshots.questions)
    const heldOut = samples.map((sample) =>
      sample.split !== 'train' && sample.content.kind === 'questions'
        ? { ...sample, content: { ...sample.content, question: 'zebra zebra zebra', answer: 'zebra' } }
        : sample,
    )
    expect(heldOut).not.toEqual(samples)
    await collect(aJob('plain', [tiny.snapshots.questions]))
    await collect(aJob('held-out', [writeSnapshot(tiny, heldOut)]))
    expect(await readTokenizerFiles(join(root, 'held-out'))).toEqual(await readTokenizerFiles(join(root, 'plain')))
  })

  it('stops by its signal and writes nothing', async () => {
    const fault = await faultOfPromise(collect(aJob('stopped', [tiny.snapshots.captions]), { aborted: true }))
    expect(fault.code).toBe('cancelled')
    expect(readdirSync(root)).not.toContain('stopped')
  })

  it('names a snapshot that is missing', async () => {
    expect((await faultOfPromise(collect(aJob('none', ['0'.repeat(64)])))).code).toBe('not-found')
  })
})
