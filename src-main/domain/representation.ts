// How two encoders represent the same pictures: how alike layer by layer, how alike to language, how many directions they use, whose
// neighbours changed, and where each picture moved.

import { z } from 'zod'

export const representationSettingsSchema = z.strictObject({
  /** Pictures drawn, the same for both. */
  limit: z.int().min(16).max(5000).default(256).meta({ label: 'Pictures' }),
  neighbours: z.int().min(1).max(200).default(10).meta({ label: 'Neighbours', help: 'k of mutual k-NN and of changed neighbours' }),
  /** Items a batch of minibatch CKA: its tables cost by the square of it. At least 4. */
  ckaBatch: z.int().min(4).max(2048).default(256).meta({ label: 'CKA batch' }),
  /** Rounds of shuffling for the baselines. */
  shuffles: z.int().min(1).max(100).default(10),
  seed: z.int().min(0).default(0),
})
export type RepresentationSettings = z.output<typeof representationSettingsSchema>

const layers = z.array(z.array(z.number()))

/** A score of every layer of one model with every layer of another: row, column. */
export const layerTableSchema = z.strictObject({
  /** Which models: "a" and "b" are the encoders, "language" the language model. */
  rows: z.enum(['a', 'b']),
  columns: z.enum(['a', 'b', 'language']),
  measure: z.enum(['cka', 'mutual-knn']),
  values: layers,
  best: z.strictObject({ row: z.int(), column: z.int(), value: z.number() }),
  /** The same measure of the best pair with the items of one side shuffled: mean and largest of the rounds. */
  shuffled: z.strictObject({ mean: z.number(), largest: z.number() }),
})
export type LayerTable = z.output<typeof layerTableSchema>

export const encoderShapeSchema = z.strictObject({
  /** exp of the entropy of the shares of variance, by block: how many directions are used (Roy & Vetterli 2007). */
  effectiveRank: z.array(z.number()),
  width: z.int(),
  /** Lengths of patch features at the layer that feeds the projector: least, quartiles, most. */
  patchNorms: z.tuple([z.number(), z.number(), z.number(), z.number(), z.number()]),
  /** Share of patches longer than the third quartile plus three times the quartile range: artefacts (arXiv 2309.16588). */
  outliers: z.number(),
})

export const representationSchema = z.strictObject({
  images: z.int(),
  tables: z.array(layerTableSchema),
  a: encoderShapeSchema,
  b: encoderShapeSchema,
  /** Pictures whose nearest neighbours changed most, at the layer that feeds the projector. */
  changed: z.array(z.strictObject({ image: z.string(), shared: z.int(), a: z.array(z.string()), b: z.array(z.string()) })),
  /** Mean share of neighbours that stayed. */
  kept: z.number(),
  /** Each picture before (a) and after (b), b turned and scaled onto a (Procrustes), in a's first two principal components. */
  moved: z.array(z.strictObject({ image: z.string(), before: z.tuple([z.number(), z.number()]), after: z.tuple([z.number(), z.number()]) })),
  /** What turning and scaling cannot explain: 0, the same configuration; 1, nothing in common. */
  residual: z.number(),
  /** Share of a's variance that the two directions of `moved` show. */
  explained: z.number(),
  notes: z.array(z.string()),
})
export type Representation = z.output<typeof representationSchema>
