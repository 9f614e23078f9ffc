// Scored maps over a set: one evaluation an encoder and seed, its items kept so that differences can be paired.

import type { ExperimentOf } from '../../domain/experiment.ts'
import type { TaskPlan } from '../data-tasks.ts'
import type { Parts } from '../parts.ts'
import type { ExperimentServices } from './experiments.ts'
import { measureEncoders } from './measure-encoders.ts'

export function mapScores(parts: Parts, services: ExperimentServices, { encoders, dataset, settings }: ExperimentOf<'map-scores'>): TaskPlan {
  return {
    title: `maps of ${encoders.length} encoders scored on ${dataset}`,
    async work(work) {
      const snapshot = await services.datasets.snapshotOf(dataset)
      const jobOf = (checkpoint: string) => ({ kind: 'map-scores', project: parts.project, checkpoint, snapshot, settings }) as const
      return { kind: 'map-scores', encoders: await measureEncoders(parts, services, encoders, jobOf, work) }
    },
  }
}
