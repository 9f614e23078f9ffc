// The doctor's line about SQLite: whether its addon loads, which version it carries, and whether this disk can keep a
// write-ahead log, which the lab's database needs and network folders often refuse.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { DoctorCheck } from '../domain/doctor-report.ts'

/** Tries a database of its own in `parent` and removes it. Total. */
export function checkSqlite(parent: string = tmpdir()): DoctorCheck {
  const line = { id: 'sqlite', title: 'SQLite' }
  const remedy = `Choose a project folder on a local disk that can be written to, not ${parent}.`
  let folder: string | null = null
  try {
    folder = mkdtempSync(join(parent, 'sqlite-check-'))
    const db = new Database(join(folder, 'check.sqlite'))
    try {
      const version = db.prepare('SELECT sqlite_version()').pluck().get()
      const mode = db.pragma('journal_mode = WAL', { simple: true })
      db.exec('CREATE TABLE check_row (id INTEGER PRIMARY KEY) STRICT; INSERT INTO check_row VALUES (1)')
      if (mode === 'wal') return { ...line, state: 'ok', found: `${String(version)}, write-ahead log usable`, remedy: null }
      return {
        ...line,
        state: 'fault',
        found: `${String(version)}, no write-ahead log in ${parent}: journal mode stays ${String(mode)}`,
        remedy,
      }
    } finally {
      db.close()
    }
  } catch (thrown) {
    return { ...line, state: 'fault', found: `cannot be used in ${parent}: ${(thrown as Error).message}`, remedy }
  } finally {
    if (folder !== null) rmSync(folder, { recursive: true, force: true })
  }
}
