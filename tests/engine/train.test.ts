// The loop itself: one event a step, no tensor of its own however it ends, and what it says when it cannot go on.

import * as tf from '@tensorflow/tfjs'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { LabError } from '../../src-main/domain/errors.ts'
import type { Training } from '../../src-main/domain/run-config.ts'
import { train, type StepBatch, type StepRunner, type TrainedStep } from '../../src-main/engine/train.ts'
import { createObjective } from '../../src-main/engine/objectives/objective.ts'
import { createTrainStep, trainableModel, type NamedTensors } from '../../src-main/engine/train-step.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { aBatch, aRow, aTraining, livelyWeights, TINY } from '../support/tiny-model.ts'

beforeAll(() => openBackend('native'))
afterEach(() => tf.disposeVariables())

const signal = { aborted: false }

/** A batch a step, the same whenever it is asked for; made when the loop asks. */
async function* batches(from: number, to: number, spoiledAt = -1): AsyncGenerator<StepBatch> {
  for (let step = from; step <= to; step++) {
    const batch = aBatch({ rows: [aRow(step)], images: 1, rowWeights: [1 / 3], seed: step })
    const patches = step === spoiledAt ? tf.mul(batch.patches, Number.NaN) : tf.clone(batch.patches)
    batch.patches.dispose()
    yield {
      tensors: Object.fromEntries(
        Object.entries({ ...batch, patches }).map(([name, tensor]) => [`0/${name}`, tensor as tf.Tensor]),
      ),
      numTokens: 10 + step,
      numPositions: 40,
      epoch: step / 4,
      samples: Array.from({ length: 10 }, (_, i) => `sample ${step}.${i}`),
    }
  }
}

function open(overrides: Readonly<Record<string, unknown>> = {}): { readonly training: Training; readonly runner: StepRunner } {
  const training = aTraining({ steps: 4, learningRate: 1e-2, ...overrides })
  return {
    training,
    runner: createTrainStep(trainableModel(TINY, livelyWeights(1), training), createObjective(training.objective), training),
  }
}

interface Ended {
  readonly steps: readonly TrainedStep[]
  readonly alive: readonly number[]
}
async function follow(events: AsyncIterable<TrainedStep>, each: (event: TrainedStep) => void = () => {}): Promise<Ended> {
  const [steps, alive]: [TrainedStep[], number[]] = [[], []]
  for await (const event of events) {
    steps.push(event)
    alive.push(tf.memory().numTensors)
    each(event)
  }
  return { steps, alive }
}

const START = { stepsDone: 0, numTokens: 0, signal }

