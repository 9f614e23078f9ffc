// A queue with all that was said of it, as one value: what merges the labels of two projects. Ids are global and judgements
// are never changed, so merging is adding what is not there.

import { z } from 'zod'
import { judgementSchema } from './judgement.ts'
import { guidelinesSchema, labelItemSchema, queueRowSchema, slotSchema } from './queue.ts'

export const labelBundleSchema = z.strictObject({
  formatVersion: z.literal(1),
  queue: queueRowSchema.omit({ labellers: true, slots: true, progress: true, leftMs: true, failure: true, status: true, guidelineVersion: true }),
  guidelines: z.array(guidelinesSchema),
  items: z.array(labelItemSchema),
  slots: z.array(slotSchema),
  judgements: z.array(judgementSchema),
})
export type LabelBundle = z.output<typeof labelBundleSchema>
