// Studies: the plan walked phase by phase through the given Runner. A finished phase is never done again; a phase that
// was stopped begins again, and a training continues from its newest checkpoint because the training job does so itself.

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { checkpointId } from '../domain/encoder.ts'
import { fromFailure, LabError } from '../domain/errors.ts'
import type { Job, JobEvent, SightTest } from '../domain/job.ts'
import type { Preset } from '../domain/preset.ts'
import type { ParityRow, StudyConfig } from '../domain/study.ts'
import { encoderColumn, encoderNames, studyParity, studyPlan } from '../domain/study.ts'
import type { PhaseRow, StudyRow, StudyView } from '../domain/study-view.ts'
import type { StoredStudy } from '../store/studies.ts'
import type { StoredPhase } from '../store/study-phases.ts'
import type { DatasetService } from './datasets.ts'
import { followRun } from './follow-run.ts'
import type { Parts } from './parts.ts'
import type { PresetService } from './presets.ts'
import { withClock, type RunService } from './runs.ts'
import type { SightTestService } from './sight-test.ts'
import { createStopRequest, endingOf, type StopRequest } from './stop-request.ts'
import {
  evaluateJob,
  exportJob,
  phaseRunConfig,
  datasetsOf,
  phaseWatch,
  plannedPhases,
  TOKENIZER_PHASE,
  tokenizerJob,
  type StudyPlaces,
} from './study-phases.ts'
import { estimateTimeLeft, type Estimate } from './time-left.ts'
import { asTransplantMetric } from './transplants.ts'

export type StudyService = ReturnType<typeof createStudyService>

const MIN_MS_BETWEEN_PROGRESS = 200

export type StudyRequest =
  /** `change` is applied to the preset's configuration; its sight test comes along. */
  | {
      readonly kind: 'preset'
      readonly preset: string
      readonly seeds: readonly number[] | null
      readonly change?: (config: StudyConfig) => StudyConfig
    }
  /** `sightTest` is made when the project lacks the data that `config` names. */
  | { readonly kind: 'config'; readonly config: StudyConfig; readonly sightTest?: SightTest | null }

export interface StudyServices {
  readonly datasets: DatasetService
  readonly presets: PresetService
  readonly runs: RunService
  readonly sightTest: SightTestService
}

