// Where a project lies when nobody says: PIVOT_LAB_PROJECT, else a folder in the person's home.

import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

export function projectFolder(asked: string | undefined): string {
  return resolve(asked ?? process.env['PIVOT_LAB_PROJECT'] ?? join(homedir(), 'pivot-lab'))
}

let lastId = 0

/** Sorts by time, readable in a path: "run-20260131-142355-001". */
export function newId(kind: string): string {
  const [date, time] = new Date().toISOString().split('T')
  lastId += 1
  return `${kind}-${date!.replaceAll('-', '')}-${time!.slice(0, 8).replaceAll(':', '')}-${process.pid.toString(36)}${lastId.toString(36).padStart(2, '0')}`
}
