// What a person notes beside a run, and how long a run had worked at each of its steps: the clock of its curves.

import type { Migration } from './migration.ts'

export const runNotesMigration: Migration = {
  id: 76,
  name: 'run notes',
  sql: `
    ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';

    CREATE TABLE run_steps (
      run_id    TEXT    NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
      step      INTEGER NOT NULL,
      worked_ms INTEGER NOT NULL,
      PRIMARY KEY (run_id, step)
    ) STRICT, WITHOUT ROWID;
  `,
}
