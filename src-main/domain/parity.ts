// What agreement with a reference looks like: one report a case, one line a kind of tensor in it.

import { z } from 'zod'

export const parityGroupSchema = z.strictObject({
  /** What was compared: "hidden states", "gradients", "tokens". */
  name: z.string(),
  /** How many tensors or values. */
  compared: z.int(),
  /** Largest difference over the scale that the case's tolerance names; null where shapes differ or a number is none. */
  worst: z.number().nullable(),
  limit: z.number(),
  /** Where the largest difference is. */
  at: z.string(),
})
export type ParityGroup = z.output<typeof parityGroupSchema>

export const parityReportSchema = z.strictObject({
  /** The case's folder, relative to the one asked about. */
  name: z.string(),
  /** What kind of case it is; null: unknown. */
  kind: z.string().nullable(),
  passed: z.boolean(),
  groups: z.array(parityGroupSchema).readonly(),
  /** Why the case could not be compared; null: it was. */
  fault: z.string().nullable(),
})
export type ParityReport = z.output<typeof parityReportSchema>

export const parityRequestSchema = z.strictObject({
  kind: z.literal('parity'),
  /** Absolute: a case, or a folder of cases. */
  folder: z.string(),
})

export const parityResultSchema = z.strictObject({
  kind: z.literal('parity'),
  agreed: z.int(),
  cases: z.int(),
  /** What computed: engine and device. */
  engine: z.string(),
})

/** How much of what its case allows a group has used up: at most 1 within the limit; Infinity where nothing could be compared. */
export function shareOfLimit({ worst, limit }: Pick<ParityGroup, 'worst' | 'limit'>): number {
  if (worst === null) return Infinity
  return worst === 0 ? 0 : worst / limit
}
