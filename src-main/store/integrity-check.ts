// The doctor's line about a project's own database: whether SQLite finds it whole, and whether the first images that it names
// are where it says.

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import Database from 'better-sqlite3'
import type { DoctorCheck } from '../domain/doctor-report.ts'

/** Images looked for: a missing folder shows at the first. */
const LOOKED_FOR = 200

/** Opens the database beside whoever has it open, reads, and closes it. Total. */
export function checkIntegrity(file: string, project: string): DoctorCheck {
  const line = { id: 'project', title: 'Project' }
  if (!existsSync(file)) return { ...line, state: 'ok', found: `none yet at ${project}`, remedy: null }
  try {
    const db = new Database(file, { readonly: true })
    try {
      const verdict = String(db.pragma('quick_check(1)', { simple: true }))
      if (verdict !== 'ok')
        return { ...line, state: 'fault', found: `${file} is damaged: ${verdict}`, remedy: 'Restore a backup: lab restore <file> <folder>.' }
      const strays = (db.pragma('foreign_key_check') as unknown[]).length
      if (strays > 0)
        return { ...line, state: 'fault', found: `${strays} rows name what is not there`, remedy: 'Restore a backup: lab restore <file> <folder>.' }
      const images = db.prepare('SELECT path FROM images ORDER BY sha256 LIMIT ?').pluck().all(LOOKED_FOR) as string[]
      const missing = images.filter((path) => !existsSync(resolve(project, path)))
      if (missing.length === 0) return { ...line, state: 'ok', found: `database whole, ${images.length} images looked for and found`, remedy: null }
      return {
        ...line,
        state: 'warning',
        found: `${missing.length} of ${images.length} images are missing, the first ${missing[0]}`,
        remedy: 'Put them back, or import the dataset again; lab check images lists all.',
      }
    } finally {
      db.close()
    }
  } catch (thrown) {
    return { ...line, state: 'fault', found: `${file} cannot be read: ${(thrown as Error).message}`, remedy: 'Restore a backup: lab restore <file> <folder>.' }
  }
}
