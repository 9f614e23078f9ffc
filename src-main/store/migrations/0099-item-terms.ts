// What an item adds to a score that is no mean of items (F1, MME's points, mean IoU): [stratum, term, term, …] as JSON.

import type { Migration } from './migration.ts'

export const itemTermsMigration: Migration = {
  id: 99,
  name: 'terms of items',
  sql: 'ALTER TABLE item_results ADD COLUMN terms TEXT;',
}
