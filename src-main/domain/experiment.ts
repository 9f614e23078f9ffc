// Longer looks at several encoders: each is a task that can be paused, cancelled and taken up again, and what it found is kept
// with it. An encoder is named as in the list of encoders (an arm of a study stands for all its seeds) or by a run; on the command
// line by a model folder too.

import { z } from 'zod'
import { microscopeSchema } from './gradient-microscope.ts'
import { evaluationSchema } from './evaluation.ts'
import { mapItemRequestSchema, mapScoreSettingsSchema } from './patch-maps.ts'
import { representationSchema, representationSettingsSchema } from './representation.ts'
import { probeSettingsSchema } from './probe.ts'
import { trainingSchema } from './run-config.ts'
import { SPLITS } from './sample.ts'
import { sizeCurveSchema, sweepCurveSchema, sweepPointSchema, sweepSettingsSchema } from './sweep.ts'

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

export const probeRequestSchema = z.strictObject({
  kind: z.literal('probe'),
  encoders: encoders(1),
  /** Pictures with a class each, or with annotated objects. */
  dataset: z.string(),
  settings: probeSettingsSchema.prefault({}),
})
const probeResultSchema = mapScoresResultSchema.extend({ kind: z.literal('probe') })

const seeds = z
  .array(z.int().min(0))
  .min(1)
  .max(32)
  .refine((all) => new Set(all).size === all.length, 'expected every seed once: a repeated one is no further evidence')
  .meta({ label: 'Seeds', help: 'each trains every candidate once more; three or more for an interval over trainings' })

/**
 * PIVOT's central check (arXiv 2510.16333, section 6): every candidate's encoder under the same fresh projector and language
 * model, trained on the same data with the same seeds, then asked the same questions.
 */
export const transplantRequestSchema = z.strictObject({
  kind: z.literal('transplant'),
  name: z.string().min(1).max(120).default('Transplant').meta({ label: 'Name' }),
  encoders: encoders(2),
  /** Conversations with pictures that every candidate is trained on. */
  dataset: z.string().min(1).meta({ label: 'Training data' }),
  questions: z.string().min(1).meta({ label: 'Questions', help: 'what every candidate is asked in the end' }),
  seeds: seeds.default([0]),
  frozen: z.boolean().default(true).meta({ label: 'Encoder frozen', help: 'on: what is measured is the encoder as it is; off: how well it can be trained on' }),
  projectorLayers: z.union([z.literal(0), z.literal(1), z.literal(2)]).default(0).meta({ label: 'Projector layers kept' }),
  /** A run, an encoder or a folder; null: random weights, with the sizes and tokenizer that all candidates must then share. */
  languageModel: z.string().nullable().default(null).meta({ label: 'Language model' }),
  training: trainingSchema.prefault({}),
  evaluation: evaluationSchema.prefault({}),
})
const transplantResultSchema = z.strictObject({
  kind: z.literal('transplant'),
  /** One a candidate and seed, in the order of the request. */
  candidates: z.array(z.strictObject({ encoder: z.string(), seed: z.int(), runId: z.string(), evaluationId: z.string(), scores: z.array(scoreSchema) })),
})

/** How two encoders represent the same pictures. Of arms of a study the checkpoints of one seed are compared. */
export const representationRequestSchema = z.strictObject({
  kind: z.literal('representation'),
  encoders: encoders(2).refine((all) => all.length === 2, 'expected two encoders: before and after'),
  /** Of an arm: which seed; null: its first. */
  ofSeed: z.int().nullable().default(null),
  /** Any dataset with pictures; conversations have captions too, and only those are compared with language. */
  dataset: z.string().min(1),
  split: z.enum(SPLITS).default('test'),
  /** A run, an encoder or a folder whose language model reads the captions; null: language is left out. */
  languageModel: z.string().nullable().default(null),
  settings: representationSettingsSchema.prefault({}),
})
const representationResultSchema = z.strictObject({ kind: z.literal('representation'), encoders: z.tuple([z.string(), z.string()]), representation: representationSchema })

/** What SFT and DPO would each do to an encoder on one pair; of an arm, at the checkpoint of every seed. */
export const microscopeRequestSchema = z.strictObject({
  kind: z.literal('microscope'),
  encoders: encoders(1),
  item: mapItemRequestSchema,
  /** What DPO measures its margin from; null: each checkpoint itself, so that the margin is 0. */
  reference: z.string().nullable().default(null),
  beta: z.number().positive().default(0.1).meta({ label: 'β' }),
})
const microscopeResultSchema = z.strictObject({ kind: z.literal('microscope'), microscope: microscopeSchema })

/** Trainings over a grid; `encoders` are the models that they begin from, beside those that `settings.fresh` makes for it. */
export const sweepRequestSchema = z.strictObject({
  kind: z.literal('sweep'),
  name: z.string().min(1).max(120).default('Sweep').meta({ label: 'Name' }),
  encoders: encoders(0),
  dataset: z.string().min(1).meta({ label: 'Training data' }),
  /** What the score is measured on. */
  measuredOn: z.strictObject({
    questions: z.string().nullable().default(null),
    preferences: z.string().nullable().default(null),
    objects: z.string().nullable().default(null),
    captions: z.string().nullable().default(null),
  }),
  settings: sweepSettingsSchema,
})
const sweepResultSchema = z.strictObject({
  kind: z.literal('sweep'),
  metric: z.string(),
  points: z.array(sweepPointSchema),
  /** Score against data size, with bands over seeds. */
  curves: z.array(sweepCurveSchema),
  /** Score against the size of encoder or language model, where several were swept. */
  sizeCurves: z.array(sizeCurveSchema).default([]),
  /** What was stopped, and why; what must be borne in mind. */
  notes: z.array(z.string()),
})

export const experimentRequestSchema = z.discriminatedUnion('kind', [mapScoresRequestSchema, probeRequestSchema, transplantRequestSchema, representationRequestSchema, microscopeRequestSchema, sweepRequestSchema])
export type ExperimentRequest = z.output<typeof experimentRequestSchema>
export type ExperimentKind = ExperimentRequest['kind']
export type ExperimentOf<K extends ExperimentKind> = Extract<ExperimentRequest, { kind: K }>

export const experimentResultSchema = z.discriminatedUnion('kind', [mapScoresResultSchema, probeResultSchema, transplantResultSchema, representationResultSchema, microscopeResultSchema, sweepResultSchema])
export type ExperimentResult = z.output<typeof experimentResultSchema>
export type ExperimentResultOf<K extends ExperimentKind> = Extract<ExperimentResult, { kind: K }>
