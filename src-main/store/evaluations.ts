// Tables evaluations, results, item_results and item_details: what was measured on a checkpoint, as a whole and item by item.
// Scores and what a person looks at are apart, so that many scores are read at once.

import { z } from 'zod'
import type { BenchmarkJob, EvaluateJob, ItemResult, MapScoresJob, ProbeJob } from '../domain/job.ts'
import { LabError } from '../domain/errors.ts'
import type { ItemTerms } from '../domain/score-of-totals.ts'
import { itemDetailSchema, type ItemDetail } from '../domain/study-results.ts'
import type { EncoderName } from '../domain/study.ts'
import type { Db } from './database.ts'
import { readJson, readNullableJson } from './json-column.ts'

const storedTermsSchema = z.tuple([z.string()], z.number())

export interface NewEvaluation {
  readonly id: string
  readonly studyId: string | null
  readonly phaseId: string | null
  readonly encoder: EncoderName | null
  readonly seed: number | null
  /** Whose number it is, as encoders.list names it; null: nobody's that is listed. */
  readonly encoderId: string | null
  /** What decides the numbers beside data and settings of the job: how a transplant was trained. null: nothing. */
  readonly protocol: string | null
  readonly job: EvaluateJob | BenchmarkJob | MapScoresJob | ProbeJob
  readonly createdAtMs: number
}

