// Every question that the window may ask, with the schema of question and answer. From this one list follow that main
// handles all of them, that the preload forwards only these, and that `ask` is typed. A path that the window sends must
// be one that main's own file dialog has given it.

import { z } from 'zod'
import { BENCHMARKS, benchmarkRowSchema, MEASURES } from '../../src-main/domain/benchmark.ts'
import { COMPARISON_FORMATS, comparedItemsRequestSchema, comparedItemsSchema, comparisonRequestSchema, comparisonSchema } from '../../src-main/domain/comparison.ts'
import { encoderRowSchema } from '../../src-main/domain/encoder.ts'
import { experimentRequestSchema } from '../../src-main/domain/experiment.ts'
import { exportCheckSchema, exportSettingsSchema } from '../../src-main/domain/export.ts'
import { curationChangeSchema, journalEntrySchema, selectionSchema, splitTableSchema } from '../../src-main/domain/curation.ts'
import { findingRowSchema, findingSummarySchema } from '../../src-main/domain/data-check.ts'
import { formatChoiceSchema } from '../../src-main/domain/data-export.ts'
import {
  benchmarkRequestSchema,
  checkRequestSchema,
  dataTaskRowSchema,
  exportRequestSchema,
  importFaultRowSchema,
  importRequestSchema,
  mapRequestSchema,
} from '../../src-main/domain/data-task.ts'
import {
  binsSchema,
  datasetRowSchema,
  datasetStatisticsSchema,
  importSummarySchema,
  snapshotDifferenceSchema,
  snapshotRowSchema,
} from '../../src-main/domain/dataset-view.ts'
import { doctorReportSchema } from '../../src-main/domain/doctor-report.ts'
import { mapColourSchema, placedPointsSchema, mapValuesSchema, similarImageSchema } from '../../src-main/domain/feature-map.ts'
import { importOptionsSchema, importPreviewSchema } from '../../src-main/domain/import-event.ts'
import { EVALUATORS } from '../../src-main/domain/evaluation.ts'
import { sightTestSchema } from '../../src-main/domain/job.ts'
import { judgementInputSchema, labellerSchema } from '../../src-main/domain/labelling/judgement.ts'
import { modelRankingSchema } from '../../src-main/domain/labelling/model-ranking.ts'
import { pairCountsSchema, TIE_RULES } from '../../src-main/domain/labelling/outcome.ts'
import { auditRequestSchema, auditRowSchema, auditViewSchema } from '../../src-main/domain/labelling/pair-audit.ts'
import { pairExportSchema } from '../../src-main/domain/labelling/pair-export.ts'
import { pairHealthSchema } from '../../src-main/domain/labelling/pair-health.ts'
import {
  guidelinesSchema,
  queueRequestSchema,
  queueRowSchema,
  shownItemSchema,
  upcomingSchema,
} from '../../src-main/domain/labelling/queue.ts'
import { trustReportSchema } from '../../src-main/domain/labelling/trust.ts'
import { mapsRequestSchema, mapsSchema, mapsSoFarSchema } from '../../src-main/domain/patch-maps.ts'
import { answerViewSchema, modelFolderSchema, modelInspectionSchema, modelQuestionSchema } from '../../src-main/domain/model-view.ts'
import { lineageSchema } from '../../src-main/domain/lineage.ts'
import { RUN_LOG_FORMATS, configDifferenceSchema, runNotesSchema } from '../../src-main/domain/run-browser.ts'
import { parityReportSchema, parityRequestSchema } from '../../src-main/domain/parity.ts'
import { presetRowSchema, presetSchema } from '../../src-main/domain/preset.ts'
import {
  artifactRowSchema,
  exportResultSchema,
  importedRunsSchema,
  logLineSchema,
  runRequestSchema,
  runRowSchema,
  runViewSchema,
  seriesSchema,
} from '../../src-main/domain/run-view.ts'
import {
  countedSchema,
  facetsSchema,
  firstSamplesSchema,
  orderRequestSchema,
  pageRequestSchema,
  sampleDetailSchema,
  sampleFilterSchema,
  sampleMeasureSchema,
  samplePageSchema,
  sampleRowSchema,
  savedViewSchema,
} from '../../src-main/domain/sample-query.ts'
import { settingsChangeSchema, settingsSchema } from '../../src-main/domain/settings.ts'
import { exampleSchema, studyResultsSchema } from '../../src-main/domain/study-results.ts'
import { parityRowSchema, studyRowSchema, studyViewSchema } from '../../src-main/domain/study-view.ts'
import { splitRuleSchema } from '../../src-main/domain/split-rule.ts'
import { studyConfigSchema } from '../../src-main/domain/study.ts'
import { countedTokenizerSchema } from '../../src-main/domain/token-count.ts'
import { trainingPlanSchema } from '../../src-main/domain/training-plan.ts'
import { zeroShotAnswerSchema, zeroShotRequestSchema, zeroShotScoresSchema } from '../../src-main/domain/zero-shot.ts'

