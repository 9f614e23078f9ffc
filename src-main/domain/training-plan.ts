// What a training would do, said before it starts: which parameters it moves, what it reads, how much memory it takes, and
// what to change where that is more than there is.

import { z } from 'zod'
import { executionModeSchema } from './device.ts'
import { MODULES } from './model-spec.ts'

const bytes = z.number()

export const moduleLedgerSchema = z.strictObject({
  module: z.enum(MODULES),
  state: z.enum(['trained', 'partly trained', 'LoRA', 'frozen']),
  tensors: z.int(),
  parameters: z.int(),
  /** Of which are trained; LoRA's factors, which the model itself does not have, count here alone. */
  trained: z.int(),
  /** Peak; null: frozen. */
  learningRate: z.number().nullable(),
})
export type ModuleLedger = z.output<typeof moduleLedgerSchema>

/** Bytes of a process while it trains. `working`: activations, gradients, and what is being computed. */
export const memoryPredictionSchema = z.strictObject({
  base: bytes,
  /** Preprocessed images that are kept, because each is met many times. */
  images: bytes,
  weights: bytes,
  moments: bytes,
  batch: bytes,
  working: bytes,
  /** What engine and system take beside the tensors. */
  overhead: bytes,
  peak: bytes,
})
export type MemoryPrediction = z.output<typeof memoryPredictionSchema>

export const trainingPlanSchema = z.strictObject({
  modules: z.array(moduleLedgerSchema),
  tensors: z.array(
    z.strictObject({
      module: z.enum(MODULES),
      name: z.string(),
      shape: z.array(z.int()),
      part: z.enum(['trained', 'frozen', 'adapted', 'adapter']),
    }),
  ),
  samples: z.int(),
  /** Left out because they are longer than maxLength. */
  tooLong: z.int(),
  /** The fixed shapes that samples are padded to: T positions, of which A answer tokens. */
  buckets: z.array(z.strictObject({ T: z.int(), A: z.int(), samples: z.int() })),
  /** Of all positions, how many are padding. */
  paddingShare: z.number(),
  execution: executionModeSchema,
  /** null: it cannot be predicted; `unpredicted` says why. */
  memory: memoryPredictionSchema.nullable(),
  unpredicted: z.string().nullable(),
  /** What may be used. */
  budget: bytes,
  /** Settings by path that bring the peak within the budget, the least change first; null: it fits, or nothing helps. */
  proposal: z.strictObject({ settings: z.record(z.string(), z.unknown()), peak: bytes, why: z.string() }).nullable(),
})
export type TrainingPlan = z.output<typeof trainingPlanSchema>

/** Share of the measured peak by which a prediction was off; above zero: too high. */
export function predictionError(predicted: number, measured: number): number {
  return (predicted - measured) / measured
}
