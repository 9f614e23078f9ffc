// Counting by category had to look up the categories of each sample. Most samples have one: it is kept with the sample, in the
// index of facets, and only those of several are looked up. What a sample is about never changes.

import type { Migration } from './migration.ts'

export const soleCategoryMigration: Migration = {
  id: 110,
  name: 'sole category',
  sql: `
    ALTER TABLE samples ADD COLUMN categories INTEGER NOT NULL DEFAULT 0;
    -- Of a sample that has exactly one.
    ALTER TABLE samples ADD COLUMN sole_category TEXT;
    UPDATE samples SET categories = c.count, sole_category = IIF(c.count = 1, c.category, NULL)
      FROM (SELECT row, COUNT(*) AS count, MIN(category) AS category FROM sample_categories GROUP BY row) c WHERE c.row = samples.row;
    DROP INDEX samples_by_facet;
    -- Finding and counting by any of these reads this index alone.
    CREATE INDEX samples_by_facet ON samples
      (dataset_id, state, row, split, kind, image_format, question_group, has_mask, has_pair, width, height, text_length, categories, sole_category);
    PRAGMA analysis_limit = 1000;
    ANALYZE;
  `,
}
