// Studies and their phases. A phase's `pace_key` and `units` name its kind of work and how much of it there is, so that
// the time of one measured phase tells about the next of its kind.

import type { Migration } from './migration.ts'

export const studiesMigration: Migration = {
  id: 20,
  name: 'studies',
  sql: `
    CREATE TABLE studies (
      id               TEXT    PRIMARY KEY,
      name             TEXT    NOT NULL,
      preset           TEXT,
      config           TEXT    NOT NULL,
      sight_test       TEXT,
      status           TEXT    NOT NULL,
      folder           TEXT    NOT NULL,
      engine           TEXT,
      device           TEXT,
      versions         TEXT    NOT NULL DEFAULT '{}',
      snapshots        TEXT    NOT NULL DEFAULT '{}',
      created_at_ms    INTEGER NOT NULL,
      started_at_ms    INTEGER,
      finished_at_ms   INTEGER,
      worked_ms        INTEGER NOT NULL DEFAULT 0,
      running_since_ms INTEGER,
      failure          TEXT
    ) STRICT;

    CREATE TABLE study_phases (
      study_id         TEXT    NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
      id               TEXT    NOT NULL,
      ordinal          INTEGER NOT NULL,
      kind             TEXT    NOT NULL,
      title            TEXT    NOT NULL,
      seed             INTEGER,
      stage            TEXT,
      encoder          TEXT,
      status           TEXT    NOT NULL,
      run_id           TEXT,
      job              TEXT,
      part             TEXT,
      done             REAL    NOT NULL DEFAULT 0,
      of_units         REAL    NOT NULL DEFAULT 0,
      pace_key         TEXT    NOT NULL,
      units            REAL    NOT NULL,
      started_at_ms    INTEGER,
      finished_at_ms   INTEGER,
      worked_ms        INTEGER NOT NULL DEFAULT 0,
      running_since_ms INTEGER,
      failure          TEXT,
      PRIMARY KEY (study_id, id)
    ) STRICT;
    CREATE UNIQUE INDEX study_phases_by_ordinal ON study_phases (study_id, ordinal);
  `,
}
