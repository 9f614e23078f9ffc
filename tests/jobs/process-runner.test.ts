// The conversation with a forked process, on real processes: what a job says arrives in order, and however it ends, the
// caller is told why.

import { afterEach, describe, expect, it } from 'vitest'
import type { LabError } from '../../src-main/domain/errors.ts'
import type { JobEvent, TokenizerJob } from '../../src-main/domain/job.ts'
import { createChildProcessRunner } from '../../src-main/jobs/child-process.ts'
import { EVENTS_AHEAD } from '../../src-main/jobs/process-messages.ts'
import type { ProcessRunner } from '../../src-main/jobs/process-runner.ts'

const BEHAVIOUR = { counts: 300, fails: 301, dies: 302, spins: 303, waits: 304, exits: 305 }
const ENTRY = new URL('../support/fake-process-entry.ts', import.meta.url)
const never = new AbortController().signal

let runner: ProcessRunner
afterEach(() => runner.close())

const job = (vocabSize: number): TokenizerJob => ({
  kind: 'tokenizer',
  project: '/nowhere',
  folder: '/nowhere',
  snapshots: ['none'],
  vocabSize,
})

async function collect(events: AsyncIterable<JobEvent>): Promise<readonly JobEvent[]> {
  const all: JobEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

async function failureOf(events: AsyncIterable<JobEvent>): Promise<LabError> {
  return collect(events).then(
    () => expect.unreachable('the job was expected to fail'),
    (thrown: unknown) => thrown as LabError,
  )
}

describe('a forked job process', () => {
  it('relays every event in order, then ends', async () => {
    runner = createChildProcessRunner(ENTRY)
    const events = await collect(runner.run(job(BEHAVIOUR.counts), never))
    expect(events.slice(1).map((event) => (event.kind === 'progress' ? event.done : event))).toEqual([1, 2, 3, 4, 5])
  })

  it('stays warm: the next job runs in the same process, with the environment set for TensorFlow', async () => {
    runner = createChildProcessRunner(ENTRY)
    const [first] = await collect(runner.run(job(BEHAVIOUR.counts), never))
    const [second] = await collect(runner.run(job(BEHAVIOUR.counts), never))
    expect(second).toEqual(first)
    expect(first).toMatchObject({ kind: 'device', versions: { backendOpens: process.env['TF_CPP_MIN_LOG_LEVEL'] ?? '2' } })
  })

  it('hands over the code of a failure, and can work again after it', async () => {
    runner = createChildProcessRunner(ENTRY)
    const failure = await failureOf(runner.run(job(BEHAVIOUR.fails), never))
    expect({ code: failure.code, details: failure.details }).toEqual({ code: 'loss-not-finite', details: { step: 3 } })
    expect(await collect(runner.run(job(BEHAVIOUR.counts), never))).toHaveLength(6)
  })

  it('calls a killed process dead, with its signal and its last words, and forks another for the next job', async () => {
    runner = createChildProcessRunner(ENTRY)
    const failure = await failureOf(runner.run(job(BEHAVIOUR.dies), never))
    expect(failure.code).toBe('process-died')
    expect(failure.details).toMatchObject({ signal: 'SIGKILL', lastWords: expect.stringContaining('something dreadful') })
    expect(await collect(runner.run(job(BEHAVIOUR.counts), never))).toHaveLength(6)
  })

  it('recognises a process that ran out of memory', async () => {
    runner = createChildProcessRunner(ENTRY)
    expect((await failureOf(runner.run(job(BEHAVIOUR.exits), never))).code).toBe('out-of-memory')
  })

  it('stops at the next event when cancelled, and the process lives on', async () => {
    runner = createChildProcessRunner(ENTRY)
    const controller = new AbortController()
    let seen = 0
    const failure = await failureOf(
      (async function* () {
        for await (const event of runner.run(job(BEHAVIOUR.waits), controller.signal)) {
          if (++seen === 4) controller.abort()
          yield event
        }
      })(),
    )
    expect(failure.code).toBe('cancelled')
    expect(await collect(runner.run(job(BEHAVIOUR.counts), never))).toHaveLength(6)
  })

  it('runs only a few events ahead of who takes them, so that nobody waits behind a queue of them', async () => {
    runner = createChildProcessRunner(ENTRY)
    const controller = new AbortController()
    let seen = 0
    const failure = await failureOf(
      (async function* () {
        for await (const event of runner.run(job(BEHAVIOUR.waits), controller.signal)) {
          yield event
          if (++seen !== 4) continue
          // Long enough for thousands of events: a process is forked, works and ends.
          await collect(runner.run(job(BEHAVIOUR.counts), never))
          controller.abort()
        }
      })(),
    )
    expect(Number(failure.message.match(/\d+/)![0])).toBeLessThanOrEqual(seen + EVENTS_AHEAD)
  })

  it('kills a job that does not stop by itself, and calls it cancelled', async () => {
    runner = createChildProcessRunner(ENTRY, { patienceMs: 100 })
    const controller = new AbortController()
    const events = runner.run(job(BEHAVIOUR.spins), controller.signal)
    const failure = await failureOf(
      (async function* () {
        for await (const event of events) {
          controller.abort()
          yield event
        }
      })(),
    )
    expect(failure.code).toBe('cancelled')
  })

  it('a signal that outlives its job does not end the process under the next one', async () => {
    runner = createChildProcessRunner(ENTRY, { patienceMs: 50 })
    const shared = new AbortController()
    await collect(runner.run(job(BEHAVIOUR.counts), shared.signal))
    const next = runner.run(job(BEHAVIOUR.waits), never)
    const started = performance.now()
    let seen = 0
    for await (const event of next) {
      if (++seen === 5) shared.abort()
      // Long past the patience with the first job.
      if (event.kind === 'progress' && performance.now() - started > 400) break
    }
    expect(seen).toBeGreaterThan(5)
  })

  it('asks the doctor in a process of its own', async () => {
    runner = createChildProcessRunner(ENTRY)
    expect(await runner.diagnose({ folder: '/nowhere', others: [] })).toEqual({ healthy: true, checks: [] })
  })
})
