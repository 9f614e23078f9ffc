// A lab in a temporary folder, on a runner that computes nothing: training yields falling losses and a checkpoint a step,
// measuring yields the same small table every time. Jobs of the engine are kept in `jobs`.

import { mkdirSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { composeLab, type Lab } from '../../src-main/compose.ts'
import { LabError } from '../../src-main/domain/errors.ts'
import { DATA_JOB_KINDS, type PlacedEvent } from '../../src-main/domain/data-job.ts'
import { exportSettingsSchema } from '../../src-main/domain/export.ts'
import type { ModelInspection } from '../../src-main/domain/model-view.ts'
import type { ImportEvent, ImportOptions } from '../../src-main/domain/import-event.ts'
import type { ItemResult, Job, JobEvent, Runner } from '../../src-main/domain/job.ts'
import { textOfContent } from '../../src-main/domain/sample-facts.ts'
import type { Announcement } from '../../src-main/services/parts.ts'
import { runReading, type ReadingTools } from '../../src-main/services/readings/run-reading.ts'
import { aPlan } from './a-plan.ts'
import { anImportedConversation, anImportedPair, anImportedQuestion, anImportedScene } from './builders.ts'

export interface FakeRunner {
  readonly run: Runner
  readonly jobs: Job[]
  /** Called before each event; throw to fail the job there. */
  beforeEvent: (job: Job, event: JobEvent) => void | Promise<void>
}

export type ReadDataset = (path: string, options?: ImportOptions) => AsyncIterable<ImportEvent>

export function aFakeRunner(readDataset: ReadDataset = readFakeDataset): FakeRunner {
  const fake: FakeRunner = {
    jobs: [],
    beforeEvent: () => {},
    async *run(job, signal) {
      if (!DATA_JOB_KINDS.includes(job.kind)) fake.jobs.push(job)
      for await (const event of job.kind === 'import' ? importEvents(readDataset(job.path, job.options)) : eventsOf(job)) {
        await fake.beforeEvent(job, event)
        if (signal.aborted) throw new LabError('cancelled', 'cancelled by signal')
        if (event.kind === 'checkpoint') mkdirSync(event.folder, { recursive: true })
        yield event
        await nextTurn()
      }
    },
  }
  return fake
}

const device: JobEvent = { kind: 'device', engine: 'a fake', device: 'no device', versions: { fake: '1' } }

function eventsOf(job: Job): readonly JobEvent[] {
  switch (job.kind) {
    case 'train': {
      const { steps } = job.config.training
      return [
        device,
        { kind: 'execution', mode: 'graph', precision: job.config.training.precision },
        ...Array.from({ length: steps }, (_, i): JobEvent[] => [
          { kind: 'step', step: i + 1, of: steps, metrics: { loss: 1 / (i + 1), grad_norm: 1 } },
          { kind: 'checkpoint', step: i + 1, folder: `${job.folder}/step-${i + 1}`, sha256: 'c'.repeat(64) },
        ]).flat(),
      ]
    }
    case 'import-run': {
      const step = job.config.training.steps
      return [
        { kind: 'step', step, of: step, metrics: { loss: 0.5, grad_norm: 1 } },
        { kind: 'checkpoint', step, folder: `${job.folder}/step-${step}`, sha256: 'd'.repeat(64) },
      ]
    }
    case 'plan':
      return [device, { kind: 'plan', plan: aPlan(job.config.training) }]
    case 'evaluate': {
      const isDpo = job.checkpoint.includes('dpo')
      const items = Array.from({ length: 6 }, (_, i): ItemResult => ({
        itemId: `item ${i}`,
        cluster: `image ${i >> 1}`,
        group: i < 3 ? 'text' : 'general',
        value: isDpo || i % 2 ? 1 : 0,
        detail: null,
      }))
      const shareOf = (of: readonly ItemResult[]) => of.reduce((sum, { value }) => sum + value, 0) / of.length
      return [
        device,
        { kind: 'part', name: 'questions', of: 6 },
        { kind: 'progress', done: 6, of: 6 },
        { kind: 'items', metric: 'vqa/all', items },
        { kind: 'result', metric: 'vqa/all', value: shareOf(items), n: 6 },
        { kind: 'result', metric: 'vqa/text', value: shareOf(items.slice(0, 3)), n: 3 },
        { kind: 'result', metric: 'segmentation/mean-iou', value: isDpo ? 0.5 : 0.4, n: 100 },
      ]
    }
    case 'benchmark': {
      const open = ['one', 'two'].filter((id) => !job.answers.some(({ itemId }) => itemId === id))
      const item = (itemId: string, detail: unknown): ItemResult => ({ itemId, cluster: itemId, group: null, value: 1, detail })
      return [
        { kind: 'part', name: 'answers', of: 2 },
        ...open.map((id): JobEvent => ({ kind: 'items', metric: 'answers', items: [item(id, { prompt: 'Is it?', answer: 'Yes' })] })),
        { kind: 'items', metric: 'benchmark/own/accuracy', items: [item('one', null), item('two', null)] },
        { kind: 'result', metric: 'benchmark/own/accuracy', value: 1, n: 2, interval: { low: 0.5, high: 1 } },
      ]
    }
    case 'answers':
      return [
        { kind: 'part', name: 'answers', of: job.prompts.length },
        {
          kind: 'items',
          metric: 'answers',
          items: job.prompts.map(({ id, prompt }) => ({
            itemId: id,
            cluster: id,
            group: null,
            value: 1,
            detail: `${prompt} ${job.checkpoint} ${job.image} ${job.seed}`,
          })),
        },
      ]
    case 'pair-scores':
      return [
        ...job.images.map(
          (condition): JobEvent => ({
            kind: 'items',
            metric: `margin/${condition}`,
            items: job.pairs.map(({ id }, i) => ({ itemId: id, cluster: id, group: null, value: 3 - i, detail: null })),
          }),
        ),
        {
          kind: 'items',
          metric: 'diversity/rank',
          items: job.pairs.map(({ id }, i) => ({ itemId: id, cluster: id, group: null, value: -i, detail: 0.5 })),
        },
      ]
    case 'preview-import':
      return [{ kind: 'answer', value: { files: [], rows: [], faults: [], columns: [], isWhole: true } }]
    case 'compare-snapshots':
      return [
        {
          kind: 'answer',
          value: { added: 0, removed: 0, moved: 0, same: 1, addedIds: [], removedIds: [], movedIds: [] },
        },
      ]
    case 'examine-images':
      return [{ kind: 'examined', images: [] }]
    case 'probe':
    case 'map-scores':
      return [device, { kind: 'result', metric: 'maps/occlusion/energy', value: 1.5, n: 3, interval: { low: 1, high: 2 } }]
    case 'representation': {
      const shape = { effectiveRank: [1, 2], width: 4, patchNorms: [1, 1, 1, 1, 1], outliers: 0 }
      const value = { images: 0, tables: [], a: shape, b: shape, changed: [], kept: 1, moved: [], residual: 0, explained: 1, notes: [] }
      return [device, { kind: 'answer', value }]
    }
    case 'microscope':
      return [device, { kind: 'answer', value: { checkpoints: [] } }]
    case 'maps':
      return [device, { kind: 'answer', value: { encoders: [], layers: [], missing: [] } }]
    case 'image-features':
      return [device, { kind: 'artifact', name: 'features', path: '/features' }]
    case 'map-features':
      return [
        { kind: 'answer', value: { x: job.images.map((_, i) => i), y: job.images.map(() => 0), explained: 0.5 } },
      ]
    case 'feature-neighbours':
      return [
        {
          kind: 'answer',
          value: { of: job.of ?? job.images, neighbours: (job.of ?? job.images).map(() => []), similarities: (job.of ?? job.images).map(() => []) },
        },
      ]
    case 'export':
      return [{ kind: 'progress', done: 1, of: 1 }, { kind: 'artifact', name: job.part, path: job.folder, sha256: 'e'.repeat(64) }]
    case 'check-export':
      return [{ kind: 'answer', value: { folder: job.folder, kind: 'vision-encoder', settings: exportSettingsSchema.parse({}), files: 4, bytes: 9, sha256: 'e'.repeat(64) } }]
    case 'inspect':
      return [{ kind: 'inspection', inspection: anInspection(job.folder) }]
    case 'ask':
      return ['a ', 'mug'].flatMap((text): JobEvent[] => [
        { kind: 'token', token: { text, probability: 0.5, alternatives: [{ text, probability: 0.5 }] } },
        { kind: 'text', piece: text },
      ]).concat({ kind: 'answered', answer: { text: 'a mug', tokens: 2, ended: 'end' } })
    case 'export-recipe':
    case 'tokenizer':
    case 'sight-test':
    case 'parity':
    case 'encoder-facts':
    case 'zero-shot':
    case 'import':
    case 'export-data':
    case 'backup':
    case 'restore':
    case 'read':
      return [{ kind: 'progress', done: 1, of: 1 }]
  }
}

/** Of a folder that the lab can use. */
export const anInspection = (folder: string): ModelInspection => ({
  folder,
  kind: 'checkpoint',
  modelType: 'llava',
  files: [`${folder}/model.safetensors`],
  bytes: 40,
  modules: [{ module: 'projector', spec: {}, tensors: 1, parameters: 10, dtypes: { F32: 1 }, missing: [], extra: [], misshapen: [] }],
  unknown: [],
  tokenizer: null,
  preprocess: null,
  faults: [],
  notes: [],
})

/** As a job tells them: some rows a message, images where they were. */
async function* importEvents(events: AsyncIterable<ImportEvent>): AsyncGenerator<JobEvent> {
  let rows: PlacedEvent[] = []
  for await (const event of events) {
    rows.push(event.kind === 'sample' ? { ...event, image: event.image && { ...event.image, path: event.image.file } } : event)
    if (rows.length >= 100) {
      yield { kind: 'imported', rows }
      rows = []
    }
  }
  if (rows.length > 0) yield { kind: 'imported', rows }
}

/** Reads a dataset whose path says what it holds: "/questions/3" is three questions. */
export const readFakeDataset: ReadDataset = async function* (path): AsyncGenerator<ImportEvent> {
  const [kind, count] = path.split('/').slice(-2) as [string, string]
  const make = {
    questions: anImportedQuestion,
    preferences: anImportedPair,
    conversations: anImportedConversation,
    objects: anImportedScene,
  }[kind]
  if (make === undefined) throw new LabError('not-found', `${path} does not exist`)
  yield { kind: 'file', file: path, format: 'llava', content: kind as 'questions', of: Number(count) }
  for (let i = 0; i < Number(count); i++) yield make(i)
}

/** Counts words: a tokenizer of its own. */
export const readingTools: ReadingTools = {
  openTokenCounter: async (folder) => ({
    identity: `words of ${folder}`,
    limit: 64,
    count: ({ content }) => (content.kind === 'objects' ? null : textOfContent(content).split(/\s+/).length),
  }),
}

/** Readings are the lab's own, whatever else a runner does. */
export function readingToo(run: Runner): Runner {
  return (job, signal, options) => (job.kind === 'read' ? runReading(job, signal, readingTools) : run(job, signal, options))
}

export interface LabForTests {
  readonly lab: Lab
  readonly runner: FakeRunner
  readonly announcements: Announcement[]
  /** Moves the clock. */
  readonly clock: { ms: number }
}

export function aLab(
  project: string,
  overrides: { readonly runner?: FakeRunner; readonly readDataset?: ReadDataset; readonly dataRunner?: Runner; readonly presetFolder?: string; readonly announce?: (announcement: Announcement) => void } = {},
): LabForTests {
  const runner = overrides.runner ?? aFakeRunner(overrides.readDataset)
  const announcements: Announcement[] = []
  const clock = { ms: 1_700_000_000_000 }
  let ids = 0
  const lab = composeLab({
    project,
    access: 'write',
    program: 'a test',
    presetFolder: overrides.presetFolder ?? `${project}/presets`,
    runner: runner.run,
    dataRunner: readingToo(overrides.dataRunner ?? runner.run),
    diagnose: async ({ others }) => ({ healthy: true, checks: [...others] }),
    now: () => (clock.ms += 10),
    newId: (kind) => `${kind}-${process.pid}-${++ids}`,
    announce(announcement) {
      announcements.push(announcement)
      overrides.announce?.(announcement)
    },
  })
  return { lab, runner, announcements, clock }
}

/** A lab with all the data that `aStudyConfig` names. */
export async function aLabWithData(project: string): Promise<LabForTests> {
  const made = aLab(project)
  await addStudyData(made.lab)
  return made
}

export async function addStudyData(lab: Lab): Promise<void> {
  for (const [name, path] of Object.entries({
    captions: 'conversations/4',
    instructions: 'conversations/5',
    preferences: 'preferences/6',
    questions: 'questions/6',
    objects: 'objects/3',
  }))
    await lab.datasets.import({ path: `/data/${path}`, name })
}
