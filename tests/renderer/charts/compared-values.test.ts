// Values of several encoders as dumbbells and as a radar.

import { expect, it } from 'vitest'
import { dumbbellChart, valueRows, type ValueRow } from '../../../src-renderer/charts/dumbbell.ts'
import { MOST_SPOKES, radarChart, spokesOf } from '../../../src-renderer/charts/radar.ts'
import { theme } from '../theme.ts'

const encoders = [
  { name: 'SFT', index: 1 },
  { name: 'DPO', index: 2 },
  { name: '<b>mine</b>', index: 10 },
]
const value = (mean: number) => ({ mean, low: mean - 0.1, high: mean + 0.1 })
const row = (over: Partial<ValueRow> = {}): ValueRow => ({
  label: 'Linear probe',
  unit: 'share',
  better: 'higher',
  values: [value(0.4), value(0.6), value(0.5)],
  ...over,
})
type Any = Record<string, any>

it('gives each encoder its own colour and shape, and leaves out what was not measured', () => {
  const option = dumbbellChart([row(), row({ values: [value(0.1), null, value(0.2)] })], encoders, theme) as Any
  const marks = option['series'].filter((series: Any) => series['type'] === 'scatter')
  expect(marks.map((series: Any) => series['itemStyle'].color)).toEqual([theme.marks[1], theme.marks[2], theme.marks[1]])
  expect(new Set(marks.map((series: Any) => series['symbol'])).size).toBe(3)
  expect(marks.map((series: Any) => series['data'].length)).toEqual([2, 1, 2])
})

it('draws the line from the least to the greatest value, and none where nothing was measured', () => {
  const rows = [row(), row({ values: [null, null, null] })]
  const line = (dumbbellChart(rows, encoders, theme) as Any)['series'][0]
  expect(line.data[0].slice(0, 2)).toEqual([0.4, 0.6])
  const draw = (at: number) => line.renderItem({}, { value: (i: number) => line.data[at][i], coord: ([x, y]: number[]) => [x, y] })
  expect(draw(0).shape).toMatchObject({ x1: 0.4, x2: 0.6 })
  expect(draw(1)).toBeNull()
})

it('keeps every value in the numbers, and no name becomes markup', () => {
  expect(valueRows([row()], encoders)).toHaveLength(4)
  const option = dumbbellChart([row()], encoders, theme) as Any
  expect(option['series'][3].data[0].tooltip.formatter).toContain('&lt;b&gt;mine')
})

it('has a spoke for what all were measured on and of which more is better', () => {
  const rows = [row(), row({ better: 'lower' }), row({ better: 'neither' }), row({ values: [value(1), null, value(1)] }), row({ values: [value(0), value(0), value(0)] }), row({ values: [value(-1), value(1), value(1)] })]
  expect(spokesOf(rows)).toEqual([rows[0]])
  expect(spokesOf(Array.from({ length: 40 }, () => row()))).toHaveLength(MOST_SPOKES)
})

it('runs each spoke from zero to its greatest value, which it names', () => {
  const option = radarChart([row(), row({ unit: 'ratio', values: [value(2), value(1), value(1)] })], encoders, theme) as Any
  expect(option['series'][0].data.map((each: Any) => each['value'])).toEqual([
    [0.4 / 0.6, 1],
    [1, 0.5],
    [0.5 / 0.6, 0.5],
  ])
  expect(option['radar'].indicator[0].name).toContain('60.0 %')
})
