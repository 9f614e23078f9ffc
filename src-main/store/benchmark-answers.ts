// Table benchmark_answers: what a checkpoint answered, by item and by what decides an answer (`settings`, as text).

import type { BenchmarkAnswer, BenchmarkName } from '../domain/benchmark.ts'
import type { Db } from './database.ts'

export type BenchmarkAnswerStore = ReturnType<typeof createBenchmarkAnswerStore>

export function createBenchmarkAnswerStore(db: Db) {
  const insert = db.prepare(`
    INSERT INTO benchmark_answers (checkpoint_sha256, item_id, settings, prompt, answer, created_at_ms)
    VALUES (@checkpointSha256, @itemId, @settings, @prompt, @answer, @createdAtMs)
    ON CONFLICT DO UPDATE SET prompt = excluded.prompt, answer = excluded.answer, created_at_ms = excluded.created_at_ms`)
  const of = db.prepare(`
    SELECT item_id AS itemId, prompt, answer FROM benchmark_answers WHERE checkpoint_sha256 = ? AND settings = ? AND item_id >= ? AND item_id < ?`)
  const benchmarkOf = db
    .prepare(
      `SELECT json_extract(c.content, '$.benchmark.name') FROM samples s JOIN sample_contents c ON c.row = s.row
      WHERE s.dataset_id = ? AND s.state = 'kept' LIMIT 1`,
    )
    .pluck()
  return {
    /** Which benchmark a dataset holds, by its first sample; null: none. */
    benchmarkOf: (datasetId: string): BenchmarkName | null => (benchmarkOf.get(datasetId) as BenchmarkName | null | undefined) ?? null,
    insert(checkpointSha256: string, settings: string, createdAtMs: number, answers: readonly BenchmarkAnswer[]): void {
      db.transaction(() => {
        for (const each of answers) insert.run({ checkpointSha256, settings, createdAtMs, ...each })
      })()
    },
    /** Of these samples, the rotations of their options included (`<id>/<r>`). */
    of: (checkpointSha256: string, settings: string, sampleIds: Iterable<string>): readonly BenchmarkAnswer[] =>
      [...sampleIds].flatMap((id) => of.all(checkpointSha256, settings, id, `${id}0`) as BenchmarkAnswer[]),
  }
}
