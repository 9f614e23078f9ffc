// Where an entry of the journal is on its way: a change of very many samples is many transactions, and a process may be killed
// between two. States: see store/curation.ts.

import type { Migration } from './migration.ts'

export const journalStateMigration: Migration = {
  id: 81,
  name: 'journal state',
  sql: "ALTER TABLE curation_journal ADD COLUMN state TEXT NOT NULL DEFAULT 'settled';",
}
