// Training jobs on the tiny project, run to their end in this process: what they said, and what they left on disk.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { ExecutionPreference } from '../../src-main/domain/device.ts'
import { LabError } from '../../src-main/domain/errors.ts'
import { jobSchema, type JobEvent, type TrainJob } from '../../src-main/domain/job.ts'
import type { MultimodalLmSpec } from '../../src-main/domain/model-spec.ts'
import type { Start } from '../../src-main/domain/run-config.ts'
import type { Sample } from '../../src-main/domain/sample.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { newestCheckpoint } from '../../src-main/jobs/checkpoint.ts'
import { sha256 } from '../../src-main/jobs/files.ts'
import { runTrainJob } from '../../src-main/jobs/train-job.ts'
import { tinyProject, TINY_SPEC, type TinyProject } from './evaluate/tiny-project.ts'

/** The native engine, with programs cached in a folder of this process and not in the user's own. */
export async function openEngineWithOwnCache(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'pivot-lab-cache-'))
  process.env['XDG_CACHE_HOME'] = folder
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  await openBackend('native')
}

/** The project's model at its fewest blocks: a step is quick, and quickly compiled. */
export const SMALL_SPEC: MultimodalLmSpec = {
  ...TINY_SPEC,
  visionEncoder: { ...TINY_SPEC.visionEncoder, numHiddenLayers: 2 },
  languageModel: { ...TINY_SPEC.languageModel, numHiddenLayers: 1 },
}

export interface TrainJobFields {
  readonly folder: string
  readonly start: Start
  readonly snapshot?: string
  readonly training?: Readonly<Record<string, unknown>>
  readonly execution?: ExecutionPreference
}

/** Four steps of two samples at a rate at which a tiny model moves, from the preference pairs, eagerly. */
export function aTrainJob(
  { project, snapshots }: TinyProject,
  { folder, start, snapshot, training, execution }: TrainJobFields,
): TrainJob {
  return jobSchema.parse({
    kind: 'train',
    project,
    folder: join(project, folder),
    execution: execution ?? 'eager',
    config: {
      snapshot: snapshot ?? snapshots.preferences,
      start,
      training: { steps: 4, batchSize: 2, learningRate: 3e-3, schedule: 'constant', warmupRatio: 0, ...training },
    },
  }) as TrainJob
}

export interface PairTraining {
  readonly tiny: TinyProject
  readonly start: Start
  /** The pairs that jobs train on. */
  readonly snapshot: string
  /** A job in a folder of its own. */
  readonly aJob: (fields?: Partial<TrainJobFields>) => TrainJob
}

/**
 * For a file of tests about runs on preference pairs: the engine, a project, a small model to start from, and the first four
 * training pairs; all there before the first test and gone after the last.
 * @param fields  what every job of the file has, unless it says otherwise
 */
export function pairTraining(fields: Pick<TrainJobFields, 'training'> = {}): PairTraining {
  let folders = 0
  const made = {} as { tiny: TinyProject; start: Start; snapshot: string }
  const root = mkdtempSync(join(tmpdir(), 'pivot-lab-pairs-'))
  beforeAll(async () => {
    await openEngineWithOwnCache()
    made.tiny = tinyProject(root)
    made.start = { kind: 'checkpoint', folder: await made.tiny.checkpoint(1, SMALL_SPEC) }
    const pairs = readSamples(made.tiny, made.tiny.snapshots.preferences).filter(({ split }) => split === 'train')
    made.snapshot = writeSnapshot(made.tiny, pairs.slice(0, 4))
  })
  afterAll(() => rmSync(root, { recursive: true, force: true }))
  return Object.assign(made, {
    aJob: (own: Partial<TrainJobFields> = {}) =>
      aTrainJob(made.tiny, {
        folder: `runs/${++folders}`,
        start: made.start,
        snapshot: made.snapshot,
        ...own,
        training: { ...fields.training, ...own.training },
      }),
  })
}

/** A schedule, decay and checkpoints in which a wrong step, moment or counter after a resume shows. */
export const RESUMED = { steps: 6, checkpointEverySteps: 2, weightDecay: 0.1, schedule: 'cosine', warmupRatio: 0.2 }

export interface Followed {
  readonly events: readonly JobEvent[]
  /** What it ended with; null: finished. */
  readonly fault: LabError | null
}

/**
 * @param stopAfter  the step after which it is stopped
 * @param how        'cancel': by its signal; 'kill': nobody asks for its next event any more
 */
export async function follow(
  job: TrainJob,
  { stopAfter = Infinity, how = 'cancel' as 'cancel' | 'kill' } = {},
): Promise<Followed> {
  const signal = { aborted: false }
  const events: JobEvent[] = []
  try {
    for await (const event of runTrainJob(job, signal)) {
      events.push(event)
      if (event.kind === 'step' && event.step === stopAfter) {
        if (how === 'kill') break
        signal.aborted = true
      }
    }
    return { events, fault: null }
  } catch (thrown) {
    if (!(thrown instanceof LabError)) throw thrown
    return { events, fault: thrown }
  }
}

/** The metrics of every step, in order. @throws what the job ended with, unless it finished */
export async function train(job: TrainJob): Promise<readonly Readonly<Record<string, number>>[]> {
  const { events, fault } = await follow(job)
  if (fault !== null) throw fault
  return stepsOf(events)
}

export function stepsOf(events: readonly JobEvent[]): readonly Readonly<Record<string, number>>[] {
  return events.flatMap((event) => (event.kind === 'step' ? [{ step: event.step, ...event.metrics }] : []))
}

/** SHA-256 of the newest checkpoint's weights. */
export async function weightsOf(job: TrainJob): Promise<string> {
  const folder = await newestCheckpoint(job.folder)
  if (folder === null) throw new Error(`${job.folder} holds no checkpoint`)
  return sha256(readFileSync(join(folder, 'model.safetensors')))
}

/** Writes samples as a snapshot of the project and returns its name. */
export function writeSnapshot({ project }: TinyProject, samples: readonly Sample[]): string {
  const text = samples.map((sample) => `${JSON.stringify(sample)}\n`).join('')
  writeFileSync(join(project, 'snapshots', `${sha256(text)}.jsonl`), text)
  return sha256(text)
}

export function readSamples({ project }: TinyProject, snapshot: string): Sample[] {
  return readFileSync(join(project, 'snapshots', `${snapshot}.jsonl`), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Sample)
}
