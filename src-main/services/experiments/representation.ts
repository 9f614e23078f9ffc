// Two encoders on the same pictures, as a task.

import type { ExperimentOf } from '../../domain/experiment.ts'
import type { RepresentationJob } from '../../domain/job.ts'
import { representationSchema } from '../../domain/representation.ts'
import { answerOf } from '../answer-of.ts'
import type { TaskPlan } from '../data-tasks.ts'
import type { Parts } from '../parts.ts'
import { inTurn } from '../work-queue.ts'
import { modelNamed, progressOf, type ExperimentServices } from './experiments.ts'

export function representation({ store, project, runner, queue }: Parts, services: ExperimentServices, request: ExperimentOf<'representation'>): TaskPlan {
  return {
    title: `what changed between two encoders, on ${request.dataset}`,
    async work(work) {
      const memberOf = (encoder: string) => {
        const members = services.encoders.measurable([encoder])
        return members.find(({ seed }) => seed === request.ofSeed) ?? members[0]!
      }
      const [a, b] = [memberOf(request.encoders[0]!), memberOf(request.encoders[1]!)]
      const job: RepresentationJob = {
        kind: 'representation',
        project,
        a: a.folder,
        b: b.folder,
        languageModel: request.languageModel === null ? null : modelNamed(services, request.languageModel),
        snapshot: await services.datasets.snapshotOf(request.dataset),
        split: request.split,
        settings: request.settings,
      }
      const found = await inTurn(queue, () => answerOf(runner(job, work.signal, { backend: store.settings.get().backend }), representationSchema, 'representation', progressOf(work, '')))
      return { kind: 'representation', encoders: [a.id, b.id], representation: found }
    },
  }
}
