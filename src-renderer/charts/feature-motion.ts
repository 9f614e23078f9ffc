// Where images went: the same images in the features of two encoders, brought into one plane, an arrow from the first place to
// the second. Long arrows are images that the training moved.

import type { ChartTheme } from './chart-theme.ts'
import type { ChartOption } from './echarts-parts.ts'
import { itemTooltip, tooltipText } from './unit-panels.ts'

export interface Motion {
  readonly label: string
  readonly before: readonly [number, number]
  readonly after: readonly [number, number]
}

export interface MotionColors {
  readonly before: string
  readonly after: string
}

const HEAD = 5

export function featureMotion(motions: readonly Motion[], colors: MotionColors, theme: ChartTheme): ChartOption {
  const axis = { type: 'value' as const, scale: true, axisLabel: { show: false }, axisTick: { show: false }, splitLine: { lineStyle: { color: theme.line } }, axisLine: { show: false } }
  return {
    animation: false,
    textStyle: { fontFamily: theme.font },
    grid: { left: 12, right: 12, top: 10, bottom: 10 },
    tooltip: itemTooltip(theme),
    xAxis: axis,
    yAxis: { ...axis },
    series: [
      {
        type: 'custom',
        silent: true,
        encode: { x: [0, 2], y: [1, 3] },
        data: motions.map(({ before, after }) => [...before, ...after]),
        renderItem: (_params, api) => {
          const [x1, y1] = api.coord([api.value(0), api.value(1)]) as [number, number]
          const [x2, y2] = api.coord([api.value(2), api.value(3)]) as [number, number]
          const length = Math.hypot(x2 - x1, y2 - y1)
          const line = { type: 'line' as const, shape: { x1, y1, x2, y2 }, style: { stroke: theme.strong, lineWidth: 1, opacity: 0.75 } }
          if (length < 2 * HEAD) return line
          const [dx, dy] = [((x2 - x1) / length) * HEAD, ((y2 - y1) / length) * HEAD]
          const points = [
            [x2, y2],
            [x2 - dx - dy * 0.6, y2 - dy + dx * 0.6],
            [x2 - dx + dy * 0.6, y2 - dy - dx * 0.6],
          ]
          return { type: 'group', children: [line, { type: 'polygon', shape: { points }, style: { fill: colors.after } }] }
        },
        z: 1,
      },
      {
        type: 'scatter',
        symbolSize: 5,
        itemStyle: { color: theme.surface, borderColor: colors.before, borderWidth: 1.2 },
        silent: true,
        data: motions.map(({ before }) => [...before]),
        z: 2,
      },
      {
        type: 'scatter',
        symbolSize: 7,
        itemStyle: { color: colors.after },
        data: motions.map(({ after, label }) => ({ value: [...after], tooltip: { formatter: tooltipText([label]) } })),
        z: 3,
      },
    ],
  }
}

export function motionRows(motions: readonly Motion[]): readonly (readonly (string | number)[])[] {
  return [
    ['image', 'x_before', 'y_before', 'x_after', 'y_after'],
    ...motions.map(({ label, before, after }) => [label, ...before, ...after]),
  ]
}