describe('train', () => {
  it('yields one event a step with the step, its metrics, the rate, the epoch and the tokens so far', async () => {
    const { training, runner } = open({ steps: 3, schedule: 'cosine', warmupRatio: 0.3 })
    const { steps } = await follow(train(runner, batches(1, 9), training, START))
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3])
    expect(steps.map(({ metrics }) => metrics['num_tokens'])).toEqual([11, 23, 36])
    expect(steps.map(({ metrics }) => metrics['epoch'])).toEqual([0.25, 0.5, 0.75])
    // One warm-up step: 0, then the peak, then half a cosine's middle.
    steps.forEach(({ metrics }, i) => expect(metrics['learning_rate']).toBeCloseTo([0, 1e-2, 5e-3][i]!, 9))
    for (const name of ['loss', 'grad_norm', 'mean_token_accuracy', 'entropy']) expect(steps[0]!.metrics).toHaveProperty(name)
  })

  it('logs the highest rate among the modules that are trained', async () => {
    const { training, runner } = open({
      steps: 1,
      modules: {
        visionEncoder: { train: false, learningRate: 0.5 },
        projector: { learningRate: 0.03 },
        languageModel: { learningRate: 0.02 },
      },
    })
    const { steps } = await follow(train(runner, batches(1, 1), training, START))
    expect(steps[0]!.metrics['learning_rate']).toBe(0.03)
  })

  it('begun after a step goes on as if it had never stopped', async () => {
    const [whole, parts] = [open(), open()]
    const expected = await follow(train(whole.runner, batches(1, 4), whole.training, START))
    const first = await follow(train(parts.runner, batches(1, 2), { ...parts.training, steps: 2 }, START))
    const rest = await follow(train(parts.runner, batches(3, 4), parts.training, { stepsDone: 2, numTokens: 23, signal }))
    expect([...first.steps, ...rest.steps]).toEqual(expected.steps)
  })

  it('holds as many tensors after each step, and at the end, as at its beginning', async () => {
    const { training, runner } = open()
    const before = tf.memory().numTensors
    const { alive } = await follow(train(runner, batches(1, 4), training, START))
    expect(alive).toEqual([before, before, before, before])
    expect(tf.memory().numTensors).toBe(before)
  })

  it('asks for no batch beyond the last step, and for none when all steps are done', async () => {
    const { training, runner } = open({ steps: 2 })
    const before = tf.memory().numTensors
    const all = batches(1, 9)
    await follow(train(runner, all, training, START))
    expect((await all.next()).done).toBe(true)
    const unused = batches(1, 9)
    expect((await follow(train(runner, unused, training, { ...START, stepsDone: 2 }))).steps).toEqual([])
    expect(tf.memory().numTensors).toBe(before)
    expect((await unused.next()).done).toBe(false)
  })

  it('stops between steps once its signal is aborted, with what was done, and no tensor', async () => {
    const { training, runner } = open()
    const stop = { aborted: false }
    const before = tf.memory().numTensors
    const seen: number[] = []
    const fault = await faultOfPromise(
      follow(train(runner, batches(1, 4), training, { ...START, signal: stop }), ({ step }) => {
        seen.push(step)
        stop.aborted = step === 2
      }),
    )
    expect([fault.code, fault.details]).toEqual(['cancelled', { step: 2 }])
    expect(seen).toEqual([1, 2])
    expect(tf.memory().numTensors).toBe(before)
  })

  it('may be left in the middle by its caller, and holds no tensor then', async () => {
    const { training, runner } = open()
    const before = tf.memory().numTensors
    for await (const { step } of train(runner, batches(1, 4), training, START)) if (step === 2) break
    expect(tf.memory().numTensors).toBe(before)
  })

  it('passes on what a step throws, and holds no tensor then', async () => {
    const { training, runner } = open()
    const before = tf.memory().numTensors
    const failing: StepRunner = {
      run(batch: NamedTensors, scalars) {
        if (Number(runs++) === 1) throw new Error('RESOURCE_EXHAUSTED: OOM when allocating')
        return runner.run(batch, scalars)
      },
    }
    let runs = 0
    await expect(follow(train(failing, batches(1, 4), training, START))).rejects.toThrow('OOM')
    expect(tf.memory().numTensors).toBe(before)
  })

  it('names step and samples where the loss is not finite, and holds no tensor then', async () => {
    const { training, runner } = open()
    const before = tf.memory().numTensors
    const fault = await faultOfPromise(follow(train(runner, batches(1, 4, 3), training, START)))
    expect(fault).toBeInstanceOf(LabError)
    expect(fault.code).toBe('loss-not-finite')
    expect(fault.details).toEqual({ step: 3, samples: Array.from({ length: 10 }, (_, i) => `sample 3.${i}`) })
    expect(fault.message).toContain('step 3')
    expect(fault.message).toContain('sample 3.0')
    expect(fault.message).toContain('learningRate')
    expect(tf.memory().numTensors).toBe(before)
  })

  it('says so where the data end early', async () => {
    const { training, runner } = open()
    const fault = await faultOfPromise(follow(train(runner, batches(1, 2), training, START)))
    expect(fault.code).toBe('invalid-input')
    expect(fault.message).toContain('step 2 of 4')
  })

  it('on one batch again and again lowers its loss', async () => {
    const { training, runner } = open({ steps: 15 })
    const again = async function* () {
      for (;;) for await (const batch of batches(1, 1)) yield batch
    }
    const { steps } = await follow(train(runner, again(), training, START))
    expect(steps.at(-1)!.metrics['loss']!).toBeLessThan(0.5 * steps[0]!.metrics['loss']!)
  })
})
