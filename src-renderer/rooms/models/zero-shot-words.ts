// What zero-shot classification came to, in words, and which mistakes to look at first.

import type { ZeroShotScores } from '../../../src-main/domain/zero-shot.ts'
import { count, interval, quantity } from '../../ui/quantity.ts'

/** Up to here a matrix of classes can be read. */
export const MOST_MATRIX_CLASSES = 24
const MOST_MISTAKES = 12

export type Confusion = ZeroShotScores['confusion'][number]

export function zeroShotLines({ accuracy, meanPerClass, classes, unlabelled }: ZeroShotScores, choices: number): readonly string[] {
  const without = unlabelled.reduce((sum, each) => sum + each.count, 0)
  const strangers = without === 0 ? [] : [`${count(without)} ${without === 1 ? 'picture lies' : 'pictures lie'} in no folder named like a class: classified, and not scored.`]
  if (accuracy === null) return [`${count(without)} pictures classified; none lies in a folder named like a class, so none can be scored`]
  return [
    `${quantity(accuracy.value, 'share')} of ${count(accuracy.of)} pictures get their own class (95 % interval: ${interval(accuracy.low, accuracy.high, 'share')})`,
    `With each of ${count(classes.length)} classes counting the same: ${quantity(meanPerClass, 'share')}. Guessing among ${count(choices)}: ${quantity(1 / choices, 'share')}.`,
    ...strangers,
  ]
}

/** Pairs of classes that are taken for each other most, the most frequent first. */
export function mistakes({ confusion }: Pick<ZeroShotScores, 'confusion'>): readonly Confusion[] {
  return confusion.filter(({ expected, given }) => expected !== given).toSorted((a, b) => b.count - a.count || a.expected.localeCompare(b.expected)).slice(0, MOST_MISTAKES)
}

/** What a class is most often taken for; null: for nothing else. */
export function mostTakenFor({ confusion }: Pick<ZeroShotScores, 'confusion'>, name: string): Confusion | null {
  return mistakes({ confusion: confusion.filter(({ expected }) => expected === name) })[0] ?? null
}
