// Longer looks at several encoders: each is a task that can be paused, cancelled and taken up again, and what it found is kept
// with it. An encoder is named as in the list of encoders (an arm of a study stands for all its seeds) or by a run; on the command
// line by a model folder too.

import { z } from 'zod'
import { mapScoreSettingsSchema } from './patch-maps.ts'

/** Two to eight encoders beside each other, or one alone. */
const encoders = (least: number) =>
  z
    .array(z.string())
    .min(least)
    .max(8)
    .refine((all) => new Set(all).size === all.length, 'expected every encoder once')

const scoreSchema = z.strictObject({
  metric: z.string(),
  value: z.number(),
  n: z.int(),
  /** Limits at 95 %; null where there is too little to compute them. */
  low: z.number().nullable(),
  high: z.number().nullable(),
})

export const mapScoresRequestSchema = z.strictObject({
  kind: z.literal('map-scores'),
  encoders: encoders(1),
  /** Preferences or questions with regions, or objects with masks or boxes. */
  dataset: z.string(),
  settings: mapScoreSettingsSchema.prefault({}),
})
const mapScoresResultSchema = z.strictObject({
  kind: z.literal('map-scores'),
  encoders: z.array(z.strictObject({ encoder: z.string(), seed: z.int().nullable(), evaluationId: z.string(), scores: z.array(scoreSchema) })),
})

export const experimentRequestSchema = z.discriminatedUnion('kind', [mapScoresRequestSchema])
export type ExperimentRequest = z.output<typeof experimentRequestSchema>
export type ExperimentKind = ExperimentRequest['kind']
export type ExperimentOf<K extends ExperimentKind> = Extract<ExperimentRequest, { kind: K }>

export const experimentResultSchema = z.discriminatedUnion('kind', [mapScoresResultSchema])
export type ExperimentResult = z.output<typeof experimentResultSchema>
export type ExperimentResultOf<K extends ExperimentKind> = Extract<ExperimentResult, { kind: K }>
