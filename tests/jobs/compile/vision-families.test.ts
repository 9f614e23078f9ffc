// A training step over every family of vision encoders, recorded and run as a TensorFlow graph, against the same step run eagerly.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, afterEach, expect, it, vi } from 'vitest'
import { multimodalLmSpecSchema, numImageTokens } from '../../../src-main/domain/model-spec.ts'
import { createRandom } from '../../../src-main/domain/random.ts'
import { trainingSchema } from '../../../src-main/domain/run-config.ts'
import { numPatches } from '../../../src-main/domain/vision-encoder-spec.ts'
import { SharedState } from '../../../src-main/engine/compile/shared-state.ts'
import { createObjective } from '../../../src-main/engine/objectives/objective.ts'
import { collateRows } from '../../../src-main/engine/text/collate.ts'
import { createTrainStep, stepNumbers, trainableModel, type NamedTensors } from '../../../src-main/engine/train-step.ts'
import { initialWeights } from '../../../src-main/engine/weights/initial.ts'
import { rowTensors } from '../../../src-main/jobs/batches.ts'
import { compileStep } from '../../../src-main/jobs/compile/compile-step.ts'
import { openNativeEngine } from './native-engine.ts'

const native = await openNativeEngine()
const cacheFolder = mkdtempSync(join(tmpdir(), 'pivot-lab-families-'))
afterAll(() => rmSync(cacheFolder, { recursive: true, force: true }))
afterEach(() => tf.disposeVariables())
vi.setConfig({ testTimeout: 300_000 })

const widths = { hiddenSize: 8, numHiddenLayers: 1, numAttentionHeads: 2 }
const FAMILIES = [
  { family: 'siglip2', intermediateSize: 12, imageNewline: true },
  { family: 'clip', intermediateSize: 12 },
  { family: 'dinov2', mlpRatio: 2 },
  { family: 'dinov2_with_registers', mlpRatio: 2, useSwigluFfn: true },
  { family: 'vit', intermediateSize: 12 },
  { family: 'vit_mae', intermediateSize: 12 },
]

it.skipIf(!native).each(FAMILIES)('$family', ({ imageNewline, ...encoder }) => {
  const spec = multimodalLmSpecSchema.parse({
    visionEncoder: { imageSize: 16, patchSize: 8, ...widths, ...encoder },
    languageModel: { vocabSize: 40, numKeyValueHeads: 1, intermediateSize: 12, ...widths },
    visionFeatureLayer: -1,
    imageNewline,
    visionFeatureSelectStrategy: encoder.family === 'siglip2' ? 'full' : 'default',
  })
  const I = numImageTokens(spec)
  const batch = (seed: number): NamedTensors => {
    const random = createRandom(seed, 'batch')
    const row = () => ({ ids: [...new Array<number>(I).fill(1), ...Array.from({ length: 8 }, () => 2 + random.integer(38))], isAnswer: Array.from({ length: I + 8 }, (_, t) => t >= I + 4) })
    const tensors = {
      ...rowTensors(collateRows({ padId: 0, imageId: 1 }, [row(), row()], 2, I, { T: I + 8, A: 4 })),
      patches: tf.tensor3d(Float32Array.from({ length: 2 * 4 * 192 }, () => random.normal()), [2, numPatches(spec.visionEncoder), 192]),
      rowWeights: tf.fill([2], 1 / 8),
      referenceLogProbs: tf.zeros([2]),
    }
    return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [`0/${name}`, tensor]))
  }
  const training = trainingSchema.parse({ objective: { kind: 'sft' }, steps: 10, warmupRatio: 0, learningRate: 5e-3, modules: { visionEncoder: { gradientCheckpointing: encoder.family === 'clip' } } })
  const curve = (prefer: 'eager' | 'graph') => {
    const trainable = trainableModel(spec, initialWeights(spec, 0), training)
    const step = createTrainStep(trainable, createObjective(training.objective), training)
    const warnings: string[] = []
    const program = compileStep((given, scalars) => step.run(given, scalars), { state: new SharedState(step.variables), prefer, precision: 'float32', cacheFolder, warn: (message) => warnings.push(message) })
    const numbers = [1, 2, 3].flatMap((index) => {
      const scalars = Object.fromEntries(Object.entries(stepNumbers(training, index)).map(([name, value]) => [name, tf.scalar(value)]))
      const { loss, grad_norm: norm } = program.run(batch(index % 2), scalars)
      return [loss!.dataSync()[0]!, norm!.dataSync()[0]!]
    })
    expect(warnings).toEqual([])
    expect(program.mode).toBe(prefer)
    program.dispose()
    return numbers
  }
  const [eager, graph] = [curve('eager'), curve('graph')]
  graph.forEach((number, i) => expect(Math.abs(number - eager[i]!)).toBeLessThanOrEqual(1e-5 * Math.abs(eager[i]!)))
})
