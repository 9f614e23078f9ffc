// What a labeller said of one pair of answers. A choice names a side of the screen, because that is what was seen; which
// answer stood there is stored beside it, so that a bias for a side can be told from a preference for an answer.

import { z } from 'zod'
import { createRandom } from '../random.ts'
import { regionSchema } from '../sample.ts'

/** The two answers of an item, whatever their sides. */
export const ANSWERS = ['first', 'second'] as const
export type Answer = (typeof ANSWERS)[number]

export const SIDES = ['a', 'b'] as const
export type Side = (typeof SIDES)[number]

export const CHOICES = ['a', 'b', 'tie', 'both-bad', 'skip'] as const
export type Choice = (typeof CHOICES)[number]

/** What a choice says of the answers; a skip says nothing. */
export const VERDICTS = ['first', 'second', 'tie', 'both-bad'] as const
export type Verdict = (typeof VERDICTS)[number]

export const labellerSchema = z
  .string()
  .trim()
  .min(1)
  .max(60)
  .meta({ label: 'Labeller', help: 'stored with every judgement; agreement is counted between names' })

/** What the window sends with a key. */
export const judgementInputSchema = z.strictObject({
  queueId: z.string(),
  /** Place in the queue: an item planted twice has two. */
  ordinal: z.int().min(0),
  labeller: labellerSchema,
  choice: z.enum(CHOICES),
  /** How much better, 1 (slightly) to 3 (much); null: not asked, or no side was chosen. */
  strength: z.int().min(1).max(3).nullable().default(null),
  /** A better answer, written from the one that stood on `side`. */
  edit: z.strictObject({ side: z.enum(SIDES), text: z.string().trim().min(1).max(20_000) }).nullable().default(null),
  flagged: z.boolean().default(false),
  tags: z.array(z.string().min(1).max(60)).max(20).default([]),
  note: z.string().max(4000).default(''),
  /** What decides, drawn as boxes or by brush; pixels of the stored image. */
  region: regionSchema.max(50).default([]),
  /** From the item's first sight to the key; time in which the window was not in front is not counted. */
  seconds: z.number().min(0).max(86_400),
})
export type JudgementInput = z.output<typeof judgementInputSchema>

export const judgementSchema = z.strictObject({
  ...judgementInputSchema.shape,
  id: z.string(),
  /** The answer that stood on side A. */
  aShows: z.enum(ANSWERS),
  guidelineVersion: z.int().min(0),
  judgedAtMs: z.number(),
})
export type Judgement = z.output<typeof judgementSchema>

/** null: skipped. */
export function verdictOf({ choice, aShows }: Pick<Judgement, 'choice' | 'aShows'>): Verdict | null {
  if (choice === 'skip') return null
  return choice === 'a' || choice === 'b' ? answerOn(choice, aShows) : choice
}

export function answerOn(side: Side, aShows: Answer): Answer {
  return side === 'a' ? aShows : otherAnswer(aShows)
}

export function otherAnswer(answer: Answer): Answer {
  return answer === 'first' ? 'second' : 'first'
}

/**
 * The answer on side A: a fair coin of seed, labeller and item, so that it can be checked afterwards and nobody's order
 * depends on another's. A planted repeat shows the sides exchanged: who follows the side contradicts himself.
 */
export function sideOrder(seed: number, labeller: string, itemId: string, isRepeat: boolean): Answer {
  const first: Answer = createRandom(seed, 'side', labeller, itemId).uniform() < 0.5 ? 'first' : 'second'
  return isRepeat ? otherAnswer(first) : first
}
