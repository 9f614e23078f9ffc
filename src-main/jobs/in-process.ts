// A Runner for tests: the job in this very process, on the engine that the test has opened.

import type { Runner } from '../domain/job.ts'
import { runJob } from './run-job.ts'

export const runInProcess: Runner = (job, signal) => runJob(job, signal)
