// Table judgements: every key that a labeller pressed, undone ones included. What stands of a place is the newest that is
// not undone. Writes are synchronous: when `insert` returns, the process may be killed and the judgement is kept.

import { judgementSchema, type Judgement } from '../domain/labelling/judgement.ts'
import type { QueueRow } from '../domain/labelling/queue.ts'
import type { Db } from './database.ts'
import { readJson } from './json-column.ts'

export type JudgementStore = ReturnType<typeof createJudgementStore>

/** How many of a labeller's newest judgements tell his pace and his breaks. */
const RECENT = 600

export function createJudgementStore(db: Db) {
  const insert = db.prepare(`
    INSERT INTO judgements (id, queue_id, ordinal, labeller, choice, seconds, flagged, content, judged_at_ms)
    VALUES (@id, @queueId, @ordinal, @labeller, @choice, @seconds, @flagged, @content, @judgedAtMs) ON CONFLICT (id) DO NOTHING`)
  const undo = db.prepare('UPDATE judgements SET undone_at_ms = ? WHERE id = ?')
  const newest = db
    .prepare(
      `SELECT content FROM judgements WHERE queue_id = ? AND labeller = ? AND undone_at_ms IS NULL AND judged_at_ms >= ?
       ORDER BY sequence DESC LIMIT 1`,
    )
    .pluck()
  // Of each place the newest judgement that is not undone.
  const standingOf = (who: '' | 'AND labeller = @labeller') => `
    SELECT MAX(sequence) AS sequence FROM judgements WHERE queue_id = @queueId AND undone_at_ms IS NULL ${who}
    GROUP BY labeller, ordinal`
  const [everybodys, own] = [standingOf(''), standingOf('AND labeller = @labeller')]
  const all = db.prepare(`SELECT content FROM judgements WHERE sequence IN (${everybodys}) ORDER BY sequence`).pluck()
  const ofPlace = db
    .prepare(
      `SELECT content FROM judgements WHERE queue_id = ? AND labeller = ? AND ordinal = ? AND undone_at_ms IS NULL
       ORDER BY sequence DESC LIMIT 1`,
    )
    .pluck()
  const latestOfPlace = db
    .prepare('SELECT content FROM judgements WHERE queue_id = ? AND labeller = ? AND ordinal = ? ORDER BY sequence DESC LIMIT 1')
    .pluck()
  const open = db
    .prepare(
      `SELECT s.ordinal FROM label_slots s WHERE s.queue_id = @queueId AND NOT EXISTS (
         SELECT 1 FROM judgements j WHERE j.queue_id = s.queue_id AND j.labeller = @labeller AND j.ordinal = s.ordinal
           AND j.undone_at_ms IS NULL) ORDER BY s.ordinal LIMIT @limit`,
    )
    .pluck()
  const skipped = db
    .prepare(
      `SELECT ordinal FROM judgements WHERE sequence IN (${own}) AND choice = 'skip' ORDER BY sequence LIMIT @limit`,
    )
    .pluck()
  const counts = db.prepare(`
    SELECT COUNT(*) AS judged, COALESCE(SUM(choice = 'skip'), 0) AS skipped, COALESCE(SUM(flagged), 0) AS flagged,
      COALESCE(SUM(judged_at_ms >= @since), 0) AS today
    FROM judgements WHERE sequence IN (${own})`)
  const recent = db.prepare(`
    SELECT seconds, judged_at_ms AS judgedAtMs FROM judgements WHERE queue_id = ? AND labeller = ? AND undone_at_ms IS NULL
    ORDER BY sequence DESC LIMIT ${RECENT}`)
  const labellers = db.prepare(`
    SELECT labeller, SUM(choice <> 'skip') AS judged, SUM(choice = 'skip') AS skipped, MAX(judged_at_ms) AS lastAtMs
    FROM judgements WHERE sequence IN (${everybodys}) GROUP BY labeller ORDER BY labeller`)

  const read = (content: unknown): Judgement => readJson(judgementSchema, content as string, 'judgements.content')
  const optional = (content: unknown) => (content === undefined ? null : read(content))

  return {
    /** Returns false when a judgement of that id is there already (merged twice). */
    insert: (judgement: Judgement): boolean =>
      insert.run({
        id: judgement.id,
        queueId: judgement.queueId,
        ordinal: judgement.ordinal,
        labeller: judgement.labeller,
        choice: judgement.choice,
        seconds: judgement.seconds,
        flagged: judgement.flagged ? 1 : 0,
        content: JSON.stringify(judgement),
        judgedAtMs: judgement.judgedAtMs,
      }).changes === 1,
    markUndone: (judgementId: string, atMs: number): void => void undo.run(atMs, judgementId),
    /** The newest that stands, made at `sinceMs` or later. */
    newest: (queueId: string, labeller: string, sinceMs: number): Judgement | null => optional(newest.get(queueId, labeller, sinceMs)),
    /** All that stand, oldest first. */
    standing: (queueId: string): readonly Judgement[] => all.all({ queueId }).map(read),
    standingOf: (queueId: string, labeller: string, ordinal: number): Judgement | null => optional(ofPlace.get(queueId, labeller, ordinal)),
    /** Undone or not: what a labeller said last of a place. */
    latestOf: (queueId: string, labeller: string, ordinal: number): Judgement | null => optional(latestOfPlace.get(queueId, labeller, ordinal)),
    /** Places that this labeller has not judged, in the order of the queue. */
    openPlaces: (queueId: string, labeller: string, limit: number): readonly number[] => open.all({ queueId, labeller, limit }) as number[],
    /** Places that he skipped, longest ago first. */
    skippedPlaces: (queueId: string, labeller: string, limit: number): readonly number[] =>
      skipped.all({ queueId, labeller, limit }) as number[],
    counts: (queueId: string, labeller: string, sinceMs: number) =>
      counts.get({ queueId, labeller, since: sinceMs }) as { judged: number; skipped: number; flagged: number; today: number },
    /** Newest first. */
    recent: (queueId: string, labeller: string) =>
      recent.all(queueId, labeller) as readonly { readonly seconds: number; readonly judgedAtMs: number }[],
    labellers: (queueId: string): QueueRow['labellers'] => labellers.all({ queueId }) as QueueRow['labellers'],
  }
}
