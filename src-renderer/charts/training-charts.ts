// Which logged metrics are worth a chart, what question each answers, and its line of reference. The words a person
// reads above a curve are here; what the metric is, is in domain/metric.ts.

import { metricNamed } from '../../src-main/domain/metric.ts'
import type { ObjectiveKind } from '../../src-main/domain/objective-config.ts'

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
export function mainMetricsOf(objective: ObjectiveKind | undefined): readonly string[] {
  return objective === 'grpo' ? ['loss', 'reward', 'frac_reward_zero_std', 'kl', 'grad_norm', 'completions/mean_length'] : MAIN_METRICS
}

/** "Loss (nats)". */
export function axisName(metricName: string): string {
  const { label, unit } = metricNamed(metricName)
  return unit === 'nats' ? `${label} (nats)` : unit === 'share' ? `${label} (share)` : label
}
