// The profile of several encoders over the measures of which more is better: one spoke a measure, each from 0 to the greatest
// value on it, because measures have no common unit. The outline shows where an encoder is strong; its area means nothing.

import { quantity } from '../ui/quantity.ts'
import { markDash, markSymbol } from '../ui/encoder-marks.ts'
import { markColor, type ChartTheme } from './chart-theme.ts'
import type { MarkedEncoder, ValueRow } from './dumbbell.ts'
import type { ChartOption } from './echarts-parts.ts'
import { itemTooltip, tooltipText } from './unit-panels.ts'

/** More spokes can no longer be read. */
export const MOST_SPOKES = 16

/** What has a spoke: more is better, nothing is below zero, every encoder was measured. */
export function spokesOf(rows: readonly ValueRow[]): readonly ValueRow[] {
  return rows
    .filter((row) => row.better === 'higher' && row.values.every((value) => value !== null && value.mean >= 0))
    .filter((row) => row.values.some((value) => value!.mean > 0))
    .slice(0, MOST_SPOKES)
}

export function radarChart(spokes: readonly ValueRow[], encoders: readonly MarkedEncoder[], theme: ChartTheme): ChartOption {
  const tops = spokes.map((row) => Math.max(...row.values.map((value) => value!.mean)))
  return {
    animation: false,
    textStyle: { fontFamily: theme.font },
    tooltip: itemTooltip(theme),
    radar: {
      center: ['50%', '52%'],
      radius: '66%',
      indicator: spokes.map((row, index) => ({ name: `${row.label}\n${quantity(tops[index], row.unit)}`, min: 0, max: 1 })),
      axisName: { color: theme.ink, fontSize: 11, lineHeight: 14 },
      axisLine: { lineStyle: { color: theme.line } },
      splitLine: { lineStyle: { color: theme.line } },
      splitArea: { show: false },
      splitNumber: 4,
    },
    series: [
      {
        type: 'radar',
        data: encoders.map((encoder, e) => ({
          name: encoder.name,
          value: spokes.map((row, index) => row.values[e]!.mean / tops[index]!),
          symbol: markSymbol(encoder.index),
          symbolSize: 8,
          itemStyle: { color: markColor(theme, encoder.index) },
          lineStyle: { color: markColor(theme, encoder.index), width: 1.8, type: markDash(encoder.index) },
          areaStyle: { color: markColor(theme, encoder.index), opacity: 0.06 },
          tooltip: {
            formatter: tooltipText([
              encoder.name,
              ...spokes.map((row) => `${row.label}: ${quantity(row.values[e]!.mean, row.unit)}`),
            ]),
          },
        })),
      },
    ],
  }
}
