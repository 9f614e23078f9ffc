// A score against something that was varied, one curve an arm: the mean at each value, and a band over the interval where there
// is one. With data size across it is the paper's Figure 5 (arXiv 2510.16333).

import { interval, quantity, significant, type Unit } from '../ui/quantity.ts'
import { markDash, markSymbol } from '../ui/encoder-marks.ts'
import type { ChartTheme } from './chart-theme.ts'
import type { ChartOption } from './echarts-parts.ts'
import { itemTooltip, tooltipText, valueTick } from './unit-panels.ts'

export interface BandPoint {
  readonly x: number
  readonly mean: number
  readonly low: number | null
  readonly high: number | null
  /** What the point stands on: "3 seeds". */
  readonly basis: string
}

export interface BandedCurve {
  readonly name: string
  readonly color: string
  /** Of its mark (ui/encoder-marks.ts). */
  readonly index: number
  readonly points: readonly BandPoint[]
}

export interface BandedChart {
  readonly curves: readonly BandedCurve[]
  readonly xName: string
  readonly yName: string
  readonly unit: Unit
  readonly isLogarithmic: boolean
  readonly theme: ChartTheme
}

/** Room beside the first and the last value, as a factor. */
const LOG_MARGIN = 1.25
const AXIS_UNITS: Readonly<Record<Unit, string>> = { share: ', per cent', ratio: ', × chance', nats: ', nats', number: '' }

export function bandedCurve({ curves, xName, yName, unit, isLogarithmic, theme }: BandedChart): ChartOption {
  const places = [...new Set(curves.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b)
  const inOrder = curves.map((curve) => ({ ...curve, points: curve.points.toSorted((a, b) => a.x - b.x) }))
  return {
    animation: false,
    textStyle: { fontFamily: theme.font },
    grid: { left: 62, right: 22, top: 30, bottom: 44 },
    tooltip: itemTooltip(theme),
    xAxis: {
      type: isLogarithmic ? 'log' : 'value',
      name: xName,
      nameLocation: 'middle',
      nameGap: 28,
      nameTextStyle: { color: theme.muted, fontSize: 11 },
      scale: true,
      // What was tried is named, and not the powers of ten around it.
      ...(isLogarithmic && places.length > 0 ? { min: places[0]! / LOG_MARGIN, max: places.at(-1)! * LOG_MARGIN } : {}),
      axisTick: { customValues: places },
      axisLine: { onZero: false, lineStyle: { color: theme.strong } },
      axisLabel: { color: theme.muted, fontSize: 11, hideOverlap: true, customValues: places, formatter: (value: number) => (Number.isInteger(value) ? String(value) : significant(value)) },
      splitLine: { show: false },
    },
    yAxis: {
      type: 'value',
      name: `${yName}${AXIS_UNITS[unit]}`,
      nameLocation: 'end',
      nameGap: 10,
      nameTextStyle: { color: theme.faint, fontSize: 11, align: 'left', padding: [0, 0, 0, -48] },
      scale: true,
      axisLabel: { color: theme.muted, fontSize: 11, formatter: (value: number) => valueTick(value, unit) },
      splitLine: { lineStyle: { color: theme.line } },
    },
    series: inOrder.flatMap((curve) => {
      const banded = curve.points.filter((point) => point.low !== null && point.high !== null)
      return [
        {
          type: 'custom' as const,
          silent: true,
          encode: { x: 0, y: [1, 2] },
          data: banded.map((point) => [point.x, point.low!, point.high!]),
          // One polygon for all points: it is drawn with the first.
          renderItem: (params, api) => {
            if (params.dataIndex !== 0 || banded.length < 2) return null
            const points = [
              ...banded.map((point) => api.coord([point.x, point.high!])),
              ...banded.toReversed().map((point) => api.coord([point.x, point.low!])),
            ]
            return { type: 'polygon', shape: { points }, style: { fill: curve.color, opacity: 0.16 } }
          },
          z: 1,
        },
        {
          type: 'line' as const,
          name: curve.name,
          symbol: markSymbol(curve.index),
          symbolSize: 9,
          showSymbol: true,
          itemStyle: { color: curve.color },
          lineStyle: { color: curve.color, width: 1.8, type: markDash(curve.index) },
          emphasis: { disabled: true },
          data: curve.points.map((point) => ({
            value: [point.x, point.mean],
            tooltip: {
              formatter: tooltipText([
                curve.name,
                `${xName} ${point.x}`,
                `${quantity(point.mean, unit)}; 95 % interval ${interval(point.low, point.high, unit)}`,
                point.basis,
              ]),
            },
          })),
          z: 2,
        },
      ]
    }),
  }
}

export function bandedRows({ curves, xName, yName }: Pick<BandedChart, 'curves' | 'xName' | 'yName'>): readonly (readonly (string | number | null)[])[] {
  return [
    ['curve', xName, yName, 'low', 'high', 'basis'],
    ...curves.flatMap((curve) => curve.points.map((point) => [curve.name, point.x, point.mean, point.low, point.high, point.basis])),
  ]
}
