// Measuring one checkpoint outside of a study, and exporting one: the command line's `evaluate` and `export`, and the
// window's export of a run. Numbers are kept with the settings that made them.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import {
  EVALUATORS,
  type AbortSignalLike,
  type EvaluateJob,
  type Evaluation,
  type Evaluator,
  type ExportJob,
  type JobEvent,
} from '../domain/job.ts'
import type { ArtifactRow } from '../domain/run-view.ts'
import type { DatasetService } from './datasets.ts'
import type { Parts } from './parts.ts'
import type { RunService } from './runs.ts'

export interface EvaluationRequest {
  /** A run's id, or a folder that holds a model. */
  readonly checkpoint: string
  readonly baseline: string | null
  readonly evaluators: readonly Evaluator[]
  readonly settings: Evaluation
  /** Dataset names; null: evaluators that need it are refused. */
  readonly data: { readonly [Role in keyof EvaluateJob['snapshots']]: string | null }
}

export interface EvaluationResult {
  readonly evaluationId: string
  readonly results: readonly { readonly metric: string; readonly value: number; readonly n: number }[]
}

export type EvaluationService = ReturnType<typeof createEvaluationService>

export function createEvaluationService(parts: Parts, datasets: DatasetService, runs: RunService) {
  const { store, project, runner, queue, now, newId } = parts

  /** A run's id or a model's folder → the folder. */
  function checkpointFolder(of: string): string {
    if (store.runs.find(of) !== null) return runs.newestCheckpoint(of)
    if (existsSync(join(of, 'config.json'))) return of
    throw new LabError('not-found', `"${of}" is neither a run of this project nor a folder that holds a model (config.json)`, {
      checkpoint: of,
    })
  }

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    let result: { readonly value: T } | undefined
    await queue.add(async () => {
      result = { value: await work() }
    })
    return result!.value
  }

  return {
    evaluate(
      request: EvaluationRequest,
      signal: AbortSignalLike,
      observe: (event: JobEvent) => void = () => {},
    ): Promise<EvaluationResult> {
      return inTurn(async () => {
        const snapshots = { questions: null, preferences: null, objects: null, captions: null } as {
          -readonly [R in keyof EvaluateJob['snapshots']]: string | null
        }
        for (const [role, name] of Object.entries(request.data) as [keyof typeof snapshots, string | null][])
          snapshots[role] = name === null ? null : await datasets.snapshotOf(name)
        const job: EvaluateJob = {
          kind: 'evaluate',
          project,
          checkpoint: checkpointFolder(request.checkpoint),
          baseline: request.baseline && checkpointFolder(request.baseline),
          evaluators: EVALUATORS.filter((each) => request.evaluators.includes(each)),
          settings: request.settings,
          snapshots,
        }
        const evaluationId = newId('evaluation')
        store.evaluations.insert({
          id: evaluationId,
          studyId: null,
          phaseId: null,
          encoder: null,
          seed: null,
          job,
          createdAtMs: now(),
        })
        for await (const event of runner(job, signal, { backend: store.settings.get().backend })) {
          if (event.kind === 'result') store.evaluations.insertResult(evaluationId, event.metric, event.value, event.n)
          if (event.kind === 'items') store.evaluations.insertItems(evaluationId, event.metric, event.items)
          observe(event)
        }
        return { evaluationId, results: store.evaluations.resultsOf(evaluationId) }
      })
    },
    /** Writes a checkpoint's encoder (or the whole model) to `folder`; null: into the project's exports. */
    export(
      checkpoint: string,
      part: ExportJob['part'],
      folder: string | null,
      signal: AbortSignalLike = { aborted: false },
      observe: (event: JobEvent) => void = () => {},
    ): Promise<ArtifactRow> {
      return inTurn(async () => {
        const run = store.runs.find(checkpoint)
        const target = folder ?? join(project, 'exports', `${run?.row.id ?? 'model'}-${part}`)
        const job: ExportJob = { kind: 'export', project, checkpoint: checkpointFolder(checkpoint), folder: target, part }
        for await (const event of runner(job, signal, { backend: store.settings.get().backend })) observe(event)
        return store.artifacts.insert({
          id: newId('artifact'),
          studyId: null,
          phaseId: null,
          runId: run?.row.id ?? null,
          name: `${part === 'vision-encoder' ? 'vision encoder' : 'multimodal model'} of ${run?.row.name ?? checkpoint}`,
          path: target,
          createdAtMs: now(),
        })
      })
    },
  }
}
