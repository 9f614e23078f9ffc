// Experiments on encoders: longer work that is a task, with progress, pause and cancel. Each kind has a file beside this one that
// says how it is carried out; the engine is asked in turn with whatever else trains or measures.

import { basename } from 'node:path'
import type { Comparison } from '../../domain/comparison.ts'
import { LabError } from '../../domain/errors.ts'
import type { ExperimentRequest } from '../../domain/experiment.ts'
import type { JobEvent } from '../../domain/job.ts'
import type { DatasetService } from '../datasets.ts'
import type { DataTaskService, TaskWork } from '../data-tasks.ts'
import type { EncoderService } from '../encoders.ts'
import type { PatchMapService } from '../patch-maps.ts'
import type { Parts } from '../parts.ts'
import type { RunService } from '../runs.ts'
import { mapScores } from './map-scores.ts'
import { microscope } from './microscope.ts'
import { representation } from './representation.ts'
import { probe } from './probes.ts'
import { sweep } from './sweep.ts'
import { experimentTable } from './table.ts'
import { transplant } from './transplant.ts'

export interface ExperimentServices {
  readonly tasks: DataTaskService
  readonly datasets: DatasetService
  readonly runs: RunService
  readonly encoders: EncoderService
  readonly patchMaps: Pick<PatchMapService, 'itemOf'>
}

/** One set of weights that an experiment looks at: of an arm of a study there is one a seed. */
export interface LookedAtEncoder {
  /** As it was asked for. */
  readonly asked: string
  /** As encoders.list names it; null: a folder that is not in the list. */
  readonly id: string | null
  readonly name: string
  readonly folder: string
  readonly seed: number | null
}

/** @throws LabError 'not-found' for what is neither an encoder of the list, nor a run, nor a model's folder */
export function encodersNamed({ encoders, runs }: Pick<ExperimentServices, 'encoders' | 'runs'>, asked: readonly string[]): readonly LookedAtEncoder[] {
  const listed = new Set(encoders.list().map(({ id }) => id))
  return asked.flatMap((each): readonly LookedAtEncoder[] => {
    if (listed.has(each)) return encoders.measurable([each]).map((member) => ({ asked: each, ...member }))
    const id = encoders.idOf(each)
    const folder = runs.modelFolder(each)
    return [{ asked: each, id, name: id === null ? basename(folder) : encoders.find(id).name, folder, seed: null }]
  })
}

export type ExperimentService = ReturnType<typeof createExperimentService>

export function createExperimentService(parts: Parts, services: ExperimentServices) {
  const { tasks } = services
  tasks.define('map-scores', (request) => ({ ...mapScores(parts, services, request), lane: 'experiments' }))
  tasks.define('probe', (request) => ({ ...probe(parts, services, request), lane: 'experiments' }))
  tasks.define('transplant', (request) => ({ ...transplant(parts, services, request), lane: 'experiments' }))
  tasks.define('microscope', (request) => ({ ...microscope(parts, services, request), lane: 'experiments' }))
  tasks.define('sweep', (request) => ({ ...sweep(parts, services, request), lane: 'experiments' }))
  tasks.define('representation', (request) => ({ ...representation(parts, services, request), lane: 'experiments' }))
  return {
    start: (request: ExperimentRequest): { readonly taskId: string } =>
      tasks.start({ ...request, encoders: request.encoders.map((each) => services.encoders.idOf(each) ?? each) }),
    /** Encoders side by side over what a finished task measured, with tests. @throws LabError 'conflict' while there is nothing yet */
    table(taskId: string): Comparison {
      const { title, status, result } = tasks.get(taskId)
      if (result?.kind !== 'map-scores' && result?.kind !== 'probe' && result?.kind !== 'transplant')
        throw new LabError('conflict', `"${title}" is ${status} and holds no scores to compare; wait for it, or choose another task`, { taskId })
      return experimentTable(parts.store, services.encoders, result)
    },
  }
}

/** A run, an encoder or a model's folder → the folder. @throws LabError 'not-found' */
export function modelNamed({ encoders, runs }: Pick<ExperimentServices, 'encoders' | 'runs'>, named: string): string {
  return encoders.list().some(({ id }) => id === named) ? encoders.measurable([named])[0]!.folder : runs.modelFolder(named)
}

/** A job's parts and progress as those of a task, each part told as what it is about. */
export function progressOf(work: TaskWork, about: string): (event: JobEvent) => void {
  let part = about
  return (event) => {
    if (event.kind === 'part') part = about === '' ? event.name : `${event.name}, ${about}`
    if (event.kind === 'part') work.progress(part, 0, event.of)
    if (event.kind === 'progress') work.progress(part, event.done, event.of)
  }
}
