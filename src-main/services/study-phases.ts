// From a study to its phases as stored, and from a phase to its job: the places where names become paths. The plan itself
// is domain/study.ts; what comes before it (data, tokenizer) is added here.

import { join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import { exportSettingsSchema } from '../domain/export.ts'
import type { EvaluateJob, ExportJob, SightTest, TokenizerJob, TrainJob } from '../domain/job.ts'
import { parse } from '../domain/parse.ts'
import { runConfigSchema, type RunConfig, type Start } from '../domain/run-config.ts'
import { studyPlan, type DataRole, type Phase, type StudyConfig } from '../domain/study.ts'
import type { NewPhase } from '../store/study-phases.ts'
import { transplantStart } from './transplants.ts'

const SIGHT_TEST_PHASE = 'prepare/sight-test'
export const TOKENIZER_PHASE = 'prepare/tokenizer'
/** Roles whose text the tokenizer learns from: training data only. */
const TOKENIZER_ROLES: readonly DataRole[] = ['captions', 'instructions', 'preferences']

/** @throws LabError 'conflict' when the arms differ in what they must share */
export function plannedPhases(config: StudyConfig, sightTest: SightTest | null): readonly NewPhase[] {
  const nothing = { seed: null, stage: null, encoder: null }
  const preparation: NewPhase[] = []
  if (sightTest !== null) {
    const { train, validation, test } = sightTest.scenes
    preparation.push({
      id: SIGHT_TEST_PHASE,
      kind: 'sight-test',
      title: 'Making the sight test',
      ...nothing,
      paceKey: 'sight-test',
      units: train + validation + test,
    })
  }
  // A model from folders brings its own.
  if (config.start.kind === 'scratch')
    preparation.push({ id: TOKENIZER_PHASE, kind: 'tokenizer', title: 'Training the tokenizer', ...nothing, paceKey: 'tokenizer', units: 1 })
  return [...preparation, ...studyPlan(config).map(toNewPhase)]
}

function toNewPhase(phase: Phase): NewPhase {
  const { id, kind, title, seed } = phase
  switch (phase.kind) {
    case 'train': {
      const { steps, batchSize, gradientAccumulation } = phase.training
      return {
        id,
        kind,
        title,
        seed,
        stage: phase.stage,
        encoder: null,
        paceKey: `train/${phase.stage}`,
        units: steps * batchSize * gradientAccumulation,
      }
    }
    case 'evaluate':
      return {
        id,
        kind,
        title,
        seed,
        stage: null,
        encoder: phase.encoder,
        paceKey: phase.metricPrefix === null ? 'evaluate' : `evaluate/${phase.metricPrefix}`,
        units: 1,
      }
    case 'export':
      return { id, kind, title, seed, stage: null, encoder: phase.encoder, paceKey: 'export', units: 1 }
  }
}

/** What a study's jobs need to know of the project. */
export interface StudyPlaces {
  readonly project: string
  /** The study's own folder. */
  readonly folder: string
  readonly snapshots: Readonly<Record<string, string>>
  /** Newest checkpoint folder of an earlier training phase. */
  readonly checkpointOf: (phaseId: string) => string
}

export function tokenizerJob(config: StudyConfig, places: StudyPlaces): TokenizerJob {
  return {
    kind: 'tokenizer',
    project: places.project,
    folder: join(places.folder, 'tokenizer'),
    snapshots: [...new Set(TOKENIZER_ROLES.map((role) => snapshotOf(places, role)))],
    vocabSize: config.model.languageModel.vocabSize,
  }
}

export function phaseRunConfig(phase: Extract<Phase, { kind: 'train' }>, config: StudyConfig, places: StudyPlaces): RunConfig {
  return parse(runConfigSchema, {
    training: phase.training,
    images: config.images,
    snapshot: snapshotOf(places, phase.data),
    start: phaseStart(phase, config, places),
  })
}

function phaseStart(phase: Extract<Phase, { kind: 'train' }>, config: StudyConfig, places: StudyPlaces): Start {
  const { start, seed } = phase
  switch (start.kind) {
    case 'study':
      return studyStart(config, places, seed)
    case 'checkpoint':
      return { kind: 'checkpoint', folder: places.checkpointOf(start.of) }
    case 'transplant':
      return transplantStart({
        folder: places.checkpointOf(start.of),
        projectorLayers: start.projectorLayers,
        languageModelFolder: start.languageModelOf === null ? startingLanguageModel(config) : places.checkpointOf(start.languageModelOf),
        seed,
      })
  }
}

function studyStart({ start, model }: StudyConfig, places: StudyPlaces, seed: number): Start {
  switch (start.kind) {
    case 'scratch':
      return { kind: 'scratch', model, tokenizerFolder: join(places.folder, 'tokenizer'), seed }
    case 'folder':
      return { kind: 'checkpoint', folder: start.folder }
    case 'parts':
      return { ...start, seed }
  }
}

/** A transplanted encoder meets the language model that the study began with; null: one of random weights. */
function startingLanguageModel({ start }: StudyConfig): string | null {
  if (start.kind === 'scratch') return null
  return start.kind === 'folder' ? start.folder : start.languageModelFolder
}

export function evaluateJob(phase: Extract<Phase, { kind: 'evaluate' }>, config: StudyConfig, places: StudyPlaces): EvaluateJob {
  return {
    kind: 'evaluate',
    project: places.project,
    checkpoint: places.checkpointOf(phase.checkpointOf),
    baseline: phase.baselineOf === null ? null : places.checkpointOf(phase.baselineOf),
    evaluators: [...phase.evaluators],
    settings: config.evaluation,
    snapshots: measuredSnapshots(places),
  }
}

/** Beside the roles of `data`: the pictures that the arms' probes learn from. */
const PROBED_ROLE = 'probed while training'

/** Names of the datasets that a study reads, by what each is for. */
export function datasetsOf({ data, watch }: StudyConfig): Readonly<Record<string, string>> {
  return watch === null || watch.probes === null ? data : { ...data, [PROBED_ROLE]: watch.probes.dataset }
}

/** What an arm's training measures as it goes; null: nothing, as in every other stage. */
export function phaseWatch({ stage }: Extract<Phase, { kind: 'train' }>, { watch, evaluation }: StudyConfig, places: StudyPlaces): TrainJob['watch'] {
  if (watch === null || (stage !== 'sft' && stage !== 'dpo')) return null
  const { probes } = watch
  return { ...watch, settings: evaluation, snapshots: measuredSnapshots(places), probes: probes && { snapshot: snapshotOf(places, PROBED_ROLE), settings: probes.settings } }
}

function measuredSnapshots(places: StudyPlaces): EvaluateJob['snapshots'] {
  return {
    questions: snapshotOf(places, 'questions'),
    preferences: snapshotOf(places, 'heldOutPreferences'),
    objects: snapshotOf(places, 'objects'),
    captions: snapshotOf(places, 'captions'),
  }
}

export function exportJob(phase: Extract<Phase, { kind: 'export' }>, places: StudyPlaces): ExportJob {
  return {
    kind: 'export',
    project: places.project,
    checkpoint: places.checkpointOf(phase.checkpointOf),
    folder: join(places.folder, 'encoders', `seed-${phase.seed}-${phase.encoder}`),
    ...parse(exportSettingsSchema, {}),
    record: null,
  }
}

function snapshotOf(places: StudyPlaces, role: DataRole | typeof PROBED_ROLE): string {
  const snapshot = places.snapshots[role]
  if (snapshot === undefined) throw new LabError('internal', `the study has no snapshot of its ${role}`)
  return snapshot
}
