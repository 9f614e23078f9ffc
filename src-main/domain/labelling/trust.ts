// How far the labels of a queue can be trusted: each labeller's biases, consistency and speed, the agreement of several,
// and the share of labels that is probably wrong. Every share comes with Wilson's interval, every coefficient with a
// jackknife over items; what cannot be told is null with the reason, never NaN.

import { z } from 'zod'
import { cohenKappa, fleissKappa, gwetAc1, krippendorffAlpha, type Agreement } from '../statistics/agreement.ts'
import { quantileOfSorted } from '../statistics/description.ts'
import { wilsonInterval } from '../statistics/intervals.ts'
import { jackknife } from '../statistics/jackknife.ts'
import { VERDICTS, verdictOf, type Judgement, type Verdict } from './judgement.ts'
import type { LabelItem, Slot } from './queue.ts'
import { sidePreferences, sidePreferenceSchema } from './side-preference.ts'

/** A judgement that stands, with the place and the item it is about. */
export interface JudgedSlot {
  readonly judgement: Judgement
  readonly slot: Slot
  readonly item: LabelItem
}

export const shareSchema = z.strictObject({
  successes: z.int(),
  count: z.int(),
  value: z.number(),
  low: z.number(),
  high: z.number(),
})
export type Share = z.output<typeof shareSchema>

export const labellerQualitySchema = z.strictObject({
  labeller: z.string(),
  judged: z.int(),
  skipped: z.int(),
  verdicts: z.record(z.enum(VERDICTS), z.int()),
  /** Side A among choices of a side: 50 % without bias, since sides are drawn by lot. */
  sideA: shareSchema.nullable(),
  /** The longer answer (in words) among choices of a side between answers of unlike length. */
  longer: shareSchema.nullable(),
  /** Planted repeats judged alike. */
  consistent: shareSchema.nullable(),
  /** Gold items judged as is known. */
  gold: shareSchema.nullable(),
  seconds: z.strictObject({ median: z.number(), fast: z.number(), slow: z.number() }).nullable(),
})
export type LabellerQuality = z.output<typeof labellerQualitySchema>

export const coefficientSchema = z.strictObject({
  name: z.string(),
  meaning: z.string(),
  /** null: undefined, and `reason` says why. */
  value: z.number().nullable(),
  interval: z.strictObject({ low: z.number(), high: z.number() }).nullable(),
  observed: z.number().nullable(),
  items: z.int(),
  reason: z.string(),
})
export type Coefficient = z.output<typeof coefficientSchema>

export const noiseSchema = z.strictObject({
  /** From what it is told: the strongest evidence there is. */
  basis: z.enum(['gold', 'labellers', 'repeats']),
  /** Share of labels that are probably swapped, ε of robust DPO (arXiv 2403.00409). */
  value: z.number(),
  low: z.number(),
  high: z.number(),
  count: z.int(),
  how: z.string(),
})
export type Noise = z.output<typeof noiseSchema>

export const trustReportSchema = z.strictObject({
  labellers: z.array(z.strictObject({ ...labellerQualitySchema.shape, sidePreference: sidePreferenceSchema })),
  agreement: z.array(coefficientSchema),
  noise: noiseSchema.nullable(),
  /** Items on which labellers disagree, and of how many that at least two have judged. */
  disagreements: z.int(),
  sharedItems: z.int(),
})
export type TrustReport = z.output<typeof trustReportSchema>

export function trustReport(judged: readonly JudgedSlot[]): TrustReport {
  const labellers = [...new Set(judged.map(({ judgement }) => judgement.labeller))].toSorted()
  const table = verdictTable(judged)
  const shared = [...table.values()].filter((votes) => votes.size >= 2)
  const preferences = sidePreferences(judged)
  return {
    labellers: labellers.map((labeller) => ({
      ...labellerQuality(labeller, judged.filter((each) => each.judgement.labeller === labeller)),
      sidePreference: preferences.get(labeller)!,
    })),
    agreement: labellers.length < 2 ? [] : agreementOf(labellers, table),
    noise: labelNoise(judged),
    disagreements: shared.filter((votes) => new Set(votes.values()).size > 1).length,
    sharedItems: shared.length,
  }
}

