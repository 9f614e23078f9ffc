// Writes a training job's events as they come, each in a small transaction, and its ending however it ends.

import { LabError } from '../domain/errors.ts'
import { executionWords } from '../domain/device.ts'
import type { JobEvent } from '../domain/job.ts'
import type { Parts } from './parts.ts'
import { endingOf, type Ending, type StopRequest } from './stop-request.ts'

/**
 * Never rejects: the run's row tells. `observe` sees each event after it is written.
 * A run whose row says 'queued' is begun here.
 */
export async function followRun(
  { store, now, announce }: Pick<Parts, 'store' | 'now' | 'announce'>,
  runId: string,
  events: (signal: AbortSignal) => AsyncIterable<JobEvent>,
  stop: StopRequest,
  observe: (event: JobEvent) => void = () => {},
): Promise<Ending> {
  const ending = await work().catch((thrown: unknown) => endingOf(thrown, stop))
  const failure = ending.status === 'failed' ? ending.failure : null
  if (failure !== null) store.runLog.append(runId, now(), 'error', failure.message)
  store.runs.end(runId, ending.status, now(), failure)
  announce({ name: 'run.changed', value: { runId } })
  return ending

  async function work(): Promise<Ending> {
    store.runs.begin(runId, now())
    announce({ name: 'run.changed', value: { runId } })
    if (stop.signal.aborted) throw new LabError('cancelled', 'stopped before it began')
    for await (const event of events(stop.signal)) {
      write(event)
      announce({ name: 'run.changed', value: { runId } })
      observe(event)
    }
    return { status: 'finished' }
  }

  /** Time under way so far, pauses left out. */
  function workedMs(): number {
    const run = store.runs.find(runId)!
    return run.row.workedMs + Math.max(0, now() - (run.runningSinceMs ?? now()))
  }

  function write(event: JobEvent): void {
    switch (event.kind) {
      case 'device':
        return store.runs.setDevice(runId, event)
      case 'execution':
        return store.runs.setExecution(runId, executionWords(event.mode, event.precision))
      case 'part':
        return store.runs.setProgress(runId, { part: event.name, done: 0, of: event.of })
      case 'progress': {
        const part = store.runs.find(runId)?.row.progress?.part ?? 'working'
        return store.runs.setProgress(runId, { part, done: event.done, of: event.of })
      }
      case 'step':
        return store.transaction(() => {
          store.runMetrics.insertStep(runId, event.step, event.metrics)
          store.runMetrics.insertClock(runId, event.step, workedMs())
          store.runs.setStep(runId, event.step)
          store.runs.setProgress(runId, { part: 'training', done: event.step, of: event.of })
        })
      case 'checkpoint':
        return store.checkpoints.insert({
          runId,
          step: event.step,
          folder: event.folder,
          sha256: event.sha256,
          createdAtMs: now(),
        })
      case 'memory':
        return store.runMetrics.insertStep(runId, event.step, {
          'memory/peak': event.peak,
          ...(event.predicted === null ? {} : { 'memory/predicted': event.predicted }),
        })
      case 'log':
        return store.runLog.append(runId, now(), event.level, event.message)
      case 'plan':
      case 'artifact':
      case 'result':
      case 'items':
      case 'parity':
      case 'inspection':
      case 'text':
      case 'token':
      case 'answered':
        return
    }
  }
}
