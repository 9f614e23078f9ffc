// Tables data_tasks and import_faults: long work on datasets, how far it is, what came of it, and the rows that an import
// left out.

import { z } from 'zod'
import {
  dataTaskRequestSchema,
  dataTaskResultSchema,
  type DataTaskRequest,
  type DataTaskResult,
  type DataTaskRow,
  type ImportFaultRow,
} from '../domain/data-task.ts'
import type { Failure } from '../domain/errors.ts'
import type { ImportFault } from '../domain/import-event.ts'
import { failureSchema, type PartProgress } from '../domain/run-view.ts'
import { RUN_STATUSES, type RunStatus } from '../domain/run.ts'
import type { Db } from './database.ts'
import { readJson, readNullableJson } from './json-column.ts'

export interface StoredTask extends Omit<DataTaskRow, 'leftMs'> {
  /** Of the present part of the work, to tell the pace from. */
  readonly startedAtMs: number
}

export type DataTaskStore = ReturnType<typeof createDataTaskStore>

export function createDataTaskStore(db: Db) {
  const insert = db.prepare(`
    INSERT INTO data_tasks (id, kind, title, request, status, created_at_ms, started_at_ms)
    VALUES (@id, @kind, @title, @request, 'queued', @atMs, @atMs)`)
  const begin = db.prepare(
    "UPDATE data_tasks SET status = 'running', started_at_ms = ?, finished_at_ms = NULL, failure = NULL, part = NULL, done = 0 WHERE id = ?",
  )
  const progress = db.prepare('UPDATE data_tasks SET part = @part, done = @done, of_units = @of WHERE id = @id')
  const end = db.prepare(
    'UPDATE data_tasks SET status = @status, finished_at_ms = @atMs, failure = @failure, result = @result WHERE id = @id',
  )
  const all = db.prepare('SELECT * FROM data_tasks ORDER BY created_at_ms DESC, id DESC LIMIT ?')
  const byId = db.prepare('SELECT * FROM data_tasks WHERE id = ?')
  const underWay = db.prepare("SELECT * FROM data_tasks WHERE status IN ('queued', 'running')")
  const unfinished = db.prepare(
    "SELECT id FROM data_tasks WHERE request = ? AND status IN ('failed', 'paused') ORDER BY created_at_ms DESC LIMIT 1",
  ).pluck()
  const remove = db.prepare('DELETE FROM data_tasks WHERE id = ?')
  const insertFault = db.prepare(`
    INSERT INTO import_faults (task_id, file, line, field, expected, found) VALUES (@taskId, @file, @line, @field, @expected, @found)`)
  const removeFaults = db.prepare('DELETE FROM import_faults WHERE task_id = ?')
  const faults = db.prepare(
    'SELECT id, file, line, field, expected, found FROM import_faults WHERE task_id = ? AND id > ? ORDER BY id LIMIT ?',
  )
  const countFaults = db.prepare('SELECT COUNT(*) FROM import_faults WHERE task_id = ?').pluck()

  return {
    insert: (task: { readonly id: string; readonly title: string; readonly request: DataTaskRequest; readonly atMs: number }): void =>
      void insert.run({ ...task, kind: task.request.kind, request: JSON.stringify(task.request) }),
    begin: (id: string, atMs: number): void => void begin.run(atMs, id),
    setProgress: (id: string, at: PartProgress): void => void progress.run({ id, ...at }),
    end(
      id: string,
      status: Exclude<RunStatus, 'running' | 'queued'>,
      atMs: number,
      { failure = null, result = null }: { readonly failure?: Failure | null; readonly result?: DataTaskResult | null } = {},
    ): void {
      end.run({ id, status, atMs, failure: failure && JSON.stringify(failure), result: result && JSON.stringify(result) })
    },
    list: (limit: number): readonly StoredTask[] => all.all(limit).map(stored),
    find: (id: string): StoredTask | null => {
      const found = byId.get(id)
      return found === undefined ? null : stored(found)
    },
    underWay: (): readonly StoredTask[] => underWay.all().map(stored),
    /** A task of the same request that broke off, which can be taken up again. */
    brokenOff: (request: DataTaskRequest): string | null => (unfinished.get(JSON.stringify(request)) as string | undefined) ?? null,
    delete: (id: string): void => void remove.run(id),
    insertFault: (taskId: string, { file, line, field, expected, found }: ImportFault): void =>
      void insertFault.run({ taskId, file, line, field, expected, found }),
    removeFaults: (taskId: string): void => void removeFaults.run(taskId),
    faults: (taskId: string, afterId: number, limit: number): readonly ImportFaultRow[] =>
      faults.all(taskId, afterId, limit) as ImportFaultRow[],
    countFaults: (taskId: string): number => countFaults.get(taskId) as number,
  }
}

const columnsSchema = z.object({
  id: z.string(),
  title: z.string(),
  request: z.string(),
  status: z.enum(RUN_STATUSES),
  part: z.string().nullable(),
  done: z.number(),
  of_units: z.number(),
  created_at_ms: z.number(),
  started_at_ms: z.number(),
  finished_at_ms: z.number().nullable(),
  failure: z.string().nullable(),
  result: z.string().nullable(),
})

function stored(columns: unknown): StoredTask {
  const each = columnsSchema.parse(columns)
  return {
    id: each.id,
    title: each.title,
    status: each.status,
    request: readJson(dataTaskRequestSchema, each.request, 'data_tasks.request'),
    progress: each.part === null ? null : { part: each.part, done: each.done, of: each.of_units },
    createdAtMs: each.created_at_ms,
    startedAtMs: each.started_at_ms,
    finishedAtMs: each.finished_at_ms,
    failure: readNullableJson(failureSchema, each.failure, 'data_tasks.failure'),
    result: readNullableJson(dataTaskResultSchema, each.result, 'data_tasks.result'),
  }
}
