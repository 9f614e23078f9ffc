// Table checkpoints: where the weights of a run lie, by step.

import type { CheckpointRow } from '../domain/run-view.ts'
import type { Db } from './database.ts'

export type CheckpointStore = ReturnType<typeof createCheckpointStore>

export function createCheckpointStore(db: Db) {
  const insert = db.prepare(`
    INSERT INTO checkpoints (run_id, step, folder, sha256, created_at_ms) VALUES (@runId, @step, @folder, @sha256, @createdAtMs)
    ON CONFLICT DO UPDATE SET folder = excluded.folder, sha256 = excluded.sha256, created_at_ms = excluded.created_at_ms`)
  const select = 'SELECT step, folder, sha256, created_at_ms AS createdAtMs FROM checkpoints WHERE run_id = ?'
  const all = db.prepare(`${select} ORDER BY step`)
  const newest = db.prepare(`${select} ORDER BY step DESC LIMIT 1`)
  return {
    insert: (checkpoint: CheckpointRow & { readonly runId: string }): void => void insert.run(checkpoint),
    list: (runId: string): readonly CheckpointRow[] => all.all(runId) as CheckpointRow[],
    newest: (runId: string): CheckpointRow | null => (newest.get(runId) as CheckpointRow | undefined) ?? null,
  }
}
