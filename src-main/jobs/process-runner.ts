// A Runner over a forked process, whichever way it is forked: relays events, asks it to cancel and kills it when it does
// not, keeps it warm between jobs, and turns its death into an error that says how it died. Jobs at the same time get a
// process each.

import type { BackendPreference } from '../domain/device.ts'
import type { DoctorReport } from '../domain/doctor-report.ts'
import { fromFailure, LabError } from '../domain/errors.ts'
import type { AbortSignalLike, Job, JobEvent, Runner } from '../domain/job.ts'
import type { Examination } from './doctor.ts'
import { EVENTS_AHEAD, type FromProcess, type ToProcess } from './process-messages.ts'

/** A forked process as the runner needs it. `ended` gives the exit code and the signal that killed it. */
export interface JobProcess {
  post(message: ToProcess): void
  kill(): void
  /** Each may be given once. */
  onMessage(listener: (message: FromProcess) => void): void
  onEnd(listener: (end: { readonly code: number | null; readonly signal: string | null }) => void): void
  /** What it last wrote to its standard error. */
  lastWords(): string
}

export interface ProcessRunner {
  readonly run: Runner
  diagnose(examination: Examination): Promise<DoctorReport>
  /** Ends the process. */
  close(): void
}

export interface RunnerTimes {
  /** How long a cancelled job may take to stop by itself, ms. */
  readonly patienceMs: number
}

/**
 * The environment of a job process. TF_ENABLE_ONEDNN_OPTS is left as the person set it. A fixed threshold keeps the C library
 * from holding freed tensors of megabytes for later: a training step peaks about 5 % lower, and no time is lost.
 */
export const JOB_ENVIRONMENT: Readonly<Record<string, string>> = {
  TF_FORCE_GPU_ALLOW_GROWTH: 'true',
  TF_CPP_MIN_LOG_LEVEL: '2',
  MALLOC_MMAP_THRESHOLD_: String(1 << 20),
}

export function createProcessRunner(fork: () => JobProcess, { patienceMs }: RunnerTimes = { patienceMs: 10_000 }): ProcessRunner {
  /** All that were forked for jobs and have not been told to close. */
  const forked = new Set<Live>()
  const busy = new Set<Live>()
  let lastId = 0

  function processFor(backend: BackendPreference): Live {
    for (const idle of [...forked].filter((each) => !busy.has(each))) {
      if (!idle.isDead && idle.backend === backend) return idle
      // A process computes on one engine for its life; another preference needs another process.
      release(idle)
    }
    const live = listenTo(fork(), backend, () => void forked.delete(live))
    forked.add(live)
    return live
  }

  function release(live: Live): void {
    forked.delete(live)
    live.post({ kind: 'close' })
  }

  /** One is kept warm. */
  function done(live: Live): void {
    busy.delete(live)
    if ([...forked].some((each) => each !== live && !busy.has(each))) release(live)
  }

  async function* run(
    job: Job,
    signal: AbortSignalLike,
    options: { readonly backend?: BackendPreference } = {},
  ): AsyncGenerator<JobEvent> {
    if (signal.aborted) throw new LabError('cancelled', 'cancelled before it began')
    const backend = options.backend ?? 'auto'
    const live = processFor(backend)
    busy.add(live)
    const id = ++lastId
    const messages = live.expect(id)
    let impatience: NodeJS.Timeout | undefined
    let isOver = false
    let taken = 0
    const cancel = () => {
      // One signal serves all jobs of a study: those that have ended must not act on it.
      if (isOver) return
      live.post({ kind: 'cancel', id })
      impatience = setTimeout(() => live.process.kill(), patienceMs)
    }
    signal.addEventListener?.('abort', cancel, { once: true })
    live.post({ kind: 'job', id, job, backend })
    try {
      for await (const message of messages) {
        if (message.kind === 'event') {
          yield message.event
          taken += 1
          if (taken === EVENTS_AHEAD / 2) {
            live.post({ kind: 'taken', id, events: taken })
            taken = 0
          }
        } else {
          isOver = true
          if (message.kind === 'failed') throw fromFailure(message.failure)
          return
        }
      }
      isOver = true
      // Killed on request ends with any code (a utility process: 0), so what was asked decides.
      if (signal.aborted) throw new LabError('cancelled', 'cancelled; the job did not stop by itself and was ended')
      throw deathError(live)
    } finally {
      clearTimeout(impatience)
      // The caller left its loop early: the job must not go on unseen.
      if (!isOver) {
        isOver = true
        live.post({ kind: 'cancel', id })
        live.process.kill()
        // It is dying: no further job may be given to it.
        forked.delete(live)
      }
      done(live)
    }
  }

  return {
    run,
    async diagnose(examination) {
      const live = listenTo(fork(), 'auto', () => {})
      const id = ++lastId
      const messages = live.expect(id)
      live.post({ kind: 'diagnose', id, examination })
      try {
        for await (const message of messages) {
          if (message.kind === 'diagnosed') return message.report
          if (message.kind === 'failed') throw fromFailure(message.failure)
        }
        throw deathError(live)
      } finally {
        live.post({ kind: 'close' })
      }
    },
    close() {
      for (const live of forked) live.process.kill()
      forked.clear()
    },
  }
}

