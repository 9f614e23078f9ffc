// Table run_log: what a run said in words.

import type { LogLine } from '../domain/run-view.ts'
import type { Db } from './database.ts'

export type RunLogStore = ReturnType<typeof createRunLogStore>

export function createRunLogStore(db: Db) {
  const insert = db.prepare('INSERT INTO run_log (run_id, at_ms, level, message) VALUES (?, ?, ?, ?)')
  const after = db.prepare(`
    SELECT * FROM (SELECT id, at_ms AS atMs, level, message FROM run_log WHERE run_id = ? AND id > ? ORDER BY id DESC LIMIT ?)
    ORDER BY id`)
  return {
    append: (runId: string, atMs: number, level: LogLine['level'], message: string): void =>
      void insert.run(runId, atMs, level, message),
    /** The newest `limit` lines after `afterId`, oldest first. */
    after: (runId: string, afterId: number, limit: number): readonly LogLine[] => after.all(runId, afterId, limit) as LogLine[],
  }
}
