// A job process without an engine: what a job does is said by the vocabulary size of a tokenizer job.

import { setTimeout as sleep } from 'node:timers/promises'
import { LabError } from '../../src-main/domain/errors.ts'
import type { AbortSignalLike, Job, JobEvent } from '../../src-main/domain/job.ts'
import { serveJobs } from '../../src-main/jobs/job-server.ts'

export const BEHAVIOUR = { counts: 300, fails: 301, dies: 302, spins: 303, waits: 304, exits: 305 }

async function* runJob(job: Job, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  if (job.kind !== 'tokenizer') throw new LabError('internal', 'the fake process knows tokenizer jobs only')
  yield {
    kind: 'device',
    engine: 'none',
    device: `process ${process.pid}`,
    versions: { backendOpens: String(process.env['TF_CPP_MIN_LOG_LEVEL']) },
  }
  switch (job.vocabSize) {
    case BEHAVIOUR.counts:
      for (let done = 1; done <= 5; done++) yield { kind: 'progress', done, of: 5 }
      return
    case BEHAVIOUR.fails:
      throw new LabError('loss-not-finite', 'the loss of step 3 is NaN', { step: 3 })
    case BEHAVIOUR.dies:
      process.stderr.write('something dreadful\n')
      await sleep(50)
      process.kill(process.pid, 'SIGKILL')
      await sleep(10_000)
      return
    case BEHAVIOUR.exits:
      process.stderr.write('terminate called after throwing an instance of std::bad_alloc\n')
      await sleep(50)
      process.exit(134)
      break
    case BEHAVIOUR.spins:
      while (true);
    case BEHAVIOUR.waits:
      for (let done = 0; ; done++) {
        if (signal.aborted) throw new LabError('cancelled', `cancelled after ${done}`)
        yield { kind: 'progress', done, of: 1_000_000 }
      }
  }
}

const backend = { kind: 'cpu', engine: 'none', device: 'none', gpu: false, threads: 1, why: null } as const
serveJobs({
  runJob,
  openBackend: async () => backend,
  versions: () => ({}),
  diagnose: async () => ({ healthy: true, checks: [] }),
})
