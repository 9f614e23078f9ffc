// What is measured of a run while it trains: it decides nothing of the run, so it is no part of its configuration, and a resumed run goes on
// measuring. Of a study's runs the study says it.

import type { Migration } from './migration.ts'

export const runWatchMigration: Migration = {
  id: 96,
  name: 'run watch',
  sql: 'ALTER TABLE runs ADD COLUMN watch TEXT;',
}
