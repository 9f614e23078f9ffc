// One optimiser step: what accumulation, freezing, checkpointing, clipping and a spoiled batch may and may not change.

import * as tf from '@tensorflow/tfjs'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { MODULES } from '../../src-main/domain/model-spec.ts'
import type { Training } from '../../src-main/domain/run-config.ts'
import { imageFeatures, imageTokens, type MultimodalLm } from '../../src-main/engine/models/multimodal-lm.ts'
import { createObjective, type Batch, type Objective } from '../../src-main/engine/objectives/objective.ts'
import {
  createTrainStep,
  stateBesideModel,
  stepNumbers,
  trainableModel,
  weightsOf,
  type TrainableModel,
} from '../../src-main/engine/train-step.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { expectClose } from '../support/all-close.ts'
import { heldAsArrays } from '../support/held-as-arrays.ts'
import { expectNoLeak } from '../support/no-leak.ts'
import { named, runner } from '../support/step-runner.ts'
import { aBatch, aRow, aTraining, livelyWeights, TINY } from '../support/tiny-model.ts'

beforeAll(() => openBackend('native'))
afterEach(() => tf.disposeVariables())

const KINDS = ['sft', 'dpo'] as const
type Kind = (typeof KINDS)[number]

function open(training: Training): {
  readonly trainable: TrainableModel
  readonly run: (step: number, ...batches: Batch[]) => Record<string, number>
} {
  const trainable = trainableModel(TINY, livelyWeights(1), training)
  return { trainable, run: runner(trainable, training) }
}

/** Four samples (SFT: rows of 3, 2, 4 and 1 answer tokens; DPO: pairs) from `from` to `to`, weighed as parts of the four. */
function batchOf(kind: Kind, from = 0, to = 4): Batch {
  const answers = [3, 2, 4, 1]
  const indices = [0, 1, 2, 3].slice(from, to)
  const chosen = indices.map((i) => aRow(i, { answer: answers[i]! }))
  const rejected = indices.map((i) => aRow(10 + i, { answer: answers[3 - i]! }))
  const rows = kind === 'sft' ? chosen : [...chosen, ...rejected]
  const references = [...indices, ...(kind === 'sft' ? [] : indices)].map((i) => -5 - i)
  const whole = aBatch({
    rows,
    images: indices.length,
    rowWeights: rows.map(() => 1 / (kind === 'sft' ? 10 : 4)),
    referenceLogProbs: references,
  })
  // Every sample keeps its own pixels, whichever batch it falls into.
  const pixels = indices.map((i) => aBatch({ rows: [aRow(i)], images: 1, rowWeights: [1], seed: i }).patches)
  return { ...whole, patches: tf.concat(pixels, 0) as tf.Tensor3D }
}

const bits = ({ variables }: TrainableModel, only = ''): Record<string, string> =>
  Object.fromEntries(
    Object.entries(variables).flatMap(([name, variable]) =>
      name.startsWith(only) ? [[name, Buffer.from(Float32Array.from(variable.dataSync()).buffer).toString('base64')]] : [],
    ),
  )

