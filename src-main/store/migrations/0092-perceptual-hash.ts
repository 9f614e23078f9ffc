// Near duplicates are told by a hash of low frequencies instead of one of neighbouring grey values. What was hashed before is
// looked at again by the next check; its thumbnails stay.

import type { Migration } from './migration.ts'

export const perceptualHashMigration: Migration = {
  id: 92,
  name: 'perceptual hash',
  sql: `
    ALTER TABLE image_facts RENAME COLUMN difference_hash TO perceptual_hash;
    UPDATE image_facts SET perceptual_hash = NULL;
  `,
}
