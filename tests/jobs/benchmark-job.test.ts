// Laws of asking a benchmark: every number follows from its items, an answer is never computed twice, and a stopped job has told
// what it had.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { BenchmarkAnswer } from '../../src-main/domain/benchmark.ts'
import { jobSchema, type BenchmarkJob, type JobEvent } from '../../src-main/domain/job.ts'
import { sampleSchema } from '../../src-main/domain/sample.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { runBenchmarkJob } from '../../src-main/jobs/benchmark-job.ts'
import { sha256 } from '../../src-main/jobs/files.ts'
import { tinyProject } from './evaluate/tiny-project.ts'

const root = mkdtempSync(join(tmpdir(), 'pivot-lab-benchmark-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let job: BenchmarkJob

beforeAll(async () => {
  await openBackend()
  const tiny = tinyProject(root, { train: 1, validation: 1, test: 4 })
  const lines = readFileSync(join(root, 'snapshots', `${tiny.snapshots.questions}.jsonl`), 'utf8').trim().split('\n')
  const rows = lines.map((line, i) => {
    const sample = sampleSchema.parse(JSON.parse(line))
    const benchmark = { name: 'mmbench', unit: `q${i}`, part: null, answers: ['B'], options: ['red', 'green', 'blue'], context: null }
    return JSON.stringify({ ...sample, content: { ...sample.content, benchmark } })
  })
  const text = rows.map((row) => `${row}\n`).join('')
  writeFileSync(join(root, 'snapshots', `${sha256(text)}.jsonl`), text)
  const settings = { suffix: 'Letter.', maxNewTokens: 3, batchSize: 4 }
  job = jobSchema.parse({ kind: 'benchmark', project: root, checkpoint: await tiny.checkpoint(1), snapshot: sha256(text), settings, answers: [] }) as BenchmarkJob
})

async function run(of: BenchmarkJob, signal = { aborted: false }, observe: (event: JobEvent) => void = () => {}): Promise<JobEvent[]> {
  const events: JobEvent[] = []
  for await (const event of runBenchmarkJob(of, signal)) {
    events.push(event)
    observe(event)
  }
  return events
}
const answersIn = (events: readonly JobEvent[]): BenchmarkAnswer[] =>
  events.flatMap((event) =>
    event.kind === 'items' && event.metric === 'answers' ? event.items.map(({ itemId, detail }) => ({ itemId, ...(detail as { prompt: string; answer: string }) })) : [],
  )
const resultsIn = (events: readonly JobEvent[]) => events.filter((event) => event.kind === 'result')

it('asks each rotation once, reuses all answers, and asks again where the prompt changed', async () => {
  const first = await run(job)
  const answers = answersIn(first)
  expect(answers).toHaveLength(6 * 3)
  expect(new Set(answers.map(({ itemId }) => itemId)).size).toBe(18)
  const rotated = answers.find(({ itemId }) => itemId.endsWith('/1'))!
  expect(rotated.prompt).toMatch(/\nA\. green\nB\. blue\nC\. red\nLetter\.$/)

  const again = await run({ ...job, answers })
  expect(answersIn(again)).toEqual([])
  expect(resultsIn(again)).toEqual(resultsIn(first))
  const other = await run({ ...job, answers, settings: { ...job.settings, suffix: 'Say the letter.' } })
  expect(answersIn(other)).toHaveLength(18)

  for (const event of resultsIn(first)) {
    const items = first.flatMap((each) => (each.kind === 'items' && each.metric === event.metric ? each.items : []))
    expect(items).toHaveLength(event.n)
    expect(items.reduce((sum, { value }) => sum + value, 0) / items.length).toBeCloseTo(event.value, 12)
  }
})

it('a stopped job has told its answers: going on computes only the others', async () => {
  const signal = { aborted: false }
  const told: JobEvent[] = []
  await expect(
    run(job, signal, (event) => {
      told.push(event)
      if (event.kind === 'items') signal.aborted = true
    }),
  ).rejects.toMatchObject({ code: 'cancelled' })
  expect(answersIn(told)).toHaveLength(4)
  expect(answersIn(await run({ ...job, answers: answersIn(told) }))).toHaveLength(14)
})
