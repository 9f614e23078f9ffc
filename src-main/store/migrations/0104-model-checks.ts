// What a task on models found, as it comes: reports of reference cases, and what a dual encoder said of images.

import type { Migration } from './migration.ts'

export const modelChecksMigration: Migration = {
  id: 104,
  name: 'model checks',
  sql: `
    CREATE TABLE parity_reports (
      task_id TEXT NOT NULL REFERENCES data_tasks (id) ON DELETE CASCADE,
      name    TEXT NOT NULL,
      report  TEXT NOT NULL,
      PRIMARY KEY (task_id, name)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE zero_shot_answers (
      task_id     TEXT NOT NULL REFERENCES data_tasks (id) ON DELETE CASCADE,
      image       TEXT NOT NULL,
      expected    TEXT,
      given       TEXT NOT NULL,
      probability REAL NOT NULL,
      PRIMARY KEY (task_id, image)
    ) STRICT, WITHOUT ROWID;
  `,
}
