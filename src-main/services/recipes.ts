// A study's arms out to distributed tooling and back: a folder for TRL and Accelerate, and the run that it came to.

import { join } from 'node:path'
import { readFile } from 'node:fs/promises'
import { fromFailure, LabError } from '../domain/errors.ts'
import type { AbortSignalLike, ExportRecipeJob, ImportRunJob, JobEvent } from '../domain/job.ts'
import { parse } from '../domain/parse.ts'
import { recipeRunSchema } from '../domain/recipe.ts'
import { recipeTitle } from '../domain/progress.ts'
import type { ArtifactRow, RunRow } from '../domain/run-view.ts'
import { studyPlan } from '../domain/study.ts'
import { followRun } from './follow-run.ts'
import type { Parts } from './parts.ts'
import type { StudyService } from './studies.ts'
import { createStopRequest } from './stop-request.ts'
import { phaseRunConfig } from './study-phases.ts'
import { inTurn } from './work-queue.ts'

export type RecipeService = ReturnType<typeof createRecipeService>

export function createRecipeService(parts: Parts, studies: StudyService) {
  const { store, project, runner, queue, now, newId, announce } = parts
  /** Recipes being written, by study. */
  const underWay = new Map<string, AbortController>()
  const how = () => ({ backend: store.settings.get().backend })

  return {
    /**
     * Writes the recipe of a study whose stage 1 is trained.
     * @throws LabError 'not-found', 'conflict' while a seed's start is not there yet, and what the job throws
     */
    async export(studyId: string, folder: string, signal?: AbortSignalLike, observe: (event: JobEvent) => void = () => {}): Promise<ArtifactRow> {
      const { study, places } = studies.placesOf(studyId)
      const { config, snapshots } = study
      const starts = store.studyPhases.ofStudy(studyId).filter(({ stage }) => stage === 'instruction')
      const waiting = starts.filter(({ status }) => status !== 'finished')
      if (snapshots['preferences'] === undefined || waiting.length > 0)
        throw new LabError(
          'conflict',
          `study "${config.name}": both arms start from the model of stage 1, which is not trained yet${waiting.length === 0 ? '' : ` for ${waiting.map(({ seed }) => `seed ${seed}`).join(', ')}`}; let the study reach it, then pause it`,
          { studyId },
        )
      const job: ExportRecipeJob = {
        kind: 'export-recipe',
        project,
        folder,
        study: { id: studyId, name: config.name },
        snapshot: snapshots['preferences'],
        seeds: starts.map(({ id, seed }) => ({ seed: seed!, checkpoint: places.checkpointOf(id) })),
        arms: { sft: config.stages.sft, dpo: config.stages.dpo },
        images: config.images,
      }
      if (underWay.has(studyId)) throw new LabError('conflict', `the recipe of study "${config.name}" is being written; wait for it, or stop it`, { studyId })
      const stop = new AbortController()
      underWay.set(studyId, stop)
      const startedAtMs = now()
      const title = recipeTitle(config.name)
      let [part, of] = ['', 0]
      return inTurn(queue, async () => {
        for await (const event of runner(job, signal ?? stop.signal, how())) {
          observe(event)
          if (event.kind === 'part') [part, of] = [event.name, event.of]
          if (event.kind !== 'progress') continue
          const place = { studyId, runId: null, phaseId: null, title, part, done: event.done, of }
          const time = { elapsedMs: now() - startedAtMs, leftMs: null, share: of === 0 ? 0 : event.done / of, totalLeftMs: null }
          announce({ name: 'job.progress', value: { ...place, ...time } })
        }
        const artifact = store.artifacts.insert({ id: newId('artifact'), studyId, phaseId: null, runId: null, name: 'recipe for TRL and Accelerate', path: folder, createdAtMs: now() })
        announce({ name: 'study.changed', value: { studyId } })
        return artifact
      }).finally(() => underWay.delete(studyId))
    },
    /** Stops the writing of this study's recipe, if it is under way or waiting; nothing of it is left. */
    cancelExport: (studyId: string): void => underWay.get(studyId)?.abort(),

    /**
     * Takes in what train.py wrote, as a run of its study. Where the study has not trained that arm, the run is its phase's, and
     * the study goes on with it; else it stands beside.
     * @throws LabError 'not-found', 'conflict' while the study is at work, and what the job throws
     */
    async import(folder: string): Promise<RunRow> {
      const path = join(folder, 'run.json')
      const about = parse(recipeRunSchema, await readRun(path), 'invalid-input', path)
      const { study, places } = studies.placesOf(about.study)
      if (study.status === 'running' || study.status === 'queued')
        throw new LabError('conflict', `study "${study.name}" is ${study.status}: pause it, then import the run`, { studyId: study.id })
      const phaseId = `seed-${about.seed}/${about.arm}`
      const planned = studyPlan(study.config).find(({ id }) => id === phaseId)
      if (planned?.kind !== 'train') throw new LabError('invalid-input', `${path}: study "${study.name}" has no ${about.arm} of seed ${about.seed}`)
      const phase = store.studyPhases.ofStudy(study.id).find(({ id }) => id === phaseId)!
      const fillsPhase = phase.runId === null
      const runId = newId('run')
      const config = phaseRunConfig(planned, study.config, places)
      const runFolder = join(study.folder, 'runs', fillsPhase ? phaseId.replaceAll('/', '-') : runId)
      store.runs.insert({
        id: runId,
        name: `${planned.title}, trained elsewhere`,
        studyId: study.id,
        phaseId: fillsPhase ? phaseId : null,
        dataset: study.config.data[planned.data],
        config,
        folder: runFolder,
        createdAtMs: now(),
      })
      const job: ImportRunJob = { kind: 'import-run', source: folder, folder: runFolder, config }
      const ending = await inTurn(queue, () => followRun(parts, runId, (signal) => runner(job, signal, how()), createStopRequest()))
      if (ending.status === 'failed') {
        store.runs.delete(runId)
        throw fromFailure(ending.failure)
      }
      if (fillsPhase)
        store.transaction(() => {
          store.studyPhases.setRun(study.id, phaseId, runId)
          store.studyPhases.begin(study.id, phaseId, now(), job)
          store.studyPhases.end(study.id, phaseId, 'finished', now())
        })
      announce({ name: 'study.changed', value: { studyId: study.id } })
      return store.runs.find(runId)!.row
    },
  }
}

async function readRun(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((thrown: unknown) => {
    throw new LabError('not-found', `${path} does not exist: choose the folder that train.py of a recipe wrote, once it has ended`, { path }, thrown)
  })
  try {
    return JSON.parse(text)
  } catch (thrown) {
    throw new LabError('corrupt-artifact', `${path} is not JSON: ${(thrown as Error).message}; copy the folder again`, { path }, thrown)
  }
}
