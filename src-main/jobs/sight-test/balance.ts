// Chooses among facts so that nothing is to be gained without looking: within a group every category is asked equally
// often, within a wording every answer is right equally often, and of two answers each beats the other equally often.
// Choices depend on the scenes before, never on those after: a longer data set begins with the shorter one.

import type { Random } from '../../domain/random.ts'
import type { QuestionGroup } from '../../domain/sample.ts'
import type { Fact } from './facts.ts'

export interface Pair {
  readonly fact: Fact
  readonly rejected: string
}

export interface FactChooser {
  /** The group among those with facts that was chosen least often so far. */
  group(facts: readonly Fact[]): QuestionGroup | null
  /** One fact of `group`, or null. */
  question(facts: readonly Fact[], group: QuestionGroup): Fact | null
  /** One fact of `group` with a near miss, or null. */
  pair(facts: readonly Fact[], group: QuestionGroup): Pair | null
}

export function createFactChooser(random: Random): FactChooser {
  const groups = createTally()
  const categories = createTally()
  const answers = createTally()
  /** How much more often a thing was true than somebody who does not look would expect. */
  const odds = createTally()

  const ofLeastAsked = (facts: readonly Fact[], group: QuestionGroup): readonly Fact[] => {
    const inGroup = facts.filter((fact) => fact.group === group)
    const category = least(random, [...new Set(inGroup.map((fact) => fact.category))], (each) => [categories.of(group, each)])
    return inGroup.filter((fact) => fact.category === category)
  }
  const note = ({ group, category, form, question, answer }: Fact, others: readonly string[]) => {
    groups.add(1, group)
    categories.add(1, group, category)
    answers.add(1, form, answer)
    for (const [key, weight] of [[answer, 1] as const, ...others.map((other) => [other, -1 / others.length] as const)]) {
      odds.add(weight, form, key)
      odds.add(weight, question, key)
    }
    for (const other of others) {
      odds.add(1 / others.length, form, answer, other)
      odds.add(-1 / others.length, form, other, answer)
    }
  }
  /** How well somebody does who knows what was true so far: of the answer, against `others`, in these words. */
  const foreseen = ({ form, question, answer }: Fact, others: readonly string[]): number[] => {
    const mean = (of: (other: string) => number) => others.reduce((sum, other) => sum + of(other), 0) / others.length
    return [odds.of(form, answer) - mean((other) => odds.of(form, other)), odds.of(question, answer) - mean((other) => odds.of(question, other))]
  }
  return {
    group: (facts) => least(random, [...new Set(facts.map((fact) => fact.group))], (group) => [groups.of(group)]),
    question(facts, group) {
      const chosen = least(random, ofLeastAsked(facts, group), (fact) => [answers.of(fact.form, fact.answer), ...foreseen(fact, fact.nearMisses)])
      if (chosen !== null) note(chosen, chosen.nearMisses)
      return chosen
    },
    pair(facts, group) {
      const pairs = ofLeastAsked(facts, group).flatMap((fact) => fact.nearMisses.map((rejected): Pair => ({ fact, rejected })))
      const chosen = least(random, pairs, ({ fact, rejected }) => [odds.of(fact.form, fact.answer, rejected), ...foreseen(fact, [rejected])])
      if (chosen !== null) note(chosen.fact, [chosen.rejected])
      return chosen
    },
  }
}

interface Tally {
  of(...key: string[]): number
  add(by: number, ...key: string[]): void
}

function createTally(): Tally {
  const counts = new Map<string, number>()
  return {
    of: (...key) => counts.get(key.join('\n')) ?? 0,
    add: (by, ...key) => void counts.set(key.join('\n'), (counts.get(key.join('\n')) ?? 0) + by),
  }
}

/** One of those with the smallest cost (compared part by part), at random among equals; null when there is none. */
function least<T>(random: Random, values: readonly T[], cost: (value: T) => readonly number[]): T | null {
  let best: { cost: readonly number[]; values: T[] } | null = null
  for (const value of values) {
    const its = cost(value)
    const order = best === null ? -1 : compare(its, best.cost)
    if (order < 0) best = { cost: its, values: [value] }
    else if (order === 0) best!.values.push(value)
  }
  return best === null ? null : random.pick(best.values)
}

/** Sums of fractions differ in their last bits; such differences are none. */
function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => Math.abs(value - b[i]!) > 1e-9)
  return at < 0 ? 0 : a[at]! - b[at]!
}
