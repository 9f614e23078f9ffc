// Tables evaluations, results and item_results: what was measured on a checkpoint, as a whole and item by item.

import type { BenchmarkJob, EvaluateJob, ItemResult } from '../domain/job.ts'
import { LabError } from '../domain/errors.ts'
import { itemDetailSchema, type ItemDetail } from '../domain/study-results.ts'
import type { EncoderName } from '../domain/study.ts'
import type { Db } from './database.ts'
import { readNullableJson } from './json-column.ts'

export interface NewEvaluation {
  readonly id: string
  readonly studyId: string | null
  readonly phaseId: string | null
  readonly encoder: EncoderName | null
  readonly seed: number | null
  readonly job: EvaluateJob | BenchmarkJob
  readonly createdAtMs: number
}

export interface ResultRow {
  readonly encoder: EncoderName
  readonly seed: number
  readonly metric: string
  readonly value: number
  readonly n: number
}

/** Limits at 95 %; null where the measurement has no interval of its own. */
export interface ResultWithInterval {
  readonly metric: string
  readonly value: number
  readonly n: number
  readonly low: number | null
  readonly high: number | null
}

export interface ItemRow {
  readonly encoder: EncoderName
  readonly seed: number
  readonly metric: string
  readonly itemId: string
  readonly cluster: string
  readonly group: string | null
  readonly value: number
}

export interface DetailedItem extends ItemRow {
  readonly detail: ItemDetail | null
}

export type EvaluationStore = ReturnType<typeof createEvaluationStore>

export function createEvaluationStore(db: Db) {
  const removePhase = db.prepare('DELETE FROM evaluations WHERE study_id = ? AND phase_id = ?')
  const insert = db.prepare(`
    INSERT INTO evaluations (id, study_id, phase_id, encoder, seed, checkpoint, job, created_at_ms)
    VALUES (@id, @studyId, @phaseId, @encoder, @seed, @checkpoint, @job, @createdAtMs)`)
  const insertResult = db.prepare(`
    INSERT INTO results (evaluation_id, metric, value, n, low, high) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET value = excluded.value, n = excluded.n, low = excluded.low, high = excluded.high`)
  const insertItem = db.prepare(`
    INSERT INTO item_results (evaluation_id, metric, item_id, cluster, question_group, value, detail)
    VALUES (@evaluationId, @metric, @itemId, @cluster, @group, @value, @detail)
    ON CONFLICT DO UPDATE SET value = excluded.value, detail = excluded.detail`)
  const results = db.prepare(`
    SELECT e.encoder, e.seed, r.metric, r.value, r.n FROM results r JOIN evaluations e ON e.id = r.evaluation_id
    WHERE e.study_id = ? ORDER BY e.seed, e.encoder, r.metric`)
  const ofEvaluation = db.prepare('SELECT metric, value, n, low, high FROM results WHERE evaluation_id = ? ORDER BY metric')
  const extent = db
    .prepare(
      `
    SELECT e.id, e.created_at_ms, (SELECT COUNT(*) FROM results WHERE evaluation_id = e.id) AS results,
      (SELECT COUNT(*) FROM item_results WHERE evaluation_id = e.id) AS items
    FROM evaluations e WHERE e.study_id = ? ORDER BY e.id`,
    )
    .raw()
  const columns = 'e.encoder, e.seed, i.metric, i.item_id AS itemId, i.cluster, i.question_group AS "group", i.value'
  const items = db.prepare(`
    SELECT ${columns} FROM item_results i JOIN evaluations e ON e.id = i.evaluation_id
    WHERE e.study_id = ? ORDER BY i.metric, e.seed, i.item_id`)
  const detailed = db.prepare(`
    SELECT ${columns}, i.detail FROM item_results i JOIN evaluations e ON e.id = i.evaluation_id
    WHERE e.study_id = @studyId AND e.seed = @seed AND i.metric LIKE @metric AND i.detail IS NOT NULL
    ORDER BY i.metric, i.item_id`)

  return {
    /** Begins an evaluation; an earlier one of the same phase, whole or not, is forgotten. */
    insert(evaluation: NewEvaluation): void {
      db.transaction(() => {
        if (evaluation.studyId !== null) removePhase.run(evaluation.studyId, evaluation.phaseId)
        insert.run({ ...evaluation, checkpoint: evaluation.job.checkpoint, job: JSON.stringify(evaluation.job) })
      })()
    },
    insertResult(evaluationId: string, metric: string, value: number, n: number, interval?: { readonly low: number; readonly high: number }): void {
      assertFinite(metric, value)
      insertResult.run(evaluationId, metric, value, n, interval?.low ?? null, interval?.high ?? null)
    },
    insertItems(evaluationId: string, metric: string, of: readonly ItemResult[]): void {
      db.transaction(() => {
        for (const item of of) {
          assertFinite(`${metric} of ${item.itemId}`, item.value)
          insertItem.run({
            evaluationId,
            metric,
            itemId: item.itemId,
            cluster: item.cluster,
            group: item.group,
            value: item.value,
            detail: item.detail === null || item.detail === undefined ? null : JSON.stringify(item.detail),
          })
        }
      })()
    },
    resultsOfStudy: (studyId: string): readonly ResultRow[] => results.all(studyId) as ResultRow[],
    resultsOf: (evaluationId: string): readonly ResultWithInterval[] => ofEvaluation.all(evaluationId) as ResultWithInterval[],
    /** Text that changes whenever something has been measured. */
    extentOfStudy: (studyId: string): string => extent.all(studyId).join(';'),
    itemsOfStudy: (studyId: string): readonly ItemRow[] => items.all(studyId) as ItemRow[],
    /** Items with something to look at, of metrics that begin with `metricPrefix`. */
    detailedItems: (studyId: string, seed: number, metricPrefix: string): readonly DetailedItem[] =>
      (detailed.all({ studyId, seed, metric: `${metricPrefix}%` }) as (ItemRow & { detail: string })[]).map((each) => ({
        ...each,
        detail: readNullableJson(itemDetailSchema, each.detail, 'item_results.detail'),
      })),
  }
}

function assertFinite(what: string, value: number): void {
  if (!Number.isFinite(value)) throw new LabError('internal', `${what} is ${value}: a measurement must be a finite number`)
}
