// The fresh models of a sweep: each size and seed through the stages before the arms, one run a stage. They are found again by the task,
// so a sweep that broke off trains none twice. All sizes read with one tokenizer.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ExperimentOf } from '../../domain/experiment.ts'
import { FRESH_STAGES, type FreshModel, type FreshModels } from '../../domain/fresh-models.ts'
import { parse } from '../../domain/parse.ts'
import { runConfigSchema, type Start } from '../../domain/run-config.ts'
import type { TaskWork } from '../data-tasks.ts'
import type { Parts } from '../parts.ts'
import { inTurn } from '../work-queue.ts'
import type { ExperimentServices } from './experiments.ts'

export interface FreshStarts {
  /**
   * The model's folder. `trained` is told of every run that made it and says whether to go on.
   * @returns null where it said no   @throws what ended a training; LabError 'cancelled' when it was stopped
   */
  of(model: FreshModel, seed: number, trained: (runId: string) => boolean): Promise<string | null>
}

export function createFreshStarts({ project, runner, queue }: Parts, { datasets, runs }: ExperimentServices, { name, dataset }: ExperimentOf<'sweep'>, fresh: FreshModels, work: TaskWork): FreshStarts {
  const tokenizerFolder = join(project, 'sweeps', work.taskId, 'tokenizer')
  const made = new Map<string, string>()

  async function prepareTokenizer(): Promise<void> {
    if (existsSync(join(tokenizerFolder, 'tokenizer.json'))) return
    const names = [...new Set([fresh.data.captions, fresh.data.instructions, dataset])]
    const snapshots: string[] = []
    for (const each of names) snapshots.push(await datasets.snapshotOf(each))
    const job = { kind: 'tokenizer', project, folder: tokenizerFolder, snapshots, vocabSize: fresh.model.languageModel.vocabSize } as const
    await inTurn(queue, async () => {
      for await (const _ of runner(job, work.signal));
    })
  }

  return {
    async of({ label, spec }, seed, trained) {
      const key = `${label}/seed-${seed}`
      const known = made.get(key)
      if (known !== undefined) return known
      await prepareTokenizer()
      let start: Start = { kind: 'scratch', model: spec, tokenizerFolder, seed }
      let folder = ''
      for (const [stage, role] of FRESH_STAGES) {
        const [training, data] = [fresh.stages[stage], fresh.data[role]]
        if (training === null || data === null) continue
        const about = `${label}, seed ${seed}, ${stage}`
        const config = parse(runConfigSchema, { training: { ...training, seed }, snapshot: await datasets.snapshotOf(data), start, images: fresh.images }, 'invalid-input', label)
        const runId = await runs.trained({ name: `${name}: ${about}`, dataset: data, config, phaseId: `${work.taskId}/${key}/${stage}` }, work.signal, (event) => {
          if (event.kind === 'step') work.progress(`making ${about}`, event.step, event.of)
        })
        folder = runs.newestCheckpoint(runId)
        start = { kind: 'checkpoint', folder }
        if (!trained(runId)) return null
      }
      made.set(key, folder)
      return folder
    },
  }
}