interface Operation {
  readonly input: z.ZodType
  readonly output: z.ZodType
}

/** What is asked with nothing, and what answers nothing. */
const nothing = z.undefined()
const silence = z.void()
const ofRun = z.strictObject({ runId: z.string() })
/** A run's id, or a model folder that a dialog has given or that was looked into before. */
const ofModel = z.strictObject({ model: z.string() })
const ofAnswer = z.strictObject({ answerId: z.string() })
const MAX_PICTURE_BYTES = 64e6
const ofDataset = z.strictObject({ datasetId: z.string() })
const ofTask = z.strictObject({ taskId: z.string() })
const ofFilter = z.strictObject({ filter: sampleFilterSchema.prefault({}) })
const ofStudy = z.strictObject({ studyId: z.string() })
const ofQueue = z.strictObject({ queueId: z.string() })
const ofAudit = z.strictObject({ auditId: z.string() })
/** How many items the window keeps ready ahead of the one shown; `skipped`: those that the labeller skipped. */
const ahead = { count: z.int().min(1).max(50).default(8), skipped: z.boolean().default(false) }
/** What came of merging the labels of one queue. */
const mergeSummary = z.strictObject({
  queueId: z.string(),
  queue: z.string(),
  labellers: z.array(z.string()),
  added: z.int(),
  unchanged: z.int(),
})
/** JSON Schema (draft 2020-12) with `label` and `help` beside each field: what a form is drawn from. */
const jsonSchema = z.record(z.string(), z.unknown())
/** null: the person closed the dialog. */
const chosenPath = z.strictObject({ path: z.string() }).nullable()

