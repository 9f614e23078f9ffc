// SFT's and DPO's gradients on one pair, at one checkpoint or at several along a training.

import { z } from 'zod'

const twoGradientsSchema = z.strictObject({
  /** Euclidean norm of SFT's gradient: mean negative log-likelihood of the chosen answer's tokens. */
  sft: z.number(),
  /** Of DPO's. */
  dpo: z.number(),
  /** Of the angle between them, −1 to 1: whether both would move the weights the same way. */
  cosine: z.number(),
})

export const microscopeSchema = z.strictObject({
  checkpoints: z.array(
    z.strictObject({
      encoder: z.string(),
      /** Of the training that made it; null: unknown. */
      step: z.int().nullable(),
      logProbs: z.strictObject({ chosen: z.number(), rejected: z.number() }),
      /** β·(policy's difference − reference's). */
      margin: z.number(),
      /** Embeddings, each block that feeds the projector, the projector: what a gradient of the answer reaches. */
      parts: z.array(twoGradientsSchema.extend({ part: z.string() })),
      /** The vision encoder as a whole. */
      visionEncoder: twoGradientsSchema,
      /** At the visual tokens of the patches, row by row. */
      patches: z.strictObject({ rows: z.int(), columns: z.int(), sft: z.array(z.number()), dpo: z.array(z.number()), cosine: z.array(z.number()) }),
    }),
  ),
})
export type Microscope = z.output<typeof microscopeSchema>
