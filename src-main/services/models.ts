// Models as things to look into and to ask: a folder before it is used, and a checkpoint after it was trained.

import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent } from '../domain/job.ts'
import type { ModelAnswer, ModelInspection, ModelQuestion } from '../domain/model-view.ts'
import type { Parts } from './parts.ts'
import type { RunService } from './runs.ts'

export type ModelService = ReturnType<typeof createModelService>

export function createModelService({ store, runner, queue }: Parts, runs: RunService) {
  return {
    /** @throws LabError 'not-found', 'invalid-input', 'corrupt-artifact' when it is no model folder of any kind */
    async inspect(folder: string, signal: AbortSignalLike): Promise<ModelInspection> {
      for await (const event of runner({ kind: 'inspect', folder }, signal)) if (event.kind === 'inspection') return event.inspection
      throw new LabError('internal', 'the inspection ended without a finding')
    },

    /**
     * Asks a model when it is its turn.
     * @param of     a run's id, or a model's folder
     * @param image  an absolute path; null: a question without a picture
     * @param observe  gets each piece of the answer as it comes
     */
    async ask(of: string, image: string | null, question: ModelQuestion, signal: AbortSignalLike, observe: (event: JobEvent) => void): Promise<ModelAnswer> {
      const checkpoint = store.runs.find(of) === null ? of : runs.newestCheckpoint(of)
      let answer: ModelAnswer | null = null
      await queue.add(async () => {
        for await (const event of runner({ kind: 'ask', checkpoint, image, question }, signal, { backend: store.settings.get().backend })) {
          observe(event)
          if (event.kind === 'answered') answer = event.answer
        }
      })
      if (answer === null) throw new LabError('internal', 'the model ended without an answer')
      return answer
    },
  }
}
