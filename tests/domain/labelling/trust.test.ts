import { describe, expect, it } from 'vitest'
import { labelNoise, labellerQuality, trustReport } from '../../../src-main/domain/labelling/trust.ts'
import { aJudgedSlot } from '../../support/labels.ts'

const many = <T>(count: number, of: (i: number) => T) => Array.from({ length: count }, (_, i) => of(i))

describe('a labeller', () => {
  it('who always chooses side A has a side bias, whatever the answers', () => {
    const judged = many(40, (i) => aJudgedSlot(i, { choice: 'a', aShows: i % 2 ? 'first' : 'second' }))
    const { sideA, verdicts } = labellerQuality('Ada', judged)
    expect(sideA).toMatchObject({ value: 1, count: 40 })
    expect(sideA!.low).toBeGreaterThan(0.5)
    expect(verdicts).toMatchObject({ first: 20, second: 20 })
  })

  it('who chooses the longer answer is told so; answers of one length do not count', () => {
    const judged = [
      ...many(10, (i) => aJudgedSlot(i, { choice: 'b', aShows: 'first' }, {}, { second: { text: 'two mugs on a table', source: 's' } })),
      ...many(5, (i) => aJudgedSlot(10 + i, { choice: 'a' })),
    ]
    expect(labellerQuality('Ada', judged).longer).toMatchObject({ successes: 10, count: 10 })
  })

  it('is consistent where a repeat with the sides exchanged gets the same verdict', () => {
    const judged = [
      aJudgedSlot(0, { choice: 'a', aShows: 'first' }),
      aJudgedSlot(1, { choice: 'a', aShows: 'first' }),
      // The repeat of item 0 chooses the same answer on the other side, that of item 1 the same side.
      aJudgedSlot(0, { choice: 'b', aShows: 'second', ordinal: 30 }, { role: 'repeat', ordinal: 30 }),
      aJudgedSlot(1, { choice: 'a', aShows: 'second', ordinal: 31 }, { role: 'repeat', ordinal: 31 }),
    ]
    expect(labellerQuality('Ada', judged).consistent).toMatchObject({ successes: 1, count: 2, value: 0.5 })
  })

  it('who has judged nothing of a kind has no share of it, rather than NaN', () => {
    const { sideA, longer, consistent, gold, seconds } = labellerQuality('Ada', [])
    expect([sideA, longer, consistent, gold, seconds]).toEqual([null, null, null, null, null])
  })
})

describe('the preference for a side', () => {
  const preferenceOf = (judged: Parameters<typeof trustReport>[0], of = 'Ada') => trustReport(judged).labellers.find(({ labeller }) => labeller === of)!.sidePreference
  /** Item `i` with the first model at A, or the second. */
  const shown = (i: number, aShows: 'first' | 'second', choice: 'a' | 'b' | 'tie', labeller = 'Ada') => aJudgedSlot(i, { labeller, aShows, choice })

  it('is told from a liking for a model: who always takes the better model has none, however often it stood at A', () => {
    // Of 40, the first model stands at A in 30 and is taken in nine of ten wherever it stands.
    const judged = many(40, (i) => shown(i, i < 30 ? 'first' : 'second', (i < 30) === (i % 10 > 0) ? 'a' : 'b'))
    expect(labellerQuality('Ada', judged).sideA!.low).toBeGreaterThan(0.5)
    const { value, interval } = preferenceOf(judged)
    expect(Math.abs(value!)).toBeLessThan(0.02)
    expect(interval!.low).toBeLessThan(0)
  })

  it('of one who takes A three times of four between equals is log 3, while another has none', () => {
    const judged = [...many(80, (i) => shown(i, i % 2 ? 'first' : 'second', i % 8 < 6 ? 'a' : 'b')), ...many(80, (i) => shown(i, i % 2 ? 'first' : 'second', i % 4 < 2 ? 'a' : 'b', 'Ben'))]
    const { value, interval, judgements } = preferenceOf(judged)
    expect(value).toBeCloseTo(Math.log(3), 6)
    expect(interval!.low).toBeGreaterThan(0)
    expect(judgements).toBe(80)
    expect(preferenceOf(judged, 'Ben').value).toBeCloseTo(0, 6)
  })

  it('says why it cannot be told: one side chosen, one side shown, nothing chosen', () => {
    const reasons = [
      many(20, (i) => shown(i, i % 2 ? 'first' : 'second', 'a')),
      many(20, (i) => shown(i, 'first', i % 3 ? 'a' : 'b')),
      [aJudgedSlot(0, { choice: 'skip' })],
    ].map((judged) => preferenceOf(judged))
    expect(reasons.map(({ value }) => value)).toEqual([null, null, null])
    expect(reasons.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/not identified: side A was chosen every time/),
      expect.stringMatching(/not identified: each model’s answers stood on one side only/),
      expect.stringMatching(/no side has been chosen/),
    ])
  })

  it('counts a tie for both sides, and no repeat, gold item or skip', () => {
    const judged = [
      ...many(10, (i) => shown(i, i % 2 ? 'first' : 'second', 'tie')),
      aJudgedSlot(0, { choice: 'a', ordinal: 30 }, { role: 'repeat', ordinal: 30 }),
      aJudgedSlot(40, { choice: 'a' }, { role: 'gold', expected: 'first' }),
      aJudgedSlot(41, { choice: 'skip' }),
    ]
    expect(preferenceOf(judged)).toMatchObject({ value: expect.closeTo(0, 9), judgements: 10 })
  })
})

