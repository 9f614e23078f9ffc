// Answers of an invented lab, in the types of the contract: what the window would be told in mid-study, after a study,
// on a bare machine. Numbers are made up and seeded; none of them may ever be shown as a result.

import { exportSettingsSchema, loadingLines } from '../../../src-main/domain/export.ts'
import { z } from 'zod'
import { dataCheckSettingsSchema } from '../../../src-main/domain/data-check.ts'
import type { DatasetRow } from '../../../src-main/domain/dataset-view.ts'
import { EVALUATION_METRICS } from '../../../src-main/domain/metric.ts'
import { createRandom } from '../../../src-main/domain/random.ts'
import { splitRuleSchema } from '../../../src-main/domain/split-rule.ts'
import { runRequestSchema, type RunRow, type RunView } from '../../../src-main/domain/run-view.ts'
import type { Settings } from '../../../src-main/domain/settings.ts'
import type { Example, MetricResult, StudyResults } from '../../../src-main/domain/study-results.ts'
import type { PhaseRow, StudyRow, StudyView } from '../../../src-main/domain/study-view.ts'
import { encoderNames, ENCODERS, studyConfigSchema, studyParity, studyPlan } from '../../../src-main/domain/study.ts'
import type { Handlers, OperationName } from '../../../src-preload/contract/operations.ts'
import type { Announcement } from '../../../src-preload/contract/events.ts'
import type { Lineage } from '../../../src-main/domain/lineage.ts'
import { modelQuestionSchema } from '../../../src-main/domain/model-view.ts'
import { auditRequestSchema } from '../../../src-main/domain/labelling/pair-audit.ts'
import { queueRequestSchema } from '../../../src-main/domain/labelling/queue.ts'
import { fakeLabelling } from './fake-labelling.ts'
import { fakeChecks } from './fake-checks.ts'
import { fakeCompare } from './fake-compare.ts'
import { fakeModels } from './fake-models.ts'
import { aPlan } from '../../support/a-plan.ts'
import { aStudy } from '../a-study.ts'
import { transplantRequestSchema } from '../../../src-main/domain/experiment.ts'
import { LabError, toFailure } from '../../../src-main/domain/errors.ts'
import { parse } from '../../../src-main/domain/parse.ts'
import { operations } from '../../../src-preload/contract/operations.ts'

const NOW = Date.now()
const HOUR = 3_600_000
const SEEDS = [0, 1, 2]

const config = aStudy({
  name: 'Demo study: SFT or DPO, three seeds',
  seeds: SEEDS,
  stages: {
    alignment: { steps: 120, learningRate: 2e-3 },
    instruction: { steps: 400, learningRate: 1e-3 },
    sft: { objective: { kind: 'sft' }, steps: 200, learningRate: 5e-4 },
    dpo: { objective: { kind: 'dpo', beta: 0.1 }, steps: 200, learningRate: 1e-4 },
  },
  transplant: { training: { steps: 200 } },
  watch: { evaluators: ['probe', 'segmentation'] },
})

