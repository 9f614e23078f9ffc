// Measuring one checkpoint outside of a study: the command line's `evaluate`. Numbers are kept with the settings that made them.

import { EVALUATORS, type Evaluation, type Evaluator } from '../domain/evaluation.ts'
import type { AbortSignalLike, EvaluateJob, JobEvent } from '../domain/job.ts'
import type { DatasetService } from './datasets.ts'
import type { EncoderService } from './encoders.ts'
import type { Parts } from './parts.ts'
import type { RunService } from './runs.ts'
import { inTurn } from './work-queue.ts'

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

export function createEvaluationService(parts: Parts, datasets: DatasetService, runs: RunService, encoders: EncoderService) {
  const { store, project, runner, queue, now, newId } = parts

  return {
    evaluate(
      request: EvaluationRequest,
      signal: AbortSignalLike,
      observe: (event: JobEvent) => void = () => {},
    ): Promise<EvaluationResult> {
      return inTurn(queue, async () => {
        const snapshots = { questions: null, preferences: null, objects: null, captions: null } as {
          -readonly [R in keyof EvaluateJob['snapshots']]: string | null
        }
        for (const [role, name] of Object.entries(request.data) as [keyof typeof snapshots, string | null][])
          snapshots[role] = name === null ? null : await datasets.snapshotOf(name)
        const job: EvaluateJob = {
          kind: 'evaluate',
          project,
          checkpoint: runs.modelFolder(request.checkpoint),
          baseline: request.baseline && runs.modelFolder(request.baseline),
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
          encoderId: encoders.idOf(request.checkpoint),
          protocol: null,
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
  }
}
