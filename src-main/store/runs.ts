// Table runs. `worked_ms` sums the time under way; `running_since_ms` is set while a run is.

import { z } from 'zod'
import type { Failure } from '../domain/errors.ts'
import { watchedSchema, type Watched } from '../domain/job.ts'
import { runConfigSchema, type RunConfig } from '../domain/run-config.ts'
import { failureSchema, runOriginSchema, type PartProgress, type RunOrigin, type RunRow } from '../domain/run-view.ts'
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

/** A run that another program logged. */
export interface ImportedRun {
  readonly row: RunRow
  readonly origin: RunOrigin
  readonly config: Readonly<Record<string, unknown>>
}

export interface NewImportedRun {
  readonly id: string
  readonly name: string
  readonly origin: RunOrigin
  readonly config: Readonly<Record<string, unknown>>
  readonly step: number
  readonly note: string
  readonly tags: readonly string[]
  readonly createdAtMs: number
  readonly workedMs: number
  /** null: it ended well. */
  readonly failure: Failure | null
}

export type RunStore = ReturnType<typeof createRunStore>

export function createRunStore(db: Db) {
  const insert = db.prepare(`
    INSERT INTO runs (id, name, status, study_id, phase_id, dataset, config, folder, watch, created_at_ms)
    VALUES (@id, @name, 'queued', @studyId, @phaseId, @dataset, @config, @folder, @watch, @createdAtMs)`)
  // Read anew, an imported run keeps what a person wrote beside it.
  const insertImported = db.prepare(`
    INSERT INTO runs (id, name, status, config, folder, step, created_at_ms, started_at_ms, finished_at_ms, worked_ms, failure, note, tags, origin)
    VALUES (@id, @name, @status, @config, '', @step, @createdAtMs, @createdAtMs, @finishedAtMs, @workedMs, @failure, @note, @tags, @origin)
    ON CONFLICT (id) DO UPDATE SET status = excluded.status, config = excluded.config, step = excluded.step, finished_at_ms = excluded.finished_at_ms,
      worked_ms = excluded.worked_ms, failure = excluded.failure, origin = excluded.origin`)
  const annotate = db.prepare('UPDATE runs SET name = @name, note = @note, tags = @tags WHERE id = @id')
  const remove = db.prepare('DELETE FROM runs WHERE id = ?')
  const all = db.prepare('SELECT * FROM runs WHERE origin IS NULL ORDER BY created_at_ms DESC, id')
  const everyOne = db.prepare('SELECT * FROM runs ORDER BY created_at_ms DESC, id')
  const ofStudy = db.prepare('SELECT * FROM runs WHERE study_id = ? ORDER BY created_at_ms, id')
  const byId = db.prepare('SELECT * FROM runs WHERE id = ? AND origin IS NULL')
  const importedById = db.prepare('SELECT * FROM runs WHERE id = ? AND origin IS NOT NULL')
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
    insertImported: ({ origin, config, tags, failure, ...run }: NewImportedRun): void =>
      void insertImported.run({
        ...run,
        status: failure === null ? 'finished' : 'failed',
        config: JSON.stringify(config),
        tags: JSON.stringify(tags),
        failure: failure && JSON.stringify(failure),
        origin: JSON.stringify(origin),
        finishedAtMs: run.createdAtMs + run.workedMs,
      }),
    delete: (id: string): void => void remove.run(id),
    /** The lab's own and those of other programs. */
    everyRow: (): readonly Pick<StoredRun, 'row' | 'runningSinceMs'>[] => everyOne.all().map((columns) => (isImported(columns) ? { row: imported(columns).row, runningSinceMs: null } : stored(columns))),
    findImported(id: string): ImportedRun | null {
      const found = importedById.get(id)
      return found === undefined ? null : imported(found)
    },
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
  origin: z.string().nullable(),
})
type Columns = z.output<typeof columnsSchema>

const isImported = (columns: unknown): boolean => (columns as { readonly origin: string | null }).origin !== null

function imported(columns: unknown): ImportedRun {
  const each = columnsSchema.parse(columns)
  const origin = readJson(runOriginSchema, each.origin!, 'runs.origin')
  return { origin, config: readJson(z.record(z.string(), z.unknown()), each.config, 'runs.config'), row: { ...rowOf(each), objective: null, steps: each.step, origin: origin.kind } }
}

function stored(columns: unknown): StoredRun {
  const each = columnsSchema.parse(columns)
  const config = readJson(runConfigSchema, each.config, 'runs.config')
  return {
    config,
    folder: each.folder,
    watch: readNullableJson(watchedSchema, each.watch, 'runs.watch'),
    versions: readJson(z.record(z.string(), z.string()), each.versions, 'runs.versions'),
    runningSinceMs: each.running_since_ms,
    row: { ...rowOf(each), objective: config.training.objective.kind, steps: config.training.steps, origin: null },
  }
}

function rowOf(each: Columns): Omit<RunRow, 'objective' | 'steps' | 'origin'> {
  return {
    id: each.id,
    name: each.name,
    status: each.status,
    studyId: each.study_id,
    phaseId: each.phase_id,
    dataset: each.dataset,
    step: each.step,
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
  }
}
