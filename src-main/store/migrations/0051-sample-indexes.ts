// Each order of browsing has an index that begins with what is always given, dataset and state, so that a page is read off it
// without sorting, and a count without touching a row.

import type { Migration } from './migration.ts'

export const sampleIndexesMigration: Migration = {
  id: 51,
  name: 'sample indexes',
  sql: `
    DROP INDEX samples_by_image;
    DROP INDEX samples_by_source;
    DROP INDEX samples_by_length;
    DROP INDEX samples_by_pixels;
    DROP INDEX samples_by_bytes;
    -- In import order: an index ends with the row.
    CREATE INDEX samples_by_state ON samples (dataset_id, state);
    CREATE INDEX samples_by_image ON samples (image_sha256, kind, state);
    CREATE INDEX samples_by_source ON samples (dataset_id, state, COALESCE(source, ''));
    CREATE INDEX samples_by_length ON samples (dataset_id, state, text_length);
    CREATE INDEX samples_by_pixels ON samples (dataset_id, state, pixels);
    CREATE INDEX samples_by_bytes ON samples (dataset_id, state, image_bytes);
  `,
}
