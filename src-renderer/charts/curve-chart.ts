// Logged values over steps, several runs in one picture. Rows in, option out; nothing is mounted here.
// Zero smoothing is the default everywhere; with smoothing the raw line stays behind, thin.

import { significant } from '../ui/quantity.ts'
import { tooltipLook, type ChartTheme } from './chart-theme.ts'
import type { ChartOption } from './echarts-parts.ts'
import { smooth, type Point } from './smoothing.ts'

export interface Curve {
  readonly name: string
  readonly color: string
  readonly points: readonly Point[]
  /** Seeds of one arm share its colour and differ in the dash. */
  readonly dash?: 'solid' | 'dashed' | 'dotted'
}

export interface CurveChart {
  readonly curves: readonly Curve[]
  /** With the unit: "Loss (nats)". */
  readonly axis: string
  readonly smoothing: number
  readonly isLogarithmic: boolean
  /** Every point is drawn: there are few, and between them nothing was measured. */
  readonly marksPoints?: boolean
  /** What the horizontal axis counts; absent: steps. */
  readonly along?: string
  /** Where the step axis ends: a run under way grows into a frame that stays. Absent: at the last step. */
  readonly lastStep?: number
  /** A reference level with its name: ln 2 at DPO's start, 0.5 for chance. */
  readonly reference?: { readonly value: number; readonly label: string }
  readonly theme: ChartTheme
}

export function curveChart({ curves, axis, smoothing, isLogarithmic, marksPoints = false, along = 'step', lastStep, reference, theme }: CurveChart): ChartOption {
  // A logarithm has no place for what is not above zero; those points are left out and counted by `hiddenByLog`.
  const shown = curves.map((curve) => ({
    ...curve,
    points: isLogarithmic ? curve.points.filter(([, value]) => value > 0) : curve.points,
  }))
  const line = (curve: Curve, points: readonly Point[], isRaw: boolean) => ({
    type: 'line' as const,
    name: curve.name,
    data: points.map((point) => [...point]),
    showSymbol: marksPoints || points.length === 1,
    symbolSize: 5,
    silent: isRaw,
    tooltip: { show: !isRaw },
    itemStyle: { color: curve.color },
    lineStyle: { color: curve.color, width: isRaw ? 1 : 1.6, opacity: isRaw ? 0.28 : 1, type: curve.dash ?? ('solid' as const) },
    emphasis: { disabled: true },
    z: isRaw ? 1 : 2,
  })
  const series = shown.flatMap((curve) =>
    smoothing > 0
      ? [line(curve, curve.points, true), line(curve, smooth(curve.points, smoothing), false)]
      : [line(curve, curve.points, false)],
  )
  const first = series.at(-1)
  if (first !== undefined && reference !== undefined)
    Object.assign(first, {
      markLine: {
        silent: true,
        symbol: 'none',
        animation: false,
        lineStyle: { color: theme.strong, type: [4, 4], width: 1 },
        label: { formatter: reference.label, color: theme.faint, position: 'insideEndTop', fontSize: 10 },
        data: [{ yAxis: reference.value }],
      },
    })
  return {
    animation: false,
    textStyle: { fontFamily: theme.font },
    grid: { left: 54, right: 14, top: 26, bottom: 34 },
    tooltip: {
      trigger: 'axis',
      ...tooltipLook(theme),
      axisPointer: {
        type: 'cross',
        lineStyle: { color: theme.strong },
        crossStyle: { color: theme.strong },
        label: { show: false },
      },
      valueFormatter: (value) => significant(Number(value), 4),
    },
    xAxis: {
      type: 'value',
      name: along,
      nameLocation: 'end',
      nameTextStyle: { color: theme.faint, fontSize: 11, align: 'right', verticalAlign: 'top', padding: [22, 0, 0, 0] },
      min: 0,
      max: lastStep ?? 'dataMax',
      ...(along === 'step' ? { minInterval: 1 } : {}),
      axisLine: { onZero: false, lineStyle: { color: theme.strong } },
      axisTick: { lineStyle: { color: theme.strong } },
      axisLabel: { color: theme.muted, fontSize: 11, hideOverlap: true },
      splitLine: { show: false },
    },
    yAxis: {
      type: isLogarithmic ? 'log' : 'value',
      name: axis,
      nameLocation: 'end',
      nameGap: 9,
      nameTextStyle: { color: theme.faint, fontSize: 11, align: 'left', padding: [0, 0, 0, -44] },
      scale: true,
      axisLabel: { color: theme.muted, fontSize: 11, formatter: (value: number) => significant(value), hideOverlap: true },
      splitLine: { lineStyle: { color: theme.line } },
    },
    series,
  }
}

/** How many points a logarithmic axis cannot show. */
export function hiddenByLog(curves: readonly Curve[]): number {
  return curves.reduce((sum, curve) => sum + curve.points.filter(([, value]) => !(value > 0)).length, 0)
}

/** Long form, one line a point: what a statistics program wants. */
export function curveRows(curves: readonly Curve[], valueName: string): readonly (readonly (string | number)[])[] {
  return [
    ['run', 'step', valueName],
    ...curves.flatMap((curve) => curve.points.map(([step, value]) => [curve.name, step, value])),
  ]
}
