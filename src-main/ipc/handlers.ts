// One line an operation: the contract's questions to the services. What needs a desktop (dialogs, opening a file, the
// theme) is passed in.

import { join } from 'node:path'
import { z } from 'zod'
import { DATABASE_NAME, type Lab } from '../compose.ts'
import { benchmarkSettingsSchema } from '../domain/benchmark.ts'
import { dataCheckSettingsSchema } from '../domain/data-check.ts'
import { EXPORT_FORMAT_TABLE } from '../domain/data-export.ts'
import { LabError } from '../domain/errors.ts'
import { transplantRequestSchema } from '../domain/experiment.ts'
import { auditRequestSchema } from '../domain/labelling/pair-audit.ts'
import { queueRequestSchema } from '../domain/labelling/queue.ts'
import { modelQuestionSchema } from '../domain/model-view.ts'
import { runRequestSchema, type RunRequest } from '../domain/run-view.ts'
import type { Theme } from '../domain/settings.ts'
import { splitRuleSchema } from '../domain/split-rule.ts'
import { studyConfigSchema, type StudyConfig } from '../domain/study.ts'
import type { Handlers } from '../../src-preload/contract/operations.ts'
import { createChosenPaths, type ChosenPaths } from './chosen-paths.ts'

export interface Desktop {
  readonly version: string
  /** null: closed without a choice. */
  chooseFolder(title: string): Promise<string | null>
  chooseFile(title: string, extensions: readonly string[]): Promise<string | null>
  openFile(path: string): Promise<void>
  showInFolder(path: string): void
  setTheme(theme: Theme): void
}

/** The folders that a start names. */
function foldersOf(start: RunRequest['start'] | StudyConfig['start']): readonly string[] {
  const adapters = 'adapter' in start && start.adapter !== null ? [start.adapter] : []
  if (start.kind === 'folder') return [start.folder, ...adapters]
  if (start.kind === 'run') return adapters
  return start.kind === 'parts' ? [start.visionEncoderFolder, start.languageModelFolder] : []
}

