// Numbers of a study, checked by hand: means, pairing, correction, and words that claim no more than the numbers do.

import { describe, expect, it } from 'vitest'
import { summarise, type StudyFacts } from '../../src-main/services/results.ts'
import type { ItemRow, ResultRow } from '../../src-main/store/evaluations.ts'

const facts = (seeds: readonly number[]): StudyFacts => ({
  studyId: 's',
  name: 'a study',
  seeds,
  isComplete: true,
  isQuick: seeds.length < 3,
  encoderNames: { 'stage-1': 'Stage 1', sft: 'SFT', dpo: 'DPO' },
  preferenceObjective: null,
})
const result = (encoder: ResultRow['encoder'], seed: number, metric: string, value: number, n = 10): ResultRow => ({
  encoder,
  seed,
  metric,
  value,
  n,
})

/** Right or wrong answers, one string a seed and arm: "1101". */
function answers(
  of: Readonly<Record<string, readonly string[]>>,
  clusterSize = 1,
  metric = 'vqa/all',
): { results: ResultRow[]; items: ItemRow[] } {
  const results: ResultRow[] = []
  const items: ItemRow[] = []
  for (const [encoder, seeds] of Object.entries(of))
    seeds.forEach((text, seed) => {
      const values = [...text].map(Number)
      results.push(
        result(encoder as 'sft', seed, metric, values.reduce((sum, each) => sum + each, 0) / values.length, values.length),
      )
      values.forEach((value, i) =>
        items.push({
          encoder: encoder as 'sft',
          seed,
          metric,
          itemId: `item ${i}`,
          cluster: `image ${Math.floor(i / clusterSize)}`,
          group: i < values.length / 2 ? 'text' : 'general',
          value,
        }),
      )
    })
  return { results, items }
}

describe('means and intervals', () => {
  it('over three seeds are Student’s: 0.5, 0.6, 0.7 → 0.6 ± 4.303·0.1/√3', () => {
    const rows = [0.5, 0.6, 0.7].map((value, seed) => result('sft', seed, 'segmentation/mean-iou', value))
    const [sft] = summarise(facts([0, 1, 2]), rows, []).metrics[0]!.encoders
    expect(sft!.mean).toBeCloseTo(0.6, 12)
    expect(sft!.high! - 0.6).toBeCloseTo((4.3026527 * 0.1) / Math.sqrt(3), 5)
    expect(sft!.n).toBe(30)
  })

  it('reach beyond one seed’s items: five seeds that agree on every item leave the chance of the items', () => {
    const { results, items } = answers({ sft: Array.from({ length: 5 }, () => '1111100000') })
    const [sft] = summarise(facts([0, 1, 2, 3, 4]), results, items).metrics[0]!.encoders
    expect(sft!.mean).toBe(0.5)
    expect(sft!.low!).toBeLessThan(0.3)
    expect(sft!.high!).toBeGreaterThan(0.7)
  })

  it('of a share never leave the scale, and where nothing varied there is none', () => {
    const two = summarise(
      facts([0, 1]),
      [result('sft', 0, 'segmentation/mean-iou', 0.02), result('sft', 1, 'segmentation/mean-iou', 0.9)],
      [],
    ).metrics[0]!.encoders[0]!
    expect([two.low, two.high]).toEqual([0, 1])
    const same = summarise(
      facts([0, 1]),
      [result('sft', 0, 'segmentation/mean-iou', 0.4), result('sft', 1, 'segmentation/mean-iou', 0.4)],
      [],
    ).metrics[0]!.encoders[0]!
    expect([same.low, same.high]).toEqual([null, null])
  })

  it('of one seed are Wilson’s over its answers, and absent for what is no share of answers', () => {
    const { results, items } = answers({ sft: ['1111100000'] })
    const [sft] = summarise(facts([0]), results, items).metrics[0]!.encoders
    expect([sft!.low, sft!.high]).toEqual([expect.closeTo(0.2366, 3), expect.closeTo(0.7634, 3)])
    const [iou] = summarise(facts([0]), [result('sft', 0, 'segmentation/mean-iou', 0.4)], []).metrics[0]!.encoders
    expect([iou!.low, iou!.high]).toEqual([null, null])
  })
})

