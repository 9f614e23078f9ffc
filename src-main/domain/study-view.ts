// A study as the window, the command line and the report see it: its row, its phases with counted work and time left,
// and the parity table that shows what the two arms share.

import { z } from 'zod'
import { artifactRowSchema, failureSchema, runRowSchema } from './run-view.ts'
import { RUN_STATUSES } from './run.ts'
import { encoderNamesSchema, ENCODERS, STAGES, studyConfigSchema } from './study.ts'

export const studyRowSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  /** Name of the preset it was started from; null: its own configuration. */
  preset: z.string().nullable(),
  status: z.enum(RUN_STATUSES),
  engine: z.string().nullable(),
  device: z.string().nullable(),
  seeds: z.array(z.int()),
  phasesDone: z.int(),
  phases: z.int(),
  /** Done share of all work, 0 to 1: phases weighted by their expected time. */
  share: z.number(),
  createdAtMs: z.number(),
  startedAtMs: z.number().nullable(),
  finishedAtMs: z.number().nullable(),
  workedMs: z.number(),
  leftMs: z.number().nullable(),
  failure: failureSchema.nullable(),
})
export type StudyRow = z.output<typeof studyRowSchema>

export const PHASE_KINDS = ['sight-test', 'tokenizer', 'train', 'evaluate', 'export'] as const
export type PhaseKind = (typeof PHASE_KINDS)[number]

export const phaseRowSchema = z.strictObject({
  /** Unique in the study and stable over restarts: "seed-0/sft". */
  id: z.string(),
  ordinal: z.int(),
  kind: z.enum(PHASE_KINDS),
  title: z.string(),
  seed: z.int().nullable(),
  /** Training stage; null for other kinds. */
  stage: z.enum(STAGES).nullable(),
  encoder: z.enum(ENCODERS).nullable(),
  status: z.enum(RUN_STATUSES),
  runId: z.string().nullable(),
  part: z.string().nullable(),
  done: z.number(),
  of: z.number(),
  startedAtMs: z.number().nullable(),
  finishedAtMs: z.number().nullable(),
  workedMs: z.number(),
  leftMs: z.number().nullable(),
  failure: failureSchema.nullable(),
})
export type PhaseRow = z.output<typeof phaseRowSchema>

export const parityRowSchema = z.strictObject({
  setting: z.string(),
  sft: z.string(),
  dpo: z.string(),
  verdict: z.enum(['equal', 'differs as it may', 'must be equal']),
})

export const studyViewSchema = z.strictObject({
  row: studyRowSchema,
  config: studyConfigSchema,
  encoderNames: encoderNamesSchema,
  parity: z.array(parityRowSchema),
  phases: z.array(phaseRowSchema),
  /** The runs behind the training phases; `phaseId` says which. */
  runs: z.array(runRowSchema),
  versions: z.record(z.string(), z.string()),
  /** Snapshot of each data role, so that a result names its data. */
  snapshots: z.record(z.string(), z.string()),
  artifacts: z.array(artifactRowSchema),
})
export type StudyView = z.output<typeof studyViewSchema>
