// Runs that a person starts: a request becomes a RunConfig (snapshot, tokenizer and folders filled in), waits its turn,
// and is followed to its end. Phases of a study are runs too, but the study's service drives them.

import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fromFailure, LabError } from '../domain/errors.ts'
import type { JobEvent, TokenizerJob, TrainJob, Watched } from '../domain/job.ts'
import { TRAINING_METRICS } from '../domain/metric.ts'
import { datasetKindsFor } from '../domain/objective-config.ts'
import { parse } from '../domain/parse.ts'
import { runConfigSchema, type Start } from '../domain/run-config.ts'
import type { TrainingPlan } from '../domain/training-plan.ts'
import type { LogLine, RunRequest, RunRow, RunView, Series } from '../domain/run-view.ts'
import type { DatasetKind } from '../domain/sample.ts'
import { MEASURED_KINDS, MEASURED_ON, type RunWatch } from '../domain/watch.ts'
import type { StoredRun } from '../store/runs.ts'
import type { DatasetService } from './datasets.ts'
import { followRun } from './follow-run.ts'
import type { Parts } from './parts.ts'
import { createStopRequest, endingOf, type StopRequest } from './stop-request.ts'

export type RunService = ReturnType<typeof createRunService>

/** A run whose configuration is known in full. */
export interface NewRun {
  readonly name: string
  readonly dataset: string
  readonly config: StoredRun['config']
  /** Of an experiment, which finds its run again by it. */
  readonly phaseId?: string | null
  readonly watch?: Watched | null
}

/** An announcement of progress carries an estimate that is read from the database: five a second are enough for a bar. */
const MIN_MS_BETWEEN_PROGRESS = 200

