// The one place where services meet store and jobs. The app, the command line and the tests differ only in what they
// pass here.

import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { DoctorCheck, DoctorReport } from './domain/doctor-report.ts'
import type { Runner } from './domain/job.ts'
import { thumbnailPath } from './domain/data-check.ts'
import { createBenchmarkService } from './services/benchmarks.ts'
import { createComparisonService } from './services/comparisons.ts'
import { createCurationService } from './services/curation.ts'
import { createDataCheckService } from './services/data-checks.ts'
import { createDataExportService } from './services/data-exports.ts'
import { createDataTaskService } from './services/data-tasks.ts'
import { createDatasetService } from './services/datasets.ts'
import { createEncoderService } from './services/encoders.ts'
import { createEvaluationService } from './services/evaluations.ts'
import { createExperimentService } from './services/experiments/experiments.ts'
import { createExportService } from './services/exports.ts'
import { createLabelExportService } from './services/label-export.ts'
import { createLabelQueueService } from './services/label-queues.ts'
import { createLabellingService } from './services/labelling.ts'
import { createPairHealthService } from './services/pair-health.ts'
import { createModelService } from './services/models.ts'
import { createParityService } from './services/parity.ts'
import type { Announcement, Parts } from './services/parts.ts'
import { createPatchMapService } from './services/patch-maps.ts'
import { createPresetService } from './services/presets.ts'
import { createRecipeService } from './services/recipes.ts'
import { createReportService } from './services/reports.ts'
import { createResultService } from './services/results.ts'
import { createRunBrowserService } from './services/run-browser.ts'
import { createRunImportService } from './services/run-logs/import-runs.ts'
import { createRunLogService } from './services/run-logs/run-logs.ts'
import { createRunService } from './services/runs.ts'
import { createSightTestService } from './services/sight-test.ts'
import { createStudyService } from './services/studies.ts'
import { createZeroShotService } from './services/zero-shot.ts'
import { createWorkQueue } from './services/work-queue.ts'
import { openForReading, openForWriting } from './store/database.ts'
import { checkIntegrity } from './store/integrity-check.ts'
import { checkSqlite } from './store/sqlite-check.ts'
import { createStore } from './store/store.ts'

export const DATABASE_NAME = 'lab.sqlite'

export interface LabParts {
  /** The project's folder; made when missing. */
  readonly project: string
  /** A reader asks beside the writer; nothing that it is asked to do may write. */
  readonly access: 'write' | 'read'
  /** ':memory:' leaves the project alone; null: lab.sqlite in the project. */
  readonly database?: string | null
  /** Told to a second writer. */
  readonly program: string
  readonly presetFolder: string
  readonly runner: Runner
  /** A runner of its own for work on files, so that an import need not wait for a training. */
  readonly dataRunner: Runner
  readonly diagnose: (examination: { readonly folder: string; readonly others: readonly DoctorCheck[] }) => Promise<DoctorReport>
  readonly now: () => number
  readonly newId: Parts['newId']
  readonly announce: (announcement: Announcement) => void
}

export type Lab = ReturnType<typeof composeLab>

export function composeLab(given: LabParts) {
  const project = resolve(given.project)
  const file = given.database ?? join(project, DATABASE_NAME)
  if (given.access === 'write' && file !== ':memory:') mkdirSync(project, { recursive: true })
  const store = createStore(given.access === 'write' ? openForWriting(file, given.program) : openForReading(file))
  const queue = createWorkQueue()
  const parts: Parts = { ...given, project, database: file, store, queue }

  const tasks = createDataTaskService(parts)
  const curation = createCurationService(parts)
  const datasets = createDatasetService(parts, tasks, curation)
  const checks = createDataCheckService(parts, tasks)
  const dataExports = createDataExportService(parts, tasks)
  const presets = createPresetService(parts)
  const runs = createRunService(parts, datasets)
  const sightTest = createSightTestService(parts, datasets)
  const studies = createStudyService(parts, { datasets, presets, runs, sightTest })
  const results = createResultService(parts)
  const reports = createReportService(parts, { runs, studies, results, presets })
  const encoders = createEncoderService(parts)
  const comparisons = createComparisonService(parts, encoders)
  const evaluations = createEvaluationService(parts, datasets, runs, encoders)
  const benchmarks = createBenchmarkService(parts, { datasets, runs, encoders, tasks })
  const recipes = createRecipeService(parts, studies)
  const models = createModelService(parts, runs)
  const exports = createExportService(parts, { runs, results })
  const parity = createParityService(parts, tasks)
  const zeroShot = createZeroShotService(parts, tasks)
  const labelling = createLabellingService(parts)
  const labelQueues = createLabelQueueService(parts, { datasets, runs, labelling })
  const labelExport = createLabelExportService(parts, labelling, datasets)
  const pairHealth = createPairHealthService(parts, datasets, runs)
  const patchMaps = createPatchMapService(parts, { curation, datasets, encoders, runs })
  const experiments = createExperimentService(parts, { tasks, datasets, runs, encoders, patchMaps })
  if (given.access === 'write') {
    curation.recover()
    tasks.recover()
    void datasets.recover()
    runs.recover()
    studies.recover()
    labelQueues.recover()
    pairHealth.recover()
    models.recover()
  }

  return {
    project,
    database: file,
    datasets,
    tasks,
    curation,
    checks,
    dataExports,
    presets,
    runs,
    runBrowser: createRunBrowserService(parts, runs),
    sightTest,
    studies,
    results,
    reports,
    evaluations,
    benchmarks,
    encoders,
    comparisons,
    exports,
    recipes,
    labelling,
    labelQueues,
    labelExport,
    pairHealth,
    parity,
    experiments,
    patchMaps,
    runLogs: createRunLogService(parts),
    runImports: createRunImportService(parts),
    models,
    zeroShot,
    artifacts: store.artifacts,
    findImage: store.datasets.findImage,
    /** Absolute path of an image; of its small copy where one is asked for and was made. null: no image of the project. */
    imageFile(sha256: string, size: 'full' | 'thumbnail' = 'full'): string | null {
      if (size === 'thumbnail' && checks.hasThumbnail(sha256)) return join(project, thumbnailPath(sha256))
      return models.pictureFile(sha256)
    },
    settings: store.settings,
    doctor: (): Promise<DoctorReport> =>
      given.diagnose({ folder: project, others: [checkSqlite(existsSync(project) ? project : undefined), checkIntegrity(join(project, DATABASE_NAME), project)] }),
    /** Pauses what is under way, waits for it to stop, and closes the database. */
    async close(): Promise<void> {
      runs.stopAll('pause')
      studies.stopAll('pause')
      labelQueues.stopAll()
      pairHealth.stopAll()
      models.stopAll()
      tasks.stopAll('pause')
      await queue.idle()
      await tasks.idle()
      await curation.idle()
      store.close()
    },
  }
}
