// Long work on datasets, one piece at a time beside whatever trains: each is a row that tells how far it is, can be paused
// and cancelled, and outlives the process that did it.

import { LabError } from '../domain/errors.ts'
import type { DataTaskRequest, DataTaskResult, DataTaskRow, ImportFaultRow } from '../domain/data-task.ts'
import type { AbortSignalLike } from '../domain/job.ts'
import type { StoredTask } from '../store/data-tasks.ts'
import type { Parts } from './parts.ts'
import { createStopRequest, endingOf, type StopRequest } from './stop-request.ts'
import { createWorkQueue } from './work-queue.ts'

export interface TaskWork {
  readonly taskId: string
  readonly signal: AbortSignal
  /** Tells how far the present part is. */
  progress(part: string, done: number, of: number): void
  /** Of work in pieces that take alike: which one begins, from 1. The time left is then that of all of them. */
  piece(at: number, of: number): void
}

/** The pieces of a task under way. */
interface Pieces {
  readonly at: number
  readonly of: number
  readonly beganMs: number
  /** How long each before it took. */
  readonly tookMs: readonly number[]
}

export interface TaskPlan {
  readonly title: string
  /** What it waits behind: imports and their like (unless said), trainings ('engine'), or other experiments, which train in turn. */
  readonly lane?: 'data' | 'engine' | 'experiments'
  readonly work: (work: TaskWork) => Promise<DataTaskResult>
  /** Takes back what a cancelled task has done. */
  readonly undo?: (taskId: string) => Promise<void>
}

/** A row per event would be written a thousand times a second. */
const MIN_MS_BETWEEN_PROGRESS = 100

export type DataTaskService = ReturnType<typeof createDataTaskService>

