// How many bytes of tensors a training step holds at once, by running the step itself on shapes alone.

import * as tf from '@tensorflow/tfjs'
import type { MultimodalLmSpec } from '../../domain/model-spec.ts'
import type { ObjectiveOf } from '../../domain/objective-config.ts'
import type { Training } from '../../domain/run-config.ts'
import { eagerDecoder, promptEmbeddings } from '../generate.ts'
import { imageFeatures, imageTokens, type ImagesAs, type MultimodalLm } from '../models/multimodal-lm.ts'
import type { Objective } from '../objectives/objective.ts'
import type { Shapes } from '../parameter-ledger.ts'
import { createTrainStep, stepNumbers, trainableModel, type NamedTensors } from '../train-step.ts'
import type { NamedArrays } from '../weights/initial.ts'
import { onShapes, type ByteCount } from './shape-backend.ts'

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
        const stepping = count.takePeakBytes() - ready
        // Answers are drawn before the batch is made, but what they take comes back to the allocator and not to the system.
        const drawing = training.objective.kind === 'grpo' ? drawingBytes(trainable.model, training, training.objective, batch, count) : 0
        const weights = held - moments
        return {
          // With β above 0 the reference is held as a model of its own.
          weights: training.objective.kind === 'grpo' && training.objective.beta > 0 ? 2 * weights : weights,
          moments,
          batch: ((ready - held) * given.gradientAccumulation) / training.gradientAccumulation,
          working: Math.max(stepping, drawing),
        }
      } finally {
        tf.dispose([tensors as tf.NamedTensorMap, scalars])
      }
    } finally {
      trainable.dispose()
    }
  })
}

/** Most that drawing one pass's answers takes: all prompts are read, and each token's step holds two caches of keys and values. */
function drawingBytes(model: MultimodalLm, { batchSize: B }: Training, { numGenerations: G, maxCompletionLength }: ObjectiveOf<'grpo'>, { P, patchWidth, I, T }: BatchShape, count: ByteCount): number {
  const before = count.aliveBytes
  count.takePeakBytes()
  const [R, width] = [B * G, T - maxCompletionLength]
  const { languageModel: spec } = model.spec
  const decoder = eagerDecoder(spec, model.weights.languageModel)
  tf.tidy(() => {
    const tokens = tf.tile(imageTokens(model, imageFeatures(model, tf.zeros([B, P, patchWidth]))), [G, 1, 1]) // (R, I, D)
    const prompts = new Array<number[]>(R).fill([...new Array<number>(I).fill(-1), 0])
    const embeddings = promptEmbeddings(model, prompts, tokens, { padId: 0, imageId: -1 }, width)
    const starts = tf.zeros([R], 'int32') as tf.Tensor1D
    const read = decoder.readPrompts(embeddings, starts, width + maxCompletionLength - 1)
    decoder.readToken(tf.zeros([R], 'int32') as tf.Tensor1D, tf.scalar(width, 'int32'), starts, read.cache)
  })
  return count.takePeakBytes() - before
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

function emptyBatch(training: Training, objective: Objective, { P, patchWidth, I, T, A }: BatchShape): NamedTensors {
  const { batchSize: B, gradientAccumulation } = training
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
    ...(objective.kind === 'grpo' ? sampledRows(training, R, A) : {}),
    ...(objective.needsMismatched ? Object.fromEntries(Object.entries(rows()).map(([name, tensor]) => [`mismatched/${name}`, tensor])) : {}),
  })
  return Object.fromEntries(
    Array.from({ length: gradientAccumulation }, (_, i) => Object.entries(one()).map(([name, tensor]) => [`${i}/${name}`, tensor] as const)).flat(),
  )
}

/** What a batch for GRPO holds beside its rows. */
function sampledRows({ objective }: Training, R: number, A: number): Record<string, tf.Tensor> {
  const { beta, numIterations } = objective as ObjectiveOf<'grpo'>
  return {
    'sampled/advantages': tf.zeros([R]),
    'sampled/share': tf.scalar(1),
    ...(numIterations > 1 && { 'sampled/oldLogProbs': tf.zeros([R, A]) }),
    ...(beta > 0 && { 'sampled/referenceLogProbs': tf.zeros([R, A]) }),
  }
}
