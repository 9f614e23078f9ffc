// What the forked process executes.

import { openBackend } from './backend/backend.ts'
import { diagnose } from './doctor.ts'
import { serveJobs } from './job-server.ts'
import { runJob } from './run-job.ts'
import { engineVersions } from './train-job.ts'

serveJobs({ runJob, openBackend, versions: engineVersions, diagnose })