interface Live {
  readonly process: JobProcess
  readonly backend: BackendPreference
  readonly isDead: boolean
  readonly end: { readonly code: number | null; readonly signal: string | null } | null
  post(message: ToProcess): void
  /** Messages about one request, until the process ends. */
  expect(id: number): AsyncIterable<Extract<FromProcess, { id: number }>>
}

function listenTo(process: JobProcess, backend: BackendPreference, ended: () => void): Live {
  type Numbered = Extract<FromProcess, { id: number }>
  let end: Live['end'] = null
  let expected = -1
  let waiting: Numbered[] = []
  let wake = () => {}
  process.onMessage((message) => {
    if (message.kind === 'ready' || message.id !== expected) return
    waiting.push(message)
    wake()
  })
  process.onEnd((how) => {
    end = how
    ended()
    wake()
  })
  return {
    process,
    backend,
    get isDead() {
      return end !== null
    },
    get end() {
      return end
    },
    post(message) {
      if (end === null) process.post(message)
    },
    expect(id) {
      expected = id
      waiting = []
      return {
        async *[Symbol.asyncIterator]() {
          while (true) {
            const next = waiting.shift()
            if (next !== undefined) yield next
            else if (end !== null) return
            else await new Promise<void>((resolve) => (wake = resolve))
          }
        },
      }
    },
  }
}

const SMALLER =
  'Lower batchSize (and raise gradientAccumulation by the same factor), or switch on gradientCheckpointing; then resume.'

function deathError(live: Live): LabError {
  const { code, signal } = live.end ?? { code: null, signal: null }
  const lastWords = live.process.lastWords().trim()
  const details = { code, signal, lastWords }
  const said = lastWords === '' ? '' : ` Its last words: ${tellingLines(lastWords).join(' | ')}`
  if (/\bOOM\b|out of memory|bad_alloc|heap limit|Cannot allocate memory/i.test(lastWords))
    return new LabError('out-of-memory', `the job process ran out of memory. ${SMALLER}${said}`, details)
  // Nobody here sends SIGKILL without having been asked to: on Linux this is the kernel making room.
  if (signal === 'SIGKILL' || code === 137)
    return new LabError(
      'process-died',
      `the job process was killed (SIGKILL), most likely because the machine ran out of memory. ${SMALLER}${said}`,
      details,
    )
  const how = signal === null ? `ended with exit code ${code ?? 'unknown'}` : `was ended by ${signal}`
  return new LabError(
    'process-died',
    `the job process ${how} before its job was done. Resume continues from the last checkpoint.${said}`,
    details,
  )
}

/** What says most of a stack trace: the lines that name an error, else the last ones. */
function tellingLines(words: string): readonly string[] {
  const lines = words.split('\n').filter((line) => line.trim() !== '')
  const errors = lines.filter((line) => /^\S*(Error|Exception)\b|terminate called|fatal/i.test(line))
  return (errors.length > 0 ? errors : lines).slice(-3).map((line) => line.trim())
}
