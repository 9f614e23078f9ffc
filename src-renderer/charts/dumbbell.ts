// The values of several encoders on each measure: a mark an encoder, and a line from the least to the greatest. It shows how
// far apart the encoders are in the measure's own unit; whether a distance means anything is said by the differences.

import { interval, quantity, type Unit } from '../ui/quantity.ts'
import { markSymbol } from '../ui/encoder-marks.ts'
import { markColor, type ChartTheme } from './chart-theme.ts'
import type { ChartOption } from './echarts-parts.ts'
import { itemTooltip, labelAxis, panelGrids, panelsOf, tooltipText, valueAxis, valueTick } from './unit-panels.ts'

export interface MarkedEncoder {
  readonly name: string
  /** Of its mark (ui/encoder-marks.ts). */
  readonly index: number
}

export interface ValueRow {
  readonly label: string
  readonly unit: Unit
  readonly better: 'higher' | 'lower' | 'neither'
  /** One an encoder, in the encoders' order; null where the encoder was not measured. */
  readonly values: readonly ({ readonly mean: number; readonly low: number | null; readonly high: number | null } | null)[]
}

const AXIS_NAMES: Readonly<Record<Unit, string>> = { share: 'per cent', ratio: '× chance', nats: 'nats', number: 'value' }

export function dumbbellChart(rows: readonly ValueRow[], encoders: readonly MarkedEncoder[], theme: ChartTheme): ChartOption {
  const panels = panelsOf(rows)
  return {
    animation: false,
    textStyle: { fontFamily: theme.font },
    grid: panelGrids(panels),
    tooltip: itemTooltip(theme),
    xAxis: panels.map((panel, index) => ({
      ...valueAxis(AXIS_NAMES[panel.unit], index, (value) => valueTick(value, panel.unit), theme),
      scale: true,
    })),
    yAxis: panels.map((panel, index) => labelAxis(panel.rows.map(arrowed), index, theme)),
    series: panels.flatMap((panel, index) => [
      {
        type: 'custom' as const,
        xAxisIndex: index,
        yAxisIndex: index,
        silent: true,
        data: panel.rows.map((row, y) => [...extent(row), y]),
        renderItem: (_params, api) => {
          const [least, greatest, y] = [api.value(0), api.value(1), api.value(2)]
          if (!Number.isFinite(Number(least)) || !Number.isFinite(Number(greatest))) return null
          const [x1, y1] = api.coord([least, y]) as [number, number]
          const [x2] = api.coord([greatest, y]) as [number, number]
          return { type: 'line', shape: { x1, y1, x2, y2: y1 }, style: { stroke: theme.strong, lineWidth: 1.5 } }
        },
        z: 1,
      },
      ...encoders.map((encoder, e) => ({
        type: 'scatter' as const,
        name: encoder.name,
        xAxisIndex: index,
        yAxisIndex: index,
        symbol: markSymbol(encoder.index),
        symbolSize: 11,
        itemStyle: { color: markColor(theme, encoder.index), borderColor: theme.surface, borderWidth: 1 },
        data: panel.rows.flatMap((row, y) => {
          const value = row.values[e]
          return value == null ? [] : [{ value: [value.mean, y], tooltip: { formatter: describeValue(row, encoder, value) } }]
        }),
        z: 2,
      })),
    ]),
  }
}

function describeValue(row: ValueRow, encoder: MarkedEncoder, value: NonNullable<ValueRow['values'][number]>): string {
  return tooltipText([
    row.label,
    `${encoder.name}: ${quantity(value.mean, row.unit)}`,
    `95 % interval: ${interval(value.low, value.high, row.unit)}`,
  ])
}

export function valueRows(rows: readonly ValueRow[], encoders: readonly MarkedEncoder[]): readonly (readonly (string | number | null)[])[] {
  return [
    ['measure', 'unit', 'better', 'encoder', 'value', 'low', 'high'],
    ...rows.flatMap((row) =>
      encoders.flatMap((encoder, e) => {
        const value = row.values[e]
        return value == null ? [] : [[row.label, row.unit, row.better, encoder.name, value.mean, value.low, value.high]]
      }),
    ),
  ]
}

const arrowed = (row: ValueRow) => (row.better === 'lower' ? `${row.label} ↓` : row.label)

function extent(row: ValueRow): readonly [number, number] {
  const means = row.values.flatMap((value) => (value === null ? [] : [value.mean]))
  return [Math.min(...means), Math.max(...means)]
}
