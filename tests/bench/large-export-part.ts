// One export of large-export.ts in a process of its own. It says what it took as a JSON line, last on standard output.

import type { ExportJob } from '../../src-main/domain/job.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { runExportJob } from '../../src-main/jobs/export-job.ts'
import type { LargeExportResult } from './large-export.ts'

const job = JSON.parse(process.argv[2]!) as ExportJob
await openBackend('native')
const beganMs = performance.now()
let verification = ''
for await (const event of runExportJob(job, { aborted: false })) if (event.kind === 'log') verification = event.message
const result: LargeExportResult = { seconds: (performance.now() - beganMs) / 1000, peakMb: process.resourceUsage().maxRSS / 1024, verification }
process.stdout.write(`\n${JSON.stringify(result)}\n`, () => process.exit(0))
