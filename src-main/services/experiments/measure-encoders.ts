// One measurement on several encoders, one evaluation an encoder and seed. What an encoder has been measured by under the same
// conditions is taken as it is, so that a task that is resumed goes on where it was.

import type { MapScoresJob, ProbeJob } from '../../domain/job.ts'
import type { ResultWithInterval } from '../../store/evaluations.ts'
import { conditionsOf, rowIdOf } from '../comparison/conditions.ts'
import type { TaskWork } from '../data-tasks.ts'
import type { Parts } from '../parts.ts'
import { inTurn } from '../work-queue.ts'
import { encodersNamed, progressOf, type ExperimentServices } from './experiments.ts'

export interface MeasuredEncoder {
  readonly encoder: string
  readonly seed: number | null
  readonly evaluationId: string
  readonly scores: ResultWithInterval[]
}

export async function measureEncoders<Job extends MapScoresJob | ProbeJob>(
  { store, runner, queue, now, newId }: Parts,
  services: ExperimentServices,
  asked: readonly string[],
  jobOf: (folder: string) => Job,
  work: TaskWork,
): Promise<MeasuredEncoder[]> {
  const measured: MeasuredEncoder[] = []
  for (const { asked: encoder, id, name, folder, seed } of encodersNamed(services, asked)) {
    const job = jobOf(folder)
    const before = id === null ? null : evaluationBefore(store, id, job)
    const evaluationId = before ?? newId('evaluation')
    const tell = progressOf(work, name)
    if (before === null)
      await inTurn(queue, async () => {
        store.evaluations.insert({ id: evaluationId, studyId: null, phaseId: null, encoder: null, seed, encoderId: id, protocol: null, job, createdAtMs: now() })
        try {
          for await (const event of runner(job, work.signal, { backend: store.settings.get().backend })) {
            if (event.kind === 'items') store.evaluations.insertItems(evaluationId, event.metric, event.items)
            if (event.kind === 'result') store.evaluations.insertResult(evaluationId, event.metric, event.value, event.n, event.interval)
            tell(event)
          }
        } catch (thrown) {
          // Some of its numbers would pass for all of them.
          store.evaluations.delete(evaluationId)
          throw thrown
        }
      })
    measured.push({ encoder, seed, evaluationId, scores: [...store.evaluations.resultsOf(evaluationId)] })
  }
  return measured
}

/** The newest evaluation of the same kind, data and settings that came to an end. */
function evaluationBefore(store: Parts['store'], encoderId: string, job: MapScoresJob | ProbeJob): string | null {
  const wanted = rowIdOf(job.kind, conditionsOf({ job, protocol: null }, ''))
  const found = store.evaluations
    .headsOf([encoderId])
    .filter((head) => head.job['kind'] === job.kind && rowIdOf(job.kind, conditionsOf(head, '')) === wanted && store.evaluations.resultsOf(head.id).length > 0)
  return found.at(-1)?.id ?? null
}
