import { describe, expect, it } from 'vitest'
import { modelRankings, rankingsByLabeller } from '../../../src-main/domain/labelling/model-ranking.ts'
import { outcomesOf, pairsOf } from '../../../src-main/domain/labelling/outcome.ts'
import { labelRows, pairSample } from '../../../src-main/domain/labelling/pair-export.ts'
import { aJudgedSlot, aJudgement } from '../../support/labels.ts'

describe('what becomes of an item', () => {
  const verdicts = (...choices: readonly ('a' | 'b' | 'tie' | 'both-bad' | 'skip')[]) =>
    outcomesOf(choices.map((choice, i) => aJudgedSlot(0, { labeller: `L${i}`, choice })))

  it('is the majority’s verdict; an even split is none, a skip is no voice', () => {
    expect(verdicts('a', 'a', 'b')[0]!.verdict).toBe('first')
    expect(verdicts('a', 'b')[0]!.verdict).toBeNull()
    expect(verdicts('a', 'skip')[0]!.verdict).toBe('first')
    expect(verdicts('skip')).toEqual([])
  })

  it('is the adjudicator’s verdict where he gave one', () => {
    const judged = [aJudgedSlot(0, { labeller: 'Ada', choice: 'a' }), aJudgedSlot(0, { labeller: 'Ben', choice: 'b' })]
    const final = new Map([['item 0', aJudgement({ labeller: 'Cyd', choice: 'b', aShows: 'first' })]])
    expect(outcomesOf(judged, final)[0]).toMatchObject({ verdict: 'second', isAdjudicated: true })
  })

  it('leaves planted items out', () => {
    const judged = [
      aJudgedSlot(0, {}, { role: 'gold', expected: 'first' }),
      aJudgedSlot(1, {}, { role: 'repeat' }),
      aJudgedSlot(2, { choice: 'b' }),
    ]
    expect(outcomesOf(judged).map(({ item }) => item.id)).toEqual(['item 2'])
  })
})

describe('the pairs of a queue', () => {
  const outcomes = outcomesOf([
    aJudgedSlot(0, { choice: 'a', aShows: 'second' }),
    aJudgedSlot(1, { choice: 'tie' }),
    aJudgedSlot(2, { choice: 'both-bad' }),
    aJudgedSlot(3, { labeller: 'Ada', choice: 'a' }),
    aJudgedSlot(3, { labeller: 'Ben', choice: 'b' }),
    aJudgedSlot(4, { choice: 'both-bad', aShows: 'second', edit: { side: 'a', text: 'three mugs' } }),
  ])

  it('follow the stated rule, and what makes none is counted', () => {
    const { pairs, counts } = pairsOf(outcomes, 'leave-out')
    expect(pairs.map(({ chosen, rejected }) => [chosen, rejected])).toEqual([
      ['two', 'three'],
      // The edit was written from the answer on side A, which was the second.
      ['three mugs', 'two'],
    ])
    expect(counts).toEqual({ pairs: 2, tied: 1, bothBad: 1, split: 1 })
  })

  it('hold a tie in both orders when asked', () => {
    const { pairs } = pairsOf(outcomes, 'both-orders')
    expect(pairs.map(({ chosen }) => chosen)).toEqual(['two', 'three', 'two', 'three mugs'])
  })

  it('are samples of their image and split, with the region that a labeller drew, and the side file tells each judgement', () => {
    const image = { sha256: 'a'.repeat(64), path: 'images/a.png', width: 8, height: 8 }
    const drawn = outcomesOf([aJudgedSlot(0, { choice: 'b', region: [[1, 2, 3, 4]] }, {}, { image, split: 'validation', region: [[0, 0, 8, 8]] })])
    const { pairs } = pairsOf(drawn, 'leave-out')
    expect(pairSample(pairs[0]!)).toMatchObject({
      split: 'validation',
      source: image.sha256,
      content: { prompt: '<image>\nHow many mugs?', chosen: 'two', rejected: 'three', category: 'count', region: [[1, 2, 3, 4]] },
    })
    expect(labelRows(pairsOf(outcomes, 'leave-out').pairs)[0]).toMatchObject({ labeller: 'Ada', choice: 'a', verdict: 'second', shown_order: ['second', 'first'] })
  })
})

