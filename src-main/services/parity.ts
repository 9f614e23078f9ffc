// The lab beside reference libraries: a job compares every case of a folder, and what it reports is handed on as it comes.

import type { BackendPreference } from '../domain/device.ts'
import type { AbortSignalLike, JobEvent } from '../domain/job.ts'
import type { ParityReport } from '../domain/parity.ts'
import type { Parts } from './parts.ts'

export function createParityService({ runner }: Pick<Parts, 'runner'>) {
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
      for await (const event of runner({ kind: 'parity', folder }, signal, { backend })) {
        observe(event)
        if (event.kind === 'parity') reports.push(event.report)
      }
      return reports
    },
  }
}
