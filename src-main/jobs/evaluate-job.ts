// Measures one checkpoint: each evaluator in turn, the weights loaded once. Every number is decided by the job's settings,
// the data and the weights; which samples are drawn does not depend on the checkpoint.

import type { Evaluator } from '../domain/evaluation.ts'
import type { AbortSignalLike, EvaluateJob, JobEvent } from '../domain/job.ts'
import { measureAlignment } from './evaluate/alignment.ts'
import { createBench, type Measurement } from './evaluate/bench.ts'
import { measureLocalisation } from './evaluate/localisation.ts'
import { openMeasuredModel, type MeasuredModel } from './evaluate/measured-model.ts'
import { measurePreferences } from './evaluate/preferences.ts'
import { measureProbe } from './evaluate/probe.ts'
import { measureQuestions } from './evaluate/questions.ts'
import { measureSegmentation } from './evaluate/segmentation.ts'

const MEASUREMENTS: Readonly<Record<Evaluator, Measurement>> = {
  questions: measureQuestions,
  preferences: measurePreferences,
  probe: measureProbe,
  segmentation: measureSegmentation,
  localisation: measureLocalisation,
  alignment: measureAlignment,
}

/** Evaluators that look at the baseline too. */
const COMPARED: readonly Evaluator[] = ['localisation', 'alignment']

/**
 * @throws LabError 'cancelled' between batches; 'invalid-input' when an evaluator lacks its data; 'not-found',
 *   'corrupt-artifact' for a checkpoint or snapshot that cannot be read
 */
export async function* runEvaluateJob(job: EvaluateJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const measured = await openMeasuredModel(job.project, job.checkpoint)
  let baseline: MeasuredModel | null = null
  try {
    if (job.baseline !== null && job.evaluators.some((evaluator) => COMPARED.includes(evaluator))) {
      baseline = await openMeasuredModel(job.project, job.baseline)
      if (baseline.identity === measured.identity) {
        baseline.dispose()
        baseline = measured
      }
    }
    const bench = createBench(job, measured, baseline, signal)
    for (const evaluator of job.evaluators) {
      bench.assertWanted()
      yield* MEASUREMENTS[evaluator](bench)
    }
    for (const message of measured.warnings) yield { kind: 'log', level: 'warning', message }
  } finally {
    if (baseline !== measured) baseline?.dispose()
    measured.dispose()
  }
}
