// One encoder minus another, measure by measure, as a forest plot: a mark at the mean, that of the encoder which is better,
// or a hollow circle; a line over the interval, zero in the middle. Right is always in favour of the second, b: a measure of
// which less is better is drawn with its sign turned, and marked ↓.

import type { MetricResult } from '../../src-main/domain/study-results.ts'
import type { EncoderNames } from '../../src-main/domain/study.ts'
import { difference, differenceInterval, pValue, type Unit } from '../ui/quantity.ts'
import { markSymbol } from '../ui/encoder-marks.ts'
import { markColor, type ChartTheme } from './chart-theme.ts'
import type { ChartOption } from './echarts-parts.ts'
import { differenceTick, itemTooltip, labelAxis, panelGrids, panelsOf, tooltipText, valueAxis } from './unit-panels.ts'

export interface DifferenceRow {
  readonly label: string
  readonly unit: Unit
  readonly isTurned: boolean
  /** As measured: b − a, not turned. */
  readonly mean: number
  readonly low: number | null
  readonly high: number | null
  readonly holmPValue: number | null
  readonly winner: 'a' | 'b' | 'neither'
  readonly basis: string
}

export interface Side {
  readonly name: string
  /** Of its mark (ui/encoder-marks.ts). */
  readonly index: number
}

/** The two that are compared; b − a is shown. */
export interface Sides {
  readonly a: Side
  readonly b: Side
}

const WINNERS = { sft: 'a', dpo: 'b', neither: 'neither' } as const

/** Of a study's two arms. Measures without a better direction say nothing about who sees better and are left to the table. */
export function differenceRows(metrics: readonly MetricResult[]): readonly DifferenceRow[] {
  return metrics.flatMap((metric) =>
    metric.difference === null || metric.better === 'neither'
      ? []
      : [
          {
            label: metric.label,
            unit: metric.unit,
            isTurned: metric.better === 'lower',
            mean: metric.difference.mean,
            low: metric.difference.low,
            high: metric.difference.high,
            holmPValue: metric.difference.holmPValue,
            winner: WINNERS[metric.difference.winner],
            basis: metric.difference.basis,
          },
        ],
  )
}

export function studySides(names: EncoderNames, marks: Readonly<Record<'sft' | 'dpo', number>>): Sides {
  return { a: { name: names.sft, index: marks.sft }, b: { name: names.dpo, index: marks.dpo } }
}

export function pairedDifferencesChart(rows: readonly DifferenceRow[], sides: Sides, theme: ChartTheme): ChartOption {
  const panels = panelsOf(rows)
  const colorOf = (row: DifferenceRow) => (row.winner === 'neither' ? theme.faint : markColor(theme, sides[row.winner].index))
  return {
    animation: false,
    textStyle: { fontFamily: theme.font },
    grid: panelGrids(panels),
    tooltip: itemTooltip(theme),
    xAxis: panels.map((panel, index) => ({
      ...valueAxis(
        `← ${sides.a.name} better      ${AXIS_NAMES[panel.unit]}      ${sides.b.name} better →`,
        index,
        (value) => differenceTick(value, panel.unit),
        theme,
      ),
      min: -reach(panel.rows, panel.unit),
      max: reach(panel.rows, panel.unit),
    })),
    yAxis: panels.map((panel, index) =>
      labelAxis(
        panel.rows.map((row) => (row.isTurned ? `${row.label} ↓` : row.label)),
        index,
        theme,
      ),
    ),
    series: panels.flatMap((panel, index) => [
      {
        type: 'custom' as const,
        xAxisIndex: index,
        yAxisIndex: index,
        silent: true,
        data: panel.rows.map((row, y) => {
          const [low, high] = interval(row)
          return [low, high, y]
        }),
        renderItem: (params, api) => {
          const row = panel.rows[params.dataIndex]!
          const [y, low, high] = [api.value(2), api.value(0), api.value(1)]
          if (row.low === null || row.high === null) return null
          const [x1, y1] = api.coord([low, y]) as [number, number]
          const [x2] = api.coord([high, y]) as [number, number]
          const stroke = { stroke: colorOf(row), lineWidth: row.winner === 'neither' ? 1.5 : 2.5 }
          const bar = (x: number) => ({ type: 'line' as const, shape: { x1: x, y1: y1 - 4, x2: x, y2: y1 + 4 }, style: stroke })
          return { type: 'group', children: [{ type: 'line', shape: { x1, y1, x2, y2: y1 }, style: stroke }, bar(x1), bar(x2)] }
        },
        z: 2,
      },
      {
        type: 'scatter' as const,
        xAxisIndex: index,
        yAxisIndex: index,
        data: panel.rows.map((row, y) => ({
          value: [row.isTurned ? -row.mean : row.mean, y],
          name: row.label,
          symbol: row.winner === 'neither' ? 'circle' : markSymbol(sides[row.winner].index),
          symbolSize: row.winner === 'neither' ? 8 : 12,
          itemStyle: {
            color: row.winner === 'neither' ? theme.surface : colorOf(row),
            borderColor: colorOf(row),
            borderWidth: row.winner === 'neither' ? 1.5 : 1,
          },
          tooltip: { formatter: describe(row, sides) },
        })),
        markLine: {
          silent: true,
          symbol: 'none',
          animation: false,
          label: { show: false },
          lineStyle: { color: theme.ink, type: 'solid', width: 1 },
          data: [{ xAxis: 0 }],
        },
        z: 3,
      },
    ]),
  }
}

/** What the tooltip says. */
export function describe(row: DifferenceRow, { a, b }: Sides): string {
  const outcome = row.winner === 'neither' ? 'statistically tied' : `${{ a, b }[row.winner].name} better`
  return tooltipText([
    row.label,
    `${b.name} − ${a.name} ${difference(row.mean, row.unit)} ${differenceInterval(row.low, row.high, row.unit)}`,
    `p (Holm) ${pValue(row.holmPValue)}: ${outcome}`,
    row.basis,
  ])
}

export function pairedDifferenceRows(
  rows: readonly DifferenceRow[],
  { a, b }: Sides,
): readonly (readonly (string | number | null)[])[] {
  return [
    ['measure', 'unit', 'better', 'a', 'b', 'b_minus_a', 'low', 'high', 'p_holm', 'winner', 'basis'],
    ...rows.map((row) => [
      row.label,
      row.unit,
      row.isTurned ? 'lower' : 'higher',
      a.name,
      b.name,
      row.mean,
      row.low,
      row.high,
      row.holmPValue,
      row.winner === 'neither' ? 'neither' : { a, b }[row.winner].name,
      row.basis,
    ]),
  ]
}

const AXIS_NAMES: Readonly<Record<Unit, string>> = {
  share: 'difference, percentage points',
  ratio: 'difference, × chance',
  nats: 'difference, nats',
  number: 'difference',
}

function interval(row: DifferenceRow): readonly [number, number] {
  const [low, high] = [row.low ?? row.mean, row.high ?? row.mean]
  return row.isTurned ? [-high, -low] : [low, high]
}

/** The same distance to both sides of zero, so that no side looks nearer. */
function reach(rows: readonly DifferenceRow[], unit: Unit): number {
  const largest = Math.max(...rows.flatMap((row) => [row.mean, row.low ?? 0, row.high ?? 0].map(Math.abs)))
  const scale = unit === 'share' ? 100 : 1
  const wanted = largest * 1.08 * scale
  if (!(wanted > 0)) return 1 / scale
  const magnitude = 10 ** Math.floor(Math.log10(wanted))
  return ([1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * magnitude >= wanted)! * magnitude) / scale
}
