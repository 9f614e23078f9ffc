// A histogram shows every bin, the empty ones too, and its numbers are the ones that are saved.

import { expect, it } from 'vitest'
import { binRows, histogramChart, rangeOf } from '../../../src-renderer/charts/bar-chart.ts'
import { theme } from '../theme.ts'

const bins = [
  { from: 0, to: 9, count: 3 },
  { from: 10, to: 19, count: 0 },
  { from: 20, to: 29, count: 5 },
]

it('has a place for each bin in order', () => {
  const { xAxis, series } = histogramChart({ bins, axis: 'characters', theme }) as unknown as { xAxis: { data: string[]; name: string }; series: { data: number[] }[] }
  expect(xAxis).toMatchObject({ data: ['0 – 9', '10 – 19', '20 – 29'], name: 'characters' })
  expect(series[0]!.data).toEqual([3, 0, 5])
})

it('says one number where a bin holds one, and saves what it shows', () => {
  expect(rangeOf({ from: 4, to: 4 , count: 1 })).toBe('4')
  expect(binRows(bins)).toEqual([['from', 'to', 'count'], [0, 9, 3], [10, 19, 0], [20, 29, 5]])
})
