// A study as a folder that runs on distributed tooling (TRL and Accelerate), and what comes back from there. Both sides of the
// way out and in are declared here: what recipe.json holds, and what the script leaves beside its checkpoint.

import { z } from 'zod'
import { decodingSchema } from './preprocess-spec.ts'
import { trainingSchema } from './run-config.ts'
import { ARMS } from './study.ts'

/** recipe.json: every number that the script uses. */
export const recipeSchema = z.strictObject({
  formatVersion: z.literal(1),
  study: z.strictObject({ id: z.string(), name: z.string() }),
  /** SHA-256 of the snapshot of preference pairs. */
  snapshot: z.string(),
  seeds: z.array(z.strictObject({ seed: z.int().min(0), /** SHA-256 of the base model's weights. */ model: z.string() })).min(1),
  arms: z.strictObject({ sft: trainingSchema, dpo: trainingSchema }),
  /** How picture files are read. */
  images: decodingSchema,
  /** Pairs in the file, and those left out because they are longer than maxLength. */
  pairs: z.int().min(1),
  tooLong: z.int().min(0),
})
export type Recipe = z.output<typeof recipeSchema>

/** data/order-<arm>-seed-<seed>.json: which pair is met when, and what is logged of each step that the data alone decide. */
export interface RecipeOrder {
  /** Lines of preferences.jsonl, counted from 0. */
  readonly pairs: readonly number[]
  readonly steps: readonly { readonly epoch: number; /** Absent where the model's own answers count. */ readonly num_tokens?: number }[]
}

/** run.json, which the script writes beside the checkpoint. */
export const recipeRunSchema = z.strictObject({
  formatVersion: z.literal(1),
  study: z.string(),
  arm: z.enum(ARMS),
  seed: z.int().min(0),
  /** How many shared the work. */
  processes: z.int().min(1).optional(),
})
export type RecipeRun = z.output<typeof recipeRunSchema>

/** trainer_state.json of transformers: as much of it as a run's record needs. */
export const trainerStateSchema = z.looseObject({
  global_step: z.int().min(1),
  log_history: z.array(z.looseObject({ step: z.int().min(0) })),
})
