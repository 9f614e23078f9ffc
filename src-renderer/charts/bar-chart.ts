// How often each range of a number occurs. Bins in, option out; a bin that is empty still has its place on the axis.

import { count, significant } from '../ui/quantity.ts'
import { tooltipLook, type ChartTheme } from './chart-theme.ts'
import type { ChartOption } from './echarts-parts.ts'

export interface Bin {
  readonly from: number
  /** Of whole numbers the last that belongs to it, else where it ends. */
  readonly to: number
  readonly count: number
}

/** @param axis  what is counted by, with its unit: "Text (characters)" */
/** @param of.limit  a line, beyond which bars are darker */
export function histogramChart({
  bins,
  axis,
  limit,
  theme,
}: {
  readonly bins: readonly Bin[]
  readonly axis: string
  readonly limit?: { readonly at: number; readonly label: string }
  readonly theme: ChartTheme
}): ChartOption {
  const atLimit = limit === undefined ? -1 : bins.findIndex(({ from, to }) => from <= limit.at && limit.at <= to)
  return {
    animation: false,
    textStyle: { fontFamily: theme.font },
    grid: { left: 48, right: 14, top: 14, bottom: 38 },
    tooltip: {
      trigger: 'axis',
      ...tooltipLook(theme),
      axisPointer: { type: 'shadow', shadowStyle: { color: theme.line, opacity: 0.5 } },
      valueFormatter: (value) => count(Number(value)),
    },
    xAxis: {
      type: 'category',
      data: bins.map(rangeOf),
      name: axis,
      nameLocation: 'middle',
      nameGap: 24,
      nameTextStyle: { color: theme.faint, fontSize: 11 },
      axisLine: { lineStyle: { color: theme.strong } },
      axisTick: { show: false },
      axisLabel: { color: theme.muted, fontSize: 11, hideOverlap: true },
    },
    yAxis: {
      type: 'value',
      minInterval: 1,
      axisLabel: { color: theme.muted, fontSize: 11, formatter: (value: number) => count(value) },
      splitLine: { lineStyle: { color: theme.line } },
    },
    series: [
      {
        type: 'bar',
        data: bins.map((bin) => (limit === undefined || bin.from <= limit.at ? bin.count : { value: bin.count, itemStyle: { color: theme.ink } })),
        ...(atLimit < 0
          ? {}
          : {
              markLine: {
                silent: true,
                symbol: 'none',
                lineStyle: { color: theme.ink, type: 'dashed' },
                label: { formatter: limit!.label, color: theme.ink, position: 'insideEndTop' },
                data: [{ xAxis: atLimit }],
              },
            }),
        barCategoryGap: '12%',
        itemStyle: { color: theme.muted },
        emphasis: { itemStyle: { color: theme.ink } },
        cursor: 'pointer',
      },
    ],
  }
}

export const rangeOf = ({ from, to }: Bin): string => (from === to ? significant(from, 4) : `${significant(from, 4)} – ${significant(to, 4)}`)

export function binRows(bins: readonly Bin[]): readonly (readonly (string | number)[])[] {
  return [['from', 'to', 'count'], ...bins.map(({ from, to, count: each }) => [from, to, each])]
}