export function createRunService(parts: Parts, datasets: DatasetService) {
  const { store, project, runner, queue, now, newId, announce } = parts
  const underWay = new Map<string, { readonly stop: StopRequest; readonly ended: Promise<void> }>()

  /** Runs the row's job when its turn comes; ends with the run, however it ends. */
  function work(runId: string, prepare: (stop: StopRequest) => Promise<void> = async () => {}, observe: (event: JobEvent) => void = () => {}): void {
    const stop = createStopRequest()
    const ended = queue.add(async () => {
      try {
        await prepare(stop)
      } catch (thrown) {
        const ending = endingOf(thrown, stop)
        store.runs.begin(runId, now())
        store.runs.end(runId, ending.status, now(), ending.status === 'failed' ? ending.failure : null)
        announce({ name: 'run.changed', value: { runId } })
        return
      }
      const run = found(runId)
      const job: TrainJob = { kind: 'train', project, folder: run.folder, config: run.config, execution: 'auto', watch: run.watch }
      const backend = store.settings.get().backend
      const announceProgress = progressAnnouncer(runId)
      await followRun(parts, runId, (signal) => runner(job, signal, { backend }), stop, (event) => {
        announceProgress(event)
        observe(event)
      })
    })
    underWay.set(runId, { stop, ended })
    void ended.finally(() => underWay.delete(runId)).catch(() => {})
    announce({ name: 'run.changed', value: { runId } })
  }

  function progressAnnouncer(runId: string): (event: JobEvent) => void {
    let lastMs = -Infinity
    return (event) => {
      if (event.kind !== 'step' && event.kind !== 'progress' && event.kind !== 'part') return
      if (now() - lastMs < MIN_MS_BETWEEN_PROGRESS && event.kind !== 'part') return
      lastMs = now()
      const row = withClock(found(runId), now())
      announce({
        name: 'job.progress',
        value: {
          studyId: null,
          runId,
          phaseId: null,
          title: row.name,
          part: row.progress?.part ?? '',
          done: row.progress?.done ?? 0,
          of: row.progress?.of ?? 0,
          elapsedMs: row.workedMs,
          leftMs: row.leftMs,
          share: row.steps === 0 ? 0 : row.step / row.steps,
          totalLeftMs: row.leftMs,
        },
      })
    }
  }

  /** @throws LabError 'not-found' */
  function found(runId: string): StoredRun {
    const run = store.runs.find(runId)
    const imported = run === null ? store.runs.findImported(runId) : null
    if (imported !== null)
      throw new LabError('conflict', `run "${imported.row.name}" was logged by ${imported.origin.kind}: the lab has its curves and none of its weights; choose a run that was trained here`, { runId })
    if (run === null) throw new LabError('not-found', `there is no run "${runId}"`, { runId })
    return run
  }

  /** Also of another program. @throws LabError 'not-found' */
  function assertKnown(runId: string): void {
    if (store.runs.findImported(runId) === null) found(runId)
  }

  function newestCheckpoint(runId: string): string {
    const run = found(runId)
    const checkpoint = store.checkpoints.newest(runId)
    if (checkpoint === null)
      throw new LabError(
        'not-found',
        `run "${run.row.name}" (${run.row.status}) has no checkpoint yet. Let it reach its first, or choose another run.`,
        { runId },
      )
    return checkpoint.folder
  }

  /** @throws LabError 'conflict' for the phase of a study: the study is what can be stopped */
  function assertOwn(run: StoredRun): void {
    if (run.row.studyId !== null && store.studies.find(run.row.studyId) !== null)
      throw new LabError('conflict', `run "${run.row.name}" is a phase of a study: pause, resume or delete the study`, {
        studyId: run.row.studyId,
      })
  }

  /** @throws LabError 'not-found' for a folder that is not in PEFT's layout */
  function adapterOf({ adapter }: { readonly adapter: string | null }): { readonly adapter?: string } {
    if (adapter === null) return {}
    if (!existsSync(join(adapter, 'adapter_config.json')))
      throw new LabError('not-found', `start.adapter: ${adapter} holds no adapter: adapter_config.json is missing; choose a folder that PEFT wrote`, {
        path: ['start', 'adapter'],
      })
    return { adapter }
  }

  async function resolveStart(request: RunRequest, folder: string): Promise<Start> {
    const { start, training } = request
    switch (start.kind) {
      case 'scratch':
        return { kind: 'scratch', model: start.model, tokenizerFolder: join(folder, 'tokenizer'), seed: training.seed }
      case 'run':
        return { kind: 'checkpoint', folder: newestCheckpoint(start.runId), ...adapterOf(start) }
      case 'folder':
        if (!existsSync(join(start.folder, 'config.json')))
          throw new LabError('not-found', `${start.folder} holds no model: config.json is missing`, { folder: start.folder })
        return { kind: 'checkpoint', folder: start.folder, ...adapterOf(start) }
      case 'parts':
        return { ...start, seed: training.seed }
      case 'transplant':
        return {
          kind: 'transplant',
          folder: newestCheckpoint(start.runId),
          projectorLayers: start.projectorLayers,
          languageModelFolder: null,
          seed: training.seed,
        }
    }
  }

  /** What a request means, before anything is started. */
  async function configOf(request: RunRequest, folder: string): Promise<{ readonly config: StoredRun['config']; readonly dataset: string }> {
    const dataset = datasets.named(request.dataset)
    const expected = datasetKindsFor(request.training.objective.kind)
    if (!expected.includes(dataset.kind))
      throw new LabError(
        'invalid-input',
        `dataset: ${request.training.objective.kind} needs ${expected.join(' or ')}, "${dataset.name}" holds ${dataset.kind}`,
        { dataset: dataset.name },
      )
    const config = parse(runConfigSchema, {
      training: request.training,
      images: request.images,
      snapshot: await datasets.snapshotOf(dataset.name),
      start: await resolveStart(request, folder),
    })
    return { config, dataset: dataset.name }
  }

  /** @throws LabError 'invalid-input' for data that are missing, or of another kind than what is to be measured on them */
  async function watchedOf({ data, probes, ...watch }: RunWatch): Promise<Watched> {
    const snapshotOfKind = async (name: string, kind: DatasetKind, path: readonly string[]) => {
      const dataset = datasets.named(name)
      if (dataset.kind !== kind) throw new LabError('invalid-input', `${path.join('.')}: expected a dataset of ${kind}, found ${dataset.kind} in "${name}"; choose another`, { path: [...path] })
      return datasets.snapshotOf(name)
    }
    const snapshots: Watched['snapshots'] = { questions: null, preferences: null, objects: null, captions: null }
    for (const role of Object.keys(snapshots) as (keyof typeof data)[]) {
      const evaluator = watch.evaluators.find((each) => MEASURED_ON[each] === role)
      const name = data[role]
      if (name !== null) snapshots[role] = await snapshotOfKind(name, MEASURED_KINDS[role], ['watch', 'data', role])
      else if (evaluator !== undefined)
        throw new LabError('invalid-input', `watch.data.${role}: "${evaluator}" is measured on ${MEASURED_KINDS[role]}, and none are chosen; choose a dataset, or leave "${evaluator}" out`, { path: ['watch', 'data', role] })
    }
    return { ...watch, snapshots, probes: probes && { snapshot: await snapshotOfKind(probes.dataset, 'objects', ['watch', 'probes', 'dataset']), settings: probes.settings } }
  }

  /** A model from random weights needs a tokenizer first: trained on the run's own data. */
  function prepareTokenizer(config: StoredRun['config']): (stop: Pick<StopRequest, 'signal'>) => Promise<void> {
    return async (stop) => {
      if (config.start.kind !== 'scratch' || existsSync(join(config.start.tokenizerFolder, 'tokenizer.json'))) return
      const job: TokenizerJob = {
        kind: 'tokenizer',
        project,
        folder: config.start.tokenizerFolder,
        snapshots: [config.snapshot],
        vocabSize: config.start.model.languageModel.vocabSize,
      }
      for await (const _ of runner(job, stop.signal));
    }
  }

  function requestStop(runId: string, what: 'pause' | 'cancel'): void {
    const run = found(runId)
    assertOwn(run)
    const active = underWay.get(runId)
    if (active !== undefined) return active.stop.ask(what)
    if (what === 'cancel' && run.row.status === 'paused') {
      store.runs.end(runId, 'cancelled', now())
      return announce({ name: 'run.changed', value: { runId } })
    }
    throw new LabError('conflict', `run "${run.row.name}" is ${run.row.status}: there is nothing to ${what}`, { runId })
  }

  function begin({ name, dataset, config, phaseId = null, watch = null }: NewRun, runId = newId('run'), observe?: (event: JobEvent) => void): { runId: string } {
    store.runs.insert({ id: runId, name, studyId: null, phaseId, dataset, config, folder: join(project, 'runs', runId), watch, createdAtMs: now() })
    work(runId, prepareTokenizer(config), observe)
    return { runId }
  }

  return {
    async start(request: RunRequest): Promise<{ runId: string }> {
      const runId = newId('run')
      const watch = request.watch === null ? null : await watchedOf(request.watch)
      return begin({ name: request.name, watch, ...(await configOf(request, join(project, 'runs', runId))) }, runId)
    },
    /**
     * The run of an experiment's phase, trained to its end: begun, or taken up where it was stopped, or done already.
     * An aborted signal pauses it. @throws the run's failure; LabError 'cancelled' when it was stopped
     */
    async trained(run: NewRun & { readonly phaseId: string }, signal: AbortSignal, observe: (event: JobEvent) => void): Promise<string> {
      const known = store.runs.list().find(({ row }) => row.studyId === null && row.phaseId === run.phaseId && row.status !== 'cancelled')
      const runId = known?.row.id ?? begin(run, undefined, observe).runId
      if (known !== undefined && known.row.status !== 'finished' && !underWay.has(runId)) {
        store.runs.queue(runId)
        work(runId, prepareTokenizer(known.config), observe)
      }
      const pause = () => underWay.get(runId)?.stop.ask('pause')
      if (signal.aborted) pause()
      else signal.addEventListener('abort', pause, { once: true })
      await underWay.get(runId)?.ended
      signal.removeEventListener('abort', pause)
      const { status, failure } = found(runId).row
      if (failure !== null && status === 'failed') throw fromFailure(failure)
      if (status !== 'finished') throw new LabError('cancelled', `${run.name} was stopped`, { runId })
      return runId
    },
    /**
     * What `start` would do with the same request; nothing is trained, and nothing is kept but a tokenizer that it needs.
     * @param budget  bytes that it may take; null: what the machine has
     */
    async plan(request: RunRequest, budget: number | null, signal: AbortSignal): Promise<TrainingPlan> {
      const snapshot = await datasets.snapshotOf(datasets.named(request.dataset).name)
      const vocabulary = request.start.kind === 'scratch' ? `-${request.start.model.languageModel.vocabSize}` : ''
      const { config } = await configOf(request, join(project, 'cache', 'plans', `${snapshot}${vocabulary}`))
      await prepareTokenizer(config)({ signal })
      const backend = store.settings.get().backend
      for await (const event of runner({ kind: 'plan', project, config, execution: 'auto', budget }, signal, { backend }))
        if (event.kind === 'plan') return event.plan
      throw new LabError('internal', 'the dry run ended without a plan')
    },
    pause: (runId: string): void => requestStop(runId, 'pause'),
    cancel: (runId: string): void => requestStop(runId, 'cancel'),
    resume(runId: string): void {
      const run = found(runId)
      assertOwn(run)
      store.runs.queue(runId)
      work(runId, prepareTokenizer(run.config))
    },
    async delete(runId: string): Promise<void> {
      if (store.runs.findImported(runId) !== null) {
        store.runs.delete(runId)
        return announce({ name: 'run.changed', value: { runId } })
      }
      const run = found(runId)
      assertOwn(run)
      if (underWay.has(runId))
        throw new LabError('conflict', `run "${run.row.name}" is ${run.row.status}: cancel it first`, { runId })
      store.runs.delete(runId)
      await rm(run.folder, { recursive: true, force: true })
      announce({ name: 'run.changed', value: { runId } })
    },
    /** Newest first, those of other programs among them. */
    list: (): readonly RunRow[] => store.runs.everyRow().map((run) => withClock(run, now())),
    ofStudy: (studyId: string): readonly RunRow[] => store.runs.ofStudy(studyId).map((run) => withClock(run, now())),
    get(runId: string): RunView {
      const imported = store.runs.findImported(runId)
      const run = imported === null ? found(runId) : null
      const logged = new Set(store.runMetrics.names(runId))
      const known = TRAINING_METRICS.map(({ name }) => name as string)
      return {
        row: run === null ? imported!.row : withClock(run, now()),
        config: run?.config ?? null,
        imported: imported && { origin: imported.origin, config: { ...imported.config } },
        versions: run?.versions ?? {},
        folder: run?.folder ?? '',
        metrics: [...known.filter((name) => logged.has(name)), ...[...logged].filter((name) => !known.includes(name)).toSorted()],
        latest: store.runMetrics.latest(runId),
        // A run keeps its newest weights only; rows of the others are history.
        checkpoints: store.checkpoints.list(runId).filter(({ folder }) => existsSync(folder)),
        artifacts: [...store.artifacts.ofRun(runId)],
      }
    },
    log: (runId: string, afterId: number, limit: number): readonly LogLine[] => {
      assertKnown(runId)
      return store.runLog.after(runId, afterId, limit)
    },
    /** [step, seconds worked]; empty for runs from before they were kept. */
    clock: (runId: string): readonly (readonly [number, number])[] => {
      assertKnown(runId)
      return store.runMetrics.clock(runId)
    },
    series(runId: string, names: readonly string[], points: number): readonly Series[] {
      assertKnown(runId)
      const wanted = names.length === 0 ? store.runMetrics.names(runId) : names
      return wanted.map((name) => store.runMetrics.series(runId, name, points))
    },
    newestCheckpoint,
    /** A run's id or a model's folder → the folder. @throws LabError 'not-found' */
    modelFolder(of: string): string {
      if (store.runs.find(of) !== null) return newestCheckpoint(of)
      if (existsSync(join(of, 'config.json'))) return of
      throw new LabError('not-found', `"${of}" is neither a run of this project nor a folder that holds a model (config.json)`, {
        checkpoint: of,
      })
    },
    /** Resolves when the run is no longer waiting or working. */
    async ended(runId: string): Promise<RunRow> {
      await underWay.get(runId)?.ended
      return withClock(found(runId), now())
    },
    /** Asks everything under way to stop at its next step. */
    stopAll(what: 'pause' | 'cancel'): void {
      for (const { stop } of underWay.values()) stop.ask(what)
    },
    /** Runs that a process left behind when it died: failed, resumable. For the only writer, at its start. */
    recover(): void {
      for (const run of store.runs.underWay()) {
        const message = 'the lab was closed while this run was under way; resume continues from its last checkpoint'
        store.runs.end(run.row.id, 'failed', now(), { code: 'process-died', message, details: {} })
        store.runLog.append(run.row.id, now(), 'error', message)
      }
    },
  }
}

/** The row at this moment: time worked and, from the pace of its steps, time left. */
export function withClock(run: Pick<StoredRun, 'row' | 'runningSinceMs'>, nowMs: number): RunRow {
  const workedMs = run.row.workedMs + (run.runningSinceMs === null ? 0 : Math.max(0, nowMs - run.runningSinceMs))
  const leftMs =
    run.row.status === 'running' && run.row.step > 0 ? (workedMs / run.row.step) * (run.row.steps - run.row.step) : null
  return { ...run.row, workedMs, leftMs }
}