export function labellerQuality(labeller: string, judged: readonly JudgedSlot[]): LabellerQuality {
  const decided = judged.filter(({ judgement }) => isDecided(verdictOf(judgement)))
  const unlike = decided.filter(({ item }) => wordCount(item.first.text) !== wordCount(item.second.text))
  const longerChosen = unlike.filter(({ judgement, item }) => {
    const longer = wordCount(item.first.text) > wordCount(item.second.text) ? 'first' : 'second'
    return verdictOf(judgement) === longer
  })
  const repeats = repeatedVerdicts(judged)
  const gold = judged.filter(({ slot, judgement }) => slot.role === 'gold' && verdictOf(judgement) !== null)
  const seconds = judged.map(({ judgement }) => judgement.seconds).toSorted((x, y) => x - y)
  return {
    labeller,
    judged: judged.filter(({ judgement }) => judgement.choice !== 'skip').length,
    skipped: judged.filter(({ judgement }) => judgement.choice === 'skip').length,
    verdicts: Object.fromEntries(
      VERDICTS.map((verdict) => [verdict, judged.filter(({ judgement }) => verdictOf(judgement) === verdict).length]),
    ) as Record<Verdict, number>,
    sideA: share(decided.filter(({ judgement }) => judgement.choice === 'a').length, decided.length),
    longer: share(longerChosen.length, unlike.length),
    consistent: share(repeats.filter(([before, after]) => before === after).length, repeats.length),
    gold: share(gold.filter(({ judgement, slot }) => verdictOf(judgement) === slot.expected).length, gold.length),
    seconds:
      seconds.length === 0
        ? null
        : { median: quantileOfSorted(seconds, 0.5), fast: quantileOfSorted(seconds, 0.1), slow: quantileOfSorted(seconds, 0.9) },
  }
}

/** How several labellers judged an item, and how many items they judged so. Null where one has not judged. */
interface Pattern {
  readonly votes: readonly (Verdict | null)[]
  times: number
}

/** Kappa for two, Fleiss and AC1 where all judged the same items, alpha always. */
function agreementOf(labellers: readonly string[], table: ReadonlyMap<string, ReadonlyMap<string, Verdict>>): Coefficient[] {
  const patterns = new Map<string, Pattern>()
  for (const each of table.values()) {
    if (each.size < 2) continue
    const votes = labellers.map((labeller) => each.get(labeller) ?? null)
    const known = patterns.get(votes.join()) ?? { votes, times: 0 }
    known.times += 1
    patterns.set(votes.join(), known)
  }
  const shared = [...patterns.values()]
  const complete = shared.filter(({ votes }) => votes.every((vote) => vote !== null))
  const repeated = <T>(of: readonly Pattern[], what: (pattern: Pattern) => T): T[] => of.flatMap((each) => new Array<T>(each.times).fill(what(each)))
  const counts = (of: readonly Pattern[]) => repeated(of, ({ votes }) => VERDICTS.map((verdict) => votes.filter((vote) => vote === verdict).length))
  const two = {
    name: 'Cohen’s κ',
    meaning: 'Agreement of two labellers beyond chance',
    of: (items: readonly Pattern[]) => cohenKappa(repeated(items, ({ votes }) => votes[0]!), repeated(items, ({ votes }) => votes[1]!)),
  }
  const several = {
    name: 'Fleiss’ κ',
    meaning: 'Agreement of all labellers beyond chance, over the items that all have judged',
    of: (items: readonly Pattern[]) => fleissKappa(counts(items)),
  }
  return [
    coefficient(labellers.length === 2 ? two : several, complete),
    coefficient(
      {
        name: 'Krippendorff’s α',
        meaning: 'Agreement beyond chance over all items that two or more have judged; 0.8 is customary, 0.667 the least',
        of: (items) => krippendorffAlpha(labellers.map((_, labeller) => repeated(items, ({ votes }) => votes[labeller]!))),
      },
      shared,
    ),
    coefficient({ name: 'Gwet’s AC1', meaning: 'As κ, but steady where one verdict is rare', of: (items) => gwetAc1(counts(items)) }, complete),
  ]
}

interface CoefficientOf {
  readonly name: string
  readonly meaning: string
  readonly of: (items: readonly Pattern[]) => Agreement
}

/** With the jackknife over items (Gwet 2014, chapter 5, takes the same units): patterns are few, however many items. */
function coefficient({ name, meaning, of }: CoefficientOf, patterns: readonly Pattern[]): Coefficient {
  const items = patterns.reduce((sum, { times }) => sum + times, 0)
  const empty = { name, meaning, value: null, interval: null, observed: null, items }
  if (items === 0) return { ...empty, reason: 'no item has been judged by all of them yet' }
  const whole = of(patterns)
  if (whole.kind === 'undefined') return { ...empty, observed: whole.observed, reason: whole.reason }
  const told = { ...empty, value: whole.value, observed: whole.observed }
  if (items < LEAST_FOR_INTERVAL) return { ...told, reason: `${items} items are too few for an interval` }
  if (whole.observed === 1) return { ...told, reason: 'no interval: they agree on every item, so nothing tells how far chance moves it' }
  const without = patterns.map((left) => of(patterns.map((each) => (each === left ? { ...each, times: each.times - 1 } : each))))
  if (without.some(({ kind }) => kind === 'undefined'))
    return { ...told, reason: 'no interval: without one of the items all verdicts are alike, where the coefficient is undefined' }
  const { interval } = jackknife(
    whole.value,
    without.map((each, i) => ({ value: each.kind === 'defined' ? each.value : NaN, times: patterns[i]!.times })),
  )
  return { ...told, interval: { low: Math.max(-1, interval.low), high: Math.min(1, interval.high) }, reason: '' }
}

