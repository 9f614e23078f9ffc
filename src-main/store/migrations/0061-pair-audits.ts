// Image-use audits of preference pairs: who was asked, and each pair's margin under each image.

import type { Migration } from './migration.ts'

export const pairAuditsMigration: Migration = {
  id: 61,
  name: 'pair audits',
  sql: `
    CREATE TABLE pair_audits (
      id            TEXT    PRIMARY KEY,
      status        TEXT    NOT NULL,
      request       TEXT    NOT NULL,
      model         TEXT    NOT NULL,
      reference     TEXT,
      part          TEXT,
      done          REAL    NOT NULL DEFAULT 0,
      of_units      REAL    NOT NULL DEFAULT 0,
      failure       TEXT,
      created_at_ms INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE pair_audit_margins (
      audit_id  TEXT NOT NULL REFERENCES pair_audits (id) ON DELETE CASCADE,
      condition TEXT NOT NULL,
      sample_id TEXT NOT NULL,
      cluster   TEXT NOT NULL,
      margin    REAL NOT NULL,
      PRIMARY KEY (audit_id, condition, sample_id)
    ) STRICT, WITHOUT ROWID;
  `,
}
