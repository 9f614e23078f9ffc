// The measurement of one phase of an experiment, found again by the phase: a task that broke off measures nothing twice.

import type { EvaluateJob } from '../../domain/job.ts'
import type { ResultWithInterval } from '../../store/evaluations.ts'
import type { TaskWork } from '../data-tasks.ts'
import type { Parts } from '../parts.ts'
import { inTurn } from '../work-queue.ts'
import { progressOf } from './experiments.ts'

export interface PhaseToMeasure {
  readonly work: TaskWork
  readonly phaseId: string
  readonly about: string
  readonly job: EvaluateJob
  readonly seed: number
  readonly encoderId: string | null
  readonly protocol: string | null
  readonly rename?: (metric: string) => string
}

export async function measuredPhase({ store, runner, queue, now, newId }: Parts, of: PhaseToMeasure): Promise<{ readonly evaluationId: string; readonly scores: ResultWithInterval[] }> {
  const { work, phaseId, job, seed, encoderId, protocol, rename = (metric) => metric } = of
  const known = store.evaluations.ofPhase(phaseId)
  const scores = known === null ? [] : store.evaluations.resultsOf(known)
  if (known !== null && scores.length > 0) return { evaluationId: known, scores: [...scores] }
  if (known !== null) store.evaluations.delete(known)
  const evaluationId = newId('evaluation')
  const tell = progressOf(work, of.about)
  await inTurn(queue, async () => {
    store.evaluations.insert({ id: evaluationId, studyId: null, phaseId, encoder: null, seed, encoderId, protocol, job, createdAtMs: now() })
    try {
      for await (const event of runner(job, work.signal, { backend: store.settings.get().backend })) {
        if (event.kind === 'items') store.evaluations.insertItems(evaluationId, rename(event.metric), event.items)
        if (event.kind === 'result') store.evaluations.insertResult(evaluationId, rename(event.metric), event.value, event.n)
        tell(event)
      }
    } catch (thrown) {
      store.evaluations.delete(evaluationId)
      throw thrown
    }
  })
  return { evaluationId, scores: [...store.evaluations.resultsOf(evaluationId)] }
}
