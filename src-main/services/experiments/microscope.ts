// The gradient microscope as a task: one pair, one or several checkpoints.

import type { ExperimentOf } from '../../domain/experiment.ts'
import { microscopeSchema } from '../../domain/gradient-microscope.ts'
import type { MicroscopeJob } from '../../domain/job.ts'
import { answerOf } from '../answer-of.ts'
import type { TaskPlan } from '../data-tasks.ts'
import type { Parts } from '../parts.ts'
import { inTurn } from '../work-queue.ts'
import { encodersNamed, modelNamed, progressOf, type ExperimentServices } from './experiments.ts'

export function microscope({ store, project, runner, queue }: Parts, services: ExperimentServices, request: ExperimentOf<'microscope'>): TaskPlan {
  return {
    title: `gradients of SFT and DPO on one pair at ${request.encoders.length} ${request.encoders.length === 1 ? 'checkpoint' : 'checkpoints'}`,
    async work(work) {
      const job: MicroscopeJob = {
        kind: 'microscope',
        project,
        checkpoints: encodersNamed(services, request.encoders).map(({ id, asked, folder }) => ({ name: id ?? asked, checkpoint: folder })),
        reference: request.reference === null ? null : modelNamed(services, request.reference),
        item: services.patchMaps.itemOf(request.item),
        beta: request.beta,
      }
      const found = await inTurn(queue, () => answerOf(runner(job, work.signal, { backend: store.settings.get().backend }), microscopeSchema, 'gradient microscope', progressOf(work, '')))
      return { kind: 'microscope', microscope: found }
    },
  }
}
