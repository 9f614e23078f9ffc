// One training of memory.ts in a process of its own. It says its peak, and what was predicted, as a JSON line, last on standard output.

import type { ExecutionMode } from '../../src-main/domain/device.ts'
import type { TrainJob } from '../../src-main/domain/job.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { predictMemory, residentBytes } from '../../src-main/jobs/memory-oracle.ts'
import { prepareTraining } from '../../src-main/jobs/prepared-training.ts'
import { runTrainJob } from '../../src-main/jobs/train-job.ts'
import { oracleOf } from '../../src-main/jobs/training-ledger.ts'
import type { MemoryResult } from './memory.ts'

const job = JSON.parse(process.argv[2]!) as TrainJob
await openBackend('native')
const base = residentBytes()
let peak = 0
let mode: ExecutionMode = 'eager'
for await (const event of runTrainJob(job, { aborted: false })) {
  if (event.kind === 'memory') peak = event.peak
  if (event.kind === 'execution') mode = event.mode
  if (event.kind === 'log' && event.level === 'warning') process.stderr.write(`${event.message}\n`)
}
const predicted = predictMemory(oracleOf(await prepareTraining(job.project, job.config), base, mode), job.config.training)
process.stdout.write(`\n${JSON.stringify({ peak, mode, predicted } satisfies MemoryResult)}\n`, () => process.exit(0))
