// Judgements → what becomes of an item: which answer is chosen, which rejected, or that it makes no pair and why.
// The rule, in this order: an adjudicator's verdict; else the majority of the labellers; an even split makes no pair. An
// edited answer is chosen over the answer it was written from, whatever the verdict. Ties and "both bad" make no pair
// unless the export asks for ties in both orders.

import { z } from 'zod'
import { answerOn, otherAnswer, verdictOf, type Judgement, type Verdict } from './judgement.ts'
import type { LabelItem } from './queue.ts'
import type { JudgedSlot } from './trust.ts'

export const TIE_RULES = ['leave-out', 'both-orders'] as const

export interface Outcome {
  readonly item: LabelItem
  /** null: an even split. */
  readonly verdict: Verdict | null
  /** The judgements behind it, oldest first. */
  readonly judgements: readonly Judgement[]
  readonly isAdjudicated: boolean
  /** The newest edit, if anybody wrote one. */
  readonly edit: { readonly text: string; readonly of: 'first' | 'second' } | null
}

/** One outcome for each item that somebody judged, in the order of the queue. Gold items and repeats are not labels. */
export function outcomesOf(judged: readonly JudgedSlot[], adjudicated: ReadonlyMap<string, Judgement> = new Map()): readonly Outcome[] {
  const items = new Map<string, { readonly item: LabelItem; readonly ordinal: number; readonly judgements: Judgement[] }>()
  for (const { judgement, slot, item } of judged) {
    if (slot.role !== 'item' || verdictOf(judgement) === null) continue
    const known = items.get(item.id) ?? { item, ordinal: slot.ordinal, judgements: [] }
    known.judgements.push(judgement)
    items.set(item.id, known)
  }
  return [...items.values()]
    .toSorted((x, y) => x.ordinal - y.ordinal)
    .map(({ item, judgements }) => {
      const final = adjudicated.get(item.id)
      const all = [...judgements, ...(final === undefined ? [] : [final])].toSorted((x, y) => x.judgedAtMs - y.judgedAtMs)
      const edited = all.findLast(({ edit }) => edit !== null)
      return {
        item,
        verdict: final === undefined ? majority(judgements.map((each) => verdictOf(each)!)) : verdictOf(final),
        judgements: all,
        isAdjudicated: final !== undefined,
        edit: edited === undefined ? null : { text: edited.edit!.text, of: answerOn(edited.edit!.side, edited.aShows) },
      }
    })
}

function majority(verdicts: readonly Verdict[]): Verdict | null {
  const counts = new Map<Verdict, number>()
  for (const verdict of verdicts) counts.set(verdict, (counts.get(verdict) ?? 0) + 1)
  const [best, next] = [...counts].toSorted((x, y) => y[1] - x[1])
  return best === undefined || best[1] === next?.[1] ? null : best[0]
}

export interface LabelledPair {
  readonly outcome: Outcome
  readonly chosen: string
  readonly rejected: string
}

export const pairCountsSchema = z.strictObject({
  pairs: z.int(),
  tied: z.int(),
  bothBad: z.int(),
  split: z.int(),
})
export type PairCounts = z.output<typeof pairCountsSchema>

/** The preference pairs of a queue, and how many items made none. */
export function pairsOf(
  outcomes: readonly Outcome[],
  ties: (typeof TIE_RULES)[number],
): { readonly pairs: readonly LabelledPair[]; readonly counts: PairCounts } {
  const pairs: LabelledPair[] = []
  const counts = { pairs: 0, tied: 0, bothBad: 0, split: 0 }
  for (const outcome of outcomes) {
    const { item, verdict, edit } = outcome
    const add = (chosen: string, rejected: string) => chosen !== rejected && pairs.push({ outcome, chosen, rejected })
    if (edit !== null) add(edit.text, item[edit.of].text)
    else if (verdict === 'first' || verdict === 'second') add(item[verdict].text, item[otherAnswer(verdict)].text)
    else if (verdict === 'tie') {
      counts.tied += 1
      if (ties === 'both-orders') {
        add(item.first.text, item.second.text)
        add(item.second.text, item.first.text)
      }
    } else if (verdict === 'both-bad') counts.bothBad += 1
    else counts.split += 1
  }
  return { pairs, counts: { ...counts, pairs: pairs.length } }
}
