// The job process's side of the conversation: one job at a time, the engine opened before the first and kept warm for the
// next. The same code serves Electron's utilityProcess (process.parentPort) and node:child_process (process.send).

import { setImmediate as nextTurn } from 'node:timers/promises'
import { DATA_JOB_KINDS } from '../domain/data-job.ts'
import type { BackendPreference } from '../domain/device.ts'
import type { DoctorReport } from '../domain/doctor-report.ts'
import { LabError, toFailure } from '../domain/errors.ts'
import type { AbortSignalLike, Job, JobEvent } from '../domain/job.ts'
import type { BackendInfo } from './backend/backend.ts'
import type { Examination } from './doctor.ts'
import { EVENTS_AHEAD, type FromProcess, type ToProcess } from './process-messages.ts'

interface ParentPort {
  on(event: 'message', listener: (message: { readonly data: unknown }) => void): void
  postMessage(message: unknown): void
}

export interface JobServer {
  readonly runJob: (job: Job, signal: AbortSignalLike) => AsyncIterable<JobEvent>
  readonly openBackend: (preference: BackendPreference) => Promise<BackendInfo>
  readonly versions: () => Readonly<Record<string, string>>
  readonly diagnose: (examination: Examination) => Promise<DoctorReport>
}

/** Jobs that compute nothing on tensors: no engine is opened for them. */
const WITHOUT_ENGINE: readonly string[] = ['sight-test', 'tokenizer', 'inspect', 'check-export', ...DATA_JOB_KINDS]

/** Serves the process that forked this one until that one goes or says close. */
export function serveJobs({ runJob, openBackend, versions, diagnose }: JobServer): void {
  const parentPort = (process as { parentPort?: ParentPort }).parentPort
  const post = (message: FromProcess): void =>
    parentPort === undefined ? void process.send?.(message) : parentPort.postMessage(message)
  /** The request under way, how to stop it, and how many events of it are sent and not taken. */
  let current: { readonly id: number; readonly signal: { aborted: boolean }; ahead: number } | null = null
  let wake = () => {}
  let isClosing = false

  function receive(message: ToProcess): void {
    switch (message.kind) {
      case 'job':
      case 'diagnose':
        if (current !== null) {
          const failure = toFailure(
            new LabError('internal', `job process: asked for request ${message.id} while ${current.id} is under way`),
          )
          return post({ kind: 'failed', id: message.id, failure })
        }
        current = { id: message.id, signal: { aborted: false }, ahead: 0 }
        return void work(message, current.signal)
      case 'cancel':
        if (current?.id === message.id) current.signal.aborted = true
        return wake()
      case 'taken':
        if (current?.id === message.id) current.ahead -= message.events
        return wake()
      case 'close':
        isClosing = true
        if (current === null) process.exit(0)
    }
  }

  async function work(request: Extract<ToProcess, { kind: 'job' | 'diagnose' }>, signal: AbortSignalLike): Promise<void> {
    const { id } = request
    try {
      if (request.kind === 'diagnose') post({ kind: 'diagnosed', id, report: await diagnose(request.examination) })
      else {
        if (!WITHOUT_ENGINE.includes(request.job.kind))
          for (const event of describeBackend(await openBackend(request.backend), versions())) post({ kind: 'event', id, event })
        for await (const event of runJob(request.job, signal)) {
          post({ kind: 'event', id, event })
          if (current !== null) current.ahead += 1
          // Promises alone never let the cancel message in.
          await nextTurn()
          while (current !== null && current.ahead >= EVENTS_AHEAD && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve))
        }
      }
      post({ kind: 'finished', id })
    } catch (thrown) {
      post({ kind: 'failed', id, failure: toFailure(thrown) })
    } finally {
      current = null
      if (isClosing) process.exit(0)
    }
  }

  if (parentPort !== undefined) parentPort.on('message', ({ data }) => receive(data as ToProcess))
  else if (process.send !== undefined) {
    process.on('message', (message) => receive(message as ToProcess))
    // The one who asked is gone: nobody would write the rows.
    process.on('disconnect', () => process.exit(0))
  } else {
    process.stderr.write('This file is run by the lab as its job process. For the command line: npm run lab -- --help\n')
    process.exitCode = 2
    return
  }
  // Ctrl-C reaches the whole process group; main decides what it means.
  process.on('SIGINT', () => {})
  post({ kind: 'ready' })
}

function describeBackend(backend: BackendInfo, versions: Readonly<Record<string, string>>): readonly JobEvent[] {
  const { engine, device, threads, why } = backend
  const named: JobEvent = { kind: 'device', engine, device, versions: { ...versions, threads: String(threads) } }
  return why === null ? [named] : [named, { kind: 'log', level: 'warning', message: `not on the native engine: ${why}` }]
}
