// How a checkpoint is measured by the evaluators of a study. Every number that decides a result is here and stored with it.

import { z } from 'zod'

export const evaluationSchema = z.strictObject({
  batchSize: z.int().min(1).default(32),
  seed: z.int().min(0).default(0),
  questions: z.strictObject({ limit: z.int().min(1).default(400), maxNewTokens: z.int().min(1).default(8) }).prefault({}),
  preferences: z.strictObject({ limit: z.int().min(1).default(200) }).prefault({}),
  probe: z
    .strictObject({
      /** Single-object crops per split: train fits, validation chooses λ and k, test is reported. */
      perClass: z.strictObject({ train: z.int().min(1), validation: z.int().min(1), test: z.int().min(1) }).prefault({
        train: 12,
        validation: 4,
        test: 8,
      }),
      lambdas: z.array(z.number().positive()).min(1).default([1e-3, 1e-2, 1e-1, 1, 10, 100]),
      neighbours: z.array(z.int().min(1)).min(1).default([1, 5, 10, 20]),
    })
    .prefault({}),
  segmentation: z
    .strictObject({
      limit: z.strictObject({ train: z.int().min(1), test: z.int().min(1) }).prefault({ train: 400, test: 200 }),
      hiddenSize: z.int().min(1).default(256),
      epochs: z.int().min(1).default(5),
      labels: z.enum(['union', 'majority']).default('majority'),
    })
    .prefault({}),
  localisation: z.strictObject({ limit: z.int().min(1).default(128), examples: z.int().min(0).default(8), beta: z.number().positive().default(0.1) }).prefault({}),
  alignment: z.strictObject({ limit: z.int().min(16).default(256), neighbours: z.int().min(1).default(10) }).prefault({}),
})
export type Evaluation = z.output<typeof evaluationSchema>

export const EVALUATORS = ['questions', 'preferences', 'probe', 'segmentation', 'localisation', 'alignment'] as const
export type Evaluator = (typeof EVALUATORS)[number]
