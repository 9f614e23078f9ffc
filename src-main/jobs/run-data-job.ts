// One piece of work on files and pictures to its events. The only list of what a data job can be.

import type { DataJob } from '../domain/data-job.ts'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent } from '../domain/job.ts'
import { runBackupJob, runRestoreJob } from './backup-job.ts'
import { runCompareSnapshotsJob } from './compare-snapshots-job.ts'
import { runExamineImagesJob } from './examine-images-job.ts'
import { runExportDataJob } from './export-data-job.ts'
import { runImportJob, runPreviewImportJob } from './import-job.ts'

/** @throws LabError 'cancelled' once `signal` is aborted, or the job's own fault */
export function runDataJob(job: DataJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  switch (job.kind) {
    case 'import':
      return runImportJob(job, signal)
    case 'preview-import':
      return runPreviewImportJob(job, signal)
    case 'examine-images':
      return runExamineImagesJob(job, signal)
    case 'export-data':
      return runExportDataJob(job, signal)
    case 'backup':
      return runBackupJob(job, signal)
    case 'restore':
      return runRestoreJob(job, signal)
    case 'compare-snapshots':
      return runCompareSnapshotsJob(job, signal)
    case 'read':
      throw new LabError('internal', 'jobs never open the database: the entry of the process for data reads it')
    case 'map-features':
      return laterWith(() => import('./feature-map-job.ts'), ({ runMapFeaturesJob }) => runMapFeaturesJob(job, signal))
    case 'feature-neighbours':
      return laterWith(() => import('./feature-map-job.ts'), ({ runFeatureNeighboursJob }) => runFeatureNeighboursJob(job, signal))
  }
}

/** Loads a module when its job comes: the maps' brings TensorFlow.js along, which an import need not wait for. */
async function* laterWith<M>(load: () => Promise<M>, run: (module: M) => AsyncGenerator<JobEvent>): AsyncGenerator<JobEvent> {
  yield* run(await load())
}
