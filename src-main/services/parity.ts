// The lab beside reference libraries: a job compares every case of a folder. The command line is told each report as it comes; the
// window begins a task that keeps them, so that a comparison of an hour outlives a break.

import { basename } from 'node:path'
import type { BackendPreference } from '../domain/device.ts'
import type { AbortSignalLike, JobEvent } from '../domain/job.ts'
import type { ParityReport } from '../domain/parity.ts'
import type { DataTaskService } from './data-tasks.ts'
import type { Parts } from './parts.ts'

export type ParityService = ReturnType<typeof createParityService>

export function createParityService({ runner, store }: Parts, tasks: DataTaskService) {
  tasks.define('parity', ({ folder }) => ({
    title: basename(folder),
    lane: 'engine',
    async work({ taskId, signal, progress }) {
      const done = store.parityReports.of(taskId).map(({ name }) => name)
      let [part, engine] = ['', '']
      for await (const event of runner({ kind: 'parity', folder, done }, signal, { backend: store.settings.get().backend })) {
        if (event.kind === 'device') engine = `${event.engine}, ${event.device}`
        if (event.kind === 'parity') store.parityReports.insert(taskId, event.report)
        if (event.kind === 'part') progress((part = event.name), done.length, event.of)
        if (event.kind === 'progress') progress(part, event.done, event.of)
      }
      const reports = store.parityReports.of(taskId)
      return { kind: 'parity', agreed: reports.filter(({ passed }) => passed).length, cases: reports.length, engine }
    },
  }))

  return {
    /**
     * @param folder  a case, or a folder of cases
     * @returns one report a case, in order of their names
     * @throws LabError 'not-found' when there is no case, 'cancelled'
     */
    async compare(
      folder: string,
      backend: BackendPreference,
      signal: AbortSignalLike,
      observe: (event: JobEvent) => void,
    ): Promise<readonly ParityReport[]> {
      const reports: ParityReport[] = []
      for await (const event of runner({ kind: 'parity', folder, done: [] }, signal, { backend })) {
        observe(event)
        if (event.kind === 'parity') reports.push(event.report)
      }
      return reports
    },
    /** Begins the same as a task. */
    start: (folder: string): { readonly taskId: string } => tasks.start({ kind: 'parity', folder }),
    /** What a task has found so far, by the cases' names. */
    reports: (taskId: string): readonly ParityReport[] => store.parityReports.of(taskId),
  }
}
