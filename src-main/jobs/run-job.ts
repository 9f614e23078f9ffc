// One job to its events, in the process where it is called. The only list of what a job can be.

import type { AbortSignalLike, Job, JobEvent } from '../domain/job.ts'
import { runAskJob } from './ask-job.ts'
import { runBenchmarkJob } from './benchmark-job.ts'
import { runCheckExportJob } from './check-export-job.ts'
import { runEvaluateJob } from './evaluate-job.ts'
import { runEncoderFactsJob } from './encoder-facts-job.ts'
import { runExportJob } from './export-job.ts'
import { runExportRecipeJob } from './export-recipe-job.ts'
import { runImportRunJob } from './import-run-job.ts'
import { runInspectJob } from './inspect-job.ts'
import { runAnswersJob } from './labelling/answers-job.ts'
import { runPairScoresJob } from './labelling/pair-scores-job.ts'
import { runParityJob } from './parity-job.ts'
import { runRepresentationJob } from './representation-job.ts'
import { runMicroscopeJob } from './maps/microscope-job.ts'
import { runMapScoresJob } from './maps/map-scores-job.ts'
import { createEncoderShelf } from './maps/encoder-shelf.ts'
import { runMapsJob } from './maps/maps-job.ts'
import { runImageFeaturesJob } from './image-features-job.ts'
import { runDataJob } from './run-data-job.ts'
import { runPlanJob } from './plan-job.ts'
import { runProbeJob } from './probe/probe-job.ts'
import { runSightTestJob } from './sight-test-job.ts'
import { runTokenizerJob } from './tokenizer-job.ts'
import { runTrainJob } from './train-job.ts'
import { runZeroShotJob } from './zero-shot-job.ts'

/** Bytes of encoders that wait for the next picture. */
const HELD_BYTES = 1 << 28
const encoders = createEncoderShelf(HELD_BYTES)

/** @throws LabError 'cancelled' once `signal` is aborted, or the job's own fault */
export function runJob(job: Job, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  if (job.kind !== 'maps') encoders.clear()
  switch (job.kind) {
    case 'train':
      return runTrainJob(job, signal)
    case 'plan':
      return runPlanJob(job)
    case 'evaluate':
      return runEvaluateJob(job, signal)
    case 'benchmark':
      return runBenchmarkJob(job, signal)
    case 'export':
      return runExportJob(job, signal)
    case 'check-export':
      return runCheckExportJob(job)
    case 'export-recipe':
      return runExportRecipeJob(job, signal)
    case 'import-run':
      return runImportRunJob(job, signal)
    case 'tokenizer':
      return runTokenizerJob(job, signal)
    case 'inspect':
      return runInspectJob(job)
    case 'probe':
      return runProbeJob(job, signal)
    case 'encoder-facts':
      return runEncoderFactsJob(job)
    case 'ask':
      return runAskJob(job, signal)
    case 'zero-shot':
      return runZeroShotJob(job, signal)
    case 'parity':
      return runParityJob(job, signal)
    case 'sight-test':
      return runSightTestJob(job, signal)
    case 'answers':
      return runAnswersJob(job, signal)
    case 'pair-scores':
      return runPairScoresJob(job, signal)
    case 'image-features':
      return runImageFeaturesJob(job, signal)
    case 'map-scores':
      return runMapScoresJob(job, signal)
    case 'representation':
      return runRepresentationJob(job, signal)
    case 'microscope':
      return runMicroscopeJob(job, signal)
    case 'maps':
      return runMapsJob(job, signal, encoders)
    default:
      return runDataJob(job, signal)
  }
}
