// Laws of sweeps: the grid is every combination and no other, the rule stops what is behind and nothing else, and a curve shows the
// best setting's mean over seeds within its interval.

import { describe, expect, it } from 'vitest'
import { evaluatorOf, stillRunning, sizeCurves, sweepCells, sweepCurves, sweepSettingsSchema, type SweepCell, type SweepPoint } from '../../src-main/domain/sweep.ts'
import { refusal } from '../support/refusal.ts'

const sft = { label: 'SFT', training: { objective: { kind: 'sft' }, learningRate: 0.01 }, learningRates: [0.1, 0.2] }
const dpo = { label: 'DPO', training: { objective: { kind: 'dpo' }, learningRate: 0.02 }, betas: [0.1, 0.5, 1] }
const settings = (fields: object = {}) => sweepSettingsSchema.parse({ arms: [sft, dpo], dataSizes: [10, null], ...fields })

const cell = (fields: Partial<SweepCell> = {}): SweepCell => ({ arm: 'SFT', start: 'a', dataSize: null, learningRate: 0.1, beta: null, ...fields })
const point = (score: number, seed: number, fields: Partial<SweepCell> = {}): SweepPoint => ({ ...cell(fields), size: null, seed, score, runId: `${seed}`, evaluationId: `${seed}` })

describe('the grid', () => {
  it('is every start, size and arm with the arm’s own rates and β, each once', () => {
    const cells = sweepCells(settings(), ['a', 'b'])
    expect(cells).toHaveLength(2 * 2 * (2 + 3))
    expect(new Set(cells.map((each) => JSON.stringify(each))).size).toBe(cells.length)
    expect(new Set(cells.filter(({ arm }) => arm === 'SFT').map(({ learningRate, beta }) => `${learningRate} ${beta}`))).toEqual(new Set(['0.1 null', '0.2 null']))
    expect(new Set(cells.filter(({ arm }) => arm === 'DPO').map(({ learningRate, beta }) => `${learningRate} ${beta}`))).toEqual(new Set(['0.02 0.1', '0.02 0.5', '0.02 1']))
  })

  it('refuses two arms of one name, and a score that no evaluator yields', () => {
    expect(sweepSettingsSchema.safeParse({ arms: [sft, { ...dpo, label: 'SFT' }] }).success).toBe(false)
    expect(refusal(() => evaluatorOf('loss'))).toBe('invalid-input')
    expect(evaluatorOf('probe/linear')).toBe('probe')
  })
})

describe('the rule', () => {
  const cells = [cell(), cell({ learningRate: 0.2 }), cell({ dataSize: 10 }), cell({ arm: 'DPO' })]
  const points = [point(0.5, 0), point(0.3, 0, { learningRate: 0.2 }), point(0.1, 0, { dataSize: 10 }), point(0.2, 0, { arm: 'DPO' })]

  it('stops what is behind the best of its own objective, start and size by more than the margin', () => {
    expect(stillRunning(cells, points, 0.1)).toEqual([cells[0], cells[2], cells[3]])
    expect(stillRunning(cells, points, 0.25)).toEqual(cells)
  })
  it('stops nothing without a margin, nor what was not measured yet', () => {
    expect(stillRunning(cells, points, null)).toEqual(cells)
    expect(stillRunning(cells, points.slice(0, 1), 0)).toEqual(cells)
  })
})

/** A score that may be any number: its bands are Student's t as it is. */
const UNBOUNDED = 'localisation/dpo/energy'

describe('curves against sizes', () => {
  const sized = (score: number, seed: number, visionEncoder: number, languageModel: number, fields: Partial<SweepCell> = {}): SweepPoint => ({ ...point(score, seed, { start: `${visionEncoder} ${languageModel}`, ...fields }), size: { visionEncoder, languageModel } })
  const grid = [10, 20].flatMap((encoder) => [5, 7].flatMap((language) => [0, 1].map((seed) => sized(encoder + language / 10 + seed, seed, encoder, language))))

  it('each holds the other module and the data fixed, sizes ascending, with the mean over seeds', () => {
    const curves = sizeCurves(grid, UNBOUNDED)
    expect(curves.map(({ of, other, points }) => [of, other, points.map(({ parameters }) => parameters)])).toEqual([
      ['visionEncoder', 5, [10, 20]],
      ['visionEncoder', 7, [10, 20]],
      ['languageModel', 10, [5, 7]],
      ['languageModel', 20, [5, 7]],
    ])
    expect(curves[0]!.points[1]).toMatchObject({ value: 21, seeds: 2, start: '20 5' })
    expect(curves[0]!.points[1]!.low).toBeCloseTo(21 - 12.706 * 0.5, 2)
  })

  it('there is none of one size alone, of unknown sizes, nor over data of two sizes', () => {
    expect(sizeCurves([sized(1, 0, 10, 5), sized(1, 1, 10, 5)], UNBOUNDED)).toEqual([])
    expect(sizeCurves([point(1, 0), point(1, 0, { start: 'b' })], UNBOUNDED)).toEqual([])
    expect(sizeCurves([sized(1, 0, 10, 5, { dataSize: 8 }), sized(1, 0, 20, 5, { dataSize: 9 })], UNBOUNDED)).toEqual([])
  })
})

describe('curves', () => {
  it('one an objective and start, sizes ascending and all last; each the mean of the best setting', () => {
    const curves = sweepCurves([
      point(0.6, 0), point(0.8, 1), point(0.9, 0, { learningRate: 0.2 }), point(0.3, 1, { learningRate: 0.2 }),
      point(0.4, 0, { dataSize: 100 }), point(0.2, 0, { dataSize: 20 }), point(0.5, 0, { arm: 'DPO' }),
    ], UNBOUNDED)
    expect(curves.map(({ arm, start }) => `${arm} ${start}`)).toEqual(['SFT a', 'DPO a'])
    expect(curves[0]!.points.map(({ dataSize }) => dataSize)).toEqual([20, 100, null])
    const all = curves[0]!.points[2]!
    expect(all).toMatchObject({ seeds: 2, learningRate: 0.1 })
    expect(all.value).toBeCloseTo(0.7, 12)
    // t of one degree of freedom at 97.5 %: 12.706; the standard error of 0.6 and 0.8 is 0.1.
    expect(all.low).toBeCloseTo(0.7 - 1.2706, 3)
    expect(all.high).toBeCloseTo(0.7 + 1.2706, 3)
    expect(curves[0]!.points[0]).toMatchObject({ value: 0.2, low: null, high: null })
  })

  it('the band of a share stays on its scale, of data and of model sizes', () => {
    const points = [0.6, 0.8].map((score, seed) => ({ ...point(score, seed), size: { visionEncoder: 10, languageModel: 5 } }))
    const larger = points.map((each) => ({ ...each, start: 'b', score: each.score - 0.55, size: { visionEncoder: 20, languageModel: 5 } }))
    const bands = [sweepCurves(points, 'vqa/all')[0]!, sizeCurves([...points, ...larger], 'vqa/all')[0]!].flatMap((curve) => curve.points.map(({ low, high }) => [low, high]))
    expect(bands).toEqual([[0, 1], [0, 1], [0, 1]])
  })
})
