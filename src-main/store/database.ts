// Opens the project's database: pragmas, migrations, and the lock that keeps a second writer out. The lock is a write
// transaction held on a small database beside it, so the system frees it however the process ends; who holds it is
// written beside that. Readers need no lock.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { LabError } from '../domain/errors.ts'
import { datasetsMigration } from './migrations/0010-datasets.ts'
import { studiesMigration } from './migrations/0020-studies.ts'
import { runsMigration } from './migrations/0030-runs.ts'
import { evaluationsMigration } from './migrations/0040-evaluations.ts'
import { curationMigration } from './migrations/0050-curation.ts'
import { sampleIndexesMigration } from './migrations/0051-sample-indexes.ts'
import { labellingMigration } from './migrations/0060-labelling.ts'
import { pairAuditsMigration } from './migrations/0061-pair-audits.ts'
import { labellingPaceMigration } from './migrations/0062-labelling-pace.ts'
import { benchmarksMigration } from './migrations/0070-benchmarks.ts'
import { encodersMigration } from './migrations/0071-encoders.ts'
import { modelsMigration } from './migrations/0075-models.ts'
import { runNotesMigration } from './migrations/0076-run-notes.ts'
import { sampleCountsMigration } from './migrations/0080-sample-counts.ts'
import { journalStateMigration } from './migrations/0081-journal-state.ts'
import { tokenCountsMigration } from './migrations/0090-token-counts.ts'
import { narrowIndexesMigration } from './migrations/0091-narrow-indexes.ts'
import { perceptualHashMigration } from './migrations/0092-perceptual-hash.ts'
import { runWatchMigration } from './migrations/0096-run-watch.ts'
import { importedRunsMigration } from './migrations/0097-imported-runs.ts'
import { itemTermsMigration } from './migrations/0099-item-terms.ts'
import { modelChecksMigration } from './migrations/0104-model-checks.ts'
import { soleCategoryMigration } from './migrations/0110-sole-category.ts'
import type { Migration } from './migrations/migration.ts'
import { registerFunctions } from './sql-functions.ts'

export type Db = Database.Database

export const MIGRATIONS: readonly Migration[] = [
  datasetsMigration,
  studiesMigration,
  runsMigration,
  evaluationsMigration,
  curationMigration,
  sampleIndexesMigration,
  labellingMigration,
  pairAuditsMigration,
  labellingPaceMigration,
  benchmarksMigration,
  encodersMigration,
  modelsMigration,
  runNotesMigration,
  sampleCountsMigration,
  journalStateMigration,
  tokenCountsMigration,
  narrowIndexesMigration,
  perceptualHashMigration,
  runWatchMigration,
  importedRunsMigration,
  itemTermsMigration,
  modelChecksMigration,
  soleCategoryMigration,
]

/** A change of samples alters pages all over the file, the same ones again and again: written back at every transaction, each
 *  would be flushed each time. 40 MB of them gather first. */
const PAGES_A_CHECKPOINT = 10_000
/** Indexes by content hash are read in no order: what does not fit in here comes from the disk page by page. */
const CACHE_KB = 128 * 1024

export interface OpenDatabase {
  readonly db: Db
  readonly access: 'write' | 'read'
  close(): void
}

/**
 * Opens `file` (created when missing) as its only writer and brings it up to date. `program` is told to whoever comes second.
 * @throws LabError 'conflict' when another process writes to it, or when a newer version of the lab made it
 */
export function openForWriting(file: string, program: string, migrations: readonly Migration[] = MIGRATIONS): OpenDatabase {
  const release = file === ':memory:' ? () => {} : takeLock(file, program)
  try {
    const db = new Database(file)
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = NORMAL')
    db.pragma(`wal_autocheckpoint = ${PAGES_A_CHECKPOINT}`)
    db.pragma(`cache_size = ${-CACHE_KB}`)
    db.pragma('foreign_keys = ON')
    registerFunctions(db)
    migrate(db, migrations)
    return {
      db,
      access: 'write',
      close() {
        db.close()
        release()
      },
    }
  } catch (thrown) {
    release()
    throw asLabError(thrown, file)
  }
}

