// Runs with what they logged: one row per metric and step (NOT NULL refuses NaN, which SQLite stores as NULL), lines of
// text, and the checkpoints that a resume continues from.

import type { Migration } from './migration.ts'

export const runsMigration: Migration = {
  id: 30,
  name: 'runs',
  sql: `
    CREATE TABLE runs (
      id               TEXT    PRIMARY KEY,
      name             TEXT    NOT NULL,
      status           TEXT    NOT NULL,
      study_id         TEXT    REFERENCES studies (id) ON DELETE CASCADE,
      phase_id         TEXT,
      dataset          TEXT,
      config           TEXT    NOT NULL,
      folder           TEXT    NOT NULL,
      engine           TEXT,
      device           TEXT,
      versions         TEXT    NOT NULL DEFAULT '{}',
      step             INTEGER NOT NULL DEFAULT 0,
      part             TEXT,
      done             REAL    NOT NULL DEFAULT 0,
      of_units         REAL    NOT NULL DEFAULT 0,
      created_at_ms    INTEGER NOT NULL,
      started_at_ms    INTEGER,
      finished_at_ms   INTEGER,
      worked_ms        INTEGER NOT NULL DEFAULT 0,
      running_since_ms INTEGER,
      failure          TEXT
    ) STRICT;
    CREATE INDEX runs_by_study ON runs (study_id, phase_id);

    CREATE TABLE run_metrics (
      run_id TEXT    NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
      name   TEXT    NOT NULL,
      step   INTEGER NOT NULL,
      value  REAL    NOT NULL,
      PRIMARY KEY (run_id, name, step)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE run_log (
      id      INTEGER PRIMARY KEY AUTOINCREMENT,
      run_id  TEXT    NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
      at_ms   INTEGER NOT NULL,
      level   TEXT    NOT NULL,
      message TEXT    NOT NULL
    ) STRICT;
    CREATE INDEX run_log_by_run ON run_log (run_id, id);

    CREATE TABLE checkpoints (
      run_id        TEXT    NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
      step          INTEGER NOT NULL,
      folder        TEXT    NOT NULL,
      sha256        TEXT    NOT NULL,
      created_at_ms INTEGER NOT NULL,
      PRIMARY KEY (run_id, step)
    ) STRICT, WITHOUT ROWID;
  `,
}