describe('agreement', () => {
  const two = (disagree: (i: number) => boolean) =>
    many(20, (i) => [
      aJudgedSlot(i, { labeller: 'Ada', choice: i % 2 ? 'a' : 'b' }),
      aJudgedSlot(i, { labeller: 'Ben', choice: (i % 2 === 1) !== disagree(i) ? 'a' : 'b' }),
    ]).flat()
  const named = (report: ReturnType<typeof trustReport>, name: RegExp) => report.agreement.find((each) => name.test(each.name))!

  it('of two who always agree is 1, of two who agree on half by chance is 0', () => {
    expect(named(trustReport(two(() => false)), /κ/).value).toBeCloseTo(1, 12)
    // Both choose each answer in half of the items and agree on half: p_o = p_e = ½.
    expect(named(trustReport(two((i) => i % 4 < 2)), /κ/).value).toBeCloseTo(0, 12)
  })

  it('has an interval that holds the estimate', () => {
    const { value, interval } = named(trustReport(two((i) => i % 5 === 0)), /α/)
    expect(interval!.low).toBeLessThanOrEqual(value!)
    expect(interval!.high).toBeGreaterThanOrEqual(value!)
  })

  it('on a unanimous set is undefined and says why', () => {
    const unanimous = many(6, (i) => [aJudgedSlot(i, { labeller: 'Ada' }), aJudgedSlot(i, { labeller: 'Ben' })]).flat()
    const kappa = named(trustReport(unanimous), /κ/)
    expect(kappa.value).toBeNull()
    expect(kappa.reason).toMatch(/same category/)
    expect(kappa.observed).toBe(1)
  })

  it('of three takes Fleiss’ κ over what all have judged, and α over what two have', () => {
    const judged = many(10, (i) =>
      (i < 6 ? ['Ada', 'Ben', 'Cyd'] : ['Ada', 'Ben']).map((labeller) => aJudgedSlot(i, { labeller, choice: i % 2 ? 'a' : 'b' })),
    ).flat()
    const report = trustReport(judged)
    expect(named(report, /Fleiss/)).toMatchObject({ items: 6, value: expect.closeTo(1, 12) })
    expect(named(report, /α/)).toMatchObject({ items: 10 })
    expect(report).toMatchObject({ disagreements: 0, sharedItems: 10 })
  })

  it('counts no repeat and no gold item', () => {
    const judged = [
      ...two(() => false),
      aJudgedSlot(0, { labeller: 'Ada', choice: 'tie', ordinal: 50 }, { role: 'repeat', ordinal: 50 }),
      aJudgedSlot(90, { labeller: 'Ben' }, { role: 'gold', expected: 'first' }),
    ]
    expect(trustReport(judged).disagreements).toBe(0)
  })
})

describe('the share of swapped labels', () => {
  it('is the error on gold items, where there are ten', () => {
    const judged = many(20, (i) => aJudgedSlot(i, { choice: i < 3 ? 'b' : 'a' }, { role: 'gold', expected: 'first' }))
    expect(labelNoise(judged)).toMatchObject({ basis: 'gold', value: 0.15, count: 20 })
  })

  it('follows from contradictions of two labellers by ε = (1 − √(1 − 2d))/2', () => {
    // d = 0.18 → √(1 − 0.36) = 0.8 → ε = 0.1, and back: 2·0.1·0.9 = 0.18.
    const judged = many(50, (i) => [
      aJudgedSlot(i, { labeller: 'Ada', choice: 'a' }),
      aJudgedSlot(i, { labeller: 'Ben', choice: i < 9 ? 'b' : 'a' }),
    ]).flat()
    const noise = labelNoise(judged)!
    expect(noise).toMatchObject({ basis: 'labellers', count: 50 })
    expect(noise.value).toBeCloseTo(0.1, 12)
    expect(noise.low).toBeLessThan(0.1)
    expect(noise.high).toBeGreaterThan(0.1)
  })

  it('is at most a half, however much they contradict, and unknown from nothing', () => {
    const judged = many(20, (i) => [aJudgedSlot(i, { labeller: 'Ada', choice: 'a' }), aJudgedSlot(i, { labeller: 'Ben', choice: 'b' })]).flat()
    expect(labelNoise(judged)!.value).toBe(0.5)
    expect(labelNoise([])).toBeNull()
  })
})