/** Opens `file` beside its writer, for questions only. */
export function openForReading(file: string): OpenDatabase {
  if (!existsSync(file))
    throw new LabError('not-found', `no project here: ${file} does not exist. Import a dataset or run the demo there first.`, {
      file,
    })
  try {
    const db = new Database(file, { readonly: true })
    registerFunctions(db)
    db.pragma(`cache_size = ${-CACHE_KB}`)
    const version = appliedMigrations(db)
    const expected = MIGRATIONS.at(-1)!.id
    if (version !== expected)
      throw new LabError(
        'conflict',
        `${file} has database version ${version}, this lab ${expected}. Open it once with a command that writes.`,
        { file },
      )
    return { db, access: 'read', close: () => db.close() }
  } catch (thrown) {
    throw asLabError(thrown, file)
  }
}

/** Brings the database up to the last migration; each runs in one transaction with its record. */
export function migrate(db: Db, migrations: readonly Migration[] = MIGRATIONS): void {
  db.exec('CREATE TABLE IF NOT EXISTS migrations (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT')
  const applied = appliedMigrations(db)
  const newest = migrations.at(-1)?.id ?? 0
  if (applied > newest)
    throw new LabError(
      'conflict',
      `the database has version ${applied}, this lab knows up to ${newest}: open it with a newer version of the lab`,
      {
        applied,
        newest,
      },
    )
  const record = db.prepare('INSERT INTO migrations (id, name) VALUES (?, ?)')
  for (const migration of migrations.filter(({ id }) => id > applied))
    db.transaction(() => {
      db.exec(migration.sql)
      record.run(migration.id, migration.name)
    })()
}

function appliedMigrations(db: Db): number {
  const exists = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'").get() !== undefined
  return exists ? (db.prepare('SELECT COALESCE(MAX(id), 0) FROM migrations').pluck().get() as number) : 0
}

function takeLock(file: string, program: string): () => void {
  const [lockFile, holderFile] = [`${file}.lock`, `${file}.holder`]
  const lock = new Database(lockFile, { timeout: 0 })
  try {
    lock.exec('BEGIN IMMEDIATE')
  } catch (thrown) {
    lock.close()
    if ((thrown as { code?: string }).code !== 'SQLITE_BUSY') throw asLabError(thrown, lockFile)
    const holder = existsSync(holderFile) ? readFileSync(holderFile, 'utf8').trim() : 'another process'
    throw new LabError('conflict', `${file} is in use by ${holder}. Close that first, or choose another project folder.`, {
      file,
      holder,
    })
  }
  writeFileSync(holderFile, `${program} (process ${process.pid})\n`)
  return () => {
    rmSync(holderFile, { force: true })
    lock.close()
  }
}

/** SQLite's complaints about the file itself in the lab's words. */
function asLabError(thrown: unknown, file: string): unknown {
  const code = (thrown as { code?: unknown }).code
  const message = (thrown as Error).message
  if (code === 'SQLITE_NOTADB' || (typeof code === 'string' && code.startsWith('SQLITE_CORRUPT')))
    return new LabError(
      'corrupt-artifact',
      `${file} is not a readable database (${message}). Restore it from a copy, or choose another project folder.`,
      { file },
    )
  if (typeof code === 'string' && code.startsWith('SQLITE_CANTOPEN'))
    return new LabError(
      'invalid-input',
      `${file} cannot be opened (${message}). Choose a project folder that exists and can be written to.`,
      { file },
    )
  if (code === 'SQLITE_READONLY')
    return new LabError('invalid-input', `${file} cannot be written to. Choose a project folder that can be written to.`, {
      file,
    })
  return thrown
}
