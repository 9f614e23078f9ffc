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

/** Logged values of a run, thinned by main to what a chart can show; `names` are TRL's. */
export function useSeries(runId: () => string | null, names: readonly string[], points = 600) {
  const series = useOperation('metrics.series', () => {
    const id = runId()
    return id === null ? null : { runId: id, names: [...names], points }
  })
  useAnnouncement('run.changed', (changed) => {
    if (changed.runId === runId()) series.refresh()
  })
  return series
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
