// Table studies. Shares, counts and time left are not in it: they follow from the phases.

import { z } from 'zod'
import type { Failure } from '../domain/errors.ts'
import { sightTestSchema, type SightTest } from '../domain/job.ts'
import { failureSchema } from '../domain/run-view.ts'
import { assertMayFollow, RUN_STATUSES, type RunStatus } from '../domain/run.ts'
import { studyConfigSchema, type StudyConfig } from '../domain/study.ts'
import type { Db } from './database.ts'
import { readJson, readNullableJson } from './json-column.ts'

export interface NewStudy {
  readonly id: string
  readonly preset: string | null
  readonly config: StudyConfig
  readonly sightTest: SightTest | null
  readonly folder: string
  readonly createdAtMs: number
}

export interface StoredStudy extends NewStudy {
  readonly name: string
  readonly status: RunStatus
  readonly engine: string | null
  readonly device: string | null
  readonly versions: Readonly<Record<string, string>>
  /** SHA-256 of the snapshot of each data role; empty until the data are there. */
  readonly snapshots: Readonly<Record<string, string>>
  readonly startedAtMs: number | null
  readonly finishedAtMs: number | null
  readonly workedMs: number
  readonly runningSinceMs: number | null
  readonly failure: Failure | null
}

export type StudyStore = ReturnType<typeof createStudyStore>

export function createStudyStore(db: Db) {
  const insert = db.prepare(`
    INSERT INTO studies (id, name, preset, config, sight_test, status, folder, created_at_ms)
    VALUES (@id, @name, @preset, @config, @sightTest, 'queued', @folder, @createdAtMs)`)
  const remove = db.prepare('DELETE FROM studies WHERE id = ?')
  const all = db.prepare('SELECT * FROM studies ORDER BY created_at_ms DESC, id')
  const byId = db.prepare('SELECT * FROM studies WHERE id = ?')
  const begin = db.prepare(`
    UPDATE studies SET status = 'running', started_at_ms = COALESCE(started_at_ms, @atMs), running_since_ms = @atMs,
      finished_at_ms = NULL, failure = NULL
    WHERE id = @id`)
  const queue = db.prepare("UPDATE studies SET status = 'queued', failure = NULL, finished_at_ms = NULL WHERE id = ?")
  const end = db.prepare(`
    UPDATE studies SET status = @status, failure = @failure, finished_at_ms = @finishedAtMs,
      worked_ms = worked_ms + COALESCE(@atMs - running_since_ms, 0), running_since_ms = NULL WHERE id = @id`)
  const device = db.prepare('UPDATE studies SET engine = @engine, device = @device, versions = @versions WHERE id = @id')
  const snapshots = db.prepare('UPDATE studies SET snapshots = ? WHERE id = ?')

  const find = (id: string): StoredStudy | null => {
    const found = byId.get(id)
    return found === undefined ? null : stored(found)
  }
  const mayBecome = (id: string, to: RunStatus) => {
    const from = find(id)?.status
    if (from !== undefined) assertMayFollow(from, to)
  }

  return {
    insert: (study: NewStudy): void =>
      void insert.run({
        ...study,
        name: study.config.name,
        config: JSON.stringify(study.config),
        sightTest: study.sightTest && JSON.stringify(study.sightTest),
      }),
    delete: (id: string): void => void remove.run(id),
    list: (): readonly StoredStudy[] => all.all().map(stored),
    find,
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
    setSnapshots: (id: string, of: Readonly<Record<string, string>>): void => void snapshots.run(JSON.stringify(of), id),
  }
}

const columnsSchema = z.object({
  id: z.string(),
  name: z.string(),
  preset: z.string().nullable(),
  config: z.string(),
  sight_test: z.string().nullable(),
  status: z.enum(RUN_STATUSES),
  folder: z.string(),
  engine: z.string().nullable(),
  device: z.string().nullable(),
  versions: z.string(),
  snapshots: z.string(),
  created_at_ms: z.number(),
  started_at_ms: z.number().nullable(),
  finished_at_ms: z.number().nullable(),
  worked_ms: z.number(),
  running_since_ms: z.number().nullable(),
  failure: z.string().nullable(),
})

const textByName = z.record(z.string(), z.string())

function stored(columns: unknown): StoredStudy {
  const each = columnsSchema.parse(columns)
  return {
    id: each.id,
    name: each.name,
    preset: each.preset,
    config: readJson(studyConfigSchema, each.config, 'studies.config'),
    sightTest: readNullableJson(sightTestSchema, each.sight_test, 'studies.sight_test'),
    status: each.status,
    folder: each.folder,
    engine: each.engine,
    device: each.device,
    versions: readJson(textByName, each.versions, 'studies.versions'),
    snapshots: readJson(textByName, each.snapshots, 'studies.snapshots'),
    createdAtMs: each.created_at_ms,
    startedAtMs: each.started_at_ms,
    finishedAtMs: each.finished_at_ms,
    workedMs: each.worked_ms,
    runningSinceMs: each.running_since_ms,
    failure: readNullableJson(failureSchema, each.failure, 'studies.failure'),
  }
}