export function createDataTaskService({ store, queue: engine, now, newId, announce }: Parts) {
  /** An experiment may take hours: imports need not wait for it. */
  const lanes = { data: createWorkQueue(), engine, experiments: createWorkQueue() }
  const underWay = new Map<string, { readonly stop: StopRequest; readonly ended: Promise<void> }>()
  const pieces = new Map<string, Pieces>()
  /** How a kind of request is carried out: given by the service whose work it is. */
  const plans = new Map<DataTaskRequest['kind'], (request: never) => TaskPlan>()

  const changed = (taskId: string) => announce({ name: 'task.changed', value: { taskId } })

  function found(taskId: string): StoredTask {
    const task = store.dataTasks.find(taskId)
    if (task === null) throw new LabError('not-found', `there is no data task "${taskId}"; lab tasks lists them`, { taskId })
    return task
  }

  function planOf(request: DataTaskRequest): TaskPlan {
    return (plans.get(request.kind) as (request: DataTaskRequest) => TaskPlan)(request)
  }

  function run(taskId: string, { work, lane = 'data', undo = async () => {} }: TaskPlan): void {
    const stop = createStopRequest()
    let lastMs = -Infinity
    let lastPart = ''
    const context: TaskWork = {
      taskId,
      signal: stop.signal,
      progress(part, done, of) {
        if (part === lastPart && done < of && now() - lastMs < MIN_MS_BETWEEN_PROGRESS) return
        ;[lastPart, lastMs] = [part, now()]
        store.dataTasks.setProgress(taskId, { part, done, of })
        changed(taskId)
      },
      piece(at, of) {
        const last = pieces.get(taskId)
        pieces.set(taskId, { at, of, beganMs: now(), tookMs: last === undefined ? [] : [...last.tookMs, now() - last.beganMs] })
      },
    }
    const ended = lanes[lane].add(async () => {
      try {
        if (stop.signal.aborted) throw new LabError('cancelled', 'stopped before it began')
        store.dataTasks.begin(taskId, now())
        changed(taskId)
        const result = await work(context)
        store.dataTasks.end(taskId, 'finished', now(), { result })
      } catch (thrown) {
        const ending = endingOf(thrown, stop)
        if (ending.status === 'cancelled') await undo(taskId)
        store.dataTasks.end(taskId, ending.status, now(), { failure: ending.status === 'failed' ? ending.failure : null })
      } finally {
        underWay.delete(taskId)
        pieces.delete(taskId)
        changed(taskId)
      }
    })
    underWay.set(taskId, { stop, ended })
    ended.catch(() => {})
    changed(taskId)
  }

  return {
    /** Names who carries out requests of a kind. */
    define<K extends DataTaskRequest['kind']>(kind: K, plan: (request: Extract<DataTaskRequest, { kind: K }>) => TaskPlan): void {
      plans.set(kind, plan)
    },
    /** Takes up a task of the same request that broke off, or begins one. */
    start(request: DataTaskRequest): { readonly taskId: string } {
      const plan = planOf(request)
      const brokenOff = request.kind === 'import' ? store.dataTasks.brokenOff(request) : null
      const taskId = brokenOff ?? newId('task')
      if (brokenOff === null) store.dataTasks.insert({ id: taskId, title: plan.title, request, atMs: now() })
      run(taskId, plan)
      return { taskId }
    },
    /** Takes up a task that was paused or broke off; what it has already is not done twice. */
    resume(taskId: string): void {
      const task = found(taskId)
      if (underWay.has(taskId) || task.status === 'finished' || task.status === 'cancelled')
        throw new LabError('conflict', `"${task.title}" is ${task.status}: there is nothing to resume`, { taskId })
      run(taskId, planOf(task.request))
    },
    /** A task under way ends soon, one that broke off ends at once; neither leaves anything behind. */
    async cancel(taskId: string): Promise<void> {
      const task = found(taskId)
      const active = underWay.get(taskId)
      if (active !== undefined) return active.stop.ask('cancel')
      if (task.status !== 'paused' && task.status !== 'failed')
        throw new LabError('conflict', `"${task.title}" is ${task.status}: there is nothing to cancel`, { taskId })
      await planOf(task.request).undo?.(taskId)
      store.dataTasks.end(taskId, 'cancelled', now())
      changed(taskId)
    },
    pause(taskId: string): void {
      const active = underWay.get(taskId)
      if (active === undefined) throw new LabError('conflict', `"${found(taskId).title}" is not under way`, { taskId })
      active.stop.ask('pause')
    },
    /** Forgets a task and what it found. */
    delete(taskId: string): void {
      if (underWay.has(taskId)) throw new LabError('conflict', `"${found(taskId).title}" is under way: cancel it first`, { taskId })
      found(taskId)
      store.dataTasks.delete(taskId)
      changed(taskId)
    },
    list: (limit = 200): readonly DataTaskRow[] => store.dataTasks.list(limit).map((task) => withClock(task, pieces.get(task.id), now())),
    get: (taskId: string): DataTaskRow => withClock(found(taskId), pieces.get(taskId), now()),
    faults(taskId: string, afterId: number, limit: number): { readonly rows: readonly ImportFaultRow[]; readonly total: number } {
      found(taskId)
      return { rows: store.dataTasks.faults(taskId, afterId, limit), total: store.dataTasks.countFaults(taskId) }
    },
    /**
     * Resolves when the task is no longer under way. An aborted signal pauses it.
     * @throws the failure of the task; LabError 'cancelled' when it was paused or cancelled
     */
    async ended(taskId: string, signal: AbortSignalLike = { aborted: false }): Promise<DataTaskRow> {
      const active = underWay.get(taskId)
      if (signal.aborted) active?.stop.ask('pause')
      else signal.addEventListener?.('abort', () => underWay.get(taskId)?.stop.ask('pause'), { once: true })
      await active?.ended
      const task = this.get(taskId)
      if (task.failure !== null) throw new LabError(task.failure.code, task.failure.message, task.failure.details)
      if (task.status !== 'finished')
        throw new LabError('cancelled', `${task.title} was ${task.status}${task.status === 'paused' ? '; start it again to go on' : ''}`, {
          taskId,
        })
      return task
    },
    stopAll(what: 'pause' | 'cancel'): void {
      for (const { stop } of underWay.values()) stop.ask(what)
    },
    async idle(): Promise<void> {
      await lanes.experiments.idle()
      await lanes.data.idle()
    },
    /** Tasks that a process left behind when it died: failed, resumable. For the only writer, at its start. */
    recover(): void {
      for (const { id } of store.dataTasks.underWay())
        store.dataTasks.end(id, 'failed', now(), {
          failure: {
            code: 'process-died',
            message: 'the lab was closed while this was under way; resume it to go on, or cancel it to take it back',
            details: {},
          },
        })
    },
  }
}

/** The row at this moment: time left from the pace of the part under way. */
function withClock({ startedAtMs, ...task }: StoredTask, pieces: Pieces | undefined, nowMs: number): DataTaskRow {
  if (task.status === 'running' && pieces !== undefined) return { ...task, leftMs: leftOfPieces(pieces, nowMs) }
  const { progress } = task
  const isPaced = task.status === 'running' && progress !== null && progress.done > 0 && progress.of > 0
  return { ...task, leftMs: isPaced ? ((nowMs - startedAtMs) / progress.done) * Math.max(0, progress.of - progress.done) : null }
}

/** null: no piece has ended yet. What a resumed task finds done already took a moment and tells nothing of the pace. */
function leftOfPieces({ at, of, beganMs, tookMs }: Pieces, nowMs: number): number | null {
  const worked = tookMs.filter((ms) => ms > 0 && ms >= Math.max(...tookMs) / 10)
  if (worked.length === 0) return null
  const each = worked.reduce((sum, ms) => sum + ms, 0) / worked.length
  return Math.max(0, each - (nowMs - beganMs)) + each * (of - at)
}
