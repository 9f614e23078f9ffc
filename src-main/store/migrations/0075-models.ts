// Model folders that were looked into, so that they can be named again without a dialog, and the questions that models were asked.

import type { Migration } from './migration.ts'

export const modelsMigration: Migration = {
  id: 75,
  name: 'models',
  sql: `
    CREATE TABLE model_folders (
      folder     TEXT    PRIMARY KEY,
      kind       TEXT    NOT NULL,
      model_type TEXT    NOT NULL,
      parameters REAL    NOT NULL,
      bytes      REAL    NOT NULL,
      used_at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE model_answers (
      id            TEXT    PRIMARY KEY,
      model         TEXT    NOT NULL,
      image         TEXT,
      question      TEXT    NOT NULL,
      status        TEXT    NOT NULL,
      text          TEXT    NOT NULL DEFAULT '',
      tokens        TEXT    NOT NULL DEFAULT '[]',
      ended         TEXT,
      failure       TEXT,
      created_at_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX model_answers_by_time ON model_answers (created_at_ms);
  `,
}
