// An image-use audit as a person asks for it and as the window sees it.

import { z } from 'zod'
import { failureSchema, partProgressSchema } from '../run-view.ts'
import { SPLITS } from '../sample.ts'
import { auditedPairSchema, imageUseSchema } from './image-use.ts'

export const auditRequestSchema = z.strictObject({
  dataset: z.string().min(1).meta({ label: 'Dataset', help: 'preference pairs' }),
  split: z.enum(SPLITS).default('train').meta({ label: 'Split' }),
  limit: z.int().min(2).max(200_000).default(500).meta({ label: 'Most pairs', help: 'drawn by the seed' }),
  runId: z.string().meta({ label: 'Model', help: 'the run whose newest checkpoint is asked' }),
  referenceRunId: z.string().nullable().default(null).meta({
    label: 'Reference',
    help: 'the run that it was trained from; without one the margin is that of the model alone',
  }),
  beta: z.number().min(0.001).max(10).default(0.1).meta({ label: 'β' }),
  seed: z.int().min(0).default(0).meta({ label: 'Seed' }),
})
export type AuditRequest = z.output<typeof auditRequestSchema>

export const auditRowSchema = z.strictObject({
  id: z.string(),
  status: z.enum(['running', 'finished', 'failed']),
  request: auditRequestSchema,
  /** Names, as they were then. */
  model: z.string(),
  reference: z.string().nullable(),
  progress: partProgressSchema.nullable(),
  /** Of the part under way; null while unknown. */
  leftMs: z.number().nullable(),
  failure: failureSchema.nullable(),
  createdAtMs: z.number(),
})
export type AuditRow = z.output<typeof auditRowSchema>

export const auditedPairRowSchema = auditedPairSchema.extend({
  imageSha256: z.string().nullable(),
  prompt: z.string(),
  chosen: z.string(),
  rejected: z.string(),
  languageOnly: z.boolean(),
})
export type AuditedPairRow = z.output<typeof auditedPairRowSchema>

export const auditViewSchema = z.strictObject({ row: auditRowSchema, use: imageUseSchema, pairs: z.array(auditedPairRowSchema) })
export type AuditView = z.output<typeof auditViewSchema>
