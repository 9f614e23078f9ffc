// The contract as a whole: every operation is handled, whatever it is asked comes back as a reply, and what crosses
// survives the crossing. The bridge here is structuredClone both ways, as Electron's is.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { z } from 'zod'
import type { Lab } from '../src-main/compose.ts'
import { toFailure } from '../src-main/domain/errors.ts'
import { queueRequestSchema } from '../src-main/domain/labelling/queue.ts'
import { modelQuestionSchema } from '../src-main/domain/model-view.ts'
import { answer } from '../src-main/ipc/answer.ts'
import { createHandlers, type Desktop } from '../src-main/ipc/handlers.ts'
import { events } from '../src-preload/contract/events.ts'
import { operations, type Handlers, type OperationName } from '../src-preload/contract/operations.ts'
import type { Reply } from '../src-preload/contract/reply.ts'
import { aLabWithData, type LabForTests } from './support/a-lab.ts'
import { aStudyConfig } from './support/builders.ts'

let folder: string
let made: LabForTests
let lab: Lab
let handlers: Handlers
let ids: { runId: string; studyId: string; datasetId: string; artifactId: string; queueId: string; taskId: string; answerId: string }
const opened: string[] = []

const desktop: Desktop = {
  version: '1.0.0',
  chooseFolder: async () => '/data/questions/2',
  chooseFile: async () => null,
  openFile: async (path) => void opened.push(path),
  showInFolder: (path) => void opened.push(path),
  setTheme: () => {},
}

