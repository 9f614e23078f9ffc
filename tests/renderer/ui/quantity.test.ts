import { expect, it } from 'vitest'
import {
  count,
  difference,
  differenceInterval,
  interval,
  percent,
  plusMinus,
  pValue,
  quantity,
  significant,
} from '../../../src-renderer/ui/quantity.ts'

it('shows a share in per cent, a ratio times chance, and a missing number as a dash', () => {
  expect([
    quantity(0.6132, 'share'),
    quantity(1.8, 'ratio'),
    quantity(0.000123, 'number'),
    quantity(null, 'share'),
    quantity(Number.NaN, 'nats'),
  ]).toEqual(['61.3 %', '1.80 ×', '1.23e−4', '–', '–'])
})

it('always signs a difference, and gives a rounded zero no direction', () => {
  expect([0.0413, -0.0209, 0.0001, -0.0001].map((value) => difference(value, 'share'))).toEqual([
    '+4.1 pp',
    '−2.1 pp',
    '±0.0 pp',
    '±0.0 pp',
  ])
  expect(difference(-0.4, 'ratio')).toBe('−0.40 ×')
  expect(differenceInterval(-0.012, 0.045, 'share')).toBe('[−1.2, +4.5]')
  expect(differenceInterval(null, 0.1, 'share')).toBe('–')
})

it('writes true minus signs only', () => {
  expect(
    [quantity(-0.5, 'share'), difference(-3, 'nats'), significant(-1e-9), differenceInterval(-0.1, -0.05, 'share')].join(),
  ).not.toContain('-')
})

it('gives half the width of an interval, and the interval itself', () => {
  expect(plusMinus(0.48, 0.53, 'share')).toBe('± 2.5')
  expect(plusMinus(null, null, 'share')).toBe('')
  expect(interval(0.341, 0.384, 'share')).toBe('34.1 to 38.4 %')
})

it('never rounds a p value to zero', () => {
  expect([0.2, 0.0321, 0.0004, null].map(pValue)).toEqual(['0.200', '0.032', '< 0.001', '–'])
})

it('says 100 % only when all is done', () => {
  expect([0, 0.4379, 0.9999, 1, 1.2].map(percent)).toEqual(['0 %', '43 %', '99 %', '100 %', '100 %'])
})

it('keeps three significant digits, with an exponent only where zeros would hide the number', () => {
  expect([0, 0.5, 2.113, 12345, 1e-4, 3.1e7].map((value) => significant(value))).toEqual([
    '0',
    '0.5',
    '2.11',
    '12300',
    '1e−4',
    '3.1e7',
  ])
  expect(count(12034)).toBe('12\u2009034')
})
