// SFT's and DPO's gradient norms part by part of a model, from its first block to the projector, with the cosine between them on
// hover. The axis is logarithmic: the two losses differ in size by what they are.

import { significant } from '../ui/quantity.ts'
import { markSymbol } from '../ui/encoder-marks.ts'
import type { ChartTheme } from './chart-theme.ts'
import type { ChartOption } from './echarts-parts.ts'
import { itemTooltip, tooltipText } from './unit-panels.ts'

export interface PartGradients {
  readonly part: string
  readonly sft: number
  readonly dpo: number
  readonly cosine: number
}

export function gradientBars(parts: readonly PartGradients[], theme: ChartTheme): ChartOption {
  const line = (arm: 'sft' | 'dpo', index: number) => ({
    type: 'line' as const,
    name: arm.toUpperCase(),
    symbol: markSymbol(index),
    symbolSize: 10,
    itemStyle: { color: theme.encoders[arm] },
    lineStyle: { color: theme.encoders[arm], width: 1.8 },
    emphasis: { disabled: true },
    // A logarithm has no place for a gradient that is zero.
    data: parts.map((each, at) => ({
      value: [at, each[arm] > 0 ? each[arm] : null],
      tooltip: {
        formatter: tooltipText([each.part, `SFT ${significant(each.sft)}`, `DPO ${significant(each.dpo)}`, `cosine ${significant(each.cosine)}`]),
      },
    })),
  })
  return {
    animation: false,
    textStyle: { fontFamily: theme.font },
    grid: { left: 62, right: 18, top: 30, bottom: 64 },
    tooltip: itemTooltip(theme),
    xAxis: {
      type: 'category',
      data: parts.map(({ part }) => part),
      axisLabel: { color: theme.muted, fontSize: 11, rotate: parts.length > 6 ? 35 : 0, hideOverlap: true },
      axisLine: { lineStyle: { color: theme.strong } },
      axisTick: { show: false },
    },
    yAxis: {
      type: 'log',
      name: 'gradient norm',
      nameLocation: 'end',
      nameGap: 10,
      nameTextStyle: { color: theme.faint, fontSize: 11, align: 'left', padding: [0, 0, 0, -48] },
      axisLabel: { color: theme.muted, fontSize: 11, formatter: (value: number) => significant(value, 2) },
      splitLine: { lineStyle: { color: theme.line } },
    },
    series: [line('sft', 1), line('dpo', 2)],
  }
}

export function gradientRows(parts: readonly PartGradients[]): readonly (readonly (string | number)[])[] {
  return [['part', 'sft_norm', 'dpo_norm', 'cosine'], ...parts.map(({ part, sft, dpo, cosine }) => [part, sft, dpo, cosine])]
}
