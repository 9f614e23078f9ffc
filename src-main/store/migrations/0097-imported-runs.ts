// Runs that another program logged: curves and a configuration of their own, no weights. They are rows beside the lab's, so that they are
// listed, noted and drawn with them; `origin` tells them apart.

import type { Migration } from './migration.ts'

export const importedRunsMigration: Migration = {
  id: 97,
  name: 'imported runs',
  sql: 'ALTER TABLE runs ADD COLUMN origin TEXT;',
}