describe('the ranking of models', () => {
  it('gives each its wins, half of its ties, and equal strength where they are even', () => {
    const judged = ['a', 'b', 'tie', 'tie'].map((choice, i) => aJudgedSlot(i, { choice: choice as 'a' }))
    const [all] = modelRankings(outcomesOf(judged))
    expect(all!.models.map(({ winRate, strength }) => [winRate, Math.abs(strength) < 1e-9])).toEqual([
      [0.5, true],
      [0.5, true],
    ])
  })

  it('estimates the log odds of winning: 3 of 4 is log 3 apart, but for the ridge', () => {
    const judged = Array.from({ length: 400 }, (_, i) => aJudgedSlot(i, { choice: i % 4 ? 'a' : 'b' }))
    const [best, last] = modelRankings(outcomesOf(judged))[0]!.models
    expect(best).toMatchObject({ source: 'model one', wins: 300, winRate: 0.75 })
    expect(best!.strength - last!.strength).toBeCloseTo(Math.log(3), 2)
    expect(best!.strengthInterval.low).toBeGreaterThan(0)
  })

  it('keeps models apart that were never compared, and joins those that were through others', () => {
    const between = (i: number, first: string, second: string) => aJudgedSlot(i, { choice: 'a' }, {}, { first: { text: 'x', source: first }, second: { text: 'y', source: second } })
    const apart = modelRankings(outcomesOf([between(0, 'p', 'q'), between(1, 'r', 's')]))
    expect(apart.map(({ models }) => models.map(({ source }) => source))).toEqual([['p', 'q'], ['r', 's']])
    const joined = modelRankings(outcomesOf([between(0, 'p', 'q'), between(1, 'r', 's'), between(2, 'q', 'r')]))
    expect(joined.map(({ models }) => models.map(({ source }) => source))).toEqual([['p', 'q', 'r', 's']])
  })

  it('has an interval around the rate, ties counting as half: a single tie is even', () => {
    const [all] = modelRankings(outcomesOf([aJudgedSlot(0, { choice: 'tie' })]))
    const { low, high } = all!.models[0]!.winRateInterval
    expect(low + high).toBeCloseTo(1, 12)
  })

  it('tells each labeller’s own preference where several judged, and leaves one alone', () => {
    const of = (labeller: string, choice: 'a' | 'b') => Array.from({ length: 20 }, (_, i) => aJudgedSlot(i, { labeller, choice }))
    const rankings = rankingsByLabeller([...of('Ada', 'a'), ...of('Ben', 'b')])
    expect(rankings.map(({ labeller, models }) => [labeller, models[0]!.source, models[0]!.winRate])).toEqual([
      ['Ada', 'model one', 1],
      ['Ben', 'model two', 1],
    ])
    expect(rankingsByLabeller(of('Ada', 'a'))).toEqual([])
  })

  it('counts an item once, however many judged it, and an even split as a tie', () => {
    const judged = ['Ada', 'Ben', 'Cyd'].map((labeller) => aJudgedSlot(0, { labeller, choice: 'a' }))
    judged.push(aJudgedSlot(1, { labeller: 'Ada', choice: 'a' }), aJudgedSlot(1, { labeller: 'Ben', choice: 'b' }))
    expect(modelRankings(outcomesOf(judged))[0]!.models[0]).toMatchObject({ comparisons: 2, wins: 1, ties: 1 })
  })

  it('exists where one never lost, leaves "both bad" out, and is by category where there are several', () => {
    const judged = [
      ...Array.from({ length: 5 }, (_, i) => aJudgedSlot(i, { choice: 'a' })),
      aJudgedSlot(9, { choice: 'both-bad' }),
      aJudgedSlot(10, { choice: 'b' }, {}, { category: 'colour' }),
    ]
    const rankings = modelRankings(outcomesOf(judged))
    expect(rankings.map(({ category }) => category)).toEqual([null, 'colour', 'count'])
    expect(rankings[2]!.models[0]).toMatchObject({ wins: 5, comparisons: 5 })
    expect(Number.isFinite(rankings[2]!.models[0]!.strength)).toBe(true)
    expect(modelRankings(outcomesOf([aJudgedSlot(0, { choice: 'both-bad' })]))).toEqual([])
  })
})
