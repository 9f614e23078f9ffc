// Table study_phases: the study's jobs in order, each with its status, counted work and time.

import { z } from 'zod'
import type { Failure } from '../domain/errors.ts'
import type { Job } from '../domain/job.ts'
import { failureSchema } from '../domain/run-view.ts'
import { assertMayFollow, RUN_STATUSES, type RunStatus } from '../domain/run.ts'
import { PHASE_KINDS, type PhaseKind } from '../domain/study-view.ts'
import { ENCODERS, STAGES, type EncoderName, type StageName } from '../domain/study.ts'
import type { Db } from './database.ts'
import { readNullableJson } from './json-column.ts'

export interface NewPhase {
  readonly id: string
  readonly kind: PhaseKind
  readonly title: string
  readonly seed: number | null
  readonly stage: StageName | null
  readonly encoder: EncoderName | null
  /** Phases of one key take the same time a unit: "train:dpo". */
  readonly paceKey: string
  readonly units: number
}

export interface StoredPhase extends NewPhase {
  readonly studyId: string
  readonly ordinal: number
  readonly status: RunStatus
  readonly runId: string | null
  readonly part: string | null
  readonly done: number
  readonly of: number
  readonly startedAtMs: number | null
  readonly finishedAtMs: number | null
  readonly workedMs: number
  readonly runningSinceMs: number | null
  readonly failure: Failure | null
}

export type StudyPhaseStore = ReturnType<typeof createStudyPhaseStore>

export function createStudyPhaseStore(db: Db) {
  const insert = db.prepare(`
    INSERT INTO study_phases (study_id, id, ordinal, kind, title, seed, stage, encoder, status, pace_key, units)
    VALUES (@studyId, @id, @ordinal, @kind, @title, @seed, @stage, @encoder, 'queued', @paceKey, @units)`)
  const ofStudy = db.prepare('SELECT * FROM study_phases WHERE study_id = ? ORDER BY ordinal')
  const byId = db.prepare('SELECT * FROM study_phases WHERE study_id = ? AND id = ?')
  const begin = db.prepare(`
    UPDATE study_phases SET status = 'running', started_at_ms = COALESCE(started_at_ms, @atMs), running_since_ms = @atMs,
      finished_at_ms = NULL, failure = NULL, job = @job, part = NULL, done = 0, of_units = 0
    WHERE study_id = @studyId AND id = @id`)
  const queue = db.prepare(
    "UPDATE study_phases SET status = 'queued', failure = NULL, finished_at_ms = NULL WHERE study_id = ? AND id = ?",
  )
  const end = db.prepare(`
    UPDATE study_phases SET status = @status, failure = @failure, finished_at_ms = @finishedAtMs,
      worked_ms = worked_ms + COALESCE(@atMs - running_since_ms, 0), running_since_ms = NULL
    WHERE study_id = @studyId AND id = @id`)
  const run = db.prepare('UPDATE study_phases SET run_id = ? WHERE study_id = ? AND id = ?')
  const progress = db.prepare(
    'UPDATE study_phases SET part = @part, done = @done, of_units = @of WHERE study_id = @studyId AND id = @id',
  )
  const paces = db.prepare(`
    SELECT pace_key AS paceKey, SUM(worked_ms) AS workedMs, SUM(units) AS units FROM study_phases
    WHERE status = 'finished' AND study_id != ? AND worked_ms > 0 GROUP BY pace_key`)

  const mayBecome = (studyId: string, id: string, to: RunStatus) => {
    const found = byId.get(studyId, id)
    if (found !== undefined) assertMayFollow(stored(found).status, to)
  }

  return {
    insert(studyId: string, phases: readonly NewPhase[]): void {
      db.transaction(() => {
        for (const [ordinal, phase] of phases.entries()) insert.run({ studyId, ordinal, ...phase })
      })()
    },
    ofStudy: (studyId: string): readonly StoredPhase[] => ofStudy.all(studyId).map(stored),
    queue(studyId: string, id: string): void {
      mayBecome(studyId, id, 'queued')
      queue.run(studyId, id)
    },
    begin(studyId: string, id: string, atMs: number, job: Job): void {
      mayBecome(studyId, id, 'running')
      begin.run({ studyId, id, atMs, job: JSON.stringify(job) })
    },
    end(
      studyId: string,
      id: string,
      to: 'paused' | 'finished' | 'cancelled' | 'failed',
      atMs: number,
      failure: Failure | null = null,
    ): void {
      mayBecome(studyId, id, to)
      end.run({
        studyId,
        id,
        status: to,
        atMs,
        finishedAtMs: to === 'paused' ? null : atMs,
        failure: failure && JSON.stringify(failure),
      })
    },
    setRun: (studyId: string, id: string, runId: string): void => void run.run(runId, studyId, id),
    setProgress: (studyId: string, id: string, at: { readonly part: string; readonly done: number; readonly of: number }): void =>
      void progress.run({ studyId, id, ...at }),
    /** Measured paces of other studies' finished phases, ms a unit by pace key. */
    earlierPaces: (exceptStudyId: string): Readonly<Record<string, number>> =>
      Object.fromEntries(
        (paces.all(exceptStudyId) as { paceKey: string; workedMs: number; units: number }[]).map(
          ({ paceKey, workedMs, units }) => [paceKey, workedMs / units],
        ),
      ),
  }
}

const columnsSchema = z.object({
  study_id: z.string(),
  id: z.string(),
  ordinal: z.number(),
  kind: z.enum(PHASE_KINDS),
  title: z.string(),
  seed: z.number().nullable(),
  stage: z.enum(STAGES).nullable(),
  encoder: z.enum(ENCODERS).nullable(),
  status: z.enum(RUN_STATUSES),
  run_id: z.string().nullable(),
  part: z.string().nullable(),
  done: z.number(),
  of_units: z.number(),
  pace_key: z.string(),
  units: z.number(),
  started_at_ms: z.number().nullable(),
  finished_at_ms: z.number().nullable(),
  worked_ms: z.number(),
  running_since_ms: z.number().nullable(),
  failure: z.string().nullable(),
})

function stored(columns: unknown): StoredPhase {
  const each = columnsSchema.parse(columns)
  return {
    studyId: each.study_id,
    id: each.id,
    ordinal: each.ordinal,
    kind: each.kind,
    title: each.title,
    seed: each.seed,
    stage: each.stage,
    encoder: each.encoder,
    status: each.status,
    runId: each.run_id,
    part: each.part,
    done: each.done,
    of: each.of_units,
    paceKey: each.pace_key,
    units: each.units,
    startedAtMs: each.started_at_ms,
    finishedAtMs: each.finished_at_ms,
    workedMs: each.worked_ms,
    runningSinceMs: each.running_since_ms,
    failure: readNullableJson(failureSchema, each.failure, 'study_phases.failure'),
  }
}
