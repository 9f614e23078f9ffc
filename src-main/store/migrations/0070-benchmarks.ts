// Intervals beside results, and the answers that checkpoints gave to questions of benchmarks: kept by checkpoint, item and what
// decides an answer, whatever becomes of the evaluation that asked.

import type { Migration } from './migration.ts'

export const benchmarksMigration: Migration = {
  id: 70,
  name: 'benchmarks',
  sql: `
    ALTER TABLE results ADD COLUMN low REAL;
    ALTER TABLE results ADD COLUMN high REAL;

    CREATE TABLE benchmark_answers (
      checkpoint_sha256 TEXT    NOT NULL,
      item_id           TEXT    NOT NULL,
      settings          TEXT    NOT NULL,
      prompt            TEXT    NOT NULL,
      answer            TEXT    NOT NULL,
      created_at_ms     INTEGER NOT NULL,
      PRIMARY KEY (checkpoint_sha256, item_id, settings)
    ) STRICT, WITHOUT ROWID;
  `,
}
