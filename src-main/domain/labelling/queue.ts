// A queue of pairs to judge: where its answers come from, in which order they are shown, and what is planted among them.
// What the window is shown of an item carries neither its source nor whether it is planted: labellers are blind.

import { z } from 'zod'
import { imageRefSchema, regionSchema, SPLITS } from '../sample.ts'
import { failureSchema, partProgressSchema } from '../run-view.ts'
import { ANSWERS, judgementSchema } from './judgement.ts'

export const answerSchema = z.strictObject({
  text: z.string().min(1),
  /** Who gave it: a run's name, "chosen of my-pairs", "near miss". Never shown while judging. */
  source: z.string(),
})

export const labelItemSchema = z.strictObject({
  /** SHA-256 of image, prompt and answers: the same pair in two projects is one item. */
  id: z.string(),
  image: imageRefSchema.nullable(),
  prompt: z.string(),
  first: answerSchema,
  second: answerSchema,
  group: z.string().nullable(),
  category: z.string().nullable(),
  split: z.enum(SPLITS),
  region: regionSchema,
})
export type LabelItem = z.output<typeof labelItemSchema>

export const SLOT_ROLES = ['item', 'repeat', 'gold'] as const
export type SlotRole = (typeof SLOT_ROLES)[number]

/** One place of a queue. */
export const slotSchema = z.strictObject({
  ordinal: z.int().min(0),
  itemId: z.string(),
  role: z.enum(SLOT_ROLES),
  /** Of a gold item: the answer that is known to be better. */
  expected: z.enum(ANSWERS).nullable(),
  /** Why the item stands here, for the labeller. */
  reason: z.string(),
})
export type Slot = z.output<typeof slotSchema>

/** A model: a run's newest checkpoint. */
const ofRun = z.string().meta({ label: 'Run', help: 'its newest checkpoint answers' })

const filterShape = {
  dataset: z.string().min(1).meta({ label: 'Dataset' }),
  split: z.enum(SPLITS).default('train').meta({ label: 'Split', help: 'judge what is to be trained on; leave test alone' }),
  search: z.string().max(200).default('').meta({ label: 'Search', help: 'only prompts or answers that contain this text' }),
  category: z.string().max(120).default('').meta({ label: 'Category', help: 'only this category; empty: all' }),
  tag: z.string().max(60).default('').meta({ label: 'Tag', help: 'only samples with this tag; empty: all' }),
  limit: z.int().min(1).max(200_000).default(500).meta({ label: 'Most items' }),
}

export const queueSourceSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('pairs'), ...filterShape }).meta({ label: 'Pairs of a dataset' }),
  z.strictObject({ kind: z.literal('near-miss'), ...filterShape }).meta({ label: 'Right answer against a near miss' }),
  z
    .strictObject({
      kind: z.literal('two-models'),
      ...filterShape,
      first: ofRun,
      second: ofRun,
      temperature: z.number().min(0).max(2).default(0).meta({
        label: 'Temperature',
        help: '0: the most likely answer of each; above 0 answers are drawn, so one run may be given twice',
      }),
      maxNewTokens: z.int().min(1).max(2048).default(64).meta({ label: 'Longest answer', help: 'tokens' }),
    })
    .meta({ label: 'Answers of two models' }),
  z
    .strictObject({
      kind: z.literal('two-images'),
      ...filterShape,
      run: ofRun,
      image: z.enum(['blurred', 'blank', 'shuffled']).default('blurred').meta({
        label: 'Other image',
        help: 'the second answer is given under this image instead of the true one',
      }),
      maxNewTokens: z.int().min(1).max(2048).default(64).meta({ label: 'Longest answer', help: 'tokens' }),
    })
    .meta({ label: 'True image against another' }),
  z.strictObject({ kind: z.literal('edits'), queueId: z.string().meta({ label: 'Queue' }) }).meta({ label: 'Answers and their edits' }),
  z
    .strictObject({ kind: z.literal('disagreements'), queueId: z.string().meta({ label: 'Queue' }) })
    .meta({ label: 'What labellers disagree on' }),
])
export type QueueSource = z.output<typeof queueSourceSchema>

export const queueOrderSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('random') }).meta({ label: 'Random' }),
  z.strictObject({ kind: z.literal('as-stored') }).meta({ label: 'As stored' }),
  z.strictObject({ kind: z.literal('small-margin'), runs: z.array(z.string()).length(1) }).meta({ label: 'What a model is least sure of' }),
  z
    .strictObject({ kind: z.literal('seed-disagreement'), runs: z.array(z.string()).min(2).max(8) })
    .meta({ label: 'What models disagree on' }),
  z.strictObject({ kind: z.literal('diversity'), runs: z.array(z.string()).length(1) }).meta({ label: 'Least like what came before' }),
])
export type QueueOrder = z.output<typeof queueOrderSchema>

