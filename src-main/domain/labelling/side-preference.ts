// How much a labeller favours the answer at side A whoever gave it: an offset of his own in the Bradley–Terry model of all
// judgements. The share of A says the same only where both sides held equally good answers; the offset takes out whose they were.

import { z } from 'zod'
import { normalQuantile } from '../statistics/distributions.ts'
import { bradleyTerry, type Comparison } from '../statistics/bradley-terry.ts'
import { answerOn } from './judgement.ts'
import { RIDGE } from './model-ranking.ts'
import type { JudgedSlot } from './trust.ts'

export const sidePreferenceSchema = z.strictObject({
  /** β in nats: log odds that the answer at A has above those of the models alone. null: cannot be told, and `reason` says why. */
  value: z.number().nullable(),
  /** 95 %, by the Fisher information. */
  interval: z.strictObject({ low: z.number(), high: z.number() }).nullable(),
  /** Choices of a side and ties. */
  judgements: z.int(),
  reason: z.string(),
})
export type SidePreference = z.output<typeof sidePreferenceSchema>

/**
 * By labeller. A tie is half a choice of each side. Repeats are left out: they show the same answers again, and gold items
 * too: their better answer is known, whoever gave it.
 */
export function sidePreferences(judged: readonly JudgedSlot[]): ReadonlyMap<string, SidePreference> {
  const counted = judged.filter(({ slot, judgement }) => slot.role === 'item' && judgement.choice !== 'skip' && judgement.choice !== 'both-bad')
  const byLabeller = Map.groupBy(counted, ({ judgement }) => judgement.labeller)
  const result = new Map<string, SidePreference>()
  const toFit: string[] = []
  for (const labeller of new Set(judged.map(({ judgement }) => judgement.labeller))) {
    const own = byLabeller.get(labeller) ?? []
    const sides = new Set(own.flatMap(({ judgement: { choice } }) => (choice === 'tie' ? ['a', 'b'] : [choice])))
    const unknown = { value: null, interval: null, judgements: own.length }
    if (sides.size === 2) toFit.push(labeller)
    else if (sides.size === 0) result.set(labeller, { ...unknown, reason: 'no side has been chosen yet' })
    else result.set(labeller, { ...unknown, reason: `not identified: side ${sides.has('a') ? 'A' : 'B'} was chosen every time, so no finite preference fits` })
  }
  if (toFit.length === 0) return result
  const fitted = counted.filter(({ judgement }) => toFit.includes(judgement.labeller))
  const sources = [...new Set(fitted.flatMap(({ item }) => [item.first.source, item.second.source]))]
  const { sideOffsets } = bradleyTerry(sources.length, fitted.flatMap((each) => comparisonsOf(each, sources, toFit)), RIDGE, toFit.length)
  const z = normalQuantile(0.975)
  toFit.forEach((labeller, i) => {
    const [offset, judgements] = [sideOffsets[i]!, byLabeller.get(labeller)!.length]
    result.set(
      labeller,
      offset === null
        ? { value: null, interval: null, judgements, reason: 'not identified: each model’s answers stood on one side only, so that a liking for the model and one for the side look alike' }
        : {
            value: offset.value,
            interval: { low: offset.value - z * offset.standardError, high: offset.value + z * offset.standardError },
            judgements,
            reason: '',
          },
    )
  })
  return result
}

function comparisonsOf({ judgement, item }: JudgedSlot, sources: readonly string[], labellers: readonly string[]): readonly Comparison[] {
  const [a, b] = (['a', 'b'] as const).map((side) => sources.indexOf(item[answerOn(side, judgement.aShows)].source)) as [number, number]
  const labeller = labellers.indexOf(judgement.labeller)
  const weight = judgement.choice === 'tie' ? 0.5 : 1
  return [
    ...(judgement.choice === 'b' ? [] : [{ winner: a, loser: b, weight, seen: { labeller, atA: 'winner' } } as const]),
    ...(judgement.choice === 'a' ? [] : [{ winner: b, loser: a, weight, seen: { labeller, atA: 'loser' } } as const]),
  ]
}
