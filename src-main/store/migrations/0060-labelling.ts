// Pairs to judge and what was said of them. A judgement is never changed or removed: an undo marks it, and a later one
// about the same place takes its part. Items are kept with their queue, so that deleting a dataset takes no label away.

import type { Migration } from './migration.ts'

export const labellingMigration: Migration = {
  id: 60,
  name: 'labelling',
  sql: `
    CREATE TABLE label_queues (
      id            TEXT    PRIMARY KEY,
      name          TEXT    NOT NULL UNIQUE,
      status        TEXT    NOT NULL,
      failure       TEXT,
      source        TEXT    NOT NULL,
      item_order    TEXT    NOT NULL,
      settings      TEXT    NOT NULL,
      part          TEXT,
      done          REAL    NOT NULL DEFAULT 0,
      of_units      REAL    NOT NULL DEFAULT 0,
      created_at_ms INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE label_guidelines (
      queue_id      TEXT    NOT NULL REFERENCES label_queues (id) ON DELETE CASCADE,
      version       INTEGER NOT NULL,
      text          TEXT    NOT NULL,
      created_at_ms INTEGER NOT NULL,
      PRIMARY KEY (queue_id, version)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE label_items (
      queue_id     TEXT NOT NULL REFERENCES label_queues (id) ON DELETE CASCADE,
      id           TEXT NOT NULL,
      image_sha256 TEXT REFERENCES images (sha256),
      content      TEXT NOT NULL,
      PRIMARY KEY (queue_id, id)
    ) STRICT;
    CREATE INDEX label_items_by_image ON label_items (image_sha256);

    CREATE TABLE label_slots (
      queue_id TEXT    NOT NULL,
      ordinal  INTEGER NOT NULL,
      item_id  TEXT    NOT NULL,
      role     TEXT    NOT NULL,
      expected TEXT,
      reason   TEXT    NOT NULL,
      PRIMARY KEY (queue_id, ordinal),
      FOREIGN KEY (queue_id, item_id) REFERENCES label_items (queue_id, id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE judgements (
      sequence      INTEGER PRIMARY KEY AUTOINCREMENT,
      id            TEXT    NOT NULL UNIQUE,
      queue_id      TEXT    NOT NULL,
      ordinal       INTEGER NOT NULL,
      labeller      TEXT    NOT NULL,
      choice        TEXT    NOT NULL,
      seconds       REAL    NOT NULL,
      flagged       INTEGER NOT NULL,
      content       TEXT    NOT NULL,
      judged_at_ms  INTEGER NOT NULL,
      undone_at_ms  INTEGER,
      FOREIGN KEY (queue_id, ordinal) REFERENCES label_slots (queue_id, ordinal) ON DELETE CASCADE
    ) STRICT;
    CREATE INDEX judgements_by_place ON judgements (queue_id, labeller, ordinal, sequence) WHERE undone_at_ms IS NULL;
    CREATE INDEX judgements_by_time ON judgements (queue_id, labeller, judged_at_ms);
  `,
}