export const DEFAULT_TAGS = ['object', 'count', 'colour', 'position', 'text', 'made up', 'incomplete', 'style'] as const

export const queueSettingsSchema = z.strictObject({
  seed: z.int().min(0).default(0).meta({ label: 'Seed', help: 'sides, repeats and random order' }),
  repeatShare: z.number().min(0).max(0.5).default(0.05).meta({
    label: 'Planted repeats',
    help: 'share of items shown a second time with the sides exchanged: tells how often a labeller contradicts himself',
  }),
  gold: z
    .strictObject({
      dataset: z.string().min(1).meta({ label: 'Gold dataset', help: 'preference pairs whose better answer is certain' }),
      share: z.number().min(0.001).max(0.5).default(0.05).meta({ label: 'Share of gold items' }),
    })
    .nullable()
    .default(null)
    .meta({ label: 'Gold items', help: 'pairs with a known answer among the others: tells how often a labeller is wrong' }),
  strengthScale: z.boolean().default(false).meta({ label: 'Ask how much better', help: 'a second key, 1 to 3, after A or B' }),
  tags: z.array(z.string().min(1).max(60)).max(20).default([...DEFAULT_TAGS]).meta({ label: 'Reason tags' }),
  goalPerDay: z.int().min(1).max(100_000).default(200).meta({ label: 'Goal for a day', unit: 'items', help: 'of each labeller' }),
  breakEveryMinutes: z.int().min(0).max(240).default(50).meta({
    label: 'Break after',
    unit: 'minutes',
    help: 'of judging without a pause; 0: never remind',
  }),
})
export type QueueSettings = z.output<typeof queueSettingsSchema>

export const queueRequestSchema = z.strictObject({
  name: z.string().trim().min(1).max(120).meta({ label: 'Name' }),
  source: queueSourceSchema.meta({ label: 'Answers' }),
  order: queueOrderSchema.prefault({ kind: 'random' }).meta({ label: 'Order' }),
  settings: queueSettingsSchema.prefault({}),
  guidelines: z.string().max(100_000).default(''),
})
export type QueueRequest = z.output<typeof queueRequestSchema>

export const QUEUE_STATUSES = ['making', 'ready', 'failed'] as const

export const queueRowSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  status: z.enum(QUEUE_STATUSES),
  failure: failureSchema.nullable(),
  progress: partProgressSchema.nullable(),
  /** Of the part under way; null while unknown. */
  leftMs: z.number().nullable(),
  source: queueSourceSchema,
  order: queueOrderSchema,
  settings: queueSettingsSchema,
  guidelineVersion: z.int().min(0),
  /** Places, planted ones included. */
  slots: z.int(),
  labellers: z.array(z.strictObject({ labeller: z.string(), judged: z.int(), skipped: z.int(), lastAtMs: z.number() })),
  createdAtMs: z.number(),
})
export type QueueRow = z.output<typeof queueRowSchema>

/** What a labeller sees of a place. */
export const shownItemSchema = z.strictObject({
  ordinal: z.int(),
  image: imageRefSchema.nullable(),
  prompt: z.string(),
  a: z.string(),
  b: z.string(),
  reason: z.string(),
  /** What this labeller said of it before: after an undo, or of a skipped item. */
  earlier: judgementSchema.nullable(),
})
export type ShownItem = z.output<typeof shownItemSchema>

export const labellerProgressSchema = z.strictObject({
  judged: z.int(),
  skipped: z.int(),
  flagged: z.int(),
  slots: z.int(),
  /** Judged since the labeller's day began. */
  today: z.int(),
  /** Median over the last 50; null before the first. */
  secondsPerItem: z.number().nullable(),
  /** Judging without a pause of five minutes, up to the last key. */
  minutesWithoutBreak: z.number(),
  mayUndo: z.boolean(),
})
export type LabellerProgress = z.output<typeof labellerProgressSchema>

/** What stands ahead of a labeller, nearest first. */
export const upcomingSchema = z.strictObject({ items: z.array(shownItemSchema), progress: labellerProgressSchema })
export type Upcoming = z.output<typeof upcomingSchema>

export const guidelinesSchema = z.strictObject({ version: z.int().min(0), text: z.string(), createdAtMs: z.number() })
export type Guidelines = z.output<typeof guidelinesSchema>
