// When the part under way began, so that the time left of making a queue and of an audit can be told.

import type { Migration } from './migration.ts'

export const labellingPaceMigration: Migration = {
  id: 62,
  name: 'labelling pace',
  sql: `
    ALTER TABLE label_queues ADD COLUMN part_since_ms INTEGER;
    ALTER TABLE pair_audits ADD COLUMN part_since_ms INTEGER;
  `,
}
