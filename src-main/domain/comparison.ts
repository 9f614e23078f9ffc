// Encoders side by side: what the Compare page, `lab compare` and the exports show. A row is one metric under one set of
// conditions (data, split, settings); encoders that were measured under others stand in a row of their own, because such
// numbers must not be compared.

import { z } from 'zod'
import { encoderRowSchema } from './encoder.ts'
import { regionSchema } from './sample.ts'
import { itemDetailSchema } from './study-results.ts'

export const MOST_COMPARED = 8

export const METRIC_SCOPES = ['headline', 'all'] as const

export const comparisonRequestSchema = z.strictObject({
  /** Ids of encoders.list; the order is that of the columns. */
  encoders: z.array(z.string()).min(2).max(MOST_COMPARED).refine((ids) => new Set(ids).size === ids.length, 'expected every encoder once'),
  /** 'headline': a number or two for each measurement; 'all': every category, part and side count too. */
  scope: z.enum(METRIC_SCOPES).default('headline'),
  /** Every other encoder is compared with this one alone; null: every pair is, and Holm's correction counts them all. */
  reference: z.string().nullable().default(null),
})
export type ComparisonRequest = z.output<typeof comparisonRequestSchema>

export const comparedCellSchema = z.strictObject({
  encoder: z.string(),
  /** Mean over seeds. */
  value: z.number(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  /** Items behind it, summed over seeds. */
  n: z.int(),
  perSeed: z.array(z.strictObject({ seed: z.int().nullable(), value: z.number() })),
  isBest: z.boolean(),
  /** Not told apart from the best, after Holm's correction. The best is not tied with itself. */
  isTied: z.boolean(),
})
export type ComparedCell = z.output<typeof comparedCellSchema>

export const effectSchema = z.strictObject({ name: z.string(), value: z.number(), size: z.string() })

export const comparedPairSchema = z.strictObject({
  a: z.string(),
  b: z.string(),
  /** b − a. */
  difference: z.number(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  pValue: z.number().nullable(),
  holmPValue: z.number().nullable(),
  winner: z.enum(['a', 'b', 'neither']),
  /** What was paired: "20000 items in 5000 images × 3 seeds". */
  basis: z.string(),
  method: z.string(),
  effects: z.array(effectSchema),
  /** What would decide it at the size that it seems to have, in four of five repetitions; null: it is decided, or unknown. */
  needed: z.strictObject({ moreItems: z.int().nullable(), moreSeeds: z.int().nullable() }).nullable(),
  words: z.string(),
})
export type ComparedPair = z.output<typeof comparedPairSchema>

export const comparedRowSchema = z.strictObject({
  /** Names metric and conditions; what compare.items is asked with. */
  id: z.string(),
  metric: z.string(),
  label: z.string(),
  meaning: z.string(),
  unit: z.enum(['nats', 'share', 'number', 'ratio']),
  better: z.enum(['higher', 'lower', 'neither']),
  /** What measured it: "Questions", "Probes", "Benchmarks", … */
  family: z.string(),
  /** The dataset's name; null: it is gone from the project. */
  dataset: z.string().nullable(),
  /** Settings that decide the number: "λ 0.001 … 100". */
  conditions: z.array(z.strictObject({ name: z.string(), value: z.string() })),
  /** Whether items stand behind it that can be looked at. */
  hasItems: z.boolean(),
  /** In the order of the encoders; null: not measured so. */
  cells: z.array(comparedCellSchema.nullable()),
  pairs: z.array(comparedPairSchema),
})
export type ComparedRow = z.output<typeof comparedRowSchema>

export const comparisonSchema = z.strictObject({
  encoders: z.array(encoderRowSchema),
  reference: z.string().nullable(),
  confidence: z.number(),
  /** How many tests Holm's correction counts. */
  tests: z.int(),
  verdict: z.array(z.string()),
  rows: z.array(comparedRowSchema),
})
export type Comparison = z.output<typeof comparisonSchema>

/** The label, and the conditions where another row has the same one. */
export function rowLabel(row: ComparedRow, rows: readonly ComparedRow[]): string {
  const namesakes = rows.filter((each) => each.label === row.label)
  if (namesakes.length < 2) return row.label
  const own = row.conditions.filter(({ name, value }) => namesakes.some((each) => !each.conditions.some((c) => c.name === name && c.value === value)))
  const told = [namesakes.some(({ dataset }) => dataset !== row.dataset) ? (row.dataset ?? 'deleted data') : null, ...own.map(({ name, value }) => `${name} ${value}`)].filter((each) => each !== null)
  return told.length === 0 ? row.label : `${row.label} (${told.join(', ')})`
}

/** The pair of these two, turned so that it reads b − a; null where they were not compared. */
export function pairOf(row: ComparedRow, a: string, b: string): ComparedPair | null {
  const found = row.pairs.find((pair) => (pair.a === a && pair.b === b) || (pair.a === b && pair.b === a))
  if (found === undefined || found.a === a) return found ?? null
  return {
    ...found,
    a,
    b,
    difference: -found.difference,
    low: found.high === null ? null : -found.high,
    high: found.low === null ? null : -found.low,
    winner: found.winner === 'neither' ? 'neither' : found.winner === 'a' ? 'b' : 'a',
    effects: found.effects.map((effect) => ({ ...effect, value: -effect.value })),
  }
}

/** By what the items behind a number are sorted into slices. */
export const SLICINGS = ['group', 'category', 'object size', 'object count', 'text in the image', 'depth', 'region'] as const
export type Slicing = (typeof SLICINGS)[number]

export const comparedItemsRequestSchema = z.strictObject({
  /** 2 to 8 encoders; items are ordered by the second's gain over the first. */
  encoders: z.array(z.string()).min(2).max(MOST_COMPARED),
  /** A row's id. */
  row: z.string(),
  slicing: z.enum(SLICINGS).default('category'),
  /** Only items of this slice; null: all. */
  slice: z.string().nullable().default(null),
  order: z.enum(['gain', 'loss', 'item']).default('gain'),
  /** 'discordant': only those that the first two do not answer alike. */
  show: z.enum(['all', 'discordant']).default('all'),
  from: z.int().min(0).default(0),
  limit: z.int().min(1).max(200).default(50),
})
export type ComparedItemsRequest = z.output<typeof comparedItemsRequestSchema>

export const comparedItemSchema = z.strictObject({
  itemId: z.string(),
  group: z.string().nullable(),
  /** The slice that it is in, by the slicing asked for; null: it cannot be told. */
  slice: z.string().nullable(),
  image: z.strictObject({ sha256: z.string(), width: z.int(), height: z.int() }).nullable(),
  /** What decides the answer, in pixels of the image. */
  region: regionSchema,
  /** The second encoder's value less the first's, seeds averaged, in the direction that is better. */
  gain: z.number(),
  encoders: z.array(
    z.strictObject({
      encoder: z.string(),
      /** Mean over seeds. */
      value: z.number(),
      perSeed: z.array(z.strictObject({ seed: z.int().nullable(), value: z.number(), detail: itemDetailSchema.nullable() })),
    }),
  ),
})
export type ComparedItem = z.output<typeof comparedItemSchema>

export const comparedSliceSchema = z.strictObject({
  slice: z.string(),
  n: z.int(),
  /** Mean of each encoder, in the order asked for. */
  values: z.array(z.number()),
  /** The second less the first. */
  difference: z.number(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  pValue: z.number().nullable(),
  /** Over all slices of this slicing. */
  holmPValue: z.number().nullable(),
})
export type ComparedSlice = z.output<typeof comparedSliceSchema>

export const comparedItemsSchema = z.strictObject({
  items: z.array(comparedItemSchema),
  /** Items that the filter finds. */
  total: z.int(),
  /** Slicings by which these items can be told apart. */
  slicings: z.array(z.enum(SLICINGS)),
  slices: z.array(comparedSliceSchema),
  /** Of all items: both right, only the first, only the second, neither; null where scores are not right or wrong. */
  agreement: z.strictObject({ both: z.int(), firstOnly: z.int(), secondOnly: z.int(), neither: z.int() }).nullable(),
})
export type ComparedItems = z.output<typeof comparedItemsSchema>

export const COMPARISON_FORMATS = ['csv', 'latex', 'html'] as const
export type ComparisonFormat = (typeof COMPARISON_FORMATS)[number]