describe('the paired difference', () => {
  it('is DPO − SFT, over items and seeds where items are the metric', () => {
    const { results, items } = answers({ sft: ['10001000', '10001000'], dpo: ['11101010', '11101110'] })
    const difference = summarise(facts([0, 1]), results, items).metrics[0]!.difference!
    expect(difference.mean).toBeCloseTo((3 / 8 + 4 / 8) / 2, 12)
    expect(difference.basis).toBe('8 items × 2 seeds')
    expect(difference.pValue).not.toBeNull()
  })

  it('items that share an image are one: the same answers told apart in four images are weaker evidence', () => {
    const of = {
      sft: ['0000000000000000', '0000000000000000', '0000000000000000'],
      dpo: ['1111000011110000', '1111000011110000', '1111000011110000'],
    }
    const apart = answers(of)
    const together = answers(of, 4)
    const pOf = ({ results, items }: typeof apart) => summarise(facts([0, 1, 2]), results, items).metrics[0]!.difference!
    expect(pOf(together).basis).toBe('16 items in 4 images × 3 seeds')
    expect(pOf(together).mean).toBeCloseTo(pOf(apart).mean, 12)
    expect(pOf(together).pValue!).toBeGreaterThan(pOf(apart).pValue!)
  })

  it('falls back to seeds where the items’ mean is not what was reported', () => {
    const { results, items } = answers({ sft: ['10', '10', '10'], dpo: ['11', '11', '11'] }, 1, 'segmentation/mean-iou')
    const macro = results.map((row, i) => ({ ...row, value: 0.3 + (row.encoder === 'dpo' ? 0.1 : 0) + 0.01 * (i % 2) }))
    const difference = summarise(facts([0, 1, 2]), macro, items).metrics[0]!.difference!
    expect([difference.basis, difference.method]).toEqual(['3 seeds', 'paired Student t over seeds'])
  })

  it('seeds that all differ by the same amount are no test: their spread is unknown, not nought', () => {
    const rows = [0, 1].flatMap((seed) => [result('sft', seed, 'change/cka', 0.5), result('dpo', seed, 'change/cka', 0.75)])
    expect(summarise(facts([0, 1]), rows, []).metrics[0]!.difference).toMatchObject({
      mean: 0.25,
      low: null,
      high: null,
      pValue: null,
      winner: 'neither',
    })
  })

  it('of one seed without items is a number that was not tested', () => {
    const difference = summarise(facts([0]), [result('sft', 0, 'probe/knn', 0.4), result('dpo', 0, 'probe/knn', 0.5)], [])
      .metrics[0]!.difference!
    expect(difference).toMatchObject({
      mean: expect.closeTo(0.1, 12),
      low: null,
      pValue: null,
      holmPValue: null,
      winner: 'neither',
    })
  })

  it('a question group is paired over the questions of that group', () => {
    const { results, items } = answers({ sft: ['0000', '0000'], dpo: ['1100', '1000'] })
    const group = [
      result('sft', 0, 'vqa/text', 0),
      result('sft', 1, 'vqa/text', 0),
      result('dpo', 0, 'vqa/text', 1),
      result('dpo', 1, 'vqa/text', 0.5),
    ]
    const text = summarise(facts([0, 1]), [...results, ...group], items).metrics.find(({ metric }) => metric === 'vqa/text')!
    expect(text.difference).toMatchObject({ mean: 0.75, basis: '2 items × 2 seeds' })
  })

  it('is not taken where an arm is missing', () => {
    expect(summarise(facts([0]), [result('sft', 0, 'probe/knn', 0.4)], []).metrics[0]!.difference).toBeNull()
  })
})

