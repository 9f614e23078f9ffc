// A run kept fresh: 'run.changed' is a nudge to ask again, and what is shown is always an answer of the database.

import type { RunRow } from '../../src-main/domain/run-view.ts'
import { useAnnouncement } from './use-announcements.ts'
import { useOperation } from './use-operation.ts'

export function useRun(runId: () => string | null) {
  const run = useOperation('runs.get', () => {
    const id = runId()
    return id === null ? null : { runId: id }
  })
  useAnnouncement('run.changed', (changed) => {
    if (changed.runId === runId()) run.refresh()
  })
  return run
}

export function mayPause(row: Pick<RunRow, 'status'>): boolean {
  return row.status === 'running'
}

export function mayResume(row: Pick<RunRow, 'status'>): boolean {
  return row.status === 'paused' || row.status === 'failed' || row.status === 'cancelled'
}

export function mayCancel(row: Pick<RunRow, 'status'>): boolean {
  return row.status === 'running' || row.status === 'queued' || row.status === 'paused'
}
