import { describe, expect, it } from 'vitest'
import { modelRankings } from '../../../src-main/domain/labelling/model-ranking.ts'
import { outcomesOf, pairsOf } from '../../../src-main/domain/labelling/outcome.ts'
import { exportFiles, labelRows, PAIR_FORMATS } from '../../../src-main/domain/labelling/pair-export.ts'
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

  it('are written in every format with as many rows, and the side file tells each judgement', () => {
    const { pairs } = pairsOf(outcomes, 'leave-out')
    for (const format of PAIR_FORMATS) {
      const [file] = exportFiles('q', format, pairs, () => 'images/a.png')
      expect(file!.rows).toHaveLength(2)
      expect(JSON.stringify(file!.rows[0])).toContain('images/a.png')
    }
    expect(labelRows(pairs)[0]).toMatchObject({ labeller: 'Ada', choice: 'a', verdict: 'second', shown_order: ['second', 'first'] })
  })

  it('give PIVOT’s SFT twin the very answer that the DPO twin chooses', () => {
    const [dpo, sft] = exportFiles('q', 'pivot', pairsOf(outcomes, 'leave-out').pairs, () => 'a.png')
    for (const [i, row] of dpo!.rows.entries()) {
      const twin = sft!.rows[i] as { id: string; conversations: { value: string }[] }
      expect([twin.id, twin.conversations[0]!.value, twin.conversations[1]!.value]).toEqual([
        (row as { id: string }).id,
        (row as { prompt: string }).prompt,
        (row as { chosen: string }).chosen,
      ])
    }
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
