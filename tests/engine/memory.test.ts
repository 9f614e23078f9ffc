// The step on shapes alone holds the bytes that the real step holds, whatever is trained and however. The real one runs on
// TensorFlow.js's plain JavaScript backend, where a reshaped tensor is counted once, as it lies in memory once.

import * as tf from '@tensorflow/tfjs'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { multimodalLmSpecSchema, numImageTokens } from '../../src-main/domain/model-spec.ts'
import type { Training } from '../../src-main/domain/run-config.ts'
import { numPatches, patchWidth } from '../../src-main/domain/vision-encoder-spec.ts'
import { onShapes } from '../../src-main/engine/memory/shape-backend.ts'
import { stepMemory } from '../../src-main/engine/memory/step-memory.ts'
import { createObjective } from '../../src-main/engine/objectives/objective.ts'
import { createTrainStep, stepNumbers, trainableModel } from '../../src-main/engine/train-step.ts'
import { initialWeights } from '../../src-main/engine/weights/initial.ts'
import { expectNoLeak } from '../support/no-leak.ts'
import { named } from '../support/step-runner.ts'
import { aBatch, aRow, aTraining, livelyWeights, TINY } from '../support/tiny-model.ts'

beforeAll(() => tf.setBackend('cpu'))
afterEach(() => tf.disposeVariables())

const weights = livelyWeights(1)
const SHAPE = { T: 16, A: 4 }
const predicted = (training: Training) =>
  stepMemory(TINY, weights, training, createObjective(training.objective), {
    P: numPatches(TINY.visionEncoder),
    patchWidth: patchWidth(TINY.visionEncoder),
    I: numImageTokens(TINY),
    ...SHAPE,
  })

/** Bytes that the backend holds, each buffer once, however many tensors look at it. */
function watchedBytes() {
  const backend = tf.backend()
  const [write, disposeData] = [backend.write.bind(backend), backend.disposeData.bind(backend)]
  const held = new Map<object, number>()
  const count = { alive: 0, most: 0, stop: () => Object.assign(backend, { write, disposeData }) }
  backend.write = (values, shape, dtype) => {
    const dataId = write(values, shape, dtype)
    const bytes = shape.reduce((product, size) => product * size, 1) * (dtype === 'bool' ? 1 : 4)
    held.set(dataId, bytes)
    count.alive += bytes
    count.most = Math.max(count.most, count.alive)
    return dataId
  }
  backend.disposeData = (dataId, force) => {
    const isGone = disposeData(dataId, force)
    if (isGone) {
      count.alive -= held.get(dataId) ?? 0
      held.delete(dataId)
    }
    return isGone
  }
  return count
}

/** What a real step holds: its state, and the most beside state and batch. */
function measured(training: Training): { readonly held: number; readonly working: number } {
  const objective = createObjective(training.objective)
  const count = watchedBytes()
  try {
    const trainable = trainableModel(TINY, weights, training)
    const held = count.alive
    const rows = Array.from({ length: training.batchSize * objective.rowsPerImage }, (_, i) => aRow(i))
    const batch = aBatch({ rows, images: training.batchSize, rowWeights: rows.map(() => 0.1), shape: SHAPE })
    const scalars = Object.fromEntries(Object.entries(stepNumbers(training, 1)).map(([name, value]) => [name, tf.scalar(value)]))
    const ready = (count.most = count.alive)
    tf.dispose(createTrainStep(trainable, objective, training).run(named(batch), scalars))
    const working = count.most - ready
    tf.dispose([batch as unknown as tf.NamedTensorMap, scalars])
    trainable.dispose()
    return { held, working }
  } finally {
    count.stop()
  }
}

