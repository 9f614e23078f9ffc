// What would otherwise be counted over every sample is kept as it changes, by triggers: how many samples share all that a
// facet tells, how many of each category, how many images a dataset is about, and whether an image has a pair. With it a
// count of changes a dataset, so that a snapshot knows what it was taken of.

import type { Migration } from './migration.ts'

/** Columns of sample_counts and their values for a row of samples; null is '' because a key must not be null. */
const CELL = {
  dataset_id: 'dataset_id',
  state: 'state',
  split: 'split',
  kind: 'kind',
  image_format: "COALESCE(image_format, '')",
  question_group: "COALESCE(question_group, '')",
  has_image: 'width IS NOT NULL',
  has_mask: 'has_mask',
  has_pair: 'has_pair',
}
export const CELL_COLUMNS = Object.keys(CELL).join(', ')
/** The values as they are in `of`: 'new' or 'old' within a trigger, or a table. */
export const cellValues = (of: 'new' | 'old' | 's') =>
  Object.values(CELL).map((value) => value.replace(/\b(dataset_id|state|split|kind|image_format|question_group|width|has_mask|has_pair)\b/g, `${of}.$1`))
const count = (of: 'new' | 'old', by: 1 | -1) =>
  `INSERT INTO sample_counts (${CELL_COLUMNS}, samples) VALUES (${cellValues(of).join(', ')}, ${by}) ON CONFLICT DO UPDATE SET samples = samples + ${by};`
const countCategories = (of: 'new' | 'old', by: 1 | -1) => `
  INSERT INTO category_counts (dataset_id, state, split, category, samples)
    SELECT ${of}.dataset_id, ${of}.state, ${of}.split, category, ${by} FROM sample_categories WHERE row = ${of}.row
    ON CONFLICT DO UPDATE SET samples = samples + ${by};`
/** One image more or less, unless another kept sample of the dataset is about it. */
const countImage = (of: 'new' | 'old', by: 1 | -1) => `
  UPDATE datasets SET images = images + ${by} WHERE id = ${of}.dataset_id AND NOT EXISTS (
    SELECT 1 FROM samples WHERE image_sha256 = ${of}.image_sha256 AND kind = ${of}.kind AND dataset_id = ${of}.dataset_id AND state = 'kept'
      AND row <> ${of}.row);`
const aPairOf = (of: 'new' | 'old') =>
  `EXISTS (SELECT 1 FROM samples WHERE image_sha256 = ${of}.image_sha256 AND kind = 'preferences' AND state = 'kept')`

