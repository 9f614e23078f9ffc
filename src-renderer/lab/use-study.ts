// A study kept fresh: its own changes and those of its runs are nudges to ask again.

import { useAnnouncement } from './use-announcements.ts'
import { useOperation } from './use-operation.ts'

export function useStudy(studyId: () => string | null) {
  const study = useOperation('studies.get', () => {
    const id = studyId()
    return id === null ? null : { studyId: id }
  })
  useAnnouncement('study.changed', (changed) => {
    if (changed.studyId === studyId()) study.refresh()
  })
  useAnnouncement('run.changed', (changed) => {
    if (study.value.value?.runs.some((run) => run.id === changed.runId)) study.refresh()
  })
  return study
}