export function createStudyService(parts: Parts, { datasets, presets, runs, sightTest }: StudyServices) {
  const { store, project, runner, queue, now, newId, announce } = parts
  const underWay = new Map<string, { readonly stop: StopRequest; readonly ended: Promise<void> }>()

  /** @throws LabError 'not-found' */
  function found(studyId: string): StoredStudy {
    const study = store.studies.find(studyId)
    if (study === null) throw new LabError('not-found', `there is no study "${studyId}"`, { studyId })
    return study
  }

  function work(studyId: string): void {
    const stop = createStopRequest()
    const ended = queue.add(() => followStudy(studyId, stop))
    underWay.set(studyId, { stop, ended })
    void ended.finally(() => underWay.delete(studyId)).catch(() => {})
    announce({ name: 'study.changed', value: { studyId } })
  }

  /** Never rejects: the study's row tells how it ended. */
  async function followStudy(studyId: string, stop: StopRequest): Promise<void> {
    store.studies.begin(studyId, now())
    announce({ name: 'study.changed', value: { studyId } })
    try {
      for (const phase of store.studyPhases.ofStudy(studyId)) {
        if (stop.signal.aborted) throw new LabError('cancelled', 'stopped between phases')
        if (phase.status !== 'finished') await runPhase(found(studyId), phase, stop)
      }
      store.studies.end(studyId, 'finished', now())
    } catch (thrown) {
      const ending = endingOf(thrown, stop)
      store.studies.end(studyId, ending.status, now(), ending.status === 'failed' ? ending.failure : null)
    }
    announce({ name: 'study.changed', value: { studyId } })
  }

  /** @throws LabError when the phase did not finish; its row tells why */
  async function runPhase(study: StoredStudy, phase: StoredPhase, stop: StopRequest): Promise<void> {
    const studyId = study.id
    try {
      await (phase.kind === 'train' ? trainPhase(study, phase, stop) : otherPhase(study, phase, stop))
      store.studyPhases.end(studyId, phase.id, 'finished', now())
    } catch (thrown) {
      const ending = endingOf(thrown, stop)
      if (ending.status !== 'finished')
        store.studyPhases.end(studyId, phase.id, ending.status, now(), ending.status === 'failed' ? ending.failure : null)
      throw thrown
    } finally {
      announce({ name: 'study.changed', value: { studyId } })
    }
  }

  async function trainPhase(study: StoredStudy, phase: StoredPhase, stop: StopRequest): Promise<void> {
    const planned = studyPlan(study.config).find((each) => each.id === phase.id)
    if (planned?.kind !== 'train') throw new LabError('internal', `phase ${phase.id} is not a training of its plan`)
    let runId = phase.runId
    if (runId === null) {
      runId = newId('run')
      const config = phaseRunConfig(planned, study.config, placesOf(study))
      const folder = join(study.folder, 'runs', phase.id.replaceAll('/', '-'))
      store.transaction(() => {
        store.runs.insert({
          id: runId!,
          name: phase.title,
          studyId: study.id,
          phaseId: phase.id,
          dataset: study.config.data[planned.data],
          config,
          folder,
          createdAtMs: now(),
        })
        store.studyPhases.setRun(study.id, phase.id, runId!)
      })
    }
    const run = store.runs.find(runId)!
    const job: Job = { kind: 'train', project, folder: run.folder, config: run.config, execution: 'auto', watch: phaseWatch(planned, study.config, placesOf(study)) }
    store.studyPhases.begin(study.id, phase.id, now(), job)
    announce({ name: 'study.changed', value: { studyId: study.id } })
    const observe = phaseObserver(study.id, phase)
    const ending = await followRun(
      parts,
      runId,
      (signal) => runner(job, signal, { backend: store.settings.get().backend }),
      stop,
      observe,
    )
    if (ending.status === 'failed') throw fromFailure(ending.failure)
    if (ending.status !== 'finished') throw new LabError('cancelled', `${phase.title} was stopped`)
  }

  async function otherPhase(study: StoredStudy, phase: StoredPhase, stop: StopRequest): Promise<void> {
    const observe = phaseObserver(study.id, phase)
    if (phase.kind === 'sight-test') {
      store.studyPhases.begin(study.id, phase.id, now(), sightTest.job(study.sightTest!))
      announce({ name: 'study.changed', value: { studyId: study.id } })
      await sightTest.create(study.sightTest!, stop.signal, observe, study.config.data)
      return
    }
    await freezeSnapshots(study)
    const fresh = found(study.id)
    const planned = studyPlan(study.config).find((each) => each.id === phase.id)
    const places = placesOf(fresh)
    const job: Job =
      phase.id === TOKENIZER_PHASE
        ? tokenizerJob(study.config, places)
        : planned?.kind === 'evaluate'
          ? evaluateJob(planned, study.config, places)
          : exportJob(planned as Extract<typeof planned, { kind: 'export' }>, places)
    store.studyPhases.begin(study.id, phase.id, now(), job)
    announce({ name: 'study.changed', value: { studyId: study.id } })
    const prefix = planned?.kind === 'evaluate' ? planned.metricPrefix : null
    const named = prefix === null ? (metric: string) => metric : asTransplantMetric
    const evaluationId = job.kind === 'evaluate' ? newId('evaluation') : null
    if (evaluationId !== null && job.kind === 'evaluate')
      store.evaluations.insert({
        id: evaluationId,
        studyId: study.id,
        phaseId: phase.id,
        encoder: phase.encoder,
        seed: phase.seed,
        encoderId: measuredEncoder(study.id, phase),
        // How it was trained is the study's.
        protocol: prefix === null ? null : study.id,
        job,
        createdAtMs: now(),
      })
    for await (const event of runner(job, stop.signal, { backend: store.settings.get().backend })) {
      if (event.kind === 'result' && evaluationId !== null)
        store.evaluations.insertResult(evaluationId, named(event.metric), event.value, event.n)
      if (event.kind === 'items' && evaluationId !== null)
        store.evaluations.insertItems(evaluationId, named(event.metric), event.items)
      observe(event)
    }
    if (job.kind === 'export')
      store.artifacts.insert({
        id: newId('artifact'),
        studyId: study.id,
        phaseId: phase.id,
        runId: null,
        name: `vision encoder ${encoderColumn(phase.encoder!, encoderNames(study.config))}, seed ${phase.seed}`,
        path: job.folder,
        createdAtMs: now(),
      })
  }

  /** Whose number a measurement is: the arm's checkpoint, also where its transplant was measured. */
  function measuredEncoder(studyId: string, { seed, encoder }: StoredPhase): string | null {
    const stage = encoder === 'stage-1' ? 'instruction' : encoder
    const runId = store.studyPhases.ofStudy(studyId).find(({ id }) => id === `seed-${seed}/${stage}`)?.runId ?? null
    const newest = runId === null ? null : store.checkpoints.newest(runId)
    return newest === null ? null : checkpointId(runId!, newest.step)
  }

  /** The data a study began with are the data it ends with, whatever is imported in between. */
  async function freezeSnapshots(study: StoredStudy): Promise<void> {
    if (Object.keys(found(study.id).snapshots).length > 0) return
    const roles = Object.entries(datasetsOf(study.config))
    const snapshots: Record<string, string> = {}
    for (const [role, name] of roles) snapshots[role] = await datasets.snapshotOf(name)
    store.studies.setSnapshots(study.id, snapshots)
  }

  function placesOf(study: StoredStudy): StudyPlaces {
    const phases = store.studyPhases.ofStudy(study.id)
    return {
      project,
      folder: study.folder,
      snapshots: study.snapshots,
      checkpointOf(phaseId) {
        const runId = phases.find((phase) => phase.id === phaseId)?.runId
        if (runId === null || runId === undefined) throw new LabError('internal', `phase ${phaseId} has no run yet`)
        return runs.newestCheckpoint(runId)
      },
    }
  }

  function phaseObserver(studyId: string, phase: StoredPhase): (event: JobEvent) => void {
    let part = phase.title
    let lastMs = -Infinity
    return (event) => {
      if (event.kind === 'device') store.studies.setDevice(studyId, event)
      if (event.kind === 'part') part = event.name
      if (event.kind === 'part') store.studyPhases.setProgress(studyId, phase.id, { part, done: 0, of: event.of })
      else if (event.kind === 'progress')
        store.studyPhases.setProgress(studyId, phase.id, { part, done: event.done, of: event.of })
      else if (event.kind === 'step')
        store.studyPhases.setProgress(studyId, phase.id, { part: 'training', done: event.step, of: event.of })
      else return
      if (now() - lastMs < MIN_MS_BETWEEN_PROGRESS && event.kind !== 'part') return
      lastMs = now()
      announceProgress(studyId, phase.id)
    }
  }

  function announceProgress(studyId: string, phaseId: string): void {
    const { phases, estimate } = phasesNow(studyId)
    const phase = phases.find(({ id }) => id === phaseId)
    if (phase === undefined) return
    announce({
      name: 'job.progress',
      value: {
        studyId,
        runId: phase.runId,
        phaseId,
        title: phase.title,
        part: phase.part ?? '',
        done: phase.done,
        of: phase.of,
        elapsedMs: phase.workedMs,
        leftMs: phase.leftMs,
        share: estimate.share,
        totalLeftMs: estimate.totalLeftMs,
      },
    })
    announce({ name: 'study.changed', value: { studyId } })
  }

  function phasesNow(studyId: string): { readonly phases: readonly PhaseRow[]; readonly estimate: Estimate } {
    const stored = store.studyPhases.ofStudy(studyId)
    const nowMs = now()
    const worked = stored.map(
      (phase) => phase.workedMs + (phase.runningSinceMs === null ? 0 : Math.max(0, nowMs - phase.runningSinceMs)),
    )
    const estimate = estimateTimeLeft(
      stored.map((phase, i) => ({
        paceKey: phase.paceKey,
        units: phase.units,
        status: phase.status,
        share: shareOf(phase),
        workedMs: worked[i]!,
      })),
      store.studyPhases.earlierPaces(studyId),
    )
    const phases = stored.map((phase, i): PhaseRow => ({
      id: phase.id,
      ordinal: phase.ordinal,
      kind: phase.kind,
      title: phase.title,
      seed: phase.seed,
      stage: phase.stage,
      encoder: phase.encoder,
      status: phase.status,
      runId: phase.runId,
      part: phase.part,
      done: phase.done,
      of: phase.of,
      startedAtMs: phase.startedAtMs,
      finishedAtMs: phase.finishedAtMs,
      workedMs: worked[i]!,
      leftMs: phase.status === 'finished' ? null : estimate.leftMs[i]!,
      failure: phase.failure,
    }))
    return { phases, estimate }
  }

  function rowOf(study: StoredStudy, { phases, estimate }: ReturnType<typeof phasesNow>): StudyRow {
    return {
      id: study.id,
      name: study.name,
      preset: study.preset,
      status: study.status,
      engine: study.engine,
      device: study.device,
      seeds: study.config.seeds,
      phasesDone: phases.filter(({ status }) => status === 'finished').length,
      phases: phases.length,
      share: study.status === 'finished' ? 1 : estimate.share,
      createdAtMs: study.createdAtMs,
      startedAtMs: study.startedAtMs,
      finishedAtMs: study.finishedAtMs,
      workedMs: study.workedMs + (study.runningSinceMs === null ? 0 : Math.max(0, now() - study.runningSinceMs)),
      leftMs: study.status === 'finished' ? null : estimate.totalLeftMs,
      failure: study.failure,
    }
  }

  function requestStop(studyId: string, what: 'pause' | 'cancel'): void {
    const study = found(studyId)
    const active = underWay.get(studyId)
    if (active !== undefined) return active.stop.ask(what)
    if (what === 'cancel' && study.status === 'paused') {
      store.studies.end(studyId, 'cancelled', now())
      return announce({ name: 'study.changed', value: { studyId } })
    }
    throw new LabError('conflict', `study "${study.name}" is ${study.status}: there is nothing to ${what}`, { studyId })
  }

  /** The sight test is made by the study itself when the project lacks one of its data sets. */
  function neededSightTest(config: StudyConfig, offered: SightTest | null): SightTest | null {
    const made = Object.values(config.data)
    const missing = made.filter((name) => store.datasets.findNamed(name) === null)
    for (const name of Object.values(datasetsOf(config))) if (!made.includes(name)) datasets.named(name)
    if (missing.length === 0) return null
    if (offered === null) datasets.named(missing[0]!)
    return offered
  }

  return {
    start(request: StudyRequest): { studyId: string } {
      const preset = request.kind === 'preset' ? presets.get(request.preset) : null
      const config = configOf(request, preset)
      const offered = request.kind === 'config' ? request.sightTest : preset!.sightTest
      const needed = neededSightTest(config, offered ?? null)
      const phases = plannedPhases(config, needed)
      const studyId = newId('study')
      store.transaction(() => {
        store.studies.insert({
          id: studyId,
          preset: request.kind === 'preset' ? request.preset : null,
          config,
          sightTest: needed,
          folder: join(project, 'studies', studyId),
          createdAtMs: now(),
        })
        store.studyPhases.insert(studyId, phases)
      })
      work(studyId)
      return { studyId }
    },
    /** A study, and where the files of its jobs lie. @throws LabError 'not-found' */
    placesOf(studyId: string): { readonly study: StoredStudy; readonly places: StudyPlaces } {
      const study = found(studyId)
      return { study, places: placesOf(study) }
    },
    pause: (studyId: string): void => requestStop(studyId, 'pause'),
    cancel: (studyId: string): void => requestStop(studyId, 'cancel'),
    resume(studyId: string): void {
      found(studyId)
      store.studies.queue(studyId)
      for (const phase of store.studyPhases.ofStudy(studyId))
        if (phase.status === 'failed' || phase.status === 'cancelled' || phase.status === 'paused')
          store.studyPhases.queue(studyId, phase.id)
      for (const run of store.runs.ofStudy(studyId))
        if (run.row.status === 'failed' || run.row.status === 'cancelled' || run.row.status === 'paused')
          store.runs.queue(run.row.id)
      work(studyId)
    },
    async delete(studyId: string): Promise<void> {
      const study = found(studyId)
      if (underWay.has(studyId))
        throw new LabError('conflict', `study "${study.name}" is ${study.status}: cancel it first`, { studyId })
      store.studies.delete(studyId)
      await rm(study.folder, { recursive: true, force: true })
      announce({ name: 'study.changed', value: { studyId } })
    },
    list: (): readonly StudyRow[] => store.studies.list().map((study) => rowOf(study, phasesNow(study.id))),
    get(studyId: string): StudyView {
      const study = found(studyId)
      const under = phasesNow(studyId)
      return {
        row: rowOf(study, under),
        config: study.config,
        encoderNames: encoderNames(study.config),
        parity: [...studyParity(study.config)],
        phases: [...under.phases],
        runs: store.runs.ofStudy(studyId).map((run) => withClock(run, now())),
        versions: study.versions,
        snapshots: study.snapshots,
        artifacts: [...store.artifacts.ofStudy(studyId)],
      }
    },
    parity: (config: StudyConfig): readonly ParityRow[] => studyParity(config),
    /** Resolves when the study is no longer waiting or working. */
    async ended(studyId: string): Promise<StudyRow> {
      await underWay.get(studyId)?.ended
      return rowOf(found(studyId), phasesNow(studyId))
    },
    stopAll(what: 'pause' | 'cancel'): void {
      for (const { stop } of underWay.values()) stop.ask(what)
    },
    /** Studies that a process left behind when it died: failed, resumable. For the only writer, at its start, after the runs. */
    recover(): void {
      for (const study of store.studies.list().filter(({ status }) => status === 'running' || status === 'queued')) {
        const failure = {
          code: 'process-died',
          message: 'the lab was closed while this study was under way; resume continues where it stopped',
          details: {},
        } as const
        for (const phase of store.studyPhases.ofStudy(study.id))
          if (phase.status === 'running') store.studyPhases.end(study.id, phase.id, 'failed', now(), failure)
        store.studies.end(study.id, 'failed', now(), failure)
      }
    },
  }
}

function configOf(request: StudyRequest, preset: Preset | null): StudyConfig {
  if (request.kind === 'config') return request.config
  const { seeds, change = (config) => config } = request
  return change(seeds === null ? preset!.config : { ...preset!.config, seeds: [...seeds] })
}

/** Share done of the phase under way, where one part tells it: training by steps, the rest by its only part. */
function shareOf(phase: StoredPhase): number | null {
  if (phase.status === 'finished') return 1
  if (phase.of === 0) return null
  if (phase.kind === 'train') return phase.part === 'training' ? phase.done / phase.of : 0
  // An evaluation has several parts of unequal weight: how far one has come says little about the whole.
  return phase.kind === 'sight-test' ? phase.done / phase.of : null
}
