// The dry run of a training: everything that can be said before it starts, and nothing that trains.

import type { JobEvent, PlanJob } from '../domain/job.ts'
import { memoryBudget, memoryOf, proposeSettings, residentBytes } from './memory-oracle.ts'
import { prepareTraining } from './prepared-training.ts'
import { executionFor } from './train-job.ts'
import { moduleLedgers, oracleOf } from './training-ledger.ts'

/** @throws LabError as the training would before its first step */
export async function* runPlanJob({ project, config, execution, budget }: PlanJob): AsyncGenerator<JobEvent> {
  const base = residentBytes()
  const prepared = await prepareTraining(project, config)
  const { ledger, data, samples, buckets } = prepared
  const oracle = oracleOf(prepared, base, executionFor({ execution, config }, config.training.steps))
  const { memory, unpredicted } = memoryOf(oracle, config.training)
  const limit = budget ?? memoryBudget()
  yield {
    kind: 'plan',
    plan: {
      modules: moduleLedgers(ledger, config.training),
      tensors: ledger.map(({ shape, ...tensor }) => ({ ...tensor, shape: [...shape] })),
      samples,
      tooLong: data.tooLong.length,
      buckets: buckets.buckets.map((bucket, i) => ({ ...bucket, samples: buckets.counts[i]! })),
      paddingShare: buckets.paddingShare,
      execution: oracle.execution,
      memory,
      unpredicted,
      budget: limit,
      proposal: memory === null || memory.peak <= limit ? null : proposeSettings(oracle, config.training, limit),
    },
  }
}