const LEAST_FOR_INTERVAL = 5

/**
 * ε, the share of labels that are swapped, from the strongest evidence at hand: errors on gold items; else how often two
 * labellers contradict each other; else how often one contradicts himself. Two labels, each swapped with chance ε,
 * contradict each other with chance d = 2ε(1 − ε), so ε = (1 − √(1 − 2d))/2. Ties and "both bad" are left out.
 */
export function labelNoise(judged: readonly JudgedSlot[]): Noise | null {
  const gold = judged.filter(({ slot, judgement }) => slot.role === 'gold' && isDecided(verdictOf(judgement)))
  if (gold.length >= LEAST_FOR_NOISE) {
    const wrong = gold.filter(({ judgement, slot }) => verdictOf(judgement) !== slot.expected).length
    const { low, high } = wilsonInterval(wrong, gold.length)
    const value = wrong / gold.length
    return { basis: 'gold', value, low, high, count: gold.length, how: `${wrong} of ${gold.length} gold items were judged wrongly` }
  }
  const between: boolean[] = []
  for (const votes of verdictTable(judged).values()) {
    const decided = [...votes.values()].filter(isDecided)
    for (let i = 0; i < decided.length; i++) for (let j = 0; j < i; j++) between.push(decided[i] !== decided[j])
  }
  if (between.length >= LEAST_FOR_NOISE)
    return fromContradictions('labellers', between, 'pairs of judgements by two labellers contradict each other')
  const labellers = new Set(judged.map(({ judgement }) => judgement.labeller))
  const within = [...labellers].flatMap((labeller) =>
    repeatedVerdicts(judged.filter((each) => each.judgement.labeller === labeller))
      .filter(([before, after]) => isDecided(before) && isDecided(after))
      .map(([before, after]) => before !== after),
  )
  return within.length >= LEAST_FOR_NOISE ? fromContradictions('repeats', within, 'planted repeats were judged the other way') : null
}

/** Below this many comparisons an estimate would be a guess. */
const LEAST_FOR_NOISE = 10

function fromContradictions(basis: Noise['basis'], contradicts: readonly boolean[], what: string): Noise {
  const count = contradicts.length
  const wrong = contradicts.filter(Boolean).length
  // More than half contradicting is worse than a coin for each: ε ends at a half.
  const epsilon = (d: number) => (1 - Math.sqrt(Math.max(0, 1 - 2 * d))) / 2
  const { low, high } = wilsonInterval(wrong, count)
  return { basis, value: epsilon(wrong / count), low: epsilon(low), high: epsilon(high), count, how: `${wrong} of ${count} ${what}` }
}

/** Verdicts by item and labeller: of the first showing, not of a repeat; skips left out. */
export function verdictTable(judged: readonly JudgedSlot[]): ReadonlyMap<string, ReadonlyMap<string, Verdict>> {
  const table = new Map<string, Map<string, Verdict>>()
  for (const { judgement, slot } of judged) {
    const verdict = verdictOf(judgement)
    if (slot.role !== 'item' || verdict === null) continue
    const votes = table.get(slot.itemId) ?? new Map<string, Verdict>()
    table.set(slot.itemId, votes.set(judgement.labeller, verdict))
  }
  return table
}

/** Of one labeller: [first showing, repeat] where both were judged. */
function repeatedVerdicts(judged: readonly JudgedSlot[]): readonly (readonly [Verdict, Verdict])[] {
  const first = new Map(judged.filter(({ slot }) => slot.role === 'item').map(({ slot, judgement }) => [slot.itemId, verdictOf(judgement)]))
  return judged.flatMap(({ slot, judgement }) => {
    const [before, after] = [first.get(slot.itemId) ?? null, verdictOf(judgement)]
    return slot.role === 'repeat' && before !== null && after !== null ? [[before, after] as const] : []
  })
}

export function isDecided(verdict: Verdict | null): verdict is 'first' | 'second' {
  return verdict === 'first' || verdict === 'second'
}

function share(successes: number, count: number): Share | null {
  if (count === 0) return null
  const { low, high } = wilsonInterval(successes, count)
  return { successes, count, value: successes / count, low, high }
}

function wordCount(text: string): number {
  return text.split(/\s+/).filter(Boolean).length
}
