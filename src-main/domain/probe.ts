// What is probed on a frozen encoder, and how. Every setting that decides a number is here and stored with it.

import { z } from 'zod'

export const PROBES = ['linear', 'prototype', 'knn', 'few-shot', 'zero-shot', 'segmentation'] as const
export type Probe = (typeof PROBES)[number]

/** How the tokens of an image become one feature. */
export const POOLINGS = ['mean', 'class', 'attention'] as const
export type Pooling = (typeof POOLINGS)[number]

export const probeSettingsSchema = z.strictObject({
  probes: z
    .array(z.enum(PROBES))
    .min(1)
    .default(['linear', 'prototype', 'knn'])
    .meta({ label: 'Probes', help: 'linear: logistic regression; prototype: nearest class mean; knn: weighted vote of neighbours; few-shot: both of the first from few pictures a class; zero-shot: by class names alone (dual encoders); segmentation: classes of patches' }),
  pooling: z
    .enum(POOLINGS)
    .default('mean')
    .meta({ label: 'Pooling', help: "mean over patches, the class token, or the encoder's own pooled output (attention head, or class token after its last norm)" }),
  /** Blocks whose output is probed, 0 the embeddings. 'selected': the one that the model uses, of an encoder alone its last. */
  layers: z
    .union([z.enum(['selected', 'every']), z.array(z.int().min(0)).min(1)])
    .default('selected')
    .meta({ label: 'Layers', help: 'selected: the layer that the model uses; every: layer by layer' }),
  lambdas: z
    .array(z.number().positive())
    .min(1)
    .default([1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000])
    .meta({ label: 'λ', help: 'penalties of the logistic regression (1/C of scikit-learn); validation chooses' }),
  neighbours: z.array(z.int().min(1)).min(1).default([10, 20, 100, 200]).meta({ label: 'k', help: 'neighbours that vote; validation chooses' }),
  shots: z.array(z.int().min(1)).min(1).default([1, 2, 4, 8, 16]).meta({ label: 'Shots', help: 'pictures a class' }),
  draws: z.int().min(2).max(100).default(10).meta({ label: 'Draws', help: 'how often they are drawn anew' }),
  templates: z.array(z.string().min(1)).min(1).default(['a photo of a {}.']).meta({ label: 'Prompts', help: 'of zero-shot: {} stands for the class name; their embeddings are averaged' }),
  /** At most so many of each split, drawn by the seed; null: all. */
  limit: z
    .strictObject({ train: z.int().min(1).nullable(), validation: z.int().min(1).nullable(), test: z.int().min(1).nullable() })
    .prefault({ train: null, validation: null, test: null })
    .meta({ label: 'At most' }),
  segmentation: z
    .strictObject({ hiddenSize: z.int().min(1).default(1024), epochs: z.int().min(1).default(5), labels: z.enum(['union', 'majority']).default('majority') })
    .prefault({})
    .meta({ label: 'Segmentation', help: 'two-layer MLP on patches (arXiv 2510.16333, appendix E.5)' }),
  seed: z.int().min(0).default(0).meta({ label: 'Seed' }),
  batchSize: z.int().min(1).default(32).meta({ label: 'Images at a time' }),
})
export type ProbeSettings = z.output<typeof probeSettingsSchema>
