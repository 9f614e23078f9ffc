// How many bytes of tensors a training step holds at once, by running the step itself on shapes alone.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import type { MultimodalLmSpec } from '../../domain/model-spec.ts'
import type { Training } from '../../domain/run-config.ts'
import type { ImagesAs } from '../models/multimodal-lm.ts'
import type { Objective } from '../objectives/objective.ts'
import type { Shapes } from '../parameter-ledger.ts'
import { createTrainStep, stepNumbers, trainableModel, type NamedTensors } from '../train-step.ts'
import type { NamedArrays } from '../weights/initial.ts'
import { onShapes } from './shape-backend.ts'

/** The sizes that decide a batch: B images of P patches (or features), I image tokens a row, rows of T positions with A answer tokens. */
export interface BatchShape {
  readonly P: number
  /** Numbers in a patch, or in a feature. */
  readonly patchWidth: number
  readonly imagesAs?: ImagesAs
  readonly I: number
  readonly T: number
  readonly A: number
}

/** Bytes. */
export interface StepMemory {
  readonly weights: number
  readonly moments: number
  readonly batch: number
  /** Most that is alive beside those three: activations, gradients, and what an operation is computing. */
  readonly working: number
}

/** @throws LabError 'internal' naming a kernel whose shapes are not known; 'invalid-input' as the step itself */
export function stepMemory(spec: MultimodalLmSpec, shapes: Shapes, given: Training, objective: Objective, batch: BatchShape): StepMemory {
  if (given.objective.kind === 'grpo')
    throw new LabError('invalid-input', 'the memory of a GRPO run is not predicted: beside its steps it draws answers, and with β above 0 it holds the reference as a model')
  // The second forward pass meets the sums of the first, as every later one does: only the batch grows with their number.
  const training = { ...given, gradientAccumulation: Math.min(2, given.gradientAccumulation) }
  return onShapes((count) => {
    const trainable = trainableModel(spec, withoutValues(shapes), training, {}, batch.imagesAs)
    try {
      const held = count.aliveBytes
      const moments = 2 * trainable.trained.reduce((sum, { weight }) => sum + 4 * weight.size, 0)
      const tensors = emptyBatch(training, objective, batch)
      const scalars = Object.fromEntries(Object.entries(stepNumbers(training, 1)).map(([name, value]) => [name, tf.scalar(value)]))
      try {
        const ready = count.aliveBytes
        count.takePeakBytes()
        tf.dispose(createTrainStep(trainable, objective, training).run(tensors, scalars))
        return { weights: held - moments, moments, batch: ((ready - held) * given.gradientAccumulation) / training.gradientAccumulation, working: count.takePeakBytes() - ready }
      } finally {
        tf.dispose([tensors as tf.NamedTensorMap, scalars])
      }
    } finally {
      trainable.dispose()
    }
  })
}

/** The shapes with nothing behind them: on shapes alone no value is ever read. */
function withoutValues(shapes: Shapes): Record<keyof Shapes, NamedArrays> {
  const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1)
  const largest = Math.max(...Object.values(shapes).flatMap((tensors) => Object.values(tensors).map(({ shape }) => sizeOf(shape))))
  // Never written, so the system never gives it memory.
  const nothing = new Float32Array(largest)
  return Object.fromEntries(
    Object.entries(shapes).map(([module, tensors]) => [
      module,
      Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, { shape, values: nothing.subarray(0, sizeOf(shape)) }])),
    ]),
  ) as unknown as Record<keyof Shapes, NamedArrays>
}

function emptyBatch({ batchSize: B, gradientAccumulation }: Training, objective: Objective, { P, patchWidth, I, T, A }: BatchShape): NamedTensors {
  const R = B * objective.rowsPerImage
  const rows = () => ({
    ids: tf.zeros([R, T], 'int32'),
    sources: tf.zeros([R * T], 'int32'),
    isImage: tf.zeros([R * T, 1]),
    imagePositions: tf.zeros([R * I], 'int32'),
    answerPositions: tf.zeros([R * A], 'int32'),
    answerIds: tf.zeros([R, A], 'int32'),
    answerMask: tf.zeros([R, A]),
    referenceLogProbs: tf.zeros([R]),
  })
  const one = (): Record<string, tf.Tensor> => ({
    ...rows(),
    patches: tf.zeros([B, P, patchWidth]),
    rowWeights: tf.zeros([R]),
    ...(objective.needsMismatched ? Object.fromEntries(Object.entries(rows()).map(([name, tensor]) => [`mismatched/${name}`, tensor])) : {}),
  })
  return Object.fromEntries(
    Array.from({ length: gradientAccumulation }, (_, i) => Object.entries(one()).map(([name, tensor]) => [`${i}/${name}`, tensor] as const)).flat(),
  )
}
