// A change of state writes every index that holds it, and in an index by length or hash each sample has a page of its own:
// with state in seven indexes, changing 1000 samples wrote ten thousand pages. State is now in one index alone, in import
// order, where neighbours share a page; orders by value hold all states, and whoever asks leaves out what is not meant.
// Categories are counted by all that samples are counted by.

import { CELL_COLUMNS, cellValues } from './0080-sample-counts.ts'
import type { Migration } from './migration.ts'

const count = (of: 'new' | 'old', by: 1 | -1) => `
  INSERT INTO category_counts (category, ${CELL_COLUMNS}, samples)
    SELECT category, ${cellValues(of).join(', ')}, ${by} FROM sample_categories WHERE row = ${of}.row
    ON CONFLICT DO UPDATE SET samples = samples + ${by};`

export const narrowIndexesMigration: Migration = {
  id: 91,
  name: 'narrow indexes',
  sql: `
    DROP INDEX samples_by_state;
    DROP INDEX samples_by_image;
    DROP INDEX samples_by_source;
    DROP INDEX samples_by_length;
    DROP INDEX samples_by_pixels;
    DROP INDEX samples_by_bytes;
    DROP INDEX samples_by_facet;
    CREATE INDEX samples_by_image ON samples (image_sha256, kind, dataset_id);
    CREATE INDEX samples_by_source ON samples (dataset_id, COALESCE(source, ''));
    CREATE INDEX samples_by_length ON samples (dataset_id, text_length);
    CREATE INDEX samples_by_pixels ON samples (dataset_id, pixels);
    CREATE INDEX samples_by_bytes ON samples (dataset_id, image_bytes);
    -- Finding and counting by any of these reads this index alone.
    CREATE INDEX samples_by_facet ON samples
      (dataset_id, state, row, split, kind, image_format, question_group, has_mask, has_pair, width, height, text_length);

    DROP TRIGGER dataset_uncounted;
    DROP TRIGGER category_counted;
    DROP TRIGGER categories_recounted;
    DROP TRIGGER categories_uncounted;
    DROP TABLE category_counts;
    CREATE TABLE category_counts (
      dataset_id     TEXT    NOT NULL,
      state          TEXT    NOT NULL,
      split          TEXT    NOT NULL,
      kind           TEXT    NOT NULL,
      image_format   TEXT    NOT NULL,
      question_group TEXT    NOT NULL,
      has_image      INTEGER NOT NULL,
      has_mask       INTEGER NOT NULL,
      has_pair       INTEGER NOT NULL,
      category       TEXT    NOT NULL,
      samples        INTEGER NOT NULL,
      PRIMARY KEY (${CELL_COLUMNS}, category)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO category_counts (category, ${CELL_COLUMNS}, samples)
      SELECT c.category, ${cellValues('s').join(', ')}, COUNT(*) FROM sample_categories c JOIN samples s ON s.row = c.row
      GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10;
    CREATE TRIGGER category_counted AFTER INSERT ON sample_categories BEGIN
      INSERT INTO category_counts (category, ${CELL_COLUMNS}, samples)
        SELECT new.category, ${cellValues('s').join(', ')}, 1 FROM samples s WHERE s.row = new.row
        ON CONFLICT DO UPDATE SET samples = samples + 1;
    END;
    CREATE TRIGGER categories_recounted AFTER UPDATE OF state, split, has_pair ON samples BEGIN
      ${count('old', -1)}
      ${count('new', 1)}
    END;
    -- Before: with the sample go its categories.
    CREATE TRIGGER categories_uncounted BEFORE DELETE ON samples BEGIN
      ${count('old', -1)}
    END;
    -- After the cascade over its samples, which are counted down to nothing.
    CREATE TRIGGER dataset_uncounted AFTER DELETE ON datasets BEGIN
      DELETE FROM sample_counts WHERE dataset_id = old.id;
      DELETE FROM category_counts WHERE dataset_id = old.id;
    END;

    -- Of new indexes the query planner knows nothing: it would sort where another index holds the order.
    PRAGMA analysis_limit = 1000;
    ANALYZE;
  `,
}
