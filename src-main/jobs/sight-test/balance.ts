// Chooses among facts so that nothing is to be gained without looking: within a group every category is asked about
// equally often, within a wording every answer is right equally often, and of two answers each beats the other equally
// often. A choice depends on the scenes before, never on those after: a longer data set begins with the shorter one.

import type { Random } from '../../domain/random.ts'
import type { QuestionGroup } from '../../domain/sample.ts'
import type { Fact } from './facts.ts'

export interface Pair {
  readonly fact: Fact
  readonly rejected: string
}

export interface FactChooser {
  /** The groups that have facts, the one chosen least often so far first. */
  groups(facts: readonly Fact[]): readonly QuestionGroup[]
  /** A fact of `group`, or null when there is none. Balanced as far as the facts allow. */
  question(facts: readonly Fact[], group: QuestionGroup): Fact | null
  /** A fact of `group` whose answer is not yet right more often than the others; null when there is none. */
  fairQuestion(facts: readonly Fact[], group: QuestionGroup): Fact | null
  /** A fact of `group` and a near miss that it has not yet beaten more often than lost to; null when there is none. */
  fairPair(facts: readonly Fact[], group: QuestionGroup): Pair | null
}

export function createFactChooser(random: Random): FactChooser {
  const groupCounts = createTally()
  const categoryCounts = createTally()
  /** By wording: how much more often an answer was right than by chance among the possible ones; sums to nothing. */
  const byForm = createTally()
  const byQuestion = createTally()
  /** By wording, "answer over rejected": wins less losses. */
  const duels = createTally()

  const advantage = (odds: Tally, where: string, answer: string, among: readonly string[]): number => {
    let others = 0
    for (const each of among) if (each !== answer) others += odds.of(where, each)
    return odds.of(where, answer) - others / (among.length - 1)
  }
  const note = ({ group, category, form, question, answer }: Fact, among: readonly string[]): void => {
    groupCounts.add(group, '', 1)
    categoryCounts.add(group, category, 1)
    for (const each of among) {
      const surprise = each === answer ? 1 : -1 / (among.length - 1)
      byForm.add(form, each, surprise)
      byQuestion.add(question, each, surprise)
    }
  }
  const inGroup = (facts: readonly Fact[], group: QuestionGroup) => facts.filter((fact) => fact.group === group)
  const chooseQuestion = (facts: readonly Fact[], group: QuestionGroup) =>
    least(random, inGroup(facts, group), (fact) => {
      const unfair = advantage(byForm, fact.form, fact.answer, fact.among)
      return [
        Math.max(0, unfair),
        categoryCounts.of(group, fact.category),
        unfair,
        advantage(byQuestion, fact.question, fact.answer, fact.among),
      ]
    })
  const noted = (fact: Fact | null): Fact | null => {
    if (fact !== null) note(fact, fact.among)
    return fact
  }

  return {
    groups: (facts) =>
      random.shuffle([...new Set(facts.map((fact) => fact.group))]).sort((a, b) => groupCounts.of(a, '') - groupCounts.of(b, '')),
    question: (facts, group) => noted(chooseQuestion(facts, group)),
    fairQuestion(facts, group) {
      const fact = chooseQuestion(facts, group)
      return fact !== null && advantage(byForm, fact.form, fact.answer, fact.among) < SLACK ? noted(fact) : null
    },
    fairPair(facts, group) {
      const pairs = inGroup(facts, group).flatMap((fact) => fact.nearMisses.map((rejected): Pair => ({ fact, rejected })))
      const fair = pairs.filter(({ fact, rejected }) => duels.of(fact.form, `${fact.answer} over ${rejected}`) <= 0)
      const chosen = least(random, fair, ({ fact, rejected }) => {
        const two = [fact.answer, rejected]
        const unfair = advantage(byForm, fact.form, fact.answer, two)
        return [
          Math.max(0, unfair),
          categoryCounts.of(group, fact.category),
          unfair,
          advantage(byQuestion, fact.question, fact.answer, two),
        ]
      })
      if (chosen === null) return null
      const { fact, rejected } = chosen
      if (advantage(byForm, fact.form, fact.answer, [fact.answer, rejected]) >= SLACK) return null
      note(fact, [fact.answer, rejected])
      duels.add(fact.form, `${fact.answer} over ${rejected}`, 1)
      duels.add(fact.form, `${rejected} over ${fact.answer}`, -1)
      return chosen
    },
  }
}

/** Sums of thirds and sevenths differ in their last bits; such differences are none. */
const SLACK = 1e-9

interface Tally {
  of(where: string, key: string): number
  add(where: string, key: string, by: number): void
}

function createTally(): Tally {
  const counts = new Map<string, Map<string, number>>()
  return {
    of: (where, key) => counts.get(where)?.get(key) ?? 0,
    add(where, key, by) {
      const there = counts.get(where) ?? new Map<string, number>()
      counts.set(where, there.set(key, (there.get(key) ?? 0) + by))
    },
  }
}

/** One of those with the smallest cost (compared part by part), at random among equals; null when there is none. */
function least<T>(random: Random, values: readonly T[], cost: (value: T) => readonly number[]): T | null {
  let bestCost: readonly number[] = []
  let best: T[] = []
  for (const value of values) {
    const its = cost(value)
    const order = best.length === 0 ? -1 : compare(its, bestCost)
    if (order < 0) [bestCost, best] = [its, [value]]
    else if (order === 0) best.push(value)
  }
  return best.length === 0 ? null : random.pick(best)
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => Math.abs(value - b[i]!) > SLACK)
  return at < 0 ? 0 : a[at]! - b[at]!
}
