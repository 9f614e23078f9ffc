// What the process for data executes: reads files and looks at pictures, and never opens an engine, so it starts fast.

import { LabError } from '../domain/errors.ts'
import { DATA_JOB_KINDS, type DataJob } from '../domain/data-job.ts'
import { serveJobs } from './job-server.ts'
import { runDataJob } from './run-data-job.ts'

const noEngine = () => Promise.reject(new LabError('internal', 'the process for data has no engine'))

serveJobs({
  runJob(job, signal) {
    if (!DATA_JOB_KINDS.includes(job.kind)) throw new LabError('internal', `the process for data cannot run a job of kind ${job.kind}`)
    return runDataJob(job as DataJob, signal)
  },
  openBackend: noEngine,
  versions: () => ({}),
  diagnose: noEngine,
})