async function ask(name: string, input: unknown): Promise<Reply<unknown>> {
  return structuredClone(await answer(handlers, name, structuredClone(input)))
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pivot-lab-'))
  mkdirSync(join(folder, 'presets'), { recursive: true })
  writeFileSync(
    join(folder, 'presets', 'small.json'),
    JSON.stringify({ title: 'Small', source: 'here', expect: 'little', sightTest: null, config: aStudyConfig({ seeds: [0] }) }),
  )
  made = await aLabWithData(folder)
  lab = made.lab
  handlers = createHandlers(lab, desktop)
  const { studyId } = lab.studies.start({ kind: 'config', config: aStudyConfig({ seeds: [0] }) })
  await lab.studies.ended(studyId)
  const { id: artifactId } = await lab.reports.write(studyId)
  const { queueId } = lab.labelQueues.create(queueRequestSchema.parse({ name: 'a queue', source: { kind: 'pairs', dataset: 'preferences' } }))
  await lab.labelQueues.ended(queueId)
  const runId = lab.studies.get(studyId).runs[0]!.id
  const answerId = lab.models.start({ model: runId, image: null, question: modelQuestionSchema.parse({ question: 'Is it?' }) })
  await lab.models.answerEnded(answerId)
  ids = { runId, answerId, studyId, datasetId: lab.datasets.list()[0]!.id, artifactId, queueId, taskId: lab.tasks.list()[0]!.id }
})
afterAll(async () => {
  await lab.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A question for every operation that can be answered; a new operation does not compile without one. */
const questions: { readonly [Name in OperationName]: (of: typeof ids) => unknown } = {
  'project.info': () => undefined,
  'datasets.list': () => undefined,
  'datasets.previewImport': () => ({ path: '/data/questions/2' }),
  'datasets.import': () => ({ path: '/data/questions/2' }),
  'datasets.createSightTest': () => ({}),
  'datasets.rename': ({ datasetId }) => ({ datasetId, name: 'captions' }),
  'datasets.delete': () => ({ datasetId: 'nothing' }),
  'datasets.statistics': ({ datasetId }) => ({ filter: { datasetId } }),
  'datasets.takeSnapshot': ({ datasetId }) => ({ datasetId }),
  'datasets.versions': ({ datasetId }) => ({ datasetId }),
  'datasets.compareVersions': () => ({ from: 'a', to: 'b' }),
  'samples.page': () => ({ limit: 3, sort: 'textLength', direction: 'descending' }),
  'samples.first': () => ({ limit: 2, sort: 'pixels' }),
  'samples.order': () => ({ sort: 'textLength', direction: 'descending' }),
  'samples.list': () => ({ rows: [2, 1, 2_000_000] }),
  'samples.count': () => ({ filter: { text: 'number' } }),
  'samples.facets': ({ datasetId }) => ({ filter: { datasetId } }),
  'samples.sources': () => ({ search: 'a' }),
  'samples.measures': ({ datasetId }) => ({ filter: { datasetId } }),
  'samples.tokenizers': () => ({}),
  'samples.tokenHistogram': () => ({}),
  'samples.get': () => ({ row: 1 }),
  'samples.change': () => ({ selection: { kind: 'rows', rows: [1, 2] }, change: { kind: 'tag', tag: 'odd' } }),
  'samples.previewSplits': () => ({ selection: { kind: 'filter', filter: {} }, rule: {} }),
  'samples.cancelChange': () => undefined,
  'samples.undo': () => undefined,
  'samples.redo': () => undefined,
  'samples.journal': () => ({}),
  'samples.similar': () => ({ taskId: 'nothing', sha256: 'a' }),
  'views.list': () => undefined,
  'views.save': () => ({ name: 'odd ones', filter: { tags: ['odd'] }, sort: 'imported', direction: 'ascending' }),
  'views.delete': () => ({ id: 'nothing' }),
  'tasks.list': () => ({}),
  'tasks.get': ({ taskId }) => ({ taskId }),
  'tasks.pause': ({ taskId }) => ({ taskId }),
  'tasks.resume': ({ taskId }) => ({ taskId }),
  'tasks.cancel': ({ taskId }) => ({ taskId }),
  'tasks.delete': () => ({ taskId: 'nothing' }),
  'tasks.faults': ({ taskId }) => ({ taskId }),
  'tasks.exportFaults': ({ taskId }) => ({ taskId }),
  'checks.start': () => ({ check: 'texts' }),
  'checks.clusters': ({ taskId }) => ({ taskId }),
  'checks.summary': ({ taskId }) => ({ taskId }),
  'exports.formats': ({ datasetId }) => ({ filter: { datasetId } }),
  'exports.start': ({ datasetId }) => ({ filter: { datasetId }, format: 'archive' }),
  'maps.start': ({ runId }) => ({ runId }),
  'maps.points': ({ taskId }) => ({ taskId }),
  'maps.of': ({ runId }) => ({ encoders: [runId], item: { kind: 'sample', row: 1 } }),
  'maps.cancel': () => undefined,
  'maps.soFar': () => undefined,
  'experiments.table': ({ taskId }) => ({ taskId }),
  'experiments.start': ({ runId }) => ({ kind: 'map-scores', encoders: [runId], dataset: 'preferences' }),
  'maps.colours': ({ taskId }) => ({ taskId, colour: { by: 'class', field: 'split' } }),
  'maps.marked': ({ taskId }) => ({ taskId, selection: { kind: 'filter', filter: {} } }),
  'runs.list': () => undefined,
  'runs.latest': () => ({ names: ['loss'] }),
  'runs.annotate': ({ runId }) => ({ runId, tags: ['good'] }),
  'runs.differences': () => ({ runIds: lab.runs.list().slice(0, 2).map(({ id }) => id) }),
  'runs.lineage': ({ runId }) => ({ runId }),
  'runs.get': ({ runId }) => ({ runId }),
  'runs.start': () => ({ name: 'mine', dataset: 'preferences', training: { steps: 2 } }),
  'runs.plan': () => ({ name: 'mine', dataset: 'preferences', training: { steps: 2, modules: { languageModel: { lora: {} } } } }),
  'runs.pause': ({ runId }) => ({ runId }),
  'runs.resume': ({ runId }) => ({ runId }),
  'runs.cancel': ({ runId }) => ({ runId }),
  'runs.exportLogs': ({ runId }) => ({ runIds: [runId], format: 'tensorboard' }),
  'runs.importLogs': () => ({ folder: '/nowhere' }),
  'runs.delete': ({ runId }) => ({ runId }),
  'runs.log': ({ runId }) => ({ runId }),
  'models.folders': () => undefined,
  'models.forget': () => ({ folder: '/nowhere' }),
  'models.inspect': ({ runId }) => ({ model: runId }),
  'models.keepPicture': () => ({ kind: 'bytes', name: 'a.png', bytes: new Uint8Array([1, 2]) }),
  'models.ask': ({ runId }) => ({ model: runId, question: { question: 'What is this?' } }),
  'models.answer': ({ answerId }) => ({ answerId }),
  'models.answers': () => ({}),
  'models.stopAnswer': ({ answerId }) => ({ answerId }),
  'models.deleteAnswer': () => ({ answerId: 'nothing' }),
  'models.export': ({ runId }) => ({ model: runId }),
  'models.cancelExport': ({ runId }) => ({ model: runId }),
  'models.checkExport': ({ artifactId }) => ({ artifactId }),
  'parity.start': () => ({ folder: '/data/cases' }),
  'parity.reports': ({ taskId }) => ({ taskId }),
  'zeroShot.start': () => ({ model: '/models/clip', images: '/data/pictures' }),
  'zeroShot.scores': ({ taskId }) => ({ taskId }),
  'zeroShot.answers': ({ taskId }) => ({ taskId, expected: null, given: 'cat' }),
  'metrics.series': ({ runId }) => ({ runId }),
  'metrics.clock': ({ runId }) => ({ runId }),
  'studies.list': () => undefined,
  'studies.get': ({ studyId }) => ({ studyId }),
  'studies.start': () => ({ kind: 'preset', preset: 'small' }),
  'studies.pause': ({ studyId }) => ({ studyId }),
  'studies.resume': ({ studyId }) => ({ studyId }),
  'studies.cancel': ({ studyId }) => ({ studyId }),
  'studies.delete': () => ({ studyId: 'nothing' }),
  'studies.parity': () => ({ config: aStudyConfig() }),
  'studies.results': ({ studyId }) => ({ studyId }),
  'studies.examples': ({ studyId }) => ({ studyId, seed: 0, evaluator: 'questions' }),
  'studies.report': ({ studyId }) => ({ studyId }),
  'encoders.list': () => undefined,
  'encoders.add': () => ({ folder: '/elsewhere' }),
  'encoders.rename': ({ studyId }) => ({ encoder: `${studyId}/dpo`, name: 'mine' }),
  'encoders.remove': () => ({ encoder: 'nothing' }),
  'compare.table': ({ studyId }) => ({ encoders: [`${studyId}/sft`, `${studyId}/dpo`] }),
  'compare.items': ({ studyId }) => ({ encoders: [`${studyId}/sft`, `${studyId}/dpo`], row: 'vqa/all#nothing' }),
  'compare.export': ({ studyId }) => ({ encoders: [`${studyId}/sft`, `${studyId}/dpo`], format: 'html' }),
  'benchmarks.list': () => undefined,
  'benchmarks.import': () => ({ path: '/elsewhere', benchmark: 'mmvp' }),
  'benchmarks.run': ({ studyId }) => ({ encoders: [`${studyId}/dpo`], datasets: ['questions'] }),
  'schema.benchmark': () => undefined,
  'studies.exportRecipe': ({ studyId }) => ({ studyId }),
  'studies.cancelRecipe': ({ studyId }) => ({ studyId }),
  'studies.importRun': () => ({ folder: '/data/out' }),
  'labelling.queues': () => undefined,
  'labelling.queue': ({ queueId }) => ({ queueId }),
  'labelling.create': () => ({ name: 'another queue', source: { kind: 'pairs', dataset: 'preferences' } }),
  'labelling.cancel': ({ queueId }) => ({ queueId }),
  'labelling.delete': () => ({ queueId: 'nothing' }),
  'labelling.upcoming': ({ queueId }) => ({ queueId, labeller: 'Ada' }),
  'labelling.judge': ({ queueId }) => ({ judgement: { queueId, ordinal: 0, labeller: 'Ada', choice: 'a', seconds: 2 } }),
  'labelling.undo': ({ queueId }) => ({ queueId, labeller: 'Ben' }),
  'labelling.guidelines': ({ queueId }) => ({ queueId }),
  'labelling.writeGuidelines': ({ queueId }) => ({ queueId, text: 'Prefer what the image shows.' }),
  'labelling.trust': ({ queueId }) => ({ queueId }),
  'labelling.rankings': ({ queueId }) => ({ queueId }),
  'labelling.export': ({ queueId }) => ({ queueId }),
  'labelling.exportLabels': ({ queueId }) => ({ queueId }),
  'labelling.mergeLabels': () => ({ path: '/data/labels.json' }),
  'labelling.mergeProject': () => ({ folder: '/data/project' }),
  'labelling.toDataset': ({ queueId }) => ({ queueId, name: 'labelled' }),
  'pairs.health': () => ({ dataset: 'preferences' }),
  'pairs.audits': () => undefined,
  'pairs.audit': () => ({ auditId: 'nothing' }),
  'pairs.startAudit': ({ runId }) => ({ dataset: 'preferences', runId }),
  'pairs.cancelAudit': () => ({ auditId: 'nothing' }),
  'pairs.deleteAudit': () => ({ auditId: 'nothing' }),
  'presets.list': () => undefined,
  'presets.get': () => ({ name: 'small' }),
  'schema.run': () => undefined,
  'schema.check': () => undefined,
  'schema.split': () => undefined,
  'schema.study': () => undefined,
  'schema.transplant': () => undefined,
  'schema.question': () => undefined,
  'schema.queue': () => undefined,
  'schema.audit': () => undefined,
  'doctor.run': () => undefined,
  'files.chooseFolder': () => ({ title: 'Choose' }),
  'files.chooseFile': () => ({ title: 'Choose' }),
  'files.showArtifact': ({ artifactId }) => ({ artifactId }),
  'settings.get': () => undefined,
  'settings.set': () => ({ theme: 'dark' }),
}

/** Asked of something in the wrong state: refused, and the refusal is the answer. */
const REFUSED: Readonly<Partial<Record<OperationName, string>>> = {
  'datasets.import': 'invalid-input', // a path that no dialog has given
  'datasets.previewImport': 'invalid-input',
  'samples.similar': 'not-found',
  'samples.tokenHistogram': 'invalid-input',
  'experiments.table': 'conflict', // an import has no scores
  'maps.of': 'invalid-input', // the first sample has no picture
  'tasks.pause': 'conflict',
  'tasks.resume': 'conflict',
  'tasks.cancel': 'conflict',
  'tasks.delete': 'not-found',
  'datasets.createSightTest': 'not-found', // the fake runner wrote no files
  'runs.pause': 'conflict',
  'runs.resume': 'conflict',
  'runs.cancel': 'conflict',
  'runs.delete': 'conflict',
  'runs.importLogs': 'invalid-input', // a path that no dialog has given
  'models.stopAnswer': 'conflict', // it has ended
  'parity.start': 'invalid-input', // a path that no dialog has given
  'zeroShot.start': 'invalid-input',
  'studies.importRun': 'invalid-input', // a path that no dialog has given
  'studies.pause': 'conflict',
  'studies.resume': 'conflict',
  'studies.cancel': 'conflict',
  'studies.delete': 'not-found',
  'encoders.add': 'invalid-input', // a path that no dialog has given
  'encoders.rename': 'conflict', // an arm is named after its study
  'encoders.remove': 'not-found',
  'compare.items': 'not-found',
  'benchmarks.import': 'invalid-input', // a path that no dialog has given
  'benchmarks.run': 'invalid-input', // the questions are of no benchmark
  'labelling.cancel': 'conflict',
  'labelling.delete': 'not-found',
  'labelling.mergeLabels': 'invalid-input', // a path that no dialog has given
  'labelling.mergeProject': 'invalid-input',
  'labelling.toDataset': 'not-found', // the fake reader knows no files
  'pairs.audit': 'not-found',
  'pairs.startAudit': 'invalid-input', // the pairs have no images
  'pairs.cancelAudit': 'not-found',
  'pairs.deleteAudit': 'not-found',
}

describe('every operation', () => {
  it.each(Object.keys(operations) as OperationName[])('%s answers by its schema, across a structured clone', async (name) => {
    const reply = await ask(name, questions[name](ids))
    const refused = REFUSED[name]
    if (refused !== undefined) return expect(reply).toMatchObject({ ok: false, failure: { code: refused } })
    expect(reply).toMatchObject({ ok: true })
    const output: z.ZodType = operations[name].output
    expect(output.safeParse((reply as { value: unknown }).value).error?.issues).toBeUndefined()
  })

  it.each(Object.keys(operations) as OperationName[])('%s refuses what is not its question, as a reply', async (name) => {
    for (const input of [{ unknown: 1 }, 7, 'text', [null]]) {
      const reply = await ask(name, input)
      expect(reply).toMatchObject({ ok: false, failure: { code: 'invalid-input' } })
    }
  })
})

describe('answering', () => {
  it('is total: an unknown name and an exploding handler become replies', async () => {
    expect(await ask('runs.explode', {})).toMatchObject({ ok: false, failure: { code: 'internal' } })
    expect(await ask('toString', {})).toMatchObject({ ok: false, failure: { code: 'internal' } })
    const exploding = { ...handlers, 'runs.list': () => Promise.reject(new TypeError('boom')) }
    expect(await answer(exploding, 'runs.list', undefined)).toEqual({ ok: false, failure: toFailure(new TypeError('boom')) })
  })

  it('a path is taken only after a dialog of ours has given it', async () => {
    await ask('files.chooseFolder', { title: 'Choose' })
    expect(await ask('datasets.import', { path: '/data/questions/2', name: 'chosen' })).toMatchObject({
      ok: true,
      value: { taskId: expect.any(String) },
    })
    expect(await ask('datasets.import', { path: '/etc/passwd' })).toMatchObject({ ok: false, failure: { code: 'invalid-input' } })
  })

  it('a misspelt setting is refused by name and not trained at its default', async () => {
    const reply = await ask('runs.start', { name: 'mine', dataset: 'preferences', training: { lr: 1 } })
    expect(reply).toMatchObject({ ok: false, failure: { code: 'invalid-input', message: expect.stringContaining('lr') } })
  })
})

describe('announcements', () => {
  it('all match the contract and survive the crossing', () => {
    expect(made.announcements.length).toBeGreaterThan(10)
    for (const announcement of made.announcements) {
      const schema: z.ZodType = events[announcement.name]
      expect(schema.safeParse(structuredClone(announcement.value)).error?.issues).toBeUndefined()
    }
  })
})