export function installFakeLab(scene: string): void {
  const lab = fakeLab(scene)
  const listeners = new Set<(announcement: Announcement) => void>()
  Object.defineProperty(window, 'lab', {
    value: {
      async ask(name: OperationName, input: unknown) {
        try {
          const parsed = parse(operations[name].input, structuredClone(input))
          const value = await (lab[name] as (input: unknown) => unknown)(parsed)
          return { ok: true, value: structuredClone(value) }
        } catch (thrown) {
          return { ok: false, failure: toFailure(thrown) }
        }
      },
      drop: () => Promise.resolve({ ok: true, value: null }),
      subscribe(listener: (announcement: Announcement) => void) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
  })
  if (scene === 'running')
    setInterval(() => listeners.forEach((each) => each({ name: 'run.changed', value: { runId: 'seed-1/dpo' } })), 1000)
}

function fakeLab(scene: string): Handlers {
  const isEmpty = scene === 'empty'
  const isDone = scene === 'done'
  const phases = fakePhases(isDone)
  const study: StudyRow = {
    id: 'study-1',
    name: config.name,
    preset: 'demo',
    status: isDone ? 'finished' : 'running',
    engine: 'native TensorFlow 2.21.0',
    device: 'CPU, 2 cores',
    seeds: SEEDS,
    phasesDone: phases.filter((phase) => phase.status === 'finished').length,
    phases: phases.length,
    share: isDone ? 1 : 0.437,
    createdAtMs: NOW - HOUR,
    startedAtMs: NOW - HOUR,
    finishedAtMs: isDone ? NOW : null,
    workedMs: 512_000,
    leftMs: isDone ? null : 655_000,
    failure: null,
  }
  const runs = fakeRuns(phases)
  const settings: Settings = { theme: 'system', backend: 'auto', labeller: isEmpty ? '' : 'Ada', largeType: false, judgingKeys: {}, baselineRun: 'seed-0/sft' }
  const view = (): StudyView => ({
    row: study,
    config,
    encoderNames: encoderNames(config),
    parity: [...studyParity(config)],
    phases,
    runs: runs.filter((run) => run.studyId !== null),
    versions: { 'pivot-lab': '0.1.0', tensorflow: '2.21.0', node: '24.15.0' },
    snapshots: Object.fromEntries(Object.keys(config.data).map((role) => [role, 'a3f9'.repeat(16)])),
    artifacts: isDone
      ? [
          {
            id: 'a1',
            studyId: 'study-1',
            runId: null,
            name: 'report',
            path: '/home/ada/pivot/reports/demo.html',
            createdAtMs: NOW,
          },
          {
            id: 'a2',
            studyId: 'study-1',
            runId: null,
            name: 'encoder dpo, seed 0',
            path: '/home/ada/pivot/exports/seed-0-dpo',
            createdAtMs: NOW,
          },
        ]
      : [],
  })
  const refuse = () => {
    throw new LabError('conflict', 'the preview has no main process to do this')
  }
  const presets = [
    {
      name: 'demo-quick',
      title: 'Quick look',
      source: 'Smaller model, one seed; the method of PIVOT (arXiv 2510.16333) at toy scale.',
      expect: 'At most 4 minutes on 2 cores. Shows every part of a study; one seed is too little to conclude from.',
      quick: true,
    },
    {
      name: 'demo',
      title: 'Demo study, three seeds',
      source: 'PIVOT (arXiv 2510.16333), section 3 and appendix E, scaled to two cores; learning rates swept per objective.',
      expect: 'At most 20 minutes on 2 cores. Intervals over seeds and items for every measure.',
      quick: false,
    },
  ]
  return {
    'project.info': () => ({
      folder: '/home/ada/pivot',
      database: '/home/ada/pivot/lab.sqlite',
      version: '0.1.0',
      platform: 'linux',
    }),
    'datasets.list': () => (isEmpty ? [] : fakeDatasets()),
    'datasets.previewImport': refuse,
    'datasets.import': refuse,
    'datasets.rename': refuse,
    'datasets.statistics': refuse,
    'datasets.takeSnapshot': refuse,
    'datasets.versions': () => [],
    'datasets.compareVersions': refuse,
    'samples.page': () => ({ rows: [], next: null }),
    'samples.first': () => ({ total: 0, rows: [] }),
    'samples.order': () => new Uint32Array(),
    'samples.list': () => [],
    'samples.count': () => 0,
    'samples.facets': refuse,
    'samples.sources': () => [],
    'samples.measures': () => [],
    'samples.tokenizers': () => [],
    'samples.tokenHistogram': () => [],
    'samples.get': refuse,
    'samples.change': refuse,
    'samples.previewSplits': refuse,
    'samples.cancelChange': () => undefined,
    'samples.undo': () => null,
    'samples.redo': () => null,
    'samples.journal': () => [],
    'samples.similar': () => [],
    'views.list': () => [],
    'views.save': refuse,
    'views.delete': refuse,
    'tasks.pause': refuse,
    'tasks.resume': refuse,
    'tasks.cancel': refuse,
    'tasks.delete': refuse,
    'tasks.faults': () => ({ rows: [], total: 0 }),
    'tasks.exportFaults': refuse,
    'checks.start': refuse,
    'checks.clusters': () => [],
    'checks.summary': refuse,
    'exports.formats': () => [],
    'exports.start': refuse,
    'maps.start': refuse,
    'maps.points': refuse,
    'maps.colours': refuse,
    'maps.marked': () => new Uint32Array(),
    'maps.of': refuse,
    'maps.cancel': () => {},
    'maps.soFar': () => ({ image: null, maps: null, progress: null }),
    'experiments.start': refuse,
    'experiments.table': refuse,
    'datasets.createSightTest': refuse,
    'datasets.delete': refuse,
    'runs.list': () => (isEmpty ? [] : runs),
    'runs.latest': ({ names }) => Object.fromEntries(runs.map((run) => [run.id, Object.fromEntries(fakeSeries(run, names, 20).map(({ name, points }) => [name, points.at(-1)![1]]))])),
    'runs.annotate': refuse,
    'runs.differences': ({ runIds }) => [
      { setting: 'training.objective.kind', values: runIds.map((id) => runs.find((run) => run.id === id)?.objective ?? 'sft') },
      { setting: 'training.learningRate', values: runIds.map((_, index) => String(5e-4 / 2 ** index)) },
      { setting: 'training.objective.beta', values: runIds.map((_, index) => (index === 0 ? '–' : '0.1')) },
    ],
    'runs.lineage': ({ runId }) => fakeLineage(runId, runs),
    'metrics.clock': ({ runId }) => Array.from({ length: runs.find((run) => run.id === runId)?.step ?? 0 }, (_, index): [number, number] => [index + 1, 0.31 * (index + 1)]),
    'runs.get': ({ runId }) => fakeRunView(runs.find((run) => run.id === runId) ?? refuse()),
    'runs.start': (request) => {
      throw new LabError('conflict', `the preview cannot start “${request.name}”`)
    },
    'runs.plan': ({ training }) => aPlan(training),
    'runs.pause': refuse,
    'runs.resume': refuse,
    'runs.cancel': refuse,
    'runs.exportLogs': refuse,
    'runs.importLogs': refuse,
    'runs.delete': refuse,
    'runs.log': () => [
      { id: 1, atMs: NOW - 60_000, level: 'info', message: 'native TensorFlow 2.21.0 on CPU, 2 cores' },
      { id: 2, atMs: NOW - 50_000, level: 'info', message: 'reference log-probabilities: 1500 of 1500 from the cache' },
      { id: 3, atMs: NOW - 20_000, level: 'warning', message: 'logps/chosen fell by 3.1 nats while the margin grew' },
    ],
    ...fakeModels(),
    ...fakeChecks(),
    'models.export': ({ model, settings, parent }) => {
      const path = `${parent ?? '/home/ada/pivot/exports'}/${model.replace('/', '-')}-encoder-${settings?.format ?? 'hf'}`
      return {
        artifact: { id: 'a3', studyId: null, runId: model, name: 'vision encoder', path, createdAtMs: NOW },
        sha256: '5e1f'.repeat(16),
        verification: 'verified by onnxruntime 1.30.0 on batches of 1 and 4: features differ by 2.1e-7 (relative; 0.0001 is let through)',
        loading: [...loadingLines(exportSettingsSchema.parse(settings ?? {}), path)],
      }
    },
    'metrics.series': ({ runId, names, points }) => {
      const run = runs.find((each) => each.id === runId)
      return run === undefined ? [] : fakeSeries(run, names, points)
    },
    'studies.list': () =>
      isEmpty
        ? []
        : [study, { ...study, id: 'study-0', name: 'Quick look', status: 'paused', seeds: [0], share: 0.61, leftMs: null }],
    'studies.get': view,
    'studies.start': refuse,
    'studies.pause': refuse,
    'studies.resume': refuse,
    'studies.cancel': refuse,
    'studies.delete': refuse,
    'studies.parity': (input) => [...studyParity(input.config)],
    'studies.results': () => fakeResults(),
    'studies.examples': () => fakeExamples(),
    'studies.report': refuse,
    ...fakeCompare(isEmpty),
    'encoders.add': refuse,
    'encoders.rename': refuse,
    'encoders.remove': refuse,
    'compare.export': refuse,
    'benchmarks.import': refuse,
    'benchmarks.run': refuse,
    'schema.benchmark': () => ({}),
    'studies.exportRecipe': refuse,
    'studies.cancelRecipe': refuse,
    'studies.importRun': refuse,
    'presets.list': () => presets,
    'presets.get': () => ({ ...presets[1]!, sightTest: null, config }),
    'schema.run': () => z.toJSONSchema(runRequestSchema, { io: 'input', unrepresentable: 'any' }) as Record<string, unknown>,
    'schema.check': () => z.toJSONSchema(dataCheckSettingsSchema, { io: 'input' }) as Record<string, unknown>,
    'schema.split': () => z.toJSONSchema(splitRuleSchema, { io: 'input' }) as Record<string, unknown>,
    'schema.study': () => z.toJSONSchema(studyConfigSchema, { io: 'input', unrepresentable: 'any' }) as Record<string, unknown>,
    'schema.transplant': () => z.toJSONSchema(transplantRequestSchema, { io: 'input', unrepresentable: 'any' }) as Record<string, unknown>,
    ...fakeLabelling(scene),
    'schema.question': () => z.toJSONSchema(modelQuestionSchema, { io: 'input' }) as Record<string, unknown>,
    'schema.queue': () => z.toJSONSchema(queueRequestSchema, { io: 'input' }) as Record<string, unknown>,
    'schema.audit': () => z.toJSONSchema(auditRequestSchema, { io: 'input' }) as Record<string, unknown>,
    'doctor.run': () => ({
      healthy: false,
      checks: [
        {
          id: 'engine',
          title: 'Engine',
          state: 'ok',
          found: 'native TensorFlow 2.21.0 (addon compiled at set-up)',
          remedy: null,
        },
        { id: 'device', title: 'Device', state: 'ok', found: 'CPU, 2 cores, AVX-512', remedy: null },
        {
          id: 'cuda',
          title: 'CUDA libraries',
          state: 'warning',
          found: 'libcudart.so.12 not found; training runs on the CPU',
          remedy: 'npm run setup:gpu',
        },
        { id: 'memory', title: 'Memory', state: 'ok', found: '15.6 GB, 11.2 GB free', remedy: null },
        {
          id: 'disk',
          title: 'Disk',
          state: 'fault',
          found: '180 MB free in /home/ada/pivot; a demo study writes about 900 MB',
          remedy: 'Free 1 GB there, or choose another project folder with --project',
        },
        { id: 'sqlite', title: 'SQLite', state: 'ok', found: '3.54.1, write-ahead log, integrity check passed', remedy: null },
        { id: 'electron', title: 'Electron', state: 'ok', found: '42.0.0 (Chromium 148, Node 24.15.0)', remedy: null },
      ],
    }),
    'files.chooseFolder': () => null,
    'files.chooseFile': () => null,
    'files.showArtifact': refuse,
    'settings.get': () => settings,
    'settings.set': (change) => Object.assign(settings, change),
  }
}

function fakePhases(isDone: boolean): PhaseRow[] {
  const random = createRandom(4, 'phases')
  const plan = studyPlan(config)
  const current = isDone ? plan.length : plan.findIndex((phase) => phase.id === 'seed-1/dpo')
  const base = { runId: null, part: null, startedAtMs: null, finishedAtMs: null, leftMs: null, failure: null }
  const shared: PhaseRow[] = [
    {
      ...base,
      id: 'sight-test',
      ordinal: 0,
      kind: 'sight-test',
      title: 'Making the sight test',
      seed: null,
      stage: null,
      encoder: null,
      status: 'finished',
      done: 4700,
      of: 4700,
      workedMs: 21_400,
    },
    {
      ...base,
      id: 'tokenizer',
      ordinal: 1,
      kind: 'tokenizer',
      title: 'Training the tokenizer',
      seed: null,
      stage: null,
      encoder: null,
      status: 'finished',
      done: 1,
      of: 1,
      workedMs: 3_100,
    },
  ]
  return [
    ...shared,
    ...plan.map(
      (phase, index): PhaseRow => ({
        ...base,
        id: phase.id,
        ordinal: index + 2,
        kind: phase.kind,
        title: phase.title,
        seed: phase.seed,
        stage: phase.kind === 'train' ? phase.stage : null,
        encoder: phase.kind === 'train' ? null : phase.encoder,
        status: index < current ? 'finished' : index === current ? 'running' : 'queued',
        runId: phase.kind === 'train' && index <= current ? phase.id : null,
        part: index === current ? 'training' : null,
        done: index === current ? 131 : 0,
        of: index === current ? 200 : 0,
        workedMs: index < current ? 8_000 + 60_000 * random.uniform() : index === current ? 14_000 : 0,
        leftMs: index === current ? 9_000 : null,
      }),
    ),
  ]
}

function fakeRuns(phases: readonly PhaseRow[]): RunRow[] {
  const base = { engine: 'native TensorFlow 2.21.0', device: 'CPU, 2 cores', finishedAtMs: null, failure: null, progress: null, note: '', tags: [] as string[], origin: null }
  const ofStudy = phases
    .filter((phase) => phase.runId !== null)
    .map(
      (phase, index): RunRow => ({
        ...base,
        id: phase.runId!,
        name: phase.title,
        status: phase.status,
        studyId: 'study-1',
        phaseId: phase.id,
        objective: phase.stage === 'dpo' ? 'dpo' : 'sft',
        dataset:
          phase.stage === 'alignment'
            ? 'sight-test captions'
            : phase.stage === 'instruction'
              ? 'sight-test instructions'
              : 'sight-test preferences',
        step: phase.status === 'running' ? 131 : 200,
        steps: 200,
        progress: phase.status === 'running' ? { part: 'training', done: 131, of: 200 } : null,
        createdAtMs: NOW - HOUR + index * 60_000,
        startedAtMs: NOW - HOUR + index * 60_000,
        workedMs: phase.workedMs,
        leftMs: phase.leftMs,
      }),
    )
  return [
    ...ofStudy,
    {
      ...base,
      id: 'own-2',
      name: 'GRPO on questions, 8 answers each',
      status: 'finished',
      studyId: null,
      phaseId: null,
      objective: 'grpo',
      dataset: 'sight-test questions',
      step: 120,
      steps: 120,
      createdAtMs: NOW - 20 * HOUR,
      startedAtMs: NOW - 20 * HOUR,
      workedMs: 361_000,
      leftMs: null,
    },
    {
      ...base,
      id: 'own-1',
      note: 'Too hot: NaN after 61 steps. Half the rate next.',
      tags: ['sweep', 'beta'],
      name: 'DPO, β 0.5, hot',
      status: 'failed',
      studyId: null,
      phaseId: null,
      objective: 'dpo',
      dataset: 'my pairs',
      step: 61,
      steps: 400,
      createdAtMs: NOW - 30 * HOUR,
      startedAtMs: NOW - 30 * HOUR,
      workedMs: 41_000,
      leftMs: null,
      failure: {
        code: 'loss-not-finite',
        message: 'step 61: loss is NaN at item 4f0c2a (scene 811); learningRate 0.01',
        details: { step: 61 },
      },
    },
  ]
}

function fakeSeries(run: RunRow, names: readonly string[], points: number) {
  const random = createRandom(7, run.id)
  const steps = Array.from({ length: run.step }, (_, step) => step + 1)
  const isDpo = run.objective === 'dpo'
  const grpo: Record<string, (t: number) => number> = {
    loss: (t) => 0.02 * random.normal() + 0.01 * t,
    reward: (t) => Math.min(1, Math.max(0, 0.32 + 0.2 * t + 0.06 * random.normal())),
    frac_reward_zero_std: (t) => Math.min(1, Math.max(0, 0.4 + 0.15 * t + 0.08 * random.normal())),
    kl: (t) => 0.004 * t + 0.0006 * Math.abs(random.normal()),
    'completions/mean_length': (t) => 3.1 - 0.8 * t + 0.2 * random.normal(),
    grad_norm: () => 0.8 + 0.2 * random.normal(),
  }
  const shape: Record<string, (t: number) => number> = run.objective === 'grpo' ? grpo : {
    loss: (t) =>
      isDpo ? 0.693 * Math.exp(-1.1 * t) + 0.04 * random.normal() * t : 2.8 * Math.exp(-3 * t) + 0.4 + 0.08 * random.normal(),
    grad_norm: (t) => (isDpo ? 3 : 1.4) * (1 + 0.25 * random.normal()) * (1 - 0.4 * t) + 0.2,
    learning_rate: (t) => (isDpo ? 1e-4 : 5e-4) * (t < 0.03 ? t / 0.03 : 0.5 * (1 + Math.cos(Math.PI * t))),
    'probe/linear': (t) => 0.41 + (isDpo ? 0.09 : 0.04) * t + 0.01 * random.normal(),
    'probe/knn': (t) => 0.37 + (isDpo ? 0.07 : 0.05) * t + 0.01 * random.normal(),
    'probe/prototype': (t) => 0.33 + 0.05 * t + 0.01 * random.normal(),
    'segmentation/mean-iou': (t) => 0.22 + (isDpo ? 0.05 : 0.02) * t + 0.005 * random.normal(),
    ...(isDpo
      ? {
          'rewards/margins': (t: number) => 2.1 * (1 - Math.exp(-2 * t)) + 0.25 * random.normal(),
          'rewards/accuracies': (t: number) =>
            Math.min(1, Math.max(0, 0.5 + 0.4 * (1 - Math.exp(-3 * t)) + 0.08 * random.normal())),
        }
      : {}),
  }
  const stride = Math.max(1, Math.ceil(steps.length / points))
  return Object.entries(shape)
    .filter(([name]) => names.length === 0 || names.includes(name))
    .map(([name, at]) => ({
      name,
      points: steps
        .filter((step, index) => (name.includes('probe') || name.includes('segm') ? step % 25 === 0 : index % stride === 0 || index === steps.length - 1))
        .map((step): [number, number] => [step, at(step / run.steps)]),
    }))
}

function fakeRunView(row: RunRow): RunView {
  return {
    row,
    imported: null,
    config: {
      training: config.stages.dpo,
      images: null,
      snapshot: 'a3f9'.repeat(16),
      start: { kind: 'checkpoint', folder: '/home/ada/pivot/runs/x/step-400' },
    },
    versions: { tensorflow: '2.21.0', node: '24.15.0' },
    folder: '/home/ada/pivot/runs/x',
    metrics: ['loss', 'learning_rate', 'grad_norm', 'rewards/margins', 'rewards/accuracies', 'probe/linear', 'probe/knn', 'probe/prototype', 'segmentation/mean-iou'],
    latest: { loss: 0.4182, learning_rate: 6.1e-5, grad_norm: 2.113, 'rewards/margins': 1.31, 'rewards/accuracies': 0.8125 },
    checkpoints: [{ step: 100, folder: '/home/ada/pivot/runs/x/step-100', sha256: '9b1c'.repeat(16), createdAtMs: NOW - 40_000 }],
    artifacts: [],
  }
}

function fakeLineage(runId: string, runs: readonly RunRow[]): Lineage {
  const label = (id: string) => runs.find((run) => run.id === id)?.name ?? id
  const run = (id: string) => ({ id, kind: 'run' as const, label: label(id), detail: '200 of 200 steps, finished', ref: id })
  const data = (name: string) => ({ id: `data:${name}`, kind: 'data' as const, label: name, detail: 'snapshot a3f9a3f9a3f9', ref: 'dataset-0' })
  const [alignment, instruction, sft, dpo] = ['seed-0/alignment', 'seed-0/instruction', 'seed-0/sft', 'seed-0/dpo'] as const
  return {
    nodes: [
      data('sight-test captions'), run(alignment), data('sight-test instructions'), run(instruction), data('sight-test preferences'), run(sft), run(dpo),
      ...[...new Set([runId])].filter((id) => ![alignment, instruction, sft, dpo].includes(id as typeof sft)).map(run),
      { id: 'e1', kind: 'evaluation', label: 'seed-0/dpo/evaluate', detail: '37 results', ref: 'study-1' },
      { id: 'x1', kind: 'export', label: 'vision encoder dpo, seed 0', detail: '/home/ada/pivot/exports/seed-0-dpo', ref: 'a2' },
    ],
    edges: [
      { from: 'data:sight-test captions', to: alignment }, { from: alignment, to: instruction }, { from: 'data:sight-test instructions', to: instruction },
      { from: instruction, to: sft }, { from: instruction, to: dpo }, { from: 'data:sight-test preferences', to: sft }, { from: 'data:sight-test preferences', to: dpo },
      { from: dpo, to: 'e1' }, { from: dpo, to: 'x1' },
    ],
  }
}

function fakeDatasets(): DatasetRow[] {
  const kinds: Readonly<Record<string, DatasetRow['kind']>> = {
    preferences: 'preferences',
    heldOutPreferences: 'preferences',
    questions: 'questions',
    objects: 'objects',
  }
  return Object.entries(config.data).map(([role, name], index) => ({
    id: `dataset-${index}`,
    name,
    kind: kinds[role] ?? 'conversations',
    source: 'built-in sight test, seed 0',
    samples: { train: 4000 - index * 500, validation: 300, test: 400 },
    images: 4700,
    snapshot: 'a3f9'.repeat(16),
    createdAtMs: NOW - HOUR,
  }))
}

function fakeResults(): StudyResults {
  const random = createRandom(11, 'results')
  const metrics = EVALUATION_METRICS.map((metric): MetricResult => {
    const scale = metric.unit === 'share' ? 1 : 2
    const base = (0.25 + 0.4 * random.uniform()) * scale
    const effect = (random.uniform() < 0.35 ? 0.06 * random.normal() + 0.03 : 0.008 * random.normal()) * scale
    const half = 0.025 * scale
    const isReal = Math.abs(effect) > half
    const isForDpo = metric.better === 'lower' ? effect < 0 : effect > 0
    const values = { 'stage-1': base - 0.03, sft: base, dpo: base + effect }
    return {
      ...metric,
      metric: metric.name,
      encoders: ENCODERS.map((encoder) => ({
        encoder,
        mean: values[encoder],
        low: values[encoder] - 0.019 * scale,
        high: values[encoder] + 0.021 * scale,
        perSeed: SEEDS.map((seed) => ({ seed, value: values[encoder] + 0.01 * random.normal(), n: 400 })),
        n: 1200,
      })),
      difference: {
        mean: effect,
        low: effect - half,
        high: effect + half,
        pValue: isReal ? 0.0004 : 0.41,
        holmPValue: isReal ? 0.011 : 1,
        basis: '400 items × 3 seeds, clustered by image',
        method: 'paired bootstrap, sign-flip test',
        winner: !isReal || metric.better === 'neither' ? 'neither' : isForDpo ? 'dpo' : 'sft',
        verdict: isReal ? 'the interval leaves zero out' : 'statistically tied',
      },
    }
  })
  return {
    studyId: 'study-1',
    name: config.name,
    seeds: SEEDS,
    encoderNames: encoderNames(config),
    confidence: 0.95,
    verdict: [
      'DPO’s encoder sees better in 9 of 37 measures, SFT’s in 2, 26 are tied.',
      'Invented numbers of the preview: nothing may be concluded from them.',
      'Intervals are paired by item and clustered by image; p values are corrected by Holm over all measures.',
    ],
    metrics,
  }
}

function fakeExamples(): Example[] {
  const random = createRandom(3, 'maps')
  const prompts = [
    'How many mugs are there?',
    'What is left of the red car?',
    'What does the sign say?',
    'Which is nearer, the dog or the tree?',
    'What colour is the kite?',
  ]
  return prompts.map((prompt, item) => {
    const [x, y] = [8 + random.integer(24), 8 + random.integer(24)]
    const map = (focus: number) => ({
      rows: 8,
      columns: 8,
      values: Array.from({ length: 64 }, (_, index) => {
        const [dx, dy] = [(index % 8) * 8 + 4 - x - 10, Math.floor(index / 8) * 8 + 4 - y - 8]
        return 0.2 + focus * Math.exp(-(dx * dx + dy * dy) / 180) + 0.25 * random.uniform()
      }),
    })
    const sha256 = String(item).repeat(64)
    return {
      itemId: `item-${item}`,
      metric: 'localisation/dpo/energy',
      group: ['vision-centric', 'vision-centric', 'text', 'vision-centric', 'general'][item]!,
      image: { sha256, width: 64, height: 64 },
      encoders: ENCODERS.map((encoder, index) => ({
        encoder,
        value: 1 + index * 0.4,
        detail: {
          kind: 'maps' as const,
          image: sha256,
          prompt,
          chosen: ['three', 'a lamp', 'exit', 'the dog', 'green'][item]!,
          rejected: ['two', 'a book', 'exist', 'the tree', 'teal'][item]!,
          region: [[x, y, 20, 16] as [number, number, number, number]],
          maps: { sft: map(0.4 + index), chosen: map(0.3 + index), rejected: map(0.2), dpo: map(0.6 + 1.2 * index) },
        },
      })),
    }
  })
}
