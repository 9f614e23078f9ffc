// A study followed on the terminal to its end: a line for each phase that ends, a bar for the one under way.

import { LabError, fromFailure } from '../domain/errors.ts'
import type { StudyRow } from '../domain/study-view.ts'
import { formatDuration } from '../services/number-text.ts'
import { createProgressView } from './progress-view.ts'
import { assertNotStopped, type Session } from './session.ts'

/** @throws LabError 'cancelled' when it was paused or cancelled, the study's own fault when it failed */
export async function followStudy({ lab, terminal, listen }: Session, studyId: string): Promise<StudyRow> {
  const view = createProgressView(terminal)
  const told = new Set(
    lab.studies
      .get(studyId)
      .phases.filter(({ status }) => status === 'finished')
      .map(({ id }) => id),
  )
  let engine: string | null = null
  const tellNews = () => {
    const { row, phases } = lab.studies.get(studyId)
    if (row.engine !== null && row.engine !== engine) {
      engine = row.engine
      terminal.json({ event: 'engine', engine: row.engine, device: row.device })
      terminal.note(`running on ${row.engine}, ${row.device}`)
    }
    for (const phase of phases.filter(({ id, status }) => status === 'finished' && !told.has(id))) {
      told.add(phase.id)
      terminal.json({
        event: 'phase',
        phase: phase.id,
        title: phase.title,
        status: phase.status,
        workedMs: phase.workedMs,
        done: told.size,
        of: phases.length,
      })
      terminal.note(
        `[${String(told.size).padStart(String(phases.length).length)}/${phases.length}] ${phase.title}: ${formatDuration(phase.workedMs)}`,
      )
    }
  }
  listen((announcement) => {
    if (announcement.name === 'study.changed' && announcement.value.studyId === studyId) tellNews()
    if (announcement.name === 'job.progress' && announcement.value.studyId === studyId) view.show(announcement.value)
  })
  const row = await lab.studies.ended(studyId)
  tellNews()
  view.clear()
  assertNotStopped(row.status, `study "${row.name}"`, `lab study resume ${studyId}${projectFlag(lab.project)}`)
  if (row.failure !== null) {
    const { code, message, details } = fromFailure(row.failure)
    throw new LabError(
      code,
      `${message}\nThe study is kept; go on with: lab study resume ${studyId}${projectFlag(lab.project)}`,
      details,
    )
  }
  return row
}

function projectFlag(project: string): string {
  return ` --project ${/^[\w./-]+$/.test(project) ? project : JSON.stringify(project)}`
}
