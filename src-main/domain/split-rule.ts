// How a dataset is divided into splits: every group draws its split from a hash of its own key and a seed, so a sample's
// split never depends on what else is there, and adding data moves nothing that was divided before.

import { z } from 'zod'
import { createRandom } from './random.ts'
import { SPLITS, type Split } from './sample.ts'

export const splitRuleSchema = z
  .strictObject({
    seed: z.int().min(0).default(0).meta({ label: 'Seed', help: 'Another seed gives another division of the same size.' }),
    /** Shares of groups; they need not sum to 1. */
    shares: z
      .strictObject({ train: z.number().min(0), validation: z.number().min(0), test: z.number().min(0) })
      .prefault({ train: 0.8, validation: 0.1, test: 0.1 })
      .meta({ label: 'Shares', help: 'How much goes into each split, relative to the others.' }),
    /** What must not be torn apart: samples about one image, or from one source. */
    groupBy: z.enum(['image', 'source', 'sample']).default('image').meta({
      label: 'Keep together',
      help: 'Samples about one image (or from one source) always land in the same split; else test images were seen in training.',
    }),
    /** Each category draws on its own, so that every one is divided by the shares; a group goes with its first category. */
    stratify: z.boolean().default(false).meta({
      label: 'By category',
      help: 'Draws within each category, so that a change of the mix of categories does not change who is where.',
    }),
  })
  .refine(({ shares }) => shares.train + shares.validation + shares.test > 0, {
    path: ['shares'],
    message: 'expected at least one share above 0',
  })
export type SplitRule = z.output<typeof splitRuleSchema>

/** The split of the group with this key: a function of key, stratum and rule alone. */
export function splitOfGroup({ seed, shares }: SplitRule, key: string, stratum: string | null = null): Split {
  const total = shares.train + shares.validation + shares.test
  const random = createRandom(seed, 'split', stratum ?? '', key)
  // Keys that differ in one letter have seeds that lie close together: the first numbers of their streams do too.
  for (let skipped = 0; skipped < 8; skipped++) random.uniform()
  let rest = random.uniform() * total
  for (const split of SPLITS) {
    rest -= shares[split]
    if (rest < 0) return split
  }
  // Rounding left nothing over: the last split that has a share.
  return SPLITS.findLast((split) => shares[split] > 0)!
}
