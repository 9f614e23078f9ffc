// Table runs. `worked_ms` sums the time under way; `running_since_ms` is set while a run is.

import { z } from 'zod'
import type { Failure } from '../domain/errors.ts'
import { watchedSchema, type Watched } from '../domain/job.ts'
import { runConfigSchema, type RunConfig } from '../domain/run-config.ts'
import { failureSchema, type PartProgress, type RunRow } from '../domain/run-view.ts'
import { assertMayFollow, RUN_STATUSES, type RunStatus } from '../domain/run.ts'
import type { Db } from './database.ts'
import { readJson, readNullableJson } from './json-column.ts'

export interface NewRun {
  readonly id: string
  readonly name: string
  readonly studyId: string | null
  readonly phaseId: string | null
  readonly dataset: string | null
  readonly config: RunConfig
  readonly folder: string
  /** null, or left out: nothing is measured while it trains, or its study says what. */
  readonly watch?: Watched | null
  readonly createdAtMs: number
}

/** A row with what a list leaves out. `leftMs` of the row is the service's to fill in. */
export interface StoredRun {
  readonly row: RunRow
  readonly config: RunConfig
  readonly folder: string
  readonly watch: Watched | null
  readonly versions: Readonly<Record<string, string>>
  readonly runningSinceMs: number | null
}

export type RunStore = ReturnType<typeof createRunStore>

export function createRunStore(db: Db) {
  const insert = db.prepare(`
    INSERT INTO runs (id, name, status, study_id, phase_id, dataset, config, folder, watch, created_at_ms)
    VALUES (@id, @name, 'queued', @studyId, @phaseId, @dataset, @config, @folder, @watch, @createdAtMs)`)
  const annotate = db.prepare('UPDATE runs SET name = @name, note = @note, tags = @tags WHERE id = @id')
  const remove = db.prepare('DELETE FROM runs WHERE id = ?')
  const all = db.prepare('SELECT * FROM runs ORDER BY created_at_ms DESC, id')
  const ofStudy = db.prepare('SELECT * FROM runs WHERE study_id = ? ORDER BY created_at_ms, id')
  const byId = db.prepare('SELECT * FROM runs WHERE id = ?')
  const underWay = db.prepare("SELECT * FROM runs WHERE status IN ('running', 'queued')")
  const begin = db.prepare(`
    UPDATE runs SET status = 'running', started_at_ms = COALESCE(started_at_ms, @atMs), running_since_ms = @atMs,
      finished_at_ms = NULL, failure = NULL
    WHERE id = @id`)
  const queue = db.prepare("UPDATE runs SET status = 'queued', failure = NULL, finished_at_ms = NULL WHERE id = ?")
  const end = db.prepare(`
    UPDATE runs SET status = @status, failure = @failure, finished_at_ms = @finishedAtMs,
      worked_ms = worked_ms + COALESCE(@atMs - running_since_ms, 0), running_since_ms = NULL WHERE id = @id`)
  const device = db.prepare('UPDATE runs SET engine = @engine, device = @device, versions = @versions WHERE id = @id')
  // Among what computed the run, because a run's bits depend on it as they do on a version.
  const execution = db.prepare("UPDATE runs SET versions = json_set(versions, '$.steps', @execution) WHERE id = @id")
  const step = db.prepare('UPDATE runs SET step = @step WHERE id = @id')
  const progress = db.prepare('UPDATE runs SET part = @part, done = @done, of_units = @of WHERE id = @id')

  const status = (id: string): RunStatus | null => {
    const found = byId.get(id)
    return found === undefined ? null : stored(found).row.status
  }
  const mayBecome = (id: string, to: RunStatus) => {
    const from = status(id)
    if (from !== null) assertMayFollow(from, to)
  }

  return {
    insert: ({ watch = null, ...run }: NewRun): void => void insert.run({ ...run, config: JSON.stringify(run.config), watch: watch && JSON.stringify(watch) }),
    delete: (id: string): void => void remove.run(id),
    list: (): readonly StoredRun[] => all.all().map(stored),
    ofStudy: (studyId: string): readonly StoredRun[] => ofStudy.all(studyId).map(stored),
    underWay: (): readonly StoredRun[] => underWay.all().map(stored),
    find(id: string): StoredRun | null {
      const found = byId.get(id)
      return found === undefined ? null : stored(found)
    },
    queue(id: string): void {
      mayBecome(id, 'queued')
      queue.run(id)
    },
    begin(id: string, atMs: number): void {
      mayBecome(id, 'running')
      begin.run({ id, atMs })
    },
    end(id: string, to: 'paused' | 'finished' | 'cancelled' | 'failed', atMs: number, failure: Failure | null = null): void {
      mayBecome(id, to)
      end.run({ id, status: to, atMs, finishedAtMs: to === 'paused' ? null : atMs, failure: failure && JSON.stringify(failure) })
    },
    setDevice: (
      id: string,
      on: { readonly engine: string; readonly device: string; readonly versions: Readonly<Record<string, string>> },
    ): void => void device.run({ id, engine: on.engine, device: on.device, versions: JSON.stringify(on.versions) }),
    setExecution: (id: string, words: string): void => void execution.run({ id, execution: words }),
    annotate: (id: string, { name, note, tags }: Pick<RunRow, 'name' | 'note' | 'tags'>): void =>
      void annotate.run({ id, name, note, tags: JSON.stringify(tags) }),
    setStep: (id: string, at: number): void => void step.run({ id, step: at }),
    setProgress: (id: string, at: PartProgress): void => void progress.run({ id, ...at }),
  }
}

const columnsSchema = z.object({
  id: z.string(),
  name: z.string(),
  status: z.enum(RUN_STATUSES),
  study_id: z.string().nullable(),
  phase_id: z.string().nullable(),
  dataset: z.string().nullable(),
  config: z.string(),
  folder: z.string(),
  watch: z.string().nullable(),
  engine: z.string().nullable(),
  device: z.string().nullable(),
  versions: z.string(),
  step: z.number(),
  part: z.string().nullable(),
  done: z.number(),
  of_units: z.number(),
  created_at_ms: z.number(),
  started_at_ms: z.number().nullable(),
  finished_at_ms: z.number().nullable(),
  worked_ms: z.number(),
  running_since_ms: z.number().nullable(),
  failure: z.string().nullable(),
  note: z.string(),
  tags: z.string(),
})

function stored(columns: unknown): StoredRun {
  const each = columnsSchema.parse(columns)
  const config = readJson(runConfigSchema, each.config, 'runs.config')
  return {
    config,
    folder: each.folder,
    watch: readNullableJson(watchedSchema, each.watch, 'runs.watch'),
    versions: readJson(z.record(z.string(), z.string()), each.versions, 'runs.versions'),
    runningSinceMs: each.running_since_ms,
    row: {
      id: each.id,
      name: each.name,
      status: each.status,
      studyId: each.study_id,
      phaseId: each.phase_id,
      objective: config.training.objective.kind,
      dataset: each.dataset,
      step: each.step,
      steps: config.training.steps,
      progress: each.part === null ? null : { part: each.part, done: each.done, of: each.of_units },
      engine: each.engine,
      device: each.device,
      createdAtMs: each.created_at_ms,
      startedAtMs: each.started_at_ms,
      finishedAtMs: each.finished_at_ms,
      workedMs: each.worked_ms,
      leftMs: null,
      failure: readNullableJson(failureSchema, each.failure, 'runs.failure'),
      note: each.note,
      tags: readJson(z.array(z.string()), each.tags, 'runs.tags'),
    },
  }
}
