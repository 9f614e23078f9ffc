// What a study found, in numbers: per metric and encoder a mean over seeds with its interval, and the paired difference
// of the arms, second − SFT, with interval and p value. `null` where a number cannot be had (one seed has no spread between seeds).

import { z } from 'zod'
import { regionSchema } from './sample.ts'
import { encoderNamesSchema, ENCODERS } from './study.ts'

export const encoderResultSchema = z.strictObject({
  encoder: z.enum(ENCODERS),
  mean: z.number(),
  /** Limits of the interval of the mean; null where there is too little to compute one. */
  low: z.number().nullable(),
  high: z.number().nullable(),
  perSeed: z.array(z.strictObject({ seed: z.int(), value: z.number(), n: z.int() })),
  /** Items behind the number, summed over seeds. */
  n: z.int(),
})
export type EncoderResult = z.output<typeof encoderResultSchema>

export const differenceSchema = z.strictObject({
  /** The second arm minus SFT. */
  mean: z.number(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  pValue: z.number().nullable(),
  /** After Holm's correction over all metrics of the study. */
  holmPValue: z.number().nullable(),
  /** What was paired: "400 items × 3 seeds, clustered by image". */
  basis: z.string(),
  /** The test and the interval, by name. */
  method: z.string(),
  winner: z.enum(['sft', 'dpo', 'neither']),
  verdict: z.string(),
})
export type Difference = z.output<typeof differenceSchema>

export const metricResultSchema = z.strictObject({
  metric: z.string(),
  label: z.string(),
  meaning: z.string(),
  unit: z.enum(['nats', 'share', 'number', 'ratio']),
  better: z.enum(['higher', 'lower', 'neither']),
  encoders: z.array(encoderResultSchema),
  difference: differenceSchema.nullable(),
})
export type MetricResult = z.output<typeof metricResultSchema>

export const studyResultsSchema = z.strictObject({
  studyId: z.string(),
  name: z.string(),
  seeds: z.array(z.int()),
  /** How its encoders are called. */
  encoderNames: encoderNamesSchema,
  confidence: z.number(),
  /** One paragraph a line: what may be said, and what may not. */
  verdict: z.array(z.string()),
  metrics: z.array(metricResultSchema),
})
export type StudyResults = z.output<typeof studyResultsSchema>

/** A map over the patches, row by row; larger is more. */
export const patchMapSchema = z.strictObject({ rows: z.int().min(1), columns: z.int().min(1), values: z.array(z.number()) })
export type PatchMap = z.output<typeof patchMapSchema>

/**
 * What an evaluator keeps of an item for a person to look at (`ItemResult.detail`). `image` is the SHA-256 under which
 * the store knows it.
 */
export const itemDetailSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('question'),
    image: z.string().nullable(),
    question: z.string(),
    expected: z.string(),
    given: z.string(),
    region: regionSchema,
  }),
  z.strictObject({
    kind: z.literal('preference'),
    image: z.string().nullable(),
    prompt: z.string(),
    chosen: z.string(),
    rejected: z.string(),
    logProbs: z.strictObject({ chosen: z.number(), rejected: z.number() }),
  }),
  z.strictObject({
    kind: z.literal('maps'),
    image: z.string(),
    prompt: z.string(),
    chosen: z.string(),
    rejected: z.string(),
    region: regionSchema,
    maps: z.strictObject({ sft: patchMapSchema, chosen: patchMapSchema, rejected: patchMapSchema, dpo: patchMapSchema }),
  }),
  z.strictObject({
    kind: z.literal('benchmark'),
    /** The answers that one value was made of: one, or those of a unit. */
    answers: z.array(
      z.strictObject({
        image: z.string().nullable(),
        prompt: z.string(),
        expected: z.array(z.string()),
        /** As it came. */
        given: z.string(),
        /** What was judged; null: nothing could be made of it. */
        parsed: z.string().nullable(),
        value: z.number(),
      }),
    ),
  }),
  z.strictObject({ kind: z.literal('class'), image: z.string().nullable(), expected: z.string(), given: z.string() }),
])
export type ItemDetail = z.output<typeof itemDetailSchema>

/** One item seen by every encoder, side by side. */
export const exampleSchema = z.strictObject({
  itemId: z.string(),
  metric: z.string(),
  group: z.string().nullable(),
  image: z.strictObject({ sha256: z.string(), width: z.int(), height: z.int() }).nullable(),
  encoders: z.array(z.strictObject({ encoder: z.enum(ENCODERS), value: z.number(), detail: itemDetailSchema.nullable() })),
})
export type Example = z.output<typeof exampleSchema>
