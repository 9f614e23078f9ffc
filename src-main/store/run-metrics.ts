// Table run_metrics: the key (run, name, step) is the chart's question. A step that is trained again after a resume
// replaces its row with the same value.

import { LabError } from '../domain/errors.ts'
import type { Series } from '../domain/run-view.ts'
import type { Db } from './database.ts'

export type RunMetricStore = ReturnType<typeof createRunMetricStore>

export function createRunMetricStore(db: Db) {
  const insert = db.prepare(`
    INSERT INTO run_metrics (run_id, name, step, value) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET value = excluded.value`)
  const names = db.prepare('SELECT DISTINCT name FROM run_metrics WHERE run_id = ?').pluck()
  const latest = db.prepare('SELECT name, value, MAX(step) FROM run_metrics WHERE run_id = ? GROUP BY name')
  // Every k-th row by rank, with the first and the last: what a chart of that width can show.
  const thinned = db
    .prepare(
      `
    WITH ranked AS (
      SELECT step, value, ROW_NUMBER() OVER (ORDER BY step) - 1 AS rank, COUNT(*) OVER () AS count
      FROM run_metrics WHERE run_id = @runId AND name = @name)
    SELECT step, value FROM ranked
    WHERE count <= @points OR rank = count - 1 OR rank % ((count + @points - 2) / (@points - 1)) = 0
    ORDER BY step`,
    )
    .raw()

  const latestOfName = db.prepare('SELECT run_id AS runId, value, MAX(step) FROM run_metrics WHERE name = ? GROUP BY run_id')
  const insertClock = db.prepare('INSERT INTO run_steps (run_id, step, worked_ms) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET worked_ms = excluded.worked_ms')
  const clock = db.prepare('SELECT step, worked_ms / 1000.0 FROM run_steps WHERE run_id = ? ORDER BY step').raw()

  const removeAll = db.prepare('DELETE FROM run_metrics WHERE run_id = ?')

  return {
    /** Of a log that is read anew. */
    deleteAll: (runId: string): void => void removeAll.run(runId),
    /** @throws LabError 'loss-not-finite' when a value is not a finite number; nothing of the step is then written */
    insertStep(runId: string, step: number, metrics: Readonly<Record<string, number>>): void {
      const offending = Object.entries(metrics).find(([, value]) => !Number.isFinite(value))
      if (offending !== undefined)
        throw new LabError(
          'loss-not-finite',
          `${offending[0]} of step ${step} is ${offending[1]}: only finite numbers are kept. Lower the learning rate and resume.`,
          {
            metric: offending[0],
            step,
          },
        )
      db.transaction(() => {
        for (const [name, value] of Object.entries(metrics)) insert.run(runId, name, step, value)
      })()
    },
    names: (runId: string): readonly string[] => names.all(runId) as string[],
    latest: (runId: string): Readonly<Record<string, number>> =>
      Object.fromEntries((latest.all(runId) as { name: string; value: number }[]).map(({ name, value }) => [name, value])),
    /** By run, then by name. */
    latestOfAll(of: readonly string[]): Readonly<Record<string, Readonly<Record<string, number>>>> {
      const found: Record<string, Record<string, number>> = {}
      for (const name of of)
        for (const { runId, value } of latestOfName.all(name) as { runId: string; value: number }[]) (found[runId] ??= {})[name] = value
      return found
    },
    /** How long the run had worked when it reached the step. */
    insertClock: (runId: string, step: number, workedMs: number): void => void insertClock.run(runId, step, workedMs),
    /** [step, seconds worked], ascending; empty for runs from before they were kept. */
    clock: (runId: string): readonly (readonly [step: number, seconds: number])[] => clock.all(runId) as [number, number][],
    series: (runId: string, name: string, points: number): Series => ({
      name,
      points: thinned.all({ runId, name, points }) as [number, number][],
    }),
  }
}