describe('a step on shapes alone', () => {
  const every = (settings: object) => ({ visionEncoder: settings, projector: settings, languageModel: settings })
  const cases: Readonly<Record<string, object>> = {
    sft: {},
    dpo: { objective: { kind: 'dpo' } },
    'caption words': { objective: { kind: 'caption-words' } },
    'gradient checkpointing': { modules: every({ gradientCheckpointing: true }) },
    LoRA: { objective: { kind: 'dpo' }, modules: every({ lora: { rank: 2 } }) },
    'a frozen language model': { modules: { languageModel: { train: false } } },
  }
  for (const [name, settings] of Object.entries(cases))
    it(`holds what the real one holds: ${name}`, () => {
      const training = aTraining({ batchSize: 4, ...settings })
      const [found, real] = [expectNoLeak(() => predicted(training)), measured(training)]
      expect(found.weights + found.moments).toBe(real.held)
      // Kernels written in JavaScript hold some tensors more while they work: one sums segments with a copy for each.
      expect(found.working / real.working).toBeGreaterThan(0.6)
      expect(found.working / real.working).toBeLessThan(1.02)
    })

  const sizes = { imageSize: 16, patchSize: 4, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 }
  const encoders = [
    { family: 'siglip' },
    { family: 'siglip2' },
    { family: 'clip', intermediateSize: 16 },
    { family: 'dinov2' },
    { family: 'dinov2', useSwigluFfn: true },
    { family: 'dinov2_with_registers', numRegisterTokens: 2 },
    { family: 'vit', intermediateSize: 16 },
    { family: 'vit_mae', intermediateSize: 16 },
  ]
  it.each(encoders)('is known of every encoder, and of its features where it is frozen: %o', (encoder) => {
    const spec = multimodalLmSpecSchema.parse({ ...TINY, visionEncoder: { ...sizes, ...encoder } })
    const I = numImageTokens(spec)
    const rows = { P: numPatches(spec.visionEncoder), patchWidth: patchWidth(spec.visionEncoder), I, T: I + 12, A: 4 }
    const memory = (settings: object) => {
      const training = aTraining({ batchSize: 2, objective: { kind: 'dpo' }, ...settings })
      return expectNoLeak(() => stepMemory(spec, initialWeights(spec, 0), training, createObjective(training.objective), rows))
    }
    const [whole, frozen] = [memory({}), memory({ modules: { visionEncoder: { train: false } } })]
    expect(frozen.working).toBeLessThan(whole.working)
    expect(frozen.moments).toBeLessThan(whole.moments)
    expect(frozen.weights).toBe(whole.weights)
  })

  it('counts image_newline: the vector, its moments, and a token more of each image', () => {
    const training = aTraining({ batchSize: 4, modules: { languageModel: { train: false } } })
    const memory = (imageNewline: boolean) => {
      const spec = multimodalLmSpecSchema.parse({ ...TINY, imageNewline })
      const rows = { P: numPatches(spec.visionEncoder), patchWidth: patchWidth(spec.visionEncoder), I: numImageTokens(spec), T: numImageTokens(spec) + 12, A: 4 }
      return expectNoLeak(() => stepMemory(spec, initialWeights(spec, 0), training, createObjective(training.objective), rows))
    }
    const [without, with_] = [memory(false), memory(true)]
    const bytes = 4 * TINY.languageModel.hiddenSize
    expect(with_.weights - without.weights).toBe(bytes)
    expect(with_.moments - without.moments).toBe(2 * bytes)
    expect(with_.working).toBeGreaterThan(without.working)
  })

  it('takes less where less is trained, and more for more', () => {
    const working = (settings: object) => predicted(aTraining({ batchSize: 16, ...settings })).working
    const plain = working({})
    expect(working({ modules: every({ gradientCheckpointing: true }) })).toBeLessThan(plain)
    expect(working({ modules: { visionEncoder: { train: false } } })).toBeLessThan(plain)
    expect(working({ objective: { kind: 'dpo' } })).toBeGreaterThan(plain)
    expect(working({ batchSize: 32 })).toBeGreaterThan(1.5 * plain)
    expect(predicted(aTraining({ modules: every({ lora: {} }) })).moments).toBeLessThan(predicted(aTraining()).moments)
  })

  it('of many forward passes works with what two take, and holds the batch of all', () => {
    const [two, eight] = [2, 8].map((gradientAccumulation) => predicted(aTraining({ batchSize: 4, gradientAccumulation })))
    expect(eight!.working).toBe(two!.working)
    expect(eight!.batch).toBeCloseTo(4 * two!.batch)
  })

  it('of GRPO counts the reference, and what drawing answers holds', () => {
    const grpo = (settings: object) => predicted(aTraining({ batchSize: 4, objective: { kind: 'grpo', numGenerations: 6, maxCompletionLength: SHAPE.A, ...settings } }))
    const [free, held] = [expectNoLeak(() => grpo({ beta: 0 })), grpo({ beta: 0.1 })]
    expect(held.weights).toBe(2 * free.weights)
    expect(held.working).toBeGreaterThanOrEqual(free.working)
    expect(grpo({ beta: 0, numGenerations: 12 }).working).toBeGreaterThan(1.5 * free.working)
    // Six answers a picture, each a row.
    expect(free.working).toBeGreaterThan(predicted(aTraining({ batchSize: 4, objective: { kind: 'dpo' } })).working)
  })

  it('names a kernel that it does not know, and gives the engine back', () => {
    const before = tf.getBackend()
    expect(() => onShapes(() => tf.linspace(0, 1, 3))).toThrow(/the shapes of the kernel LinSpace are not known/)
    expect(tf.getBackend()).toBe(before)
    expect(Array.from(tf.add([1], [2]).dataSync())).toEqual([3])
  })
})
