// GRPO runs: a model that is rewarded for a word comes to say it; what is drawn is a function of seed and step, and a run that is
// stopped between two updates on the same answers continues bit for bit.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { describe, expect, it, vi } from 'vitest'
import { newestCheckpoint } from '../../src-main/jobs/checkpoint.ts'
import { DRAWN_ANSWERS_FILE } from '../../src-main/jobs/sampled-batches.ts'
import { follow, pairTraining, readSamples, RESUMED, stepsOf, train, weightsOf, writeSnapshot } from './tiny-training.ts'

vi.setConfig({ testTimeout: 120_000 })

const grpo = (settings: Readonly<Record<string, unknown>> = {}) => ({ kind: 'grpo', numGenerations: 3, maxCompletionLength: 4, ...settings })
const pairs = pairTraining({ training: { objective: grpo() } })
const { aJob } = pairs

describe('a GRPO run', () => {
  it('logs what it drew and learned under TRL’s names', async () => {
    const [step] = await train(aJob({ training: { steps: 1 } }))
    expect(Object.keys(step!).sort()).toEqual(
      [
        ...['step', 'loss', 'grad_norm', 'learning_rate', 'epoch', 'num_tokens', 'padding', 'entropy', 'kl', 'reward', 'reward_std', 'frac_reward_zero_std'],
        ...['clip_ratio/low_mean', 'clip_ratio/high_mean', 'clip_ratio/region_mean'],
        ...['completions/mean_length', 'completions/min_length', 'completions/max_length', 'completions/clipped_ratio'],
        ...['completions/mean_terminated_length', 'completions/min_terminated_length', 'completions/max_terminated_length'],
      ].sort(),
    )
    expect(step!['kl']).toBeCloseTo(0, 5)
    expect(step!['completions/max_length']).toBeLessThanOrEqual(4)
    const { 'completions/min_terminated_length': shortest, 'completions/mean_terminated_length': mean, 'completions/max_terminated_length': longest } = step as unknown as Record<string, number>
    expect(shortest).toBeLessThanOrEqual(mean!)
    expect(mean).toBeLessThanOrEqual(longest!)
    if (step!['completions/clipped_ratio'] === 1) expect(longest).toBe(0)
    else expect(shortest).toBeGreaterThanOrEqual(1)
    expect(step!['reward']).toBeGreaterThanOrEqual(0)
    expect(step!['reward']).toBeLessThanOrEqual(1)
    expect(Object.values(step!).every(Number.isFinite)).toBe(true)
  })

  it('makes a rewarded answer likelier', async () => {
    // SFT broken off half way: the model gives the answer now and then.
    const one = writeSnapshot(pairs.tiny, readSamples(pairs.tiny, pairs.snapshot).slice(0, 1))
    const half = aJob({ snapshot: one, training: { steps: 15, batchSize: 1, learningRate: 2e-2, objective: { kind: 'sft' } } })
    await train(half)
    const learner = aJob({
      snapshot: one,
      start: { kind: 'checkpoint', folder: (await newestCheckpoint(half.folder))! },
      training: { steps: 20, batchSize: 1, learningRate: 5e-3, objective: grpo({ numGenerations: 24, maxCompletionLength: 8, beta: 0 }) },
    })
    const rewards = (await train(learner)).map(({ reward }) => reward!)
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
    expect(mean(rewards.slice(-5)), rewards.join(' ')).toBeGreaterThan(mean(rewards.slice(0, 5)) + 0.2)
  })

  it('repeats itself bit for bit, and draws other answers under another seed', async () => {
    const [a, b, other] = [aJob(), aJob(), aJob({ training: { seed: 7 } })]
    expect(await train(a)).toEqual(await train(b))
    expect(await weightsOf(a)).toBe(await weightsOf(b))
    expect(await train(other)).not.toEqual(await train(aJob()))
  })

  for (const execution of ['eager', 'graph'] as const)
    it(`stopped between two updates on the same answers continues bit for bit (${execution})`, async () => {
      const training = { ...RESUMED, checkpointEverySteps: 4, objective: grpo({ numIterations: 3, beta: 0.1 }) }
      const whole = aJob({ training, execution })
      const expected = await train(whole)
      const parts = aJob({ training, execution })
      const first = await follow(parts, { stopAfter: 2 })
      expect(existsSync(join((await newestCheckpoint(parts.folder))!, DRAWN_ANSWERS_FILE))).toBe(true)
      const rest = await follow(parts)
      expect(rest.fault).toBeNull()
      expect([...stepsOf(first.events), ...stepsOf(rest.events)]).toEqual(expected)
      expect(await weightsOf(parts)).toBe(await weightsOf(whole))
      // The steps of one draw share its rewards; the drift grows from 0 with the updates.
      expect(new Set(expected.slice(0, 3).map(({ reward, reward_std: spread }) => `${reward} ${spread}`)).size).toBe(1)
      expect(expected[0]!['kl']).toBeCloseTo(0, 4)
    })

  it('meets its prompts in passes as in one batch, answer for answer', async () => {
    const steps = await train(aJob({ training: { steps: 2, batchSize: 1, gradientAccumulation: 2 } }))
    expect(steps.every((step) => Number.isFinite(step['loss']))).toBe(true)
    expect(steps[0]!['kl']).toBeCloseTo(0, 5)
  })

  it('holds no tensor when it ends', async () => {
    await train(aJob({ training: { steps: 1 } }))
    const before = tf.memory().numTensors
    await train(aJob({ training: { steps: 3, objective: grpo({ numIterations: 2 }) } }))
    expect(tf.memory().numTensors).toBe(before)
  })

  it('predicts its memory before the first step', async () => {
    const { events } = await follow(aJob({ training: { steps: 1 } }))
    expect(events.find((event) => event.kind === 'memory')!.predicted).toBeGreaterThan(0)
  })

  it('whose prompts leave no room for an answer says so', async () => {
    const { fault } = await follow(aJob({ training: { objective: grpo({ maxCompletionLength: 600 }) } }))
    expect([fault?.code, fault?.message]).toEqual(['invalid-input', expect.stringContaining('maxCompletionLength')])
  })
})

describe('every setting of the draw that is changed changes something:', () => {
  // What answers are worth (reward, numberTolerance, scaleRewards) is tried beside the rewards.
  const changes = [{ numGenerations: 4 }, { maxCompletionLength: 3 }, { topP: 0.3 }, { numIterations: 2 }, { temperature: 0.3 }]
  for (const change of changes)
    it(JSON.stringify(change), async () => {
      expect(await train(aJob({ training: { objective: grpo(change) } }))).not.toEqual(await train(aJob()))
    })
})
