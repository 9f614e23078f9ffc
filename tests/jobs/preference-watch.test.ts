// The two signs that a run of pairs is warned of: what calls for each, what does not, and that each is said once.

import { describe, expect, it } from 'vitest'
import { objectiveSchema } from '../../src-main/domain/objective-config.ts'
import { createPreferenceWatch, type StepMetrics } from '../../src-main/jobs/preference-watch.ts'

const aStep = (overrides: StepMetrics = {}): StepMetrics => ({ loss: 0.69, 'rewards/accuracies': 0.6, 'rewards/chosen': 0, 'rewards/margins': 0.1, ...overrides })
const watched = (steps: readonly StepMetrics[], settings: Readonly<Record<string, unknown>> = { kind: 'dpo', beta: 0.1 }, from = 1) => {
  const watch = createPreferenceWatch(objectiveSchema.parse(settings))
  return steps.flatMap((metrics, i) => watch(from + i, metrics).map((message) => ({ step: from + i, message })))
}
const times = (count: number, step: StepMetrics) => Array.from({ length: count }, () => step)

describe('degenerate preferences', () => {
  const solved = aStep({ loss: 0.01, 'rewards/accuracies': 1 })

  it('are pairs that are all told apart, with nothing left to learn, within the first steps; said once', () => {
    const warnings = watched([aStep(), ...times(20, solved)])
    expect(warnings).toHaveLength(1)
    expect(warnings[0]!.step).toBe(6)
    expect(warnings[0]!.message).toContain('image')
  })

  it('are none where it took long, one batch was not won, or the loss is still there', () => {
    expect(watched([...times(60, aStep()), ...times(20, solved)])).toEqual([])
    const interrupted = [solved, solved, solved, solved, aStep({ loss: 0.01, 'rewards/accuracies': 0.99 })]
    expect(watched([aStep(), ...times(4, interrupted[0]!), ...interrupted.slice(4), ...interrupted])).toEqual([])
    expect(watched([aStep(), ...times(20, aStep({ loss: 0.1, 'rewards/accuracies': 1 }))])).toEqual([])
  })
})

describe('chosen answers that fall', () => {
  const falling = aStep({ 'rewards/chosen': -0.6, 'rewards/margins': 0.5 })

  it('are warned of once, in nats, with what may help: −0.6 at β 0.1 is 6 nats', () => {
    const warnings = watched(times(30, falling))
    expect(warnings).toHaveLength(1)
    expect(warnings[0]!.message).toContain('6.0 nats')
    for (const help of ['rpoAlpha', 'apo_zero', 'beta']) expect(warnings[0]!.message).toContain(help)
  })

  it('are none where they fall by less, where the margin does not grow, or where the same reward is fewer nats', () => {
    expect(watched(times(30, aStep({ 'rewards/chosen': -0.4 })))).toEqual([])
    expect(watched(times(30, aStep({ 'rewards/chosen': -0.6, 'rewards/margins': -0.1 })))).toEqual([])
    expect(watched(times(30, falling), { kind: 'dpo', beta: 0.5 })).toEqual([])
  })
})

it('runs without pairs, or whose rewards have no reference, are not watched', () => {
  for (const kind of ['sft', 'simpo', 'orpo', 'cpo', 'grpo']) expect(watched(times(30, aStep({ loss: 0.001, 'rewards/accuracies': 1, 'rewards/chosen': -100 })), { kind })).toEqual([])
})
