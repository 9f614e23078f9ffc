// How alike two encoders are, layer by layer: one encoder's layers across, the other's upwards, and a cell's value as its
// colour. Both axes name encoder and layer, because a matrix without them cannot be read.

import { significant } from '../ui/quantity.ts'
import type { ChartTheme } from './chart-theme.ts'
import { viridis } from './colour-scales.ts'
import type { ChartOption } from './echarts-parts.ts'
import { itemTooltip, tooltipText } from './unit-panels.ts'

export interface LayerMatrix {
  readonly across: { readonly name: string; readonly layers: readonly string[] }
  readonly upwards: { readonly name: string; readonly layers: readonly string[] }
  /** values[row][column]: row a layer of `upwards`, column one of `across`; null where it has no value. */
  readonly values: readonly (readonly (number | null)[])[]
  /** What a cell says: "linear CKA". */
  readonly measure: string
  /** The value with images shuffled: what chance gives. */
  readonly chance: readonly (readonly (number | null)[])[] | null
}

const STOPS = Array.from({ length: 11 }, (_, stop) => `rgb(${viridis(stop / 10).join(',')})`)

export function layerHeatMap(matrix: LayerMatrix, theme: ChartTheme): ChartOption {
  const axis = (side: LayerMatrix['across'], gap: number) => ({
    type: 'category' as const,
    data: [...side.layers],
    name: side.name,
    nameLocation: 'middle' as const,
    nameGap: gap,
    nameTextStyle: { color: theme.ink, fontSize: 12 },
    axisLabel: { color: theme.muted, fontSize: 11, hideOverlap: true },
    axisTick: { show: false },
    axisLine: { show: false },
    splitArea: { show: false },
  })
  const top = Math.max(1, ...matrix.values.flat().map((value) => value ?? 0))
  return {
    animation: false,
    textStyle: { fontFamily: theme.font },
    grid: { left: 92, right: 74, top: 10, bottom: 48 },
    tooltip: itemTooltip(theme),
    xAxis: axis(matrix.across, 30),
    yAxis: { ...axis(matrix.upwards, 74), nameRotate: 90 },
    visualMap: {
      type: 'continuous',
      min: 0,
      max: top,
      right: 0,
      top: 'middle',
      itemWidth: 12,
      itemHeight: 120,
      calculable: false,
      precision: 2,
      text: [significant(top, 2), '0'],
      textStyle: { color: theme.muted, fontSize: 11 },
      inRange: { color: STOPS },
    },
    series: [
      {
        type: 'heatmap',
        data: matrix.values.flatMap((row, y) =>
          row.flatMap((value, x) =>
            value === null ? [] : [{ value: [x, y, value] as [number, number, number], tooltip: { formatter: describeCell(matrix, x, y) } }],
          ),
        ),
        itemStyle: { borderColor: theme.surface, borderWidth: 1 },
        emphasis: { itemStyle: { borderColor: theme.ink, borderWidth: 2 } },
      },
    ],
  }
}

function describeCell(matrix: LayerMatrix, x: number, y: number): string {
  const chance = matrix.chance?.[y]?.[x]
  return tooltipText([
    `${matrix.across.name}, ${matrix.across.layers[x]}`,
    `${matrix.upwards.name}, ${matrix.upwards.layers[y]}`,
    `${matrix.measure} ${significant(matrix.values[y]![x]!, 3)}`,
    ...(chance == null ? [] : [`images shuffled: ${significant(chance, 3)}`]),
  ])
}

export function layerRows(matrix: LayerMatrix): readonly (readonly (string | number | null)[])[] {
  return [
    [matrix.across.name, matrix.upwards.name, matrix.measure, 'images shuffled'],
    ...matrix.values.flatMap((row, y) =>
      row.map((value, x) => [matrix.across.layers[x]!, matrix.upwards.layers[y]!, value, matrix.chance?.[y]?.[x] ?? null]),
    ),
  ]
}
