// DPO minus SFT, measure by measure, as a forest plot: a mark at the mean, a line over the interval, zero in the middle.
// Right is always in DPO's favour: a measure of which less is better is drawn with its sign turned, and marked ↓.
// Measures in different units stand in panels of their own, each with its own axis around zero.

import type { MetricResult } from '../../src-main/domain/study-results.ts'
import { difference, differenceInterval, pValue, type Unit } from '../ui/quantity.ts'
import type { ChartTheme } from './chart-theme.ts'
import type { ChartOption } from './echarts-parts.ts'

export interface DifferenceRow {
  readonly label: string
  readonly unit: Unit
  readonly isTurned: boolean
  /** As measured: DPO − SFT, not turned. */
  readonly mean: number
  readonly low: number | null
  readonly high: number | null
  readonly holmPValue: number | null
  readonly winner: 'sft' | 'dpo' | 'neither'
  readonly basis: string
}

const ROW_HEIGHT = 20
const PANEL_HEAD = 10
const PANEL_FOOT = 40
const LABEL_WIDTH = 232

/** Measures that say which encoder sees better; those without a better direction are left to the table. */
export function differenceRows(metrics: readonly MetricResult[]): readonly DifferenceRow[] {
  return metrics.flatMap((metric) =>
    metric.difference === null || metric.better === 'neither'
      ? []
      : [{ ...metric.difference, label: metric.label, unit: metric.unit, isTurned: metric.better === 'lower' }],
  )
}

/** Panels in the order in which their first measure comes. */
export function panelsOf(
  rows: readonly DifferenceRow[],
): readonly { readonly unit: Unit; readonly rows: readonly DifferenceRow[] }[] {
  return [...new Set(rows.map((row) => row.unit))].map((unit) => ({ unit, rows: rows.filter((row) => row.unit === unit) }))
}

export function pairedDifferencesHeight(rows: readonly DifferenceRow[]): number {
  return panelsOf(rows).reduce((sum, panel) => sum + PANEL_HEAD + panel.rows.length * ROW_HEIGHT + PANEL_FOOT, 0)
}

export function pairedDifferencesChart(rows: readonly DifferenceRow[], theme: ChartTheme): ChartOption {
  const panels = panelsOf(rows)
  let top = 0
  const grids = panels.map((panel) => {
    const grid = { left: LABEL_WIDTH, right: 24, top: top + PANEL_HEAD, height: panel.rows.length * ROW_HEIGHT }
    top += PANEL_HEAD + grid.height + PANEL_FOOT
    return grid
  })
  const colorOf = (row: DifferenceRow) => (row.winner === 'neither' ? theme.encoders['stage-1'] : theme.encoders[row.winner])
  return {
    animation: false,
    textStyle: { fontFamily: theme.font },
    grid: grids,
    tooltip: {
      trigger: 'item',
      confine: true,
      transitionDuration: 0,
      backgroundColor: theme.surface,
      borderColor: theme.line,
      textStyle: { color: theme.ink, fontSize: 12 },
    },
    xAxis: panels.map((panel, index) => ({
      type: 'value' as const,
      gridIndex: index,
      min: -reach(panel.rows, panel.unit),
      max: reach(panel.rows, panel.unit),
      name: `← SFT better      ${AXIS_NAMES[panel.unit]}      DPO better →`,
      nameLocation: 'middle' as const,
      nameGap: 24,
      nameTextStyle: { color: theme.muted, fontSize: 11 },
      axisLabel: { color: theme.muted, fontSize: 11, hideOverlap: true, formatter: (value: number) => tick(value, panel.unit) },
      splitLine: { lineStyle: { color: theme.line } },
    })),
    yAxis: panels.map((panel, index) => ({
      type: 'category' as const,
      gridIndex: index,
      inverse: true,
      data: panel.rows.map((row) => (row.isTurned ? `${row.label} ↓` : row.label)),
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { color: theme.ink, fontSize: 12, width: LABEL_WIDTH - 16, overflow: 'truncate' as const, interval: 0 },
      splitLine: { show: false },
    })),
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
          symbol: row.winner === 'neither' ? 'circle' : 'diamond',
          symbolSize: row.winner === 'neither' ? 8 : 12,
          itemStyle: {
            color: row.winner === 'neither' ? theme.surface : colorOf(row),
            borderColor: colorOf(row),
            borderWidth: row.winner === 'neither' ? 1.5 : 1,
          },
          tooltip: { formatter: describe(row) },
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

/** What the tooltip says; text only, so that a label from a file can do no harm in it. */
export function describe(row: DifferenceRow): string {
  const outcome = row.winner === 'neither' ? 'statistically tied' : `${row.winner.toUpperCase()} better`
  return [
    row.label,
    `DPO − SFT ${difference(row.mean, row.unit)} ${differenceInterval(row.low, row.high, row.unit)}`,
    `p (Holm) ${pValue(row.holmPValue)}: ${outcome}`,
    row.basis,
  ]
    .map(escapeHtml)
    .join('<br>')
}

export function pairedDifferenceRows(rows: readonly DifferenceRow[]): readonly (readonly (string | number | null)[])[] {
  return [
    ['measure', 'unit', 'better', 'dpo_minus_sft', 'low', 'high', 'p_holm', 'winner', 'basis'],
    ...rows.map((row) => [
      row.label,
      row.unit,
      row.isTurned ? 'lower' : 'higher',
      row.mean,
      row.low,
      row.high,
      row.holmPValue,
      row.winner,
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

function tick(value: number, unit: Unit): string {
  return value === 0
    ? '0'
    : difference(value, unit)
        .replace(/ (pp|×)$/, '')
        .replace(/(\.\d*?)0+$/, '$1')
        .replace(/\.$/, '')
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
