// Table parity_reports: what a comparison with reference cases found of each, by name.

import { parityReportSchema, type ParityReport } from '../domain/parity.ts'
import type { Db } from './database.ts'
import { readJson } from './json-column.ts'

export type ParityReportStore = ReturnType<typeof createParityReportStore>

export function createParityReportStore(db: Db) {
  const insert = db.prepare('INSERT OR REPLACE INTO parity_reports (task_id, name, report) VALUES (?, ?, ?)')
  const all = db.prepare('SELECT report FROM parity_reports WHERE task_id = ? ORDER BY name').pluck()
  return {
    insert: (taskId: string, report: ParityReport): void => void insert.run(taskId, report.name, JSON.stringify(report)),
    of: (taskId: string): readonly ParityReport[] => (all.all(taskId) as string[]).map((report) => readJson(parityReportSchema, report, 'parity_reports.report')),
  }
}
