// What was measured on a checkpoint: its numbers, and the items behind them so that differences can be paired; and the
// files that came out (exported encoders, reports).

import type { Migration } from './migration.ts'

export const evaluationsMigration: Migration = {
  id: 40,
  name: 'evaluations',
  sql: `
    CREATE TABLE evaluations (
      id            TEXT    PRIMARY KEY,
      study_id      TEXT    REFERENCES studies (id) ON DELETE CASCADE,
      phase_id      TEXT,
      encoder       TEXT,
      seed          INTEGER,
      checkpoint    TEXT    NOT NULL,
      job           TEXT    NOT NULL,
      created_at_ms INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX evaluations_by_phase ON evaluations (study_id, phase_id);

    CREATE TABLE results (
      evaluation_id TEXT    NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
      metric        TEXT    NOT NULL,
      value         REAL    NOT NULL,
      n             INTEGER NOT NULL,
      PRIMARY KEY (evaluation_id, metric)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE item_results (
      evaluation_id TEXT NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
      metric        TEXT NOT NULL,
      item_id       TEXT NOT NULL,
      cluster       TEXT NOT NULL,
      question_group TEXT,
      value         REAL NOT NULL,
      detail        TEXT,
      PRIMARY KEY (evaluation_id, metric, item_id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE artifacts (
      id            TEXT    PRIMARY KEY,
      study_id      TEXT    REFERENCES studies (id) ON DELETE CASCADE,
      phase_id      TEXT,
      run_id        TEXT    REFERENCES runs (id) ON DELETE CASCADE,
      name          TEXT    NOT NULL,
      path          TEXT    NOT NULL UNIQUE,
      created_at_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX artifacts_by_study ON artifacts (study_id);
    CREATE INDEX artifacts_by_run ON artifacts (run_id);

    CREATE TABLE settings (
      name  TEXT PRIMARY KEY,
      value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
  `,
}
