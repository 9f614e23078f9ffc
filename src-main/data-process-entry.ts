// What the process for data executes: reads files, looks at pictures, and walks over the project's samples, in its database
// beside the writer. It never opens an engine, so it starts fast.

import { LabError } from './domain/errors.ts'
import { DATA_JOB_KINDS, type DataJob } from './domain/data-job.ts'
import { serveJobs } from './jobs/job-server.ts'
import { runDataJob } from './jobs/run-data-job.ts'
import { runReading, type ReadingTools } from './services/readings/run-reading.ts'

// Loaded when it is asked for: it brings the models' configurations along, which an import need not wait for.
const tools: ReadingTools = { openTokenCounter: async (folder) => (await import('./jobs/token-counter.ts')).openTokenCounter(folder) }
const noEngine = () => Promise.reject(new LabError('internal', 'the process for data has no engine'))

serveJobs({
  runJob(given, signal) {
    if (!DATA_JOB_KINDS.includes(given.kind)) throw new LabError('internal', `the process for data cannot run a job of kind ${given.kind}`)
    const job = given as DataJob
    return job.kind === 'read' ? runReading(job, signal, tools) : runDataJob(job, signal)
  },
  openBackend: noEngine,
  versions: () => ({}),
  diagnose: noEngine,
})