describe('Holm’s correction', () => {
  it('counts every metric that was tested: three p of 0.02 become 0.06, and nobody wins', () => {
    // Differences of 0.1, 0.1 + δ, 0.1 − δ over three seeds give the same t, whatever the metric.
    const rows = ['probe/linear', 'probe/prototype', 'probe/knn'].flatMap((metric) =>
      [0.1, 0.125, 0.075].flatMap((difference, seed) => [
        result('sft', seed, metric, 0.5),
        result('dpo', seed, metric, 0.5 + difference),
      ]),
    )
    const { metrics } = summarise(facts([0, 1, 2]), rows, [])
    const [first] = metrics
    expect(first!.difference!.pValue).toBeCloseTo(0.0202, 3)
    expect(metrics.map(({ difference }) => difference!.holmPValue)).toEqual(
      metrics.map(() => expect.closeTo(3 * first!.difference!.pValue!, 9)),
    )
    expect(metrics.map(({ difference }) => difference!.winner)).toEqual(['neither', 'neither', 'neither'])
    expect(metrics[0]!.difference!.verdict).toContain('not clear after Holm')
  })
})

describe('the verdict', () => {
  it('says what the second arm was trained with, where its name does not', () => {
    const said = (preferenceObjective: string | null) => summarise({ ...facts([0]), preferenceObjective }, [], []).verdict.join(' ')
    expect(said('DPO with the loss ipo')).toContain('trained with DPO with the loss ipo')
    expect(said('DPO')).not.toContain('trained with')
    expect(said(null)).not.toContain('trained with')
  })

  const clear = (sign: 1 | -1, metric = 'probe/linear') =>
    [0.2, 0.2002, 0.1998].flatMap((difference, seed) => [
      result('sft', seed, metric, 0.5),
      result('dpo', seed, metric, 0.5 + sign * difference),
    ])

  it.each([
    [1, 'dpo', 'DPO is better'],
    [-1, 'sft', 'SFT is better'],
  ] as const)('names the arm that won, whichever it is (%i)', (sign, winner, words) => {
    const { metrics, verdict } = summarise(facts([0, 1, 2]), clear(sign), [])
    expect([metrics[0]!.difference!.winner, metrics[0]!.difference!.verdict]).toEqual([winner, words])
    expect(verdict.join(' ')).toContain(`${words} on 1 of 1`)
  })

  it('turns round where lower is better', () => {
    expect(summarise(facts([0, 1, 2]), clear(1, 'localisation/sft/entropy'), []).metrics[0]!.difference!.winner).toBe('sft')
  })

  it('a change from the start has no better direction, and nobody wins by it', () => {
    const { metrics, verdict } = summarise(facts([0, 1, 2]), clear(1, 'change/cka'), [])
    expect(metrics[0]!.difference!.winner).toBe('neither')
    expect(verdict.join(' ')).not.toMatch(/is better/)
  })

  it('counts who is ahead by sign, and a level metric for nobody', () => {
    const pair = (metric: string, sft: number, dpo: number) => [result('sft', 0, metric, sft), result('dpo', 0, metric, dpo)]
    const rows = [...pair('probe/linear', 0.1, 0.2), ...pair('probe/knn', 0.3, 0.3), ...pair('localisation/sft/entropy', 0.4, 0.5)]
    expect(summarise(facts([0]), rows, []).verdict.join(' ')).toContain('DPO is ahead on 1, SFT on 1, level on 1')
  })

  it('says that nothing was shown when nothing was, and that few seeds cannot show more', () => {
    const { results, items } = answers({ sft: ['10101010'], dpo: ['10101011'] })
    const { verdict } = summarise(facts([0]), results, items)
    expect(verdict.join(' ')).toContain('tells the two arms apart')
    expect(verdict.join(' ')).toContain('One seed')
  })
})
