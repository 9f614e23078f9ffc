// Scored maps over a set: one evaluation an encoder and seed, its items kept so that differences can be paired.

import type { ExperimentOf } from '../../domain/experiment.ts'
import type { MapScoresJob } from '../../domain/job.ts'
import type { TaskPlan } from '../data-tasks.ts'
import type { Parts } from '../parts.ts'
import { inTurn } from '../work-queue.ts'
import { encodersNamed, progressOf, type ExperimentServices } from './experiments.ts'

export function mapScores({ store, project, runner, queue, now, newId }: Parts, services: ExperimentServices, request: ExperimentOf<'map-scores'>): TaskPlan {
  return {
    title: `maps of ${request.encoders.length} encoders scored on ${request.dataset}`,
    async work(work) {
      const snapshot = await services.datasets.snapshotOf(request.dataset)
      const scored = []
      for (const { asked, id, name, folder, seed } of encodersNamed(services, request.encoders)) {
        const job: MapScoresJob = { kind: 'map-scores', project, checkpoint: folder, snapshot, settings: request.settings }
        const evaluationId = newId('evaluation')
        const tell = progressOf(work, name)
        await inTurn(queue, async () => {
          store.evaluations.insert({ id: evaluationId, studyId: null, phaseId: null, encoder: null, seed, encoderId: id, protocol: null, job, createdAtMs: now() })
          try {
            for await (const event of runner(job, work.signal, { backend: store.settings.get().backend })) {
              if (event.kind === 'items') store.evaluations.insertItems(evaluationId, event.metric, event.items)
              if (event.kind === 'result') store.evaluations.insertResult(evaluationId, event.metric, event.value, event.n, event.interval)
              tell(event)
            }
          } catch (thrown) {
            store.evaluations.delete(evaluationId)
            throw thrown
          }
        })
        scored.push({ encoder: asked, seed, evaluationId, scores: [...store.evaluations.resultsOf(evaluationId)] })
      }
      return { kind: 'map-scores', encoders: scored }
    },
  }
}
