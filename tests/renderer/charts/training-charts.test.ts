import { expect, it } from 'vitest'
import { EVALUATORS } from '../../../src-main/domain/evaluation.ts'
import { EVALUATION_METRICS, metricNamed, TRAINING_METRICS } from '../../../src-main/domain/metric.ts'
import { axisName, chartOf, isMeasured, MAIN_METRICS, mainMetricsOf, MEASURED_CHARTS, TRAINING_CHARTS, withMeasured } from '../../../src-renderer/charts/training-charts.ts'

it('asks a question of every metric that it draws, each metric once, all of them known', () => {
  const known = new Set([...TRAINING_METRICS, ...EVALUATION_METRICS].map(({ name }) => name))
  const charts = [...TRAINING_CHARTS, ...MEASURED_CHARTS]
  expect(charts.filter(({ title }) => !title.endsWith('?'))).toEqual([])
  expect(charts.filter(({ metric }) => !known.has(metric))).toEqual([])
  expect(new Set(charts.map(({ metric }) => metric)).size).toBe(charts.length)
  expect(chartOf('probe/linear')?.title).toBe('Is the eye getting better?')
})

it('has a chart for whatever may be measured while training, and of no score without an answer to "which way is better"', () => {
  expect(new Set(MEASURED_CHARTS.map(({ evaluator }) => evaluator))).toEqual(new Set(EVALUATORS))
  expect(MEASURED_CHARTS.filter(({ metric }) => metricNamed(metric).better === 'neither')).toEqual([])
  expect(TRAINING_CHARTS.filter(({ metric }) => isMeasured(metric))).toEqual([])
})

it('names an axis with its unit', () => {
  expect(['loss', 'probe/linear', 'localisation/dpo/energy', 'grad_norm'].map(axisName)).toEqual([
    'Loss (nats)',
    'Linear probe (share)',
    'Contrast (DPO) map, energy (ratio)',
    'Gradient norm',
  ])
})

it('keeps margins for objectives that compare pairs', () => {
  expect(mainMetricsOf('dpo')).toEqual(MAIN_METRICS)
  expect(mainMetricsOf('sft')).toEqual(['loss', 'grad_norm', 'learning_rate', 'mean_token_accuracy'])
})

it('puts what was measured below the row of the loss and loses nothing', () => {
  for (const metrics of [MAIN_METRICS, mainMetricsOf('grpo'), mainMetricsOf('sft'), ['loss'], []]) {
    const all = withMeasured(metrics, ['probe/linear'])
    expect(all.filter((name) => name !== 'probe/linear')).toEqual(metrics)
    expect(all.indexOf('probe/linear')).toBe(Math.min(3, metrics.length))
  }
})
