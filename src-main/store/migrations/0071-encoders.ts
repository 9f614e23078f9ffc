// Encoders as things of their own, and what was measured on each. What a person looks at of an item moves into a table of its
// own: a comparison reads the scores of a hundred thousand items, and their texts would be read along with them.

import type { Migration } from './migration.ts'

export const encodersMigration: Migration = {
  id: 71,
  name: 'encoders',
  sql: `
    CREATE TABLE encoders (
      id            TEXT    PRIMARY KEY,
      colour        INTEGER NOT NULL UNIQUE,
      name          TEXT,
      folder        TEXT,
      sha256        TEXT,
      preprocessing TEXT,
      created_at_ms INTEGER NOT NULL
    ) STRICT;

    ALTER TABLE evaluations ADD COLUMN encoder_id TEXT;
    ALTER TABLE evaluations ADD COLUMN protocol TEXT;
    CREATE INDEX evaluations_by_encoder ON evaluations (encoder_id);

    UPDATE evaluations SET encoder_id = (
      SELECT c.run_id || '@' || c.step FROM checkpoints c WHERE c.folder = evaluations.checkpoint ORDER BY c.step DESC LIMIT 1
    ) WHERE phase_id IS NULL OR phase_id NOT LIKE '%/transplant-evaluate';
    UPDATE evaluations SET protocol = study_id, encoder_id = (
      SELECT c.run_id || '@' || c.step FROM study_phases p JOIN checkpoints c ON c.run_id = p.run_id
      WHERE p.study_id = evaluations.study_id
        AND p.id = 'seed-' || evaluations.seed || '/' || CASE evaluations.encoder WHEN 'stage-1' THEN 'instruction' ELSE evaluations.encoder END
      ORDER BY c.step DESC LIMIT 1
    ) WHERE phase_id LIKE '%/transplant-evaluate';

    CREATE TABLE item_details (
      evaluation_id TEXT NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
      metric        TEXT NOT NULL,
      item_id       TEXT NOT NULL,
      detail        TEXT NOT NULL,
      PRIMARY KEY (evaluation_id, metric, item_id)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO item_details SELECT evaluation_id, metric, item_id, detail FROM item_results WHERE detail IS NOT NULL;
    ALTER TABLE item_results DROP COLUMN detail;
  `,
}
