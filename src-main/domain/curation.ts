// What a person changes about samples without touching their content: split, state and tags. Every change is written in
// a journal that can be walked back and forth.

import { z } from 'zod'
import { SPLITS, type Split } from './sample.ts'
import { SAMPLE_STATES, sampleFilterSchema } from './sample-query.ts'
import { splitRuleSchema } from './split-rule.ts'

/** Some samples by their place, or all that a filter finds but some. */
export const selectionSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('rows'), rows: z.array(z.int()).min(1).max(100_000) }),
  z.strictObject({
    kind: z.literal('filter'),
    filter: sampleFilterSchema,
    except: z.array(z.int()).max(100_000).default([]),
  }),
])
export type Selection = z.output<typeof selectionSchema>

export const tagSchema = z
  .string()
  .trim()
  .min(1)
  .max(60)
  .regex(/^[^\p{C}]+$/u, 'a tag holds no control characters')

export const curationChangeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('tag'), tag: tagSchema }),
  z.strictObject({ kind: z.literal('untag'), tag: tagSchema }),
  z.strictObject({ kind: z.literal('split'), split: z.enum(SPLITS) }),
  z.strictObject({ kind: z.literal('state'), state: z.enum(SAMPLE_STATES) }),
  z.strictObject({ kind: z.literal('divide'), rule: splitRuleSchema }),
])
export type CurationChange = z.output<typeof curationChangeSchema>

export const journalEntrySchema = z.strictObject({
  id: z.int(),
  atMs: z.number(),
  change: curationChangeSchema,
  /** "tag “blurred”", in the words of a menu: "Undo: …". */
  label: z.string(),
  /** Samples that the change altered; those that were so already are not counted. */
  samples: z.int(),
  isUndone: z.boolean(),
})
export type JournalEntry = z.output<typeof journalEntrySchema>

/** How far a change of very many samples is, an undo or a redo. */
export const changeProgressSchema = z.strictObject({
  /** The change in the words of the journal, "undo" or "redo". */
  title: z.string(),
  part: z.enum(['reading samples', 'changing samples', 'taking back']),
  /** Samples of the part. */
  done: z.int(),
  of: z.int(),
  /** Of the part; null: nothing to go by yet. */
  leftMs: z.number().nullable(),
})
export type ChangeProgress = z.output<typeof changeProgressSchema>

/** How samples are spread over the splits, per stratum where there are some. */
export const splitTableSchema = z.array(
  z.strictObject({
    stratum: z.string().nullable(),
    counts: z.strictObject(
      Object.fromEntries(SPLITS.map((split) => [split, z.int()])) as Record<Split, z.ZodInt>,
    ),
  }),
)
export type SplitTable = z.output<typeof splitTableSchema>

export function describeChange(change: CurationChange): string {
  switch (change.kind) {
    case 'tag':
      return `tag “${change.tag}”`
    case 'untag':
      return `remove tag “${change.tag}”`
    case 'split':
      return `move to ${change.split}`
    case 'state':
      return { kept: 'take back', excluded: 'exclude', deleted: 'delete' }[change.state]
    case 'divide':
      return 'divide into splits'
  }
}
