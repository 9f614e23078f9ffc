// Probes of frozen encoders on labelled pictures: one evaluation an encoder and seed.

import type { ExperimentOf } from '../../domain/experiment.ts'
import type { TaskPlan } from '../data-tasks.ts'
import type { Parts } from '../parts.ts'
import type { ExperimentServices } from './experiments.ts'
import { measureEncoders } from './measure-encoders.ts'

export function probe(parts: Parts, services: ExperimentServices, { encoders, dataset, settings }: ExperimentOf<'probe'>): TaskPlan {
  return {
    title: `probes of ${encoders.length} ${encoders.length === 1 ? 'encoder' : 'encoders'} on ${dataset}`,
    async work(work) {
      const snapshot = await services.datasets.snapshotOf(dataset)
      const jobOf = (checkpoint: string) => ({ kind: 'probe', project: parts.project, checkpoint, snapshot, settings }) as const
      return { kind: 'probe', encoders: await measureEncoders(parts, services, encoders, jobOf, work) }
    },
  }
}