export function createHandlers(lab: Lab, desktop: Desktop, { remember, assert: assertChosen }: ChosenPaths = createChosenPaths()): Handlers {
  // In this session, or for a model before.
  for (const { folder } of lab.models.folders()) remember(folder)
  const assertMayRead = (path: string, imageRoot: string | undefined) => {
    assertChosen(path)
    if (imageRoot !== undefined) assertChosen(imageRoot)
  }
  const assertStartChosen = ({ start }: RunRequest) => foldersOf(start).forEach(assertChosen)
  /** The window names encoders by runs or as they are listed; a path must have been chosen in a dialog. */
  const withKnownEncoders = <Request extends { readonly encoders: readonly string[] }>(request: Request): Request => {
    const known = new Set([...lab.runs.list(), ...lab.encoders.list()].map(({ id }) => id))
    request.encoders.filter((each) => !known.has(each)).forEach(assertChosen)
    return request
  }
  /** A run of the project, or a folder that may be named. */
  const assertModel = (model: string) => {
    if (!lab.runs.list().some(({ id }) => id === model)) assertChosen(model)
  }
  const artifactOf = (artifactId: string) => {
    const artifact = lab.artifacts.find(artifactId)
    if (artifact === null) throw new LabError('not-found', `there is no artifact "${artifactId}"`, { artifactId })
    return artifact
  }
  let planning: AbortController | null = null
  const toJsonSchema = (schema: z.ZodType) => z.toJSONSchema(schema, { io: 'input' }) as Record<string, unknown>

  return {
    'project.info': () => ({
      folder: lab.project,
      database: lab.database,
      version: desktop.version,
      platform: `${process.platform} ${process.arch}`,
    }),

    'datasets.list': () => [...lab.datasets.list()],
    'datasets.previewImport': ({ path, options }) => {
      assertMayRead(path, options.imageRoot)
      return lab.datasets.previewImport(path, options)
    },
    'datasets.import': (request) => {
      assertMayRead(request.path, request.options.imageRoot)
      return lab.datasets.startImport(request)
    },
    'datasets.createSightTest': ({ settings }) => lab.sightTest.create(settings),
    'datasets.rename': ({ datasetId, name }) => lab.datasets.rename(datasetId, name),
    'datasets.delete': ({ datasetId }) => lab.datasets.delete(datasetId),
    'datasets.statistics': ({ filter }) => lab.curation.statistics(filter),
    'datasets.takeSnapshot': async ({ datasetId }) => ({ sha256: await lab.datasets.takeSnapshot(datasetId) }),
    'datasets.versions': ({ datasetId }) => [...lab.datasets.versions(datasetId)],
    'datasets.compareVersions': ({ from, to }) => lab.datasets.compareVersions(from, to),

    'samples.page': (request) => lab.curation.page(request),
    'samples.first': (request) => lab.curation.first(request),
    'samples.order': (request) => Uint32Array.from(lab.curation.order(request)),
    'samples.list': ({ rows }) => [...lab.curation.list(rows)],
    'samples.count': ({ filter }) => lab.curation.count(filter),
    'samples.facets': ({ filter }) => lab.curation.facets(filter),
    'samples.sources': ({ filter, search, limit }) => [...lab.curation.sources(filter, search, limit)],
    'samples.measures': ({ filter }) => [...lab.curation.measures(filter)],
    'samples.tokenizers': ({ filter }) => [...lab.curation.tokenizers(filter)],
    'samples.tokenHistogram': ({ filter }) => [...lab.curation.tokenHistogram(filter)],
    'samples.get': ({ row }) => lab.curation.get(row),
    'samples.change': ({ selection, change }) => lab.curation.change(selection, change),
    'samples.previewSplits': ({ selection, rule }) => lab.curation.previewSplits(selection, rule),
    'samples.cancelChange': () => lab.curation.cancelChange(),
    'samples.undo': () => lab.curation.undo(),
    'samples.redo': () => lab.curation.redo(),
    'samples.journal': ({ limit }) => [...lab.curation.journal(limit)],
    'samples.similar': async ({ taskId, sha256, limit }) => [...(await lab.checks.similar(taskId, sha256, limit))],

    'views.list': () => [...lab.curation.views()],
    'views.save': (view) => lab.curation.saveView(view),
    'views.delete': ({ id }) => lab.curation.deleteView(id),

    'tasks.list': ({ limit }) => [...lab.tasks.list(limit)],
    'tasks.get': ({ taskId }) => lab.tasks.get(taskId),
    'tasks.pause': ({ taskId }) => lab.tasks.pause(taskId),
    'tasks.resume': ({ taskId }) => lab.tasks.resume(taskId),
    'tasks.cancel': ({ taskId }) => lab.tasks.cancel(taskId),
    'tasks.delete': ({ taskId }) => lab.tasks.delete(taskId),
    'tasks.faults': ({ taskId, afterId, limit }) => {
      const { rows, total } = lab.tasks.faults(taskId, afterId, limit)
      return { rows: [...rows], total }
    },
    'tasks.exportFaults': ({ taskId }) => lab.datasets.exportFaults(taskId),
    'checks.start': ({ runId, ...request }) =>
      lab.checks.start({
        ...request,
        settings: { ...request.settings, checkpoint: runId === null ? null : lab.runs.newestCheckpoint(runId) },
      }),
    'checks.clusters': ({ taskId, after, limit }) => lab.checks.clusters(taskId, after, limit).map((each) => [...each]),
    'checks.summary': ({ taskId }) => lab.checks.summary(taskId),
    'exports.formats': ({ filter }) =>
      lab.dataExports.formats(filter).map((format) => {
        const { label, help } = EXPORT_FORMAT_TABLE[format]
        return { format, label, help }
      }),
    'exports.start': ({ folder, ...request }) => {
      if (folder !== null) assertChosen(folder)
      return lab.dataExports.start({ ...request, folder: folder && join(folder, `pivot-lab-${request.format}-${Date.now()}`) })
    },
    'maps.start': ({ runId, ...request }) => lab.checks.startMap({ ...request, checkpoint: lab.runs.newestCheckpoint(runId) }),
    'maps.points': ({ taskId }) => {
      const { x, y, rows } = lab.checks.points(taskId)
      return { x: Float64Array.from(x), y: Float64Array.from(y), rows: Uint32Array.from(rows) }
    },
    'maps.colours': ({ taskId, colour }) => lab.checks.colours(taskId, colour),
    'maps.marked': ({ taskId, selection }) => Uint32Array.from(lab.checks.marked(taskId, selection)),

    'maps.of': (request) => lab.patchMaps.of(withKnownEncoders(request)),
    'maps.soFar': () => lab.patchMaps.soFar(),
    'maps.cancel': () => lab.patchMaps.cancel(),
    'experiments.table': ({ taskId }) => lab.experiments.table(taskId),
    'experiments.start': (request) => lab.experiments.start(withKnownEncoders(request)),

    'runs.list': () => [...lab.runs.list()],
    'runs.latest': ({ names }) => lab.runBrowser.latest(names),
    'runs.annotate': ({ runId, ...notes }) => lab.runBrowser.annotate(runId, notes),
    'runs.differences': ({ runIds }) => [...lab.runBrowser.differences(runIds)],
    'runs.lineage': ({ runId }) => lab.runBrowser.lineage(runId),
    'runs.get': ({ runId }) => lab.runs.get(runId),
    'runs.start': (request) => {
      assertStartChosen(request)
      return lab.runs.start(request)
    },
    'runs.plan': (request) => {
      assertStartChosen(request)
      // The window asks again with every change; an earlier question is of no use to anyone.
      planning?.abort()
      planning = new AbortController()
      return lab.runs.plan(request, null, planning.signal)
    },
    'runs.pause': ({ runId }) => lab.runs.pause(runId),
    'runs.resume': ({ runId }) => lab.runs.resume(runId),
    'runs.cancel': ({ runId }) => lab.runs.cancel(runId),
    'runs.exportLogs': ({ runIds, format, parent }) => {
      if (parent !== null) assertChosen(parent)
      return lab.runLogs.write(runIds, format, parent && join(parent, `pivot-lab-runs-${format}-${Date.now()}`))
    },
    'runs.importLogs': ({ folder }) => {
      assertChosen(folder)
      return lab.runImports.import(folder)
    },
    'runs.delete': ({ runId }) => lab.runs.delete(runId),
    'runs.log': ({ runId, afterId, limit }) => [...lab.runs.log(runId, afterId, limit)],

    'models.folders': () => [...lab.models.folders()],
    'models.forget': ({ folder }) => lab.models.forget(folder),
    'models.inspect': ({ model }) => {
      assertModel(model)
      return lab.models.inspect(model)
    },
    'models.keepPicture': async (picture) => {
      if (picture.kind === 'bytes') return { sha256: await lab.models.keepPicture(picture.name, picture.bytes) }
      assertChosen(picture.path)
      return { sha256: await lab.models.keepPictureFile(picture.path) }
    },
    'models.ask': (question) => {
      assertModel(question.model)
      return { answerId: lab.models.start(question) }
    },
    'models.answer': ({ answerId }) => lab.models.answer(answerId),
    'models.answers': ({ model, limit }) => [...lab.models.answers(model, limit)],
    'models.stopAnswer': ({ answerId }) => lab.models.stopAnswer(answerId),
    'models.deleteAnswer': ({ answerId }) => lab.models.deleteAnswer(answerId),
    'models.export': ({ model, settings, parent }) => {
      assertModel(model)
      if (parent !== null) assertChosen(parent)
      return lab.exports.export({ checkpoint: model, settings, parent, folder: null })
    },
    'models.cancelExport': ({ model }) => lab.exports.cancel(model),
    'models.checkExport': ({ artifactId }) => lab.exports.check(artifactOf(artifactId).path),

    'parity.start': ({ folder }) => {
      assertChosen(folder)
      return lab.parity.start(folder)
    },
    'parity.reports': ({ taskId }) => [...lab.parity.reports(taskId)],
    'zeroShot.start': (request) => {
      assertChosen(request.model)
      assertChosen(request.images)
      return lab.zeroShot.start({ kind: 'zero-shot', ...request })
    },
    'zeroShot.scores': ({ taskId }) => lab.zeroShot.scores(taskId),
    'zeroShot.answers': ({ taskId, limit, ...cell }) => [...lab.zeroShot.answers(taskId, cell, limit)],

    'metrics.series': ({ runId, names, points }) => [...lab.runs.series(runId, names, points)],

    'metrics.clock': ({ runId }) => lab.runs.clock(runId).map(([step, seconds]) => [step, seconds]),

    'studies.list': () => [...lab.studies.list()],
    'studies.get': ({ studyId }) => lab.studies.get(studyId),
    'studies.start': (request) => {
      if (request.kind === 'config') foldersOf(request.config.start).forEach(assertChosen)
      return lab.studies.start(request)
    },
    'studies.pause': ({ studyId }) => lab.studies.pause(studyId),
    'studies.resume': ({ studyId }) => lab.studies.resume(studyId),
    'studies.cancel': ({ studyId }) => lab.studies.cancel(studyId),
    'studies.delete': ({ studyId }) => lab.studies.delete(studyId),
    'studies.parity': ({ config }) => [...lab.studies.parity(config)],
    'studies.results': ({ studyId }) => lab.results.of(studyId),
    'studies.examples': ({ studyId, seed, evaluator, limit }) => [...lab.results.examples(studyId, seed, evaluator, limit)],
    'studies.report': async ({ studyId, open }) => {
      const report = await lab.reports.write(studyId)
      if (open) await desktop.openFile(report.path)
      return report
    },

    'encoders.list': () => [...lab.encoders.list()],
    'encoders.add': ({ folder, name }) => {
      assertChosen(folder)
      return lab.encoders.add(folder, name, { aborted: false })
    },
    'encoders.rename': ({ encoder, name }) => lab.encoders.rename(encoder, name),
    'encoders.remove': ({ encoder }) => lab.encoders.remove(encoder),
    'compare.table': (request) => lab.comparisons.table(request),
    'compare.items': (request) => lab.comparisons.items(request),
    'compare.export': async ({ format, open, ...request }) => {
      const artifact = await lab.comparisons.export(request, format)
      if (open) await desktop.openFile(artifact.path)
      return artifact
    },
    'benchmarks.list': () => [...lab.benchmarks.list()],
    'benchmarks.import': ({ path, benchmark, measure, name, imageRoot }) => {
      assertMayRead(path, imageRoot ?? undefined)
      return lab.datasets.startImport({
        path,
        name,
        images: 'copy',
        examine: false,
        options: { benchmark, ...(measure === null ? {} : { measure }), ...(imageRoot === null ? {} : { imageRoot }) },
      })
    },
    'benchmarks.run': (request) => lab.benchmarks.run(request),

    'studies.exportRecipe': ({ studyId, parent }) => {
      if (parent !== null) assertChosen(parent)
      return lab.recipes.export(studyId, join(parent ?? join(lab.project, 'exports'), `${studyId}-recipe`))
    },
    'studies.cancelRecipe': ({ studyId }) => lab.recipes.cancelExport(studyId),
    'studies.importRun': ({ folder }) => {
      assertChosen(folder)
      return lab.recipes.import(folder)
    },

    'labelling.queues': () => [...lab.labelling.list()],
    'labelling.queue': ({ queueId }) => lab.labelling.found(queueId),
    'labelling.create': (request) => lab.labelQueues.create(request),
    'labelling.cancel': ({ queueId }) => lab.labelQueues.cancel(queueId),
    'labelling.delete': ({ queueId }) => lab.labelling.delete(queueId),
    'labelling.upcoming': ({ queueId, labeller, count, skipped }) => lab.labelling.upcoming(queueId, labeller, count, skipped),
    'labelling.judge': ({ judgement, count, skipped }) => lab.labelling.judge(judgement, count, skipped),
    'labelling.undo': ({ queueId, labeller, count }) => lab.labelling.undo(queueId, labeller, count),
    'labelling.guidelines': ({ queueId }) => lab.labelling.guidelines(queueId),
    'labelling.writeGuidelines': ({ queueId, text }) => lab.labelling.writeGuidelines(queueId, text),
    'labelling.trust': ({ queueId }) => lab.labelling.trust(queueId),
    'labelling.rankings': ({ queueId }) => [...lab.labelling.rankings(queueId)],
    'labelling.export': (request) => lab.labelExport.write(request, null),
    'labelling.exportLabels': ({ queueId }) => lab.labelExport.writeBundle(queueId, null),
    'labelling.mergeLabels': ({ path }) => {
      assertChosen(path)
      return lab.labelling.mergeFile(path)
    },
    'labelling.mergeProject': ({ folder }) => {
      assertChosen(folder)
      return [...lab.labelling.mergeProject(folder, DATABASE_NAME)]
    },
    'labelling.toDataset': ({ queueId, name, ties }) => lab.labelExport.toDataset(queueId, name, ties),

    'pairs.health': ({ dataset }) => lab.pairHealth.health(dataset),
    'pairs.audits': () => [...lab.pairHealth.audits()],
    'pairs.audit': ({ auditId }) => lab.pairHealth.audit(auditId),
    'pairs.startAudit': (request) => lab.pairHealth.startAudit(request),
    'pairs.cancelAudit': ({ auditId }) => lab.pairHealth.cancelAudit(auditId),
    'pairs.deleteAudit': ({ auditId }) => lab.pairHealth.deleteAudit(auditId),

    'presets.list': () => [...lab.presets.list()],
    'presets.get': ({ name }) => lab.presets.get(name),

    'schema.run': () => toJsonSchema(runRequestSchema),
    'schema.question': () => toJsonSchema(modelQuestionSchema),
    'schema.queue': () => toJsonSchema(queueRequestSchema),
    'schema.audit': () => toJsonSchema(auditRequestSchema),
    'schema.benchmark': () => toJsonSchema(benchmarkSettingsSchema),
    'schema.check': () => toJsonSchema(dataCheckSettingsSchema),
    'schema.split': () => toJsonSchema(splitRuleSchema),
    'schema.study': () => toJsonSchema(studyConfigSchema),
    'schema.transplant': () => toJsonSchema(transplantRequestSchema),

    'doctor.run': () => lab.doctor(),

    'files.chooseFolder': async ({ title }) => remember(await desktop.chooseFolder(title)),
    'files.chooseFile': async ({ title, extensions }) => remember(await desktop.chooseFile(title, extensions)),
    'files.showArtifact': ({ artifactId }) => desktop.showInFolder(artifactOf(artifactId).path),

    'settings.get': () => lab.settings.get(),
    'settings.set': (change) => {
      const settings = lab.settings.set(change)
      desktop.setTheme(settings.theme)
      return settings
    },
  }
}
