import { expect, it } from 'vitest'
import { duration, moment, shortDuration, timeLeft } from '../../../src-renderer/ui/duration.ts'

const [SECOND, MINUTE, HOUR] = [1000, 60_000, 3_600_000]

it('says a length of time in the unit one would say it in', () => {
  expect([300, 8200, 42 * SECOND, 185 * SECOND, 134 * MINUTE, 76 * HOUR].map(duration)).toEqual([
    '0.3 s',
    '8.2 s',
    '42 s',
    '3 min 05 s',
    '2 h 14 min',
    '3 d 4 h',
  ])
})

it('never says sixty of a unit', () => {
  const said = Array.from({ length: 4000 }, (_, tenth) => tenth * 100).flatMap((ms) => [duration(ms), shortDuration(ms)])
  expect(said.filter((text) => /\b60\b|:60/.test(text))).toEqual([])
  expect(duration(HOUR - 1)).toBe('1 h 00 min')
})

it('is shorter in a narrow cell', () => {
  expect([42 * SECOND, 185 * SECOND, 134 * MINUTE].map(shortDuration)).toEqual(['42 s', '3:05', '2:14 h'])
})

it('says time left coarsely, and says so when no pace is known', () => {
  expect([4 * SECOND, 42 * SECOND, 95 * SECOND, 12.4 * MINUTE, 130 * MINUTE, 120 * MINUTE].map(timeLeft)).toEqual([
    'less than 10 s left',
    'about 40 s left',
    'about 2 min left',
    'about 12 min left',
    'about 2 h 10 min left',
    'about 2 h left',
  ])
  expect([null, Number.NaN, Number.POSITIVE_INFINITY, -5].map(timeLeft)).toEqual(Array(4).fill('measuring pace'))
})

it('rises with the time it is about: more left never reads as less', () => {
  const minutesOf = (text: string) =>
    Number(/(\d+) h/.exec(text)?.[1] ?? 0) * 60 +
    Number(/(\d+) min/.exec(text)?.[1] ?? 0) +
    Number(/(\d+) s/.exec(text)?.[1] ?? 0) / 60
  const said = Array.from({ length: 300 }, (_, index) => minutesOf(timeLeft(11 * SECOND + index * 17 * SECOND)))
  expect(said).toEqual([...said].sort((a, b) => a - b))
})

it('leaves the day out today and the clock out in other years', () => {
  const now = new Date(2026, 4, 12, 18, 0).getTime()
  expect(moment(new Date(2026, 4, 12, 9, 5).getTime(), now)).toBe('today 09:05')
  expect(moment(new Date(2026, 2, 3, 9, 5).getTime(), now)).toBe('3 Mar 09:05')
  expect(moment(new Date(2025, 2, 3, 9, 5).getTime(), now)).toBe('3 Mar 2025')
})
