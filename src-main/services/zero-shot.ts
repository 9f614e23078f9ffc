// Zero-shot classification of a folder of images: what a dual encoder says of each, and how often it is right.

import type { AbortSignalLike, ItemResult, JobEvent, ZeroShotJob } from '../domain/job.ts'
import type { Parts } from './parts.ts'

export interface ZeroShotAnswers {
  readonly items: readonly ItemResult[]
  /** Empty where no image has a class of its own. */
  readonly results: readonly { readonly metric: string; readonly value: number; readonly n: number }[]
}

export function createZeroShotService({ runner }: Pick<Parts, 'runner'>) {
  return {
    async classify(job: ZeroShotJob, signal: AbortSignalLike, observe: (event: JobEvent) => void = () => {}): Promise<ZeroShotAnswers> {
      const items: ItemResult[] = []
      const results: ZeroShotAnswers['results'][number][] = []
      for await (const event of runner(job, signal)) {
        observe(event)
        if (event.kind === 'items') items.push(...event.items)
        if (event.kind === 'result') results.push({ metric: event.metric, value: event.value, n: event.n })
      }
      return { items, results }
    },
  }
}
