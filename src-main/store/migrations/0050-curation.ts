// Datasets of a hundred thousand samples: what is filtered and sorted by stands in a narrow row with indexes, the content
// beside it, its words in a full-text index. With it the journal of changes, saved views, and long work with what it found.

import type { Migration } from './migration.ts'

/** All texts of a sample's content, one after the other: what is searched and whose length is counted. */
const TEXT = `
  COALESCE(json_extract(content, '$.question') || ' ' || json_extract(content, '$.answer'),
           json_extract(content, '$.prompt') || ' ' || json_extract(content, '$.chosen') || ' ' || json_extract(content, '$.rejected'),
           (SELECT group_concat(json_extract(value, '$.text'), ' ') FROM json_each(content, '$.turns')), '')`

export const curationMigration: Migration = {
  id: 50,
  name: 'curation',
  sql: `
    CREATE TABLE data_tasks (
      id             TEXT    PRIMARY KEY,
      kind           TEXT    NOT NULL,
      title          TEXT    NOT NULL,
      request        TEXT    NOT NULL,
      status         TEXT    NOT NULL,
      part           TEXT,
      done           REAL    NOT NULL DEFAULT 0,
      of_units       REAL    NOT NULL DEFAULT 0,
      created_at_ms  INTEGER NOT NULL,
      started_at_ms  INTEGER NOT NULL,
      finished_at_ms INTEGER,
      failure        TEXT,
      result         TEXT
    ) STRICT;

    CREATE TABLE import_faults (
      id       INTEGER PRIMARY KEY,
      task_id  TEXT    NOT NULL REFERENCES data_tasks (id) ON DELETE CASCADE,
      file     TEXT    NOT NULL,
      line     INTEGER,
      field    TEXT    NOT NULL,
      expected TEXT    NOT NULL,
      found    TEXT    NOT NULL
    ) STRICT;
    CREATE INDEX import_faults_by_task ON import_faults (task_id);

    ALTER TABLE datasets ADD COLUMN is_changed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE datasets ADD COLUMN task_id TEXT;
    ALTER TABLE images ADD COLUMN format TEXT;
    ALTER TABLE images ADD COLUMN task_id TEXT;
    UPDATE images SET format = CASE
      WHEN path LIKE '%.png' THEN 'png' WHEN path LIKE '%.jpg' OR path LIKE '%.jpeg' THEN 'jpeg' WHEN path LIKE '%.webp' THEN 'webp'
      WHEN path LIKE '%.gif' THEN 'gif' WHEN path LIKE '%.tif' OR path LIKE '%.tiff' THEN 'tiff' END;

    ALTER TABLE samples RENAME TO samples_before;
    CREATE TABLE samples (
      row            INTEGER PRIMARY KEY,
      dataset_id     TEXT    NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
      id             TEXT    NOT NULL,
      kind           TEXT    NOT NULL,
      split          TEXT    NOT NULL,
      state          TEXT    NOT NULL DEFAULT 'kept',
      source         TEXT,
      image_sha256   TEXT    REFERENCES images (sha256),
      image_format   TEXT,
      width          INTEGER,
      height         INTEGER,
      pixels         INTEGER NOT NULL,
      image_bytes    INTEGER NOT NULL,
      question_group TEXT,
      has_mask       INTEGER NOT NULL,
      text_length    INTEGER NOT NULL,
      task_id        TEXT
    ) STRICT;
    CREATE TABLE sample_contents (
      row     INTEGER PRIMARY KEY REFERENCES samples (row) ON DELETE CASCADE,
      content TEXT    NOT NULL
    ) STRICT;
    CREATE TABLE sample_categories (
      category TEXT    NOT NULL,
      row      INTEGER NOT NULL REFERENCES samples (row) ON DELETE CASCADE,
      PRIMARY KEY (category, row)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sample_tags (
      tag TEXT    NOT NULL,
      row INTEGER NOT NULL REFERENCES samples (row) ON DELETE CASCADE,
      PRIMARY KEY (tag, row)
    ) STRICT, WITHOUT ROWID;
    CREATE VIRTUAL TABLE sample_text USING fts5 (text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2');

    INSERT INTO samples
      (dataset_id, id, kind, split, source, image_sha256, image_format, width, height, pixels, image_bytes, question_group, has_mask, text_length)
    SELECT s.dataset_id, s.id, json_extract(s.content, '$.kind'), s.split, s.source, s.image_sha256, i.format, i.width, i.height,
      COALESCE(i.width * i.height, 0), COALESCE(i.file_bytes, 0), json_extract(s.content, '$.group'),
      EXISTS (SELECT 1 FROM json_each(s.content, '$.objects') WHERE json_type(value, '$.mask') = 'object'), length(${TEXT})
    FROM samples_before s LEFT JOIN images i ON i.sha256 = s.image_sha256 ORDER BY s.dataset_id, s.ordinal;
    CREATE UNIQUE INDEX samples_by_id ON samples (dataset_id, id);
    INSERT INTO sample_contents (row, content)
      SELECT s.row, b.content FROM samples_before b JOIN samples s ON s.dataset_id = b.dataset_id AND s.id = b.id;
    INSERT INTO sample_text (rowid, text) SELECT row, ${TEXT} FROM sample_contents;
    INSERT INTO sample_categories (category, row)
      SELECT DISTINCT category, row FROM (
        SELECT json_extract(content, '$.category') AS category, row FROM sample_contents
        UNION ALL
        SELECT json_extract(value, '$.category'), row FROM sample_contents, json_each(content, '$.objects'))
      WHERE category IS NOT NULL;
    DROP TABLE samples_before;

    CREATE INDEX samples_by_image ON samples (image_sha256, kind);
    CREATE INDEX samples_by_source ON samples (dataset_id, source);
    CREATE INDEX samples_by_length ON samples (dataset_id, text_length);
    CREATE INDEX samples_by_pixels ON samples (dataset_id, pixels);
    CREATE INDEX samples_by_bytes ON samples (dataset_id, image_bytes);
    CREATE INDEX samples_by_task ON samples (task_id) WHERE task_id IS NOT NULL;
    -- Counting by any of these reads this index alone.
    CREATE INDEX samples_by_facet ON samples
      (dataset_id, state, split, kind, image_format, question_group, has_mask, width, height, text_length);
    CREATE INDEX sample_categories_by_row ON sample_categories (row);
    CREATE INDEX sample_tags_by_row ON sample_tags (row);

    -- Foreign keys cannot reach a virtual table.
    CREATE TRIGGER sample_text_follows AFTER DELETE ON samples BEGIN
      DELETE FROM sample_text WHERE rowid = old.row;
    END;

    CREATE TABLE curation_journal (
      id         INTEGER PRIMARY KEY AUTOINCREMENT,
      at_ms      INTEGER NOT NULL,
      change     TEXT    NOT NULL,
      samples    INTEGER NOT NULL,
      is_undone  INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE curation_changes (
      journal_id INTEGER NOT NULL REFERENCES curation_journal (id) ON DELETE CASCADE,
      row        INTEGER NOT NULL REFERENCES samples (row) ON DELETE CASCADE,
      before     TEXT    NOT NULL,
      after      TEXT    NOT NULL,
      PRIMARY KEY (journal_id, row)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX curation_changes_by_row ON curation_changes (row);

    CREATE TABLE saved_views (
      id            TEXT    PRIMARY KEY,
      name          TEXT    NOT NULL UNIQUE,
      view          TEXT    NOT NULL,
      created_at_ms INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE image_facts (
      sha256          TEXT    PRIMARY KEY REFERENCES images (sha256) ON DELETE CASCADE,
      difference_hash TEXT,
      pixel_hash      TEXT,
      brightness      REAL,
      contrast        REAL,
      has_thumbnail   INTEGER NOT NULL,
      fault           TEXT
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE findings (
      task_id TEXT    NOT NULL REFERENCES data_tasks (id) ON DELETE CASCADE,
      row     INTEGER NOT NULL REFERENCES samples (row) ON DELETE CASCADE,
      cluster INTEGER NOT NULL,
      is_best INTEGER NOT NULL,
      score   REAL,
      detail  TEXT    NOT NULL,
      PRIMARY KEY (task_id, row)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX findings_by_cluster ON findings (task_id, cluster);
    CREATE INDEX findings_by_row ON findings (row);

    CREATE TABLE map_points (
      task_id TEXT NOT NULL REFERENCES data_tasks (id) ON DELETE CASCADE,
      sha256  TEXT NOT NULL,
      x       REAL NOT NULL,
      y       REAL NOT NULL,
      PRIMARY KEY (task_id, sha256)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX item_results_by_item ON item_results (item_id);
  `,
}
