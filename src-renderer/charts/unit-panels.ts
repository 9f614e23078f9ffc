// Measures as lines of a chart, one line a measure. Measures in different units stand in panels of their own, one below
// the other, because shares of right answers and nats have no common axis.

import { difference, significant, type Unit } from '../ui/quantity.ts'
import { tooltipLook, type ChartTheme } from './chart-theme.ts'
import type { ChartOption } from './echarts-parts.ts'

const ROW_HEIGHT = 20
const PANEL_HEAD = 10
const PANEL_FOOT = 40
const LABEL_WIDTH = 232

export interface Panel<Row> {
  readonly unit: Unit
  readonly rows: readonly Row[]
}

/** Panels in the order in which their first measure comes. */
export function panelsOf<Row extends { readonly unit: Unit }>(rows: readonly Row[]): readonly Panel<Row>[] {
  return [...new Set(rows.map((row) => row.unit))].map((unit) => ({ unit, rows: rows.filter((row) => row.unit === unit) }))
}

/** Pixels that the panels of these rows take. */
export function panelsHeight(rows: readonly { readonly unit: Unit }[]): number {
  return panelsOf(rows).reduce((sum, panel) => sum + PANEL_HEAD + panel.rows.length * ROW_HEIGHT + PANEL_FOOT, 0)
}

/** One place a panel, below each other. */
export function panelGrids(panels: readonly Panel<unknown>[]): { left: number; right: number; top: number; height: number }[] {
  let top = 0
  return panels.map((panel) => {
    const grid = { left: LABEL_WIDTH, right: 24, top: top + PANEL_HEAD, height: panel.rows.length * ROW_HEIGHT }
    top += PANEL_HEAD + grid.height + PANEL_FOOT
    return grid
  })
}

/** The axis of lines: the name of each measure, in full on hover of the line itself. */
export function labelAxis(labels: readonly string[], index: number, theme: ChartTheme) {
  return {
    type: 'category' as const,
    gridIndex: index,
    inverse: true,
    data: [...labels],
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { color: theme.ink, fontSize: 12, width: LABEL_WIDTH - 16, overflow: 'truncate' as const, interval: 0 },
    splitLine: { show: false },
  }
}

export function valueAxis(name: string, index: number, label: (value: number) => string, theme: ChartTheme) {
  return {
    type: 'value' as const,
    gridIndex: index,
    name,
    nameLocation: 'middle' as const,
    nameGap: 24,
    nameTextStyle: { color: theme.muted, fontSize: 11 },
    axisLabel: { color: theme.muted, fontSize: 11, hideOverlap: true, formatter: label },
    splitLine: { lineStyle: { color: theme.line } },
  }
}

export function itemTooltip(theme: ChartTheme): NonNullable<ChartOption['tooltip']> {
  return { trigger: 'item', ...tooltipLook(theme) }
}

/** What a tooltip says, a line each; text only, so that a label from a file can do no harm in it. */
export function tooltipText(lines: readonly string[]): string {
  return lines.map((line) => line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')).join('<br>')
}

/** A value of an axis without its unit, which the axis names: "61", "0.35". */
export function valueTick(value: number, unit: Unit): string {
  return significant(unit === 'share' ? value * 100 : value, 5)
}

/** A difference on an axis: "+2", "−0.5". */
export function differenceTick(value: number, unit: Unit): string {
  return value === 0 ? '0' : withoutTail(difference(value, unit))
}

function withoutTail(text: string): string {
  const bare = text.replace(/ (pp|×)$/, '')
  return /e/.test(bare) ? bare : bare.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '')
}
