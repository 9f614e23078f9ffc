// Which logged metrics are worth a chart, what question each answers, and its line of reference. The words a person
// reads above a curve are here; what the metric is, is in domain/metric.ts.

import type { Evaluator } from '../../src-main/domain/evaluation.ts'
import { metricNamed } from '../../src-main/domain/metric.ts'
import { needsPairs, type ObjectiveKind } from '../../src-main/domain/objective-config.ts'
import type { Probe } from '../../src-main/domain/probe.ts'
import type { StudyConfig } from '../../src-main/domain/study.ts'

export interface TrainingChart {
  readonly metric: string
  readonly title: string
  readonly reference?: { readonly value: number; readonly label: string }
}

/** In the order in which they are shown. */
export const TRAINING_CHARTS: readonly TrainingChart[] = [
  { metric: 'loss', title: 'Does the loss fall?' },
  { metric: 'rewards/margins', title: 'Does the margin grow?', reference: { value: 0, label: 'no preference' } },
  { metric: 'rewards/accuracies', title: 'Is chosen preferred?', reference: { value: 0.5, label: 'chance' } },
  { metric: 'grad_norm', title: 'Is the gradient steady?' },
  { metric: 'learning_rate', title: 'What was the learning rate?' },
  { metric: 'mean_token_accuracy', title: 'Are tokens predicted right?' },
  { metric: 'reward', title: 'Are its own answers right?' },
  { metric: 'frac_reward_zero_std', title: 'How many prompts teach nothing?' },
  { metric: 'kl', title: 'How far from the reference?' },
  { metric: 'completions/mean_length', title: 'How long are its answers?' },
  { metric: 'logps/chosen', title: 'Does the chosen answer stay likely?' },
  { metric: 'logps/rejected', title: 'Does the rejected answer become unlikely?' },
]

export interface MeasuredChart extends TrainingChart {
  /** What measures it. */
  readonly evaluator: Evaluator
}

/** What checkpoints are measured for while a training goes on: few points, each of a whole test set. */
export const MEASURED_CHARTS: readonly MeasuredChart[] = [
  { evaluator: 'probe', metric: 'probe/linear', title: 'Is the eye getting better?' },
  { evaluator: 'probe', metric: 'probe/knn', title: 'Do like objects lie together?' },
  { evaluator: 'probe', metric: 'probe/prototype', title: 'Do classes keep together?' },
  { evaluator: 'segmentation', metric: 'segmentation/mean-iou', title: 'Does each patch know what it shows?' },
  { evaluator: 'questions', metric: 'vqa/all', title: 'Are more questions answered right?' },
  { evaluator: 'questions', metric: 'vqa/vision-centric', title: 'Are more vision-centric ones right?' },
  { evaluator: 'preferences', metric: 'preference/accuracy', title: 'Are held-out pairs told apart?', reference: { value: 0.5, label: 'chance' } },
  { evaluator: 'localisation', metric: 'localisation/dpo/energy', title: 'Does it look at what decides?', reference: { value: 1, label: 'chance' } },
  { evaluator: 'alignment', metric: 'alignment/mutual-knn', title: 'Does it come closer to language?' },
]

/** What of the probes on a dataset has a chart. */
const PROBE_CHARTS: Readonly<Partial<Record<Probe, readonly string[]>>> = {
  linear: ['probe/linear'],
  knn: ['probe/knn'],
  prototype: ['probe/prototype'],
  segmentation: ['segmentation/mean-iou'],
}

/** The charts of what is measured while a training goes on. */
export function chartsWatched({ evaluators, probes }: NonNullable<StudyConfig['watch']>): readonly MeasuredChart[] {
  const probed = probes?.settings.probes.flatMap((probe) => PROBE_CHARTS[probe] ?? []) ?? []
  return MEASURED_CHARTS.filter(({ evaluator, metric }) => evaluators.includes(evaluator) || probed.includes(metric))
}

export const chartOf = (metric: string): TrainingChart | undefined => [...TRAINING_CHARTS, ...MEASURED_CHARTS].find((chart) => chart.metric === metric)

/** Whether a metric is measured at checkpoints; the others are logged at every step. */
export const isMeasured = (metric: string): boolean => MEASURED_CHARTS.some((chart) => chart.metric === metric)

/** The row of the loss first, what was measured below it, then how the optimiser fared. */
export const withMeasured = (metrics: readonly string[], measured: readonly string[]): readonly string[] => [...metrics.slice(0, 3), ...measured, ...metrics.slice(3)]

/** What every run and every study shows. */
export const MAIN_METRICS: readonly string[] = [
  'loss',
  'rewards/margins',
  'rewards/accuracies',
  'grad_norm',
  'learning_rate',
  'mean_token_accuracy',
]

/** What a run of an objective shows first. */
export function mainMetricsOf(objective: ObjectiveKind | null | undefined): readonly string[] {
  if (objective === 'grpo') return ['loss', 'reward', 'frac_reward_zero_std', 'kl', 'grad_norm', 'completions/mean_length']
  // Where no pairs are compared there is no margin to wait for.
  return objective == null || needsPairs(objective) ? MAIN_METRICS : MAIN_METRICS.filter((metric) => !metric.startsWith('rewards/'))
}

/** "Loss (nats)", "Linear probe (share)". */
export function axisName(metricName: string): string {
  const { label, unit } = metricNamed(metricName)
  return unit === 'number' ? label : `${label} (${unit})`
}