export const operations = {
  'project.info': {
    input: nothing,
    output: z.strictObject({ folder: z.string(), database: z.string(), version: z.string(), platform: z.string() }),
  },

  'datasets.list': { input: nothing, output: z.array(datasetRowSchema) },
  /** The first rows as they would come in; writes nothing. `path` comes from files.chooseFile or files.chooseFolder. */
  'datasets.previewImport': {
    input: z.strictObject({ path: z.string(), options: importOptionsSchema.prefault({}) }),
    output: importPreviewSchema,
  },
  /** Begins an import; the task tells how it goes. `path` and `options.imageRoot` come from a dialog of files.*. */
  'datasets.import': { input: importRequestSchema.omit({ kind: true }), output: ofTask },
  /** Writes the built-in sight test into the project and imports it. */
  'datasets.createSightTest': { input: z.strictObject({ settings: sightTestSchema.prefault({}) }), output: importSummarySchema },
  'datasets.rename': { input: z.strictObject({ datasetId: z.string(), name: z.string().min(1).max(120) }), output: silence },
  'datasets.delete': { input: ofDataset, output: silence },
  'datasets.statistics': { input: ofFilter, output: datasetStatisticsSchema },
  /** Freezes the dataset as it is; what did not change since the last one gets the same hash. */
  'datasets.takeSnapshot': { input: ofDataset, output: z.strictObject({ sha256: z.string() }) },
  'datasets.versions': { input: ofDataset, output: z.array(snapshotRowSchema) },
  'datasets.compareVersions': { input: z.strictObject({ from: z.string(), to: z.string() }), output: snapshotDifferenceSchema },

  'samples.page': { input: pageRequestSchema, output: samplePageSchema },
  /** How many samples the filter finds and the first of them: drawn before the order of all is known. */
  'samples.first': { input: orderRequestSchema.extend({ limit: z.int().min(1).max(1000).default(60) }), output: firstSamplesSchema },
  /**
   * Every row that the filter finds, in order: a list of any length is scrolled and selected by its places. As one buffer, because
   * the bridge copies a list value by value.
   */
  'samples.order': { input: orderRequestSchema, output: z.instanceof(Uint32Array) },
  /** In the order asked for; rows that are gone are left out. */
  'samples.list': { input: z.strictObject({ rows: z.array(z.int()).max(1000) }), output: z.array(sampleRowSchema) },
  'samples.count': { input: ofFilter, output: z.int() },
  'samples.facets': { input: ofFilter, output: facetsSchema },
  /** Where samples come from; `search` is part of the name. */
  'samples.sources': {
    input: ofFilter.extend({ search: z.string().max(500).default(''), limit: z.int().min(1).max(200).default(20) }),
    output: countedSchema,
  },
  /** What was measured item by item on the filter's samples. */
  'samples.measures': { input: ofFilter, output: z.array(sampleMeasureSchema) },
  /** Tokenizers that have counted samples of the filter. */
  'samples.tokenizers': { input: ofFilter, output: z.array(countedTokenizerSchema) },
  /** Token counts of the filter's samples in bins, by the tokenizer that it names. */
  'samples.tokenHistogram': { input: ofFilter, output: binsSchema },
  'samples.get': { input: z.strictObject({ row: z.int() }), output: sampleDetailSchema },
  /** null: the samples were so already. Every change can be taken back with samples.undo. */
  'samples.change': {
    input: z.strictObject({ selection: selectionSchema, change: curationChangeSchema }),
    output: journalEntrySchema.nullable(),
  },
  'samples.previewSplits': { input: z.strictObject({ selection: selectionSchema, rule: splitRuleSchema }), output: splitTableSchema },
  /** Stops the change, undo or redo under way, which then fails as 'cancelled' and leaves nothing changed. */
  'samples.cancelChange': { input: nothing, output: silence },
  /** null: nothing is left to be taken back. */
  'samples.undo': { input: nothing, output: journalEntrySchema.nullable() },
  'samples.redo': { input: nothing, output: journalEntrySchema.nullable() },
  /** Newest first. */
  'samples.journal': { input: z.strictObject({ limit: z.int().min(1).max(1000).default(100) }), output: z.array(journalEntrySchema) },
  /** Images most like one, under the encoder of a map. */
  'samples.similar': {
    input: z.strictObject({ taskId: z.string(), sha256: z.string(), limit: z.int().min(1).max(200).default(24) }),
    output: z.array(similarImageSchema),
  },

  'views.list': { input: nothing, output: z.array(savedViewSchema) },
  /** A view of the same name is replaced. */
  'views.save': { input: savedViewSchema.omit({ id: true, createdAtMs: true }), output: savedViewSchema },
  'views.delete': { input: z.strictObject({ id: z.string() }), output: silence },

  /** Newest first. */
  'tasks.list': { input: z.strictObject({ limit: z.int().min(1).max(1000).default(100) }), output: z.array(dataTaskRowSchema) },
  'tasks.get': { input: ofTask, output: dataTaskRowSchema },
  'tasks.pause': { input: ofTask, output: silence },
  'tasks.resume': { input: ofTask, output: silence },
  /** Takes back what an import has added so far. */
  'tasks.cancel': { input: ofTask, output: silence },
  'tasks.delete': { input: ofTask, output: silence },
  /** Rows that an import left out. */
  'tasks.faults': {
    input: z.strictObject({ taskId: z.string(), afterId: z.int().min(0).default(0), limit: z.int().min(1).max(5000).default(200) }),
    output: z.strictObject({ rows: z.array(importFaultRowSchema), total: z.int() }),
  },
  /** Writes them as JSON lines into the project's exports. */
  'tasks.exportFaults': { input: ofTask, output: artifactRowSchema },
  /** `settings.checkpoint` is filled in from the run, for checks that ask a model. */
  'checks.start': {
    input: checkRequestSchema.omit({ kind: true }).extend({ runId: z.string().nullable().default(null) }),
    output: ofTask,
  },
  /** Clusters after the one numbered `after`, each with its members, the best first. */
  'checks.clusters': {
    input: z.strictObject({ taskId: z.string(), after: z.int().min(-1).default(-1), limit: z.int().min(1).max(200).default(50) }),
    output: z.array(z.array(findingRowSchema)),
  },
  'checks.summary': { input: ofTask, output: findingSummarySchema },
  /** Formats that can hold every kind of sample that the filter finds. */
  'exports.formats': { input: ofFilter, output: z.array(formatChoiceSchema) },
  /** Writes into the project's exports, or into a new folder in the one that a dialog has given. */
  'exports.start': { input: exportRequestSchema.omit({ kind: true }), output: ofTask },
  'maps.start': { input: mapRequestSchema.omit({ kind: true, checkpoint: true }).extend({ runId: z.string() }), output: ofTask },
  'maps.points': { input: ofTask, output: placedPointsSchema },
  'maps.colours': { input: z.strictObject({ taskId: z.string(), colour: mapColourSchema }), output: mapValuesSchema },
  /** Points, by row, whose images the selected samples are about. */
  'maps.marked': { input: z.strictObject({ taskId: z.string(), selection: selectionSchema }), output: z.instanceof(Uint32Array) },

  /** Where encoders look in one picture, patch by patch. A newer question takes the place of one that is still being answered. */
  'maps.of': { input: mapsRequestSchema, output: mapsSchema },
  /** What has come of the newest 'maps.of', and how far it is; 'maps.changed' tells when to ask. */
  'maps.soFar': { input: nothing, output: mapsSoFarSchema },
  'maps.cancel': { input: nothing, output: silence },
  /** What a finished experiment measured, encoders side by side, with tests. */
  'experiments.table': { input: ofTask, output: comparisonSchema },
  /** A longer look at several encoders: a task, whose row holds what it found. */
  'experiments.start': { input: experimentRequestSchema, output: ofTask },

  'runs.list': { input: nothing, output: z.array(runRowSchema) },
  /** The last value of each metric, by run and name. */
  'runs.latest': { input: z.strictObject({ names: z.array(z.string()).max(100) }), output: z.record(z.string(), z.record(z.string(), z.number())) },
  /** Notes, tags and the name, which decide nothing; what is left out stays. */
  'runs.annotate': { input: ofRun.extend(runNotesSchema.shape), output: silence },
  /** Settings in which the runs' configurations differ. */
  'runs.differences': { input: z.strictObject({ runIds: z.array(z.string()).min(2).max(50) }), output: z.array(configDifferenceSchema) },
  /** Everything that a run comes from, and everything that came of it. */
  'runs.lineage': { input: ofRun, output: lineageSchema },
  'runs.get': { input: ofRun, output: runViewSchema },
  'runs.start': { input: runRequestSchema, output: ofRun },
  /** What 'runs.start' would do: parameters, shapes, memory. Trains nothing. */
  'runs.plan': { input: runRequestSchema, output: trainingPlanSchema },
  'runs.pause': { input: ofRun, output: silence },
  'runs.resume': { input: ofRun, output: silence },
  'runs.cancel': { input: ofRun, output: silence },
  /** What runs have logged, as TensorBoard's event files or as CSV. `parent` comes from files.chooseFolder; null: the project's exports. */
  'runs.exportLogs': {
    input: z.strictObject({ runIds: z.array(z.string()).min(1).max(500), format: z.enum(RUN_LOG_FORMATS), parent: z.string().nullable().default(null) }),
    output: artifactRowSchema,
  },
  /** Takes in what wandb logged offline; `folder` comes from files.chooseFolder. */
  'runs.importLogs': { input: z.strictObject({ folder: z.string() }), output: importedRunsSchema },
  'runs.delete': { input: ofRun, output: silence },
  /** Lines after `afterId`, oldest first, at most `limit` (the newest of them). */
  'runs.log': {
    input: z.strictObject({
      runId: z.string(),
      afterId: z.int().min(0).default(0),
      limit: z.int().min(1).max(5000).default(500),
    }),
    output: z.array(logLineSchema),
  },

  /** Folders that were looked into before, the newest first; they may be named without a dialog. */
  'models.folders': { input: nothing, output: z.array(modelFolderSchema) },
  'models.forget': { input: z.strictObject({ folder: z.string() }), output: silence },
  /** What is in a model: family, sizes, what is missing. Nothing is loaded. */
  'models.inspect': { input: ofModel, output: modelInspectionSchema },
  /** Keeps a picture to ask about, of a file chosen in a dialog or of bytes that were dropped or pasted. */
  'models.keepPicture': {
    input: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('file'), path: z.string() }),
      z.strictObject({ kind: z.literal('bytes'), name: z.string().max(400), bytes: z.instanceof(Uint8Array).refine(({ length }) => length <= MAX_PICTURE_BYTES, 'expected at most 64 MB') }),
    ]),
    output: z.strictObject({ sha256: z.string() }),
  },
  /** Answers at once; 'models.answer' tells what has come, and 'answer.changed' when to ask. `image`: a SHA-256 of the project's images. */
  'models.ask': {
    input: z.strictObject({ model: z.string(), image: z.string().nullable().default(null), question: modelQuestionSchema }),
    output: ofAnswer,
  },
  'models.answer': { input: ofAnswer, output: answerViewSchema },
  /** Newest first. */
  'models.answers': {
    input: z.strictObject({ model: z.string().nullable().default(null), limit: z.int().min(1).max(200).default(20) }),
    output: z.array(answerViewSchema),
  },
  /** What has come is kept. */
  'models.stopAnswer': { input: ofAnswer, output: silence },
  'models.deleteAnswer': { input: ofAnswer, output: silence },
  /**
   * Writes the encoder (or the whole model) of a run's newest checkpoint or of a folder. `parent` comes from files.chooseFolder and
   * gets a folder of the export's own; null: the project's exports.
   */
  'models.export': {
    input: ofModel.extend({ settings: exportSettingsSchema.prefault({}), parent: z.string().nullable().default(null) }),
    output: exportResultSchema,
  },
  'models.cancelExport': { input: ofModel, output: silence },
  /** Reads an export back and compares every file with its manifest. */
  'models.checkExport': { input: z.strictObject({ artifactId: z.string() }), output: exportCheckSchema },

  /** Begins to compare the lab with reference cases. `folder` comes from files.chooseFolder. */
  'parity.start': { input: parityRequestSchema.omit({ kind: true }), output: ofTask },
  /** What has been found so far, by the cases' names. */
  'parity.reports': { input: ofTask, output: z.array(parityReportSchema) },
  /** Begins to classify images by words alone. `images` comes from files.chooseFolder. */
  'zeroShot.start': { input: zeroShotRequestSchema.omit({ kind: true }), output: ofTask },
  /** Of what has been classified so far. */
  'zeroShot.scores': { input: ofTask, output: zeroShotScoresSchema },
  /** Images of one class (null: of none) that were given one, the surest first. `lab-image://zero-shot/<taskId>/<image>` shows one. */
  'zeroShot.answers': {
    input: ofTask.extend({ expected: z.string().nullable(), given: z.string(), limit: z.int().min(1).max(500).default(100) }),
    output: z.array(zeroShotAnswerSchema),
  },

  /** Thinned in SQL to at most `points` a metric (first, last and every k-th step). Empty `names`: all. */
  'metrics.series': {
    input: z.strictObject({
      runId: z.string(),
      names: z.array(z.string()).default([]),
      points: z.int().min(2).max(10_000).default(600),
    }),
    output: z.array(seriesSchema),
  },

  /** [step, seconds worked]: the clock of a run's curves. */
  'metrics.clock': { input: ofRun, output: z.array(z.tuple([z.number(), z.number()])) },

  'studies.list': { input: nothing, output: z.array(studyRowSchema) },
  'studies.get': { input: ofStudy, output: studyViewSchema },
  'studies.start': {
    input: z.discriminatedUnion('kind', [
      z.strictObject({
        kind: z.literal('preset'),
        preset: z.string(),
        seeds: z.array(z.int().min(0)).min(1).max(32).nullable().default(null),
      }),
      /** `sightTest` is made and imported when the project lacks the data that `config` names. */
      z.strictObject({ kind: z.literal('config'), config: studyConfigSchema, sightTest: sightTestSchema.nullable().default(null) }),
    ]),
    output: ofStudy,
  },
  'studies.pause': { input: ofStudy, output: silence },
  'studies.resume': { input: ofStudy, output: silence },
  'studies.cancel': { input: ofStudy, output: silence },
  'studies.delete': { input: ofStudy, output: silence },
  'studies.parity': { input: z.strictObject({ config: studyConfigSchema }), output: z.array(parityRowSchema) },
  'studies.results': { input: ofStudy, output: studyResultsSchema },
  'studies.examples': {
    input: z.strictObject({
      studyId: z.string(),
      seed: z.int().min(0),
      evaluator: z.enum(EVALUATORS).default('localisation'),
      limit: z.int().min(1).max(200).default(24),
    }),
    output: z.array(exampleSchema),
  },
  /** Writes the self-contained HTML report; `open` shows it in the person's browser. */
  'studies.report': {
    input: z.strictObject({ studyId: z.string(), open: z.boolean().default(true) }),
    output: artifactRowSchema,
  },

  /** Arms of studies, checkpoints of runs, folders that were brought in; each with its own colour. */
  'encoders.list': { input: nothing, output: z.array(encoderRowSchema) },
  /** Brings in a Hugging Face folder with a vision encoder. `folder` comes from files.chooseFolder; name null: the folder's. */
  'encoders.add': { input: z.strictObject({ folder: z.string(), name: z.string().min(1).max(120).nullable().default(null) }), output: encoderRowSchema },
  'encoders.rename': { input: z.strictObject({ encoder: z.string(), name: z.string().min(1).max(120) }), output: silence },
  /** Takes a folder out of the list; what was measured on it stays. */
  'encoders.remove': { input: z.strictObject({ encoder: z.string() }), output: silence },
  /** Two to eight encoders over everything that was measured on them. */
  'compare.table': { input: comparisonRequestSchema, output: comparisonSchema },
  /** The items behind one row, ordered by the second encoder's gain over the first, with slices. */
  'compare.items': { input: comparedItemsRequestSchema, output: comparedItemsSchema },
  /** Writes the table into the project's exports: CSV, LaTeX, or a report that opens offline; `open` shows it. */
  'compare.export': {
    input: comparisonRequestSchema.extend({ format: z.enum(COMPARISON_FORMATS), open: z.boolean().default(false) }),
    output: artifactRowSchema,
  },
  'benchmarks.list': { input: nothing, output: z.array(benchmarkRowSchema) },
  /** Begins an import of a benchmark's own records; the task tells how it goes. Paths come from a dialog of files.*. */
  'benchmarks.import': {
    input: z.strictObject({
      path: z.string(),
      benchmark: z.enum(BENCHMARKS),
      /** How answers of one's own benchmark are judged; null: options by letter, anything else by exact match. */
      measure: z.enum(MEASURES).nullable().default(null),
      name: z.string().min(1).max(120).nullable().default(null),
      imageRoot: z.string().nullable().default(null),
    }),
    output: ofTask,
  },
  /** Begins a task: every benchmark on every encoder. tasks.* pauses, resumes and cancels it; answers are never computed twice. */
  'benchmarks.run': { input: benchmarkRequestSchema.omit({ kind: true }), output: ofTask },

  /**
   * Writes both arms as a folder for TRL and Accelerate, into a new folder of the one that a dialog has given; null: the project's
   * exports.
   */
  'studies.exportRecipe': { input: ofStudy.extend({ parent: z.string().nullable().default(null) }), output: artifactRowSchema },
  'studies.cancelRecipe': { input: ofStudy, output: silence },
  /** Takes in what the script of a recipe wrote; `folder` comes from files.chooseFolder. */
  'studies.importRun': { input: z.strictObject({ folder: z.string() }), output: runRowSchema },

  'labelling.queues': { input: nothing, output: z.array(queueRowSchema) },
  'labelling.queue': { input: ofQueue, output: queueRowSchema },
  /** Answers at once; the queue's row tells when it is ready. */
  'labelling.create': { input: queueRequestSchema, output: ofQueue },
  'labelling.cancel': { input: ofQueue, output: silence },
  'labelling.delete': { input: ofQueue, output: silence },
  'labelling.upcoming': { input: z.strictObject({ queueId: z.string(), labeller: labellerSchema, ...ahead }), output: upcomingSchema },
  /** The judgement is stored when the answer, which is what comes next, leaves. */
  'labelling.judge': { input: z.strictObject({ judgement: judgementInputSchema, ...ahead }), output: upcomingSchema },
  'labelling.undo': {
    input: z.strictObject({ queueId: z.string(), labeller: labellerSchema, count: ahead.count }),
    output: z.strictObject({ item: shownItemSchema.nullable(), upcoming: upcomingSchema }),
  },
  'labelling.guidelines': { input: ofQueue, output: guidelinesSchema },
  'labelling.writeGuidelines': { input: z.strictObject({ queueId: z.string(), text: z.string().max(100_000) }), output: guidelinesSchema },
  'labelling.trust': { input: ofQueue, output: trustReportSchema },
  'labelling.rankings': { input: ofQueue, output: z.array(modelRankingSchema) },
  /** Writes rows and side file into the project's exports. */
  'labelling.export': {
    input: pairExportSchema,
    output: z.strictObject({ artifact: artifactRowSchema, counts: pairCountsSchema }),
  },
  /** Writes the queue with all judgements to one file, for another project to merge. */
  'labelling.exportLabels': { input: ofQueue, output: artifactRowSchema },
  /** `path` comes from files.chooseFile. */
  'labelling.mergeLabels': { input: z.strictObject({ path: z.string() }), output: mergeSummary },
  /** All queues of another project. `folder` comes from files.chooseFolder. */
  'labelling.mergeProject': { input: z.strictObject({ folder: z.string() }), output: z.array(mergeSummary) },
  /** Puts the pairs into the project as a dataset to train on. */
  'labelling.toDataset': {
    input: z.strictObject({ queueId: z.string(), name: z.string().min(1).max(120), ties: z.enum(TIE_RULES).default('leave-out') }),
    output: importSummarySchema,
  },

  'pairs.health': { input: z.strictObject({ dataset: z.string() }), output: pairHealthSchema },
  'pairs.audits': { input: nothing, output: z.array(auditRowSchema) },
  'pairs.audit': { input: ofAudit, output: auditViewSchema },
  'pairs.startAudit': { input: auditRequestSchema, output: ofAudit },
  'pairs.cancelAudit': { input: ofAudit, output: silence },
  'pairs.deleteAudit': { input: ofAudit, output: silence },

  'presets.list': { input: nothing, output: z.array(presetRowSchema) },
  'presets.get': { input: z.strictObject({ name: z.string() }), output: presetSchema },

  'schema.run': { input: nothing, output: jsonSchema },
  'schema.question': { input: nothing, output: jsonSchema },
  'schema.queue': { input: nothing, output: jsonSchema },
  'schema.audit': { input: nothing, output: jsonSchema },
  'schema.benchmark': { input: nothing, output: jsonSchema },
  'schema.check': { input: nothing, output: jsonSchema },
  'schema.split': { input: nothing, output: jsonSchema },
  'schema.study': { input: nothing, output: jsonSchema },
  'schema.transplant': { input: nothing, output: jsonSchema },

  'doctor.run': { input: nothing, output: doctorReportSchema },

  'files.chooseFolder': { input: z.strictObject({ title: z.string().max(120) }), output: chosenPath },
  'files.chooseFile': {
    input: z.strictObject({ title: z.string().max(120), extensions: z.array(z.string().regex(/^\w+$/)).default([]) }),
    output: chosenPath,
  },
  /** Shows an artifact (report, exported encoder) in the file manager. */
  'files.showArtifact': { input: z.strictObject({ artifactId: z.string() }), output: silence },

  'settings.get': { input: nothing, output: settingsSchema },
  'settings.set': { input: settingsChangeSchema, output: settingsSchema },
} satisfies Record<string, Operation>

export type OperationName = keyof typeof operations
/** What the window writes (defaults may be left out), what the handler gets (they are filled in), what it answers. */
export type Question<Name extends OperationName> = z.input<(typeof operations)[Name]['input']>
export type Input<Name extends OperationName> = z.output<(typeof operations)[Name]['input']>
export type Output<Name extends OperationName> = z.output<(typeof operations)[Name]['output']>
export type Handlers = { readonly [Name in OperationName]: (input: Input<Name>) => Promise<Output<Name>> | Output<Name> }
