// What was imported: datasets, their images by content, their samples in import order, and the snapshots that runs read.

import type { Migration } from './migration.ts'

export const datasetsMigration: Migration = {
  id: 10,
  name: 'datasets',
  sql: `
    CREATE TABLE datasets (
      id            TEXT    PRIMARY KEY,
      name          TEXT    NOT NULL UNIQUE,
      kind          TEXT    NOT NULL,
      source        TEXT    NOT NULL,
      created_at_ms INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE images (
      sha256     TEXT    PRIMARY KEY,
      path       TEXT    NOT NULL,
      width      INTEGER NOT NULL,
      height     INTEGER NOT NULL,
      file_bytes INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE samples (
      dataset_id   TEXT    NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
      id           TEXT    NOT NULL,
      ordinal      INTEGER NOT NULL,
      split        TEXT    NOT NULL,
      source       TEXT,
      image_sha256 TEXT    REFERENCES images (sha256),
      content      TEXT    NOT NULL,
      PRIMARY KEY (dataset_id, id)
    ) STRICT;
    CREATE UNIQUE INDEX samples_by_ordinal ON samples (dataset_id, ordinal);
    CREATE INDEX samples_by_image ON samples (image_sha256);

    CREATE TABLE snapshots (
      dataset_id    TEXT    NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
      sha256        TEXT    NOT NULL,
      samples       INTEGER NOT NULL,
      created_at_ms INTEGER NOT NULL,
      PRIMARY KEY (dataset_id, sha256)
    ) STRICT, WITHOUT ROWID;
  `,
}