/** An evaluation as a comparison finds it. `job` is what was written when it ran: it may be of an older version. */
export interface EvaluationHead {
  readonly id: string
  readonly studyId: string | null
  readonly encoder: EncoderName | null
  readonly seed: number | null
  readonly encoderId: string | null
  readonly protocol: string | null
  readonly job: Readonly<Record<string, unknown>>
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

export interface ItemPlace {
  readonly itemId: string
  readonly cluster: string
  readonly group: string | null
}

export interface DetailedItem extends ItemRow {
  readonly detail: ItemDetail | null
}

/** Which checkpoint an evaluation measured. */
export interface EvaluationOfCheckpoint {
  readonly id: string
  readonly studyId: string | null
  readonly phaseId: string | null
  readonly checkpoint: string
  readonly results: number
}

export type EvaluationStore = ReturnType<typeof createEvaluationStore>

export function createEvaluationStore(db: Db) {
  const removePhase = db.prepare('DELETE FROM evaluations WHERE study_id = ? AND phase_id = ?')
  const insert = db.prepare(`
    INSERT INTO evaluations (id, study_id, phase_id, encoder, seed, encoder_id, protocol, checkpoint, job, created_at_ms)
    VALUES (@id, @studyId, @phaseId, @encoder, @seed, @encoderId, @protocol, @checkpoint, @job, @createdAtMs)`)
  const remove = db.prepare('DELETE FROM evaluations WHERE id = ?')
  const insertResult = db.prepare(`
    INSERT INTO results (evaluation_id, metric, value, n, low, high) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET value = excluded.value, n = excluded.n, low = excluded.low, high = excluded.high`)
  const insertItem = db.prepare(`
    INSERT INTO item_results (evaluation_id, metric, item_id, cluster, question_group, value, terms)
    VALUES (@evaluationId, @metric, @itemId, @cluster, @group, @value, @terms)
    ON CONFLICT DO UPDATE SET value = excluded.value, terms = excluded.terms`)
  const insertDetail = db.prepare(`
    INSERT INTO item_details (evaluation_id, metric, item_id, detail) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET detail = excluded.detail`)
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
    SELECT ${columns}, d.detail FROM evaluations e JOIN item_details d ON d.evaluation_id = e.id
      JOIN item_results i ON i.evaluation_id = d.evaluation_id AND i.metric = d.metric AND i.item_id = d.item_id
    WHERE e.study_id = @studyId AND e.seed = @seed AND d.metric LIKE @metric
    ORDER BY i.metric, i.item_id`)
  const heads = db.prepare(`
    SELECT id, study_id AS studyId, encoder, seed, encoder_id AS encoderId, protocol, job, created_at_ms AS createdAtMs FROM evaluations
    WHERE encoder_id IN (SELECT value FROM json_each(?)) ORDER BY created_at_ms, id`)
  const headOf = db.prepare(
    'SELECT id, study_id AS studyId, encoder, seed, encoder_id AS encoderId, protocol, job, created_at_ms AS createdAtMs FROM evaluations WHERE id = ?',
  )
  const ofPhase = db.prepare('SELECT id FROM evaluations WHERE study_id IS NULL AND phase_id = ?').pluck()
  const counts = db.prepare(`
    SELECT e.encoder_id AS encoderId, COUNT(*) AS results FROM evaluations e JOIN results r ON r.evaluation_id = e.id
    WHERE e.encoder_id IS NOT NULL GROUP BY e.encoder_id`)
  const scores = db.prepare('SELECT item_id, value FROM item_results WHERE evaluation_id = ? AND metric = ? ORDER BY item_id').raw()
  const terms = db.prepare('SELECT item_id, terms FROM item_results WHERE evaluation_id = ? AND metric = ? AND terms IS NOT NULL ORDER BY item_id').raw()
  const lacksTerms = db.prepare('SELECT EXISTS (SELECT 1 FROM item_results WHERE evaluation_id = ? AND metric = ? AND terms IS NULL)').pluck()
  const places = db.prepare(
    'SELECT item_id AS itemId, cluster, question_group AS "group" FROM item_results WHERE evaluation_id = ? AND metric = ? ORDER BY item_id',
  )
  const details = db.prepare(`
    SELECT item_id AS itemId, detail FROM item_details
    WHERE evaluation_id = ? AND metric = ? AND item_id IN (SELECT value FROM json_each(?))`)
  const hasItems = db.prepare('SELECT EXISTS (SELECT 1 FROM item_results WHERE evaluation_id = ? AND metric = ?)').pluck()

  const allHeads = db.prepare(`
    SELECT e.id, e.study_id AS studyId, e.phase_id AS phaseId, e.checkpoint, (SELECT COUNT(*) FROM results r WHERE r.evaluation_id = e.id) AS results
    FROM evaluations e ORDER BY e.created_at_ms, e.id`)

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
            terms: item.terms === undefined ? null : JSON.stringify([item.terms.stratum, ...item.terms.terms]),
          })
          if (item.detail !== null && item.detail !== undefined) insertDetail.run(evaluationId, metric, item.itemId, JSON.stringify(item.detail))
        }
      })()
    },
    /** Forgets one that was broken off. */
    delete: (evaluationId: string): void => void remove.run(evaluationId),
    /** Of these encoders, oldest first. */
    headsOf: (encoderIds: readonly string[]): readonly EvaluationHead[] =>
      heads.all(JSON.stringify(encoderIds)).map(headFrom),
    /** @throws LabError 'not-found' */
    head(evaluationId: string): EvaluationHead {
      const found = headOf.get(evaluationId)
      if (found === undefined) throw new LabError('not-found', `the measurement ${evaluationId} is no longer in the project`, { evaluationId })
      return headFrom(found)
    },
    /** Of an experiment's phase; null: not begun. */
    ofPhase: (phaseId: string): string | null => (ofPhase.get(phaseId) as string | undefined) ?? null,
    /** How many numbers each encoder has. */
    resultCounts: (): ReadonlyMap<string, number> =>
      new Map((counts.all() as { encoderId: string; results: number }[]).map(({ encoderId, results: each }) => [encoderId, each])),
    hasItems: (evaluationId: string, metric: string): boolean => hasItems.get(evaluationId, metric) === 1,
    /** [item, value] in the order of the items' ids. */
    scoresOf: (evaluationId: string, metric: string): readonly (readonly [string, number])[] =>
      scores.all(evaluationId, metric) as [string, number][],
    /** [item, what it adds to the metric], of those for which that was kept, in the order of the items' ids. */
    termsOf: (evaluationId: string, metric: string): readonly (readonly [string, ItemTerms])[] =>
      (terms.all(evaluationId, metric) as [string, string][]).map(([itemId, text]) => {
        const [stratum, ...own] = readJson(storedTermsSchema, text, 'item_results.terms')
        return [itemId, { stratum, terms: own }]
      }),
    /** Whether of some item it was not kept what it adds. */
    lacksTerms: (evaluationId: string, metric: string): boolean => lacksTerms.get(evaluationId, metric) === 1,
    /** Items with their image and group, in the order of their ids. */
    placesOf: (evaluationId: string, metric: string): readonly ItemPlace[] => places.all(evaluationId, metric) as ItemPlace[],
    detailsOf: (evaluationId: string, metric: string, itemIds: readonly string[]): ReadonlyMap<string, ItemDetail | null> =>
      new Map(
        (details.all(evaluationId, metric, JSON.stringify(itemIds)) as { itemId: string; detail: string }[]).map(({ itemId, detail }) => [
          itemId,
          readNullableJson(itemDetailSchema, detail, 'item_details.detail'),
        ]),
      ),
    /** Every evaluation with the number of its results, oldest first. */
    list: (): readonly EvaluationOfCheckpoint[] => allHeads.all() as EvaluationOfCheckpoint[],
    resultsOfStudy: (studyId: string): readonly ResultRow[] => results.all(studyId) as ResultRow[],
    resultsOf: (evaluationId: string): readonly ResultWithInterval[] => ofEvaluation.all(evaluationId) as ResultWithInterval[],
    /** Text that changes whenever something has been measured. */
    extentOfStudy: (studyId: string): string => extent.all(studyId).join(';'),
    itemsOfStudy: (studyId: string): readonly ItemRow[] => items.all(studyId) as ItemRow[],
    /** Items with something to look at, of metrics that begin with `metricPrefix`. */
    detailedItems: (studyId: string, seed: number, metricPrefix: string): readonly DetailedItem[] =>
      (detailed.all({ studyId, seed, metric: `${metricPrefix}%` }) as (ItemRow & { detail: string })[]).map((each) => ({
        ...each,
        detail: readNullableJson(itemDetailSchema, each.detail, 'item_details.detail'),
      })),
  }
}

function headFrom(columns: unknown): EvaluationHead {
  const each = columns as Omit<EvaluationHead, 'job'> & { readonly job: string }
  return { ...each, job: readJson(z.record(z.string(), z.unknown()), each.job, 'evaluations.job') }
}

function assertFinite(what: string, value: number): void {
  if (!Number.isFinite(value)) throw new LabError('internal', `${what} is ${value}: a measurement must be a finite number`)
}
