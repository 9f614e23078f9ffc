import { expect, it } from 'vitest'
import type { MetricResult } from '../../../src-main/domain/study-results.ts'
import {
  describe as describeRow,
  differenceRows,
  pairedDifferenceRows,
  pairedDifferencesChart,
  studySides,
  type DifferenceRow,
} from '../../../src-renderer/charts/paired-differences.ts'
import { panelsHeight, panelsOf } from '../../../src-renderer/charts/unit-panels.ts'
import { markSymbol } from '../../../src-renderer/ui/encoder-marks.ts'
import { theme } from '../theme.ts'

const sides = studySides({ 'stage-1': 'Stage 1', sft: 'SFT', dpo: 'DPO' }, { sft: 10, dpo: 11 })
const row = (over: Partial<DifferenceRow> = {}): DifferenceRow => ({
  label: 'Linear probe',
  unit: 'share',
  isTurned: false,
  mean: 0.03,
  low: 0.01,
  high: 0.05,
  holmPValue: 0.01,
  winner: 'b',
  basis: '400 items × 3 seeds',
  ...over,
})
const result = (better: MetricResult['better'], difference = true): MetricResult => ({
  metric: `m-${better}`,
  label: better,
  meaning: '',
  unit: 'share',
  better,
  encoders: [],
  difference: difference
    ? { mean: 0.1, low: 0, high: 0.2, pValue: 0.05, holmPValue: 0.1, basis: '', method: '', winner: 'neither', verdict: '' }
    : null,
})

it('draws only what was compared and has a better direction', () => {
  const rows = differenceRows([result('higher'), result('lower'), result('neither'), result('higher', false)])
  expect(rows.map((each) => [each.label, each.isTurned])).toEqual([
    ['higher', false],
    ['lower', true],
  ])
})

it('gives each unit a panel with an axis of its own, as wide to the left of zero as to the right', () => {
  const rows = [row(), row({ unit: 'ratio', mean: -0.4, low: -0.9, high: 0.1 }), row({ mean: -0.02 })]
  expect(panelsOf(rows).map((panel) => [panel.unit, panel.rows.length])).toEqual([
    ['share', 2],
    ['ratio', 1],
  ])
  const option = pairedDifferencesChart(rows, sides, theme) as Record<string, any>
  expect(option['xAxis']).toHaveLength(2)
  for (const axis of option['xAxis']) expect(axis.min).toBe(-axis.max)
  expect(option['xAxis'][1].max).toBeGreaterThanOrEqual(0.9)
  expect(panelsHeight(rows)).toBeGreaterThan(panelsHeight(rows.slice(0, 1)))
})

it('turns a measure of which less is better, so that right favours DPO, and says so at its name', () => {
  const option = pairedDifferencesChart([row({ isTurned: true, mean: -0.2, low: -0.3, high: -0.1 })], sides, theme) as Record<string, any>
  expect(option['series'][1].data[0].value).toEqual([0.2, 0])
  expect(option['series'][0].data[0]).toEqual([0.1, 0.3, 0])
  expect(option['yAxis'][0].data[0]).toBe('Linear probe ↓')
})

it('keeps the measured sign in the numbers and in what is said on hover', () => {
  const turned = row({ isTurned: true, mean: -0.2, low: -0.3, high: -0.1 })
  expect(pairedDifferenceRows([turned], sides)[1]!.slice(5, 8)).toEqual([-0.2, -0.3, -0.1])
  expect(describeRow(turned, sides)).toContain('−20.0 pp')
})

it('gives the winner its encoder’s colour and a tie none', () => {
  const marks = (
    pairedDifferencesChart([row(), row({ winner: 'a' }), row({ winner: 'neither' })], sides, theme) as Record<string, any>
  )['series'][1].data
  expect(marks.map((mark: any) => mark.itemStyle.borderColor)).toEqual([
    theme.encoders.dpo,
    theme.encoders.sft,
    theme.faint,
  ])
  expect(marks[2].itemStyle.color).toBe(theme.surface)
})

it('lets no label become markup', () => {
  expect(describeRow(row({ label: '<img src=x onerror=alert(1)>' }), sides)).not.toContain('<img')
})

it('draws a point without an interval where there is none', () => {
  const option = pairedDifferencesChart([row({ low: null, high: null })], sides, theme) as Record<string, any>
  const drawn = option['series'][0].renderItem({ dataIndex: 0 }, { value: () => 0, coord: () => [0, 0] })
  expect(drawn).toBeNull()
})

it('draws the mark of the encoder that is better, and a circle where neither is', () => {
  const { series } = pairedDifferencesChart([row({ winner: 'a' }), row({ winner: 'b' }), row({ winner: 'neither' })], sides, theme) as any
  expect(series[1].data.map(({ symbol }: { symbol: string }) => symbol)).toEqual([markSymbol(10), markSymbol(11), 'circle'])
})
