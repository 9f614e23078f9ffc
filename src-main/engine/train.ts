// The training loop: the one that there is. What differs between runs is passed in: the step (whose objective it holds)
// and the batches. It draws no random number, opens no file, and holds no tensor when it ends, however it ends.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike } from '../domain/job.ts'
import type { Training } from '../domain/run-config.ts'
import { stepNumbers, type NamedTensors } from './train-step.ts'

/** What runs a step: the eager step itself, or the program compiled from it. */
export interface StepRunner {
  run(batch: NamedTensors, scalars: NamedTensors): Record<string, tf.Tensor>
}

/** The batch of one optimiser step. The loop disposes `tensors`. */
export interface StepBatch {
  readonly tensors: NamedTensors
  readonly numTokens: number
  /** Positions of all rows, padding included. */
  readonly numPositions: number
  readonly epoch: number
  /** Which samples are in it, for messages. */
  readonly samples: readonly string[]
  /** Numbers known before the step is taken, to be logged with it. */
  readonly metrics?: Readonly<Record<string, number>>
}

export interface TrainedStep {
  readonly step: number
  readonly metrics: Readonly<Record<string, number>>
}

/**
 * Takes the steps after `stepsDone` up to `training.steps`, yielding one event a step. The caller stops by leaving its
 * `for await`, or by aborting `signal` between steps.
 * @param batches  begins with the batch of step `stepsDone` + 1
 * @throws LabError 'cancelled' once `signal` is aborted; 'loss-not-finite' with weights and moments as they were before
 *   the step; 'invalid-input' when the batches end early
 */
export async function* train(
  runner: StepRunner,
  batches: AsyncIterable<StepBatch>,
  training: Training,
  { stepsDone, numTokens, signal }: { readonly stepsDone: number; readonly numTokens: number; readonly signal: AbortSignalLike },
): AsyncGenerator<TrainedStep, void> {
  let step = stepsDone
  let tokens = numTokens
  if (step >= training.steps) return
  for await (const batch of batches) {
    step += 1
    tokens += batch.numTokens
    const numbers = stepNumbers(training, step)
    let logged: Record<string, number>
    try {
      logged = runStep(runner, batch.tensors, numbers)
    } finally {
      tf.dispose(batch.tensors as tf.NamedTensorMap)
    }
    const { loss, grad_norm: norm } = logged
    if (!Number.isFinite(loss) || !Number.isFinite(norm))
      throw new LabError(
        'loss-not-finite',
        `step ${step}: loss ${loss}, gradient norm ${norm}, on the samples ${batch.samples.slice(0, 8).join(', ')}${batch.samples.length > 8 ? ', …' : ''}. ` +
          'The weights were not touched. Lower learningRate or maxGradientNorm, or look at these samples, then resume.',
        { step, samples: batch.samples },
      )
    yield {
      step,
      metrics: { ...batch.metrics, ...logged, learning_rate: Math.max(...learningRatesOf(training, numbers)), epoch: batch.epoch, num_tokens: tokens, padding: 1 - batch.numTokens / batch.numPositions },
    }
    if (step === training.steps) return
    if (signal.aborted) throw new LabError('cancelled', `cancelled after step ${step}`, { step })
  }
  throw new LabError('invalid-input', `the data ended at step ${step} of ${training.steps}; the dataset is empty or every sample is too long`)
}

/** Runs one step and reads its metrics in a single transfer. */
function runStep(runner: StepRunner, batch: NamedTensors, numbers: Readonly<Record<string, number>>): Record<string, number> {
  const scalars = Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, tf.scalar(value)]))
  let outputs: Record<string, tf.Tensor> = {}
  try {
    outputs = runner.run(batch, scalars)
    const names = Object.keys(outputs)
    const values = tf.tidy(() => tf.stack(names.map((name) => outputs[name]!)).dataSync())
    return Object.fromEntries(names.map((name, i) => [name, values[i]!]))
  } finally {
    tf.dispose([scalars, outputs])
  }
}

/** The schedule's value: the highest rate among the modules that are trained. */
function learningRatesOf(training: Training, numbers: Readonly<Record<string, number>>): number[] {
  const trained = Object.entries(training.modules).filter(([, module]) => module.train)
  return trained.length === 0 ? [0] : trained.map(([module]) => numbers[`learning_rate/${module}`]!)
}