export const sampleCountsMigration: Migration = {
  id: 80,
  name: 'sample counts',
  sql: `
    ALTER TABLE datasets ADD COLUMN images INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE datasets ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE datasets ADD COLUMN snapshot_changes INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE datasets ADD COLUMN is_deleted INTEGER NOT NULL DEFAULT 0;
    UPDATE datasets SET changes = is_changed,
      images = (SELECT COUNT(DISTINCT image_sha256) FROM samples WHERE dataset_id = datasets.id AND state = 'kept');
    ALTER TABLE datasets DROP COLUMN is_changed;

    ALTER TABLE samples ADD COLUMN has_pair INTEGER NOT NULL DEFAULT 0;
    DROP INDEX samples_by_image;
    DROP INDEX samples_by_facet;
    CREATE INDEX samples_by_image ON samples (image_sha256, kind, dataset_id, state);
    UPDATE samples SET has_pair = 1
      WHERE image_sha256 IN (SELECT image_sha256 FROM samples WHERE kind = 'preferences' AND state = 'kept');
    -- Counting by any of these reads this index alone.
    CREATE INDEX samples_by_facet ON samples
      (dataset_id, state, split, kind, image_format, question_group, has_mask, has_pair, width, height, text_length);

    CREATE TABLE sample_counts (
      dataset_id     TEXT    NOT NULL,
      state          TEXT    NOT NULL,
      split          TEXT    NOT NULL,
      kind           TEXT    NOT NULL,
      image_format   TEXT    NOT NULL,
      question_group TEXT    NOT NULL,
      has_image      INTEGER NOT NULL,
      has_mask       INTEGER NOT NULL,
      has_pair       INTEGER NOT NULL,
      samples        INTEGER NOT NULL,
      PRIMARY KEY (${CELL_COLUMNS})
    ) STRICT, WITHOUT ROWID;
    INSERT INTO sample_counts (${CELL_COLUMNS}, samples)
      SELECT ${Object.values(CELL).join(', ')}, COUNT(*) FROM samples GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
    CREATE TABLE category_counts (
      dataset_id TEXT    NOT NULL,
      state      TEXT    NOT NULL,
      split      TEXT    NOT NULL,
      category   TEXT    NOT NULL,
      samples    INTEGER NOT NULL,
      PRIMARY KEY (dataset_id, state, split, category)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO category_counts (dataset_id, state, split, category, samples)
      SELECT s.dataset_id, s.state, s.split, c.category, COUNT(*) FROM sample_categories c JOIN samples s ON s.row = c.row GROUP BY 1, 2, 3, 4;

    CREATE TRIGGER sample_counted AFTER INSERT ON samples BEGIN
      ${count('new', 1)}
    END;
    CREATE TRIGGER sample_recounted AFTER UPDATE OF state, split, has_pair ON samples BEGIN
      ${count('old', -1)}
      ${count('new', 1)}
    END;
    CREATE TRIGGER sample_uncounted AFTER DELETE ON samples BEGIN
      ${count('old', -1)}
    END;

    -- After the cascade over its samples, which are counted down to nothing.
    CREATE TRIGGER dataset_uncounted AFTER DELETE ON datasets BEGIN
      DELETE FROM sample_counts WHERE dataset_id = old.id;
      DELETE FROM category_counts WHERE dataset_id = old.id;
    END;

    CREATE TRIGGER category_counted AFTER INSERT ON sample_categories BEGIN
      INSERT INTO category_counts (dataset_id, state, split, category, samples)
        SELECT dataset_id, state, split, new.category, 1 FROM samples WHERE row = new.row
        ON CONFLICT DO UPDATE SET samples = samples + 1;
    END;
    CREATE TRIGGER categories_recounted AFTER UPDATE OF state, split ON samples BEGIN
      ${countCategories('old', -1)}
      ${countCategories('new', 1)}
    END;
    -- Before: with the sample go its categories.
    CREATE TRIGGER categories_uncounted BEFORE DELETE ON samples BEGIN
      ${countCategories('old', -1)}
    END;

    CREATE TRIGGER image_counted AFTER INSERT ON samples WHEN new.image_sha256 IS NOT NULL AND new.state = 'kept' BEGIN
      ${countImage('new', 1)}
    END;
    CREATE TRIGGER image_kept AFTER UPDATE OF state ON samples
      WHEN new.image_sha256 IS NOT NULL AND new.state = 'kept' AND old.state <> 'kept' BEGIN
      ${countImage('new', 1)}
    END;
    CREATE TRIGGER image_dropped AFTER UPDATE OF state ON samples
      WHEN new.image_sha256 IS NOT NULL AND new.state <> 'kept' AND old.state = 'kept' BEGIN
      ${countImage('new', -1)}
    END;
    CREATE TRIGGER image_uncounted AFTER DELETE ON samples WHEN old.image_sha256 IS NOT NULL AND old.state = 'kept' BEGIN
      ${countImage('old', -1)}
    END;

    -- An insert tells of itself whether its image has a pair; here it is told to the others.
    CREATE TRIGGER pair_came AFTER INSERT ON samples
      WHEN new.kind = 'preferences' AND new.image_sha256 IS NOT NULL AND new.state = 'kept' BEGIN
      UPDATE samples SET has_pair = 1 WHERE image_sha256 = new.image_sha256 AND has_pair = 0;
    END;
    CREATE TRIGGER pair_kept AFTER UPDATE OF state ON samples
      WHEN new.kind = 'preferences' AND new.image_sha256 IS NOT NULL AND new.state = 'kept' AND old.state <> 'kept' BEGIN
      UPDATE samples SET has_pair = 1 WHERE image_sha256 = new.image_sha256 AND has_pair = 0;
    END;
    CREATE TRIGGER pair_dropped AFTER UPDATE OF state ON samples
      WHEN new.kind = 'preferences' AND new.image_sha256 IS NOT NULL AND new.state <> 'kept' AND old.state = 'kept' AND NOT ${aPairOf('new')} BEGIN
      UPDATE samples SET has_pair = 0 WHERE image_sha256 = new.image_sha256 AND has_pair = 1;
    END;
    CREATE TRIGGER pair_went AFTER DELETE ON samples
      WHEN old.kind = 'preferences' AND old.image_sha256 IS NOT NULL AND old.state = 'kept' AND NOT ${aPairOf('old')} BEGIN
      UPDATE samples SET has_pair = 0 WHERE image_sha256 = old.image_sha256 AND has_pair = 1;
    END;

    -- Of new indexes the query planner knows nothing: it would sort where another index holds the order.
    PRAGMA analysis_limit = 1000;
    ANALYZE;
  `,
}
