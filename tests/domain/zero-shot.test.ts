// Scores of zero-shot classification from counts, each by hand.

import { expect, it } from 'vitest'
import { wilsonInterval } from '../../src-main/domain/statistics/intervals.ts'
import { zeroShotScores } from '../../src-main/domain/zero-shot.ts'

it('counts each image once, each class once, and nothing without a class', () => {
  const scores = zeroShotScores([
    { expected: 'cat', given: 'cat', count: 9 },
    { expected: 'cat', given: 'dog', count: 3 },
    { expected: 'dog', given: 'dog', count: 1 },
    { expected: null, given: 'dog', count: 5 },
  ])
  const { low, high } = wilsonInterval(10, 13)
  expect(scores.accuracy).toEqual({ of: 13, right: 10, value: 10 / 13, low, high })
  // (9/12 + 1/1) / 2
  expect(scores.meanPerClass).toBe(0.875)
  expect(scores.classes.map(({ name, of, right }) => [name, of, right])).toEqual([['cat', 12, 9], ['dog', 1, 1]])
  expect(scores.confusion.reduce((sum, { count }) => sum + count, 0)).toBe(13)
  expect(scores.unlabelled).toEqual([{ given: 'dog', count: 5 }])
})

it('has no accuracy where no image has a class, and one of nought where all are wrong', () => {
  expect(zeroShotScores([{ expected: null, given: 'dog', count: 5 }])).toMatchObject({ accuracy: null, meanPerClass: null, classes: [] })
  const { accuracy } = zeroShotScores([{ expected: 'cat', given: 'dog', count: 40 }])
  expect(accuracy).toMatchObject({ value: 0, low: 0 })
  expect(accuracy!.high).toBeGreaterThan(0.08)
})