for (const kind of KINDS)
  describe(`a step of ${kind}`, () => {
    const objective = { kind }

    it('over two micro-batches is the step over one batch of twice the size', () => {
      const one = open(aTraining({ objective, batchSize: 4 }))
      const two = open(aTraining({ objective, batchSize: 2, gradientAccumulation: 2 }))
      for (const step of [1, 2, 3]) {
        const [a, b] = [one.run(step, batchOf(kind)), two.run(step, batchOf(kind, 0, 2), batchOf(kind, 2, 4))]
        for (const [name, value] of Object.entries(a))
          // TRL's mean logit counts tokens within a pass and passes alike: it alone depends on how pairs are grouped.
          if (!name.startsWith('logits/')) expectClose([b[name]!], [value], 1e-4, `${name} of step ${step}`)
      }
      // Sums of another order; Adam divides by the root of the second moment, which magnifies rounding where it is small.
      for (const [name, variable] of Object.entries(one.trainable.variables))
        if (!name.startsWith('first/') && !name.startsWith('second/') && !name.endsWith('k_proj.bias'))
          expectClose(two.trainable.variables[name]!, variable, 1e-4, name)
    })

    it('moves the modules that are trained and no other, each at its own rate', () => {
      for (const trained of MODULES) {
        const modules = Object.fromEntries(MODULES.map((module) => [module, { train: module === trained }]))
        const { trainable, run } = open(aTraining({ objective, modules }))
        const before = bits(trainable)
        run(1, batchOf(kind))
        const moved = Object.entries(bits(trainable)).filter(([name, value]) => before[name] !== value)
        expect(moved.length).toBeGreaterThan(0)
        for (const [name] of moved) expect(name.replace(/^(first|second)\//, '').split('/')[0], name).toBe(trained)
        expect(
          Object.keys(trainable.variables).some((name) => name.startsWith('first/') && !name.startsWith(`first/${trained}/`)),
        ).toBe(false)
      }
      const still = open(aTraining({ objective, modules: { projector: { learningRate: 0 } } }))
      const before = bits(still.trainable, 'projector/')
      still.run(1, batchOf(kind))
      expect(bits(still.trainable, 'projector/')).toEqual(before)
    })

    it('decays weights and neither biases nor norms, nor what has no part in the loss', () => {
      const plain = open(aTraining({ objective }))
      const decayed = open(aTraining({ objective, weightDecay: 0.5 }))
      for (const { run } of [plain, decayed]) run(1, batchOf(kind))
      const [a, b] = [bits(plain.trainable), bits(decayed.trainable)]
      for (const name of Object.keys(a).filter((each) => /^(visionEncoder|projector|languageModel)\//.test(each))) {
        // Features come from the penultimate block: the last one is trained by name only.
        const isExempt = name.endsWith('.bias') || /norm/.test(name) || name.startsWith('visionEncoder/encoder.layers.1.')
        if (isExempt) expect(b[name], name).toBe(a[name])
        else expect(b[name], name).not.toBe(a[name])
      }
    })

    it('with gradient checkpointing is the same step, bit for bit', () => {
      const modules = Object.fromEntries(MODULES.map((module) => [module, { gradientCheckpointing: true }]))
      const [plain, saving] = [open(aTraining({ objective })), open(aTraining({ objective, modules }))]
      expect(saving.run(1, batchOf(kind))).toEqual(plain.run(1, batchOf(kind)))
      expect(bits(saving.trainable)).toEqual(bits(plain.trainable))
    })

    it('logs the norm before clipping, and a smaller limit moves the first moment less, in proportion', () => {
      const free = open(aTraining({ objective }))
      const norm = free.run(1, batchOf(kind))['grad_norm']!
      const clipped = open(aTraining({ objective, maxGradientNorm: norm / 4 }))
      expect(clipped.run(1, batchOf(kind))['grad_norm']).toBe(norm)
      for (const [name, variable] of Object.entries(free.trainable.variables))
        if (name.startsWith('first/')) expectClose(tf.mul(clipped.trainable.variables[name]!, 4), variable, 1e-5, name)
    })

    it('on a batch with one spoiled pixel, weight or reference leaves everything as it was, and then goes on', () => {
      const { trainable, run } = open(aTraining({ objective }))
      run(1, batchOf(kind))
      const before = bits(trainable)
      const good = batchOf(kind)
      const spoil = (tensor: tf.Tensor, value: number) => {
        const values = Float32Array.from(tensor.dataSync())
        values[0] = value
        return tf.tensor(values, tensor.shape)
      }
      const spoiled: Batch[] = [Number.NaN, Infinity].flatMap((value) => [
        { ...good, patches: spoil(good.patches, value) as tf.Tensor3D },
        { ...good, rowWeights: spoil(good.rowWeights, value) as tf.Tensor1D },
        ...(kind === 'dpo' ? [{ ...good, referenceLogProbs: spoil(good.referenceLogProbs, Number.NaN) as tf.Tensor1D }] : []),
      ])
      for (const batch of spoiled) {
        const { loss, grad_norm: norm } = run(2, batch)
        expect(Number.isFinite(loss) && Number.isFinite(norm)).toBe(false)
        expect(bits(trainable)).toEqual(before)
      }
      run(2, good)
      expect(bits(trainable)).not.toEqual(before)
    })

    it('leaves its outputs and nothing else, also when it throws half way', () => {
      const { trainable, run } = open(aTraining({ objective, batchSize: 2, gradientAccumulation: 2 }))
      const [a, b] = [batchOf(kind, 0, 2), batchOf(kind, 2, 4)]
      expectNoLeak(() => run(1, a, b))
      const { ids, ...withoutIds } = b
      expectNoLeak(() => {
        expect(() => run(2, a, withoutIds as Batch)).toThrow()
      }, 5) // the five scalars of this test's own run
      ids.dispose()
      expect(trainable.trained.length).toBeGreaterThan(0)
    })
  })

describe('health', () => {
  it('asks loss and gradients alike: either of them that is no number leaves everything as it was', () => {
    const training = aTraining({ weightDecay: 0.1 })
    const trainable = trainableModel(TINY, livelyWeights(1), training)
    const weight = (model: MultimodalLm) => model.weights.projector['linear_1.weight']!
    const losses: Record<string, readonly [(model: MultimodalLm) => tf.Tensor, boolean]> = {
      // √0 is 0 with an infinite slope, and ∞·0 is no number.
      'a finite loss without a gradient': [(model) => tf.sum(tf.sqrt(tf.mul(weight(model), 0))), false],
      'a loss that is no number beside a finite gradient': [(model) => tf.add(tf.sum(weight(model)), Number.NaN), false],
      'both finite': [(model) => tf.sum(weight(model)), true],
    }
    const scalars = Object.fromEntries(Object.entries(stepNumbers(training, 1)).map(([name, value]) => [name, tf.scalar(value)]))
    for (const [name, [lossOf, isHealthy]] of Object.entries(losses)) {
      const objective: Objective = {
        ...createObjective(training.objective),
        loss: (model) => ({ loss: lossOf(model) as tf.Scalar, metrics: {} }),
      }
      const before = bits(trainable)
      createTrainStep(trainable, objective, training).run({}, scalars)
      if (isHealthy) expect(bits(trainable), name).not.toEqual(before)
      else expect(bits(trainable), name).toEqual(before)
    }
  })
})

for (const kind of KINDS)
  describe(`a step of ${kind} with LoRA`, () => {
    const objective = { kind }
    const lora = { rank: 2, alpha: 4 }
    const modules = Object.fromEntries(MODULES.map((module) => [module, { lora }]))

    it('begins as the base model, and moves its adapters and nothing else', () => {
      const [base, adapted] = [open(aTraining({ objective })), open(aTraining({ objective, modules }))]
      const before = bits(adapted.trainable)
      const [expected, found] = [base.run(1, batchOf(kind)), adapted.run(1, batchOf(kind))]
      for (const name of Object.keys(expected)) if (name !== 'grad_norm') expect(found[name], name).toBe(expected[name])
      // B is zero at first, so A has no gradient before the second step.
      adapted.run(2, batchOf(kind))
      const moved = Object.entries(bits(adapted.trainable)).filter(([name, value]) => before[name] !== value)
      const factors = adapted.trainable.ledger.filter(({ part }) => part === 'adapter').map(({ module, name }) => `${module}/${name}`)
      expect(moved.map(([name]) => name).sort()).toEqual(factors.flatMap((name) => [name, `first/${name}`, `second/${name}`]).sort())
    })

    it('merged is the adapted model within 1e-5, and continues bit for bit from what a checkpoint keeps', () => {
      const training = aTraining({ objective, modules: { ...modules, projector: {} }, learningRate: 0.02, weightDecay: 0.1 })
      const whole = open(training)
      for (const step of [1, 2, 3]) whole.run(step, batchOf(kind))
      const weights = weightsOf(whole.trainable)
      const plain = trainableModel(TINY, weights, aTraining({ objective }))
      const saved = trainableModel(TINY, weights, training, stateBesideModel(whole.trainable))
      expect(bits(saved)).toEqual(bits(whole.trainable))
      const next = whole.run(4, batchOf(kind))
      const merged = runner(plain, aTraining({ objective }))(1, batchOf(kind))
      for (const [name, value] of Object.entries(next)) if (name !== 'grad_norm') expectClose([merged[name]!], [value], 1e-5, name)
      expect(runner(saved, training)(4, batchOf(kind))).toEqual(next)
    })

    it('with gradient checkpointing is the same step, bit for bit', () => {
      const saving = Object.fromEntries(MODULES.map((module) => [module, { lora, gradientCheckpointing: true }]))
      const [plain, saved] = [open(aTraining({ objective, modules })), open(aTraining({ objective, modules: saving }))]
      for (const step of [1, 2]) expect(saved.run(step, batchOf(kind))).toEqual(plain.run(step, batchOf(kind)))
      expect(bits(saved.trainable)).toEqual(bits(plain.trainable))
    })
  })

describe('a model to be trained', () => {
  const lora = { rank: 2 }
  it.each([
    ['as a whole', {}],
    ['by adapters', { visionEncoder: { lora }, projector: { lora }, languageModel: { lora } }],
    ['in part', { languageModel: { train: false } }],
  ])('%s lies in memory once, begun or continued: no array in JavaScript beside what is computed with', (_, modules) => {
    const training = aTraining({ modules })
    const begun = trainableModel(TINY, livelyWeights(1), training)
    const continued = trainableModel(TINY, weightsOf(begun), training, stateBesideModel(begun))
    for (const { variables } of [begun, continued]) expect(heldAsArrays(variables)).toEqual([])
  })
})

describe('a frozen module', () => {
  it('keeps nothing for the way back', () => {
    const keptBy = (modules: Readonly<Record<string, object>>): number => {
      const training = aTraining({ modules })
      const trainable = trainableModel(TINY, livelyWeights(1), training)
      let kept = 0
      const watched: Objective = {
        ...createObjective(training.objective),
        loss: (model, batch) =>
          tf.tidy(() => {
            const before = tf.memory().numDataBuffers
            const features = tf.tidy(() => imageFeatures(model, batch.patches))
            kept = tf.memory().numDataBuffers - before - 1
            return { loss: tf.sum(imageTokens(model, features)) as tf.Scalar, metrics: {} }
          }),
      }
      const scalars = Object.fromEntries(Object.entries(stepNumbers(training, 1)).map(([name, value]) => [name, tf.scalar(value)]))
      createTrainStep(trainable, watched, training).run(named(batchOf('sft')), scalars)
      return kept
    }
    expect(keptBy({ visionEncoder: { train: false } })).toBe(0)
    expect(keptBy({})).toBeGreaterThan(10)
  })

  it('leaves nothing to train where no other has a part in the loss', () => {
    const { run } = open(aTraining({ objective: { kind: 'text' }, modules: { languageModel: { train: false } } }))
    expect(() => run(1, batchOf('sft'))).toThrow(/no trained weight has a part in the loss of text/)
  })
})

describe('a step that is broken off', () => {
  it('on the way back frees what the way forth kept and the metrics that were ready', () => {
    const training = aTraining()
    const trainable = trainableModel(TINY, livelyWeights(1), training)
    const spoiled: Objective = {
      ...createObjective(training.objective),
      metricNames: ['squares'],
      loss: ({ weights }) => {
        const squares = tf.sum(tf.square(weights.projector['linear_1.weight']!)) as tf.Scalar
        // topk has no gradient.
        return { loss: tf.sum(tf.square(tf.topk(tf.reshape(squares, [1]), 1).values)) as tf.Scalar, metrics: { squares } }
      },
    }
    const step = createTrainStep(trainable, spoiled, training)
    const scalars = Object.fromEntries(Object.entries(stepNumbers(training, 1)).map(([name, value]) => [name, tf.scalar(value)]))
    expectNoLeak(() => {
      expect(() => step.run({}, scalars)).toThrow(/TopK/)
    })
  })
})

describe('the same seed', () => {
  it('gives the same numbers, bit for bit, over five steps', () => {
    const curve = () => {
      const { run } = open(aTraining({ objective: { kind: 'dpo' } }))
      return [1, 2, 3, 4, 5].map((step) => run(step, batchOf('dpo')))
    }
    expect(curve()).toEqual(curve())
  })
})
