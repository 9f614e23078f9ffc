// One optimiser step: what accumulation, freezing, checkpointing, clipping and a spoiled batch may and may not change, and
// whole runs of TRL's trainers step by step.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { MODULES, multimodalLmSpecSchema } from '../../src-main/domain/model-spec.ts'
import type { Training } from '../../src-main/domain/run-config.ts'
import { answerLogits, imageFeatures, imageTokens, type MultimodalLm } from '../../src-main/engine/models/multimodal-lm.ts'
import { answerLogProbs, tokenLogProbs } from '../../src-main/engine/objectives/log-probs.ts'
import { createObjective, type Batch, type Objective } from '../../src-main/engine/objectives/objective.ts'
import { collateRows, type EncodedRow } from '../../src-main/engine/text/collate.ts'
import { createChatTokenizer } from '../../src-main/engine/text/tokenizer.ts'
import {
  createTrainStep,
  stepNumbers,
  trainableModel,
  type NamedTensors,
  type TrainableModel,
} from '../../src-main/engine/train-step.ts'
import { languageModelSpec } from '../../src-main/engine/models/language/families.ts'
import { initialWeights, type NamedArrays } from '../../src-main/engine/weights/initial.ts'
import { splitByModule } from '../../src-main/engine/weights/names.ts'
import { readSafetensors } from '../../src-main/engine/weights/safetensors.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { rowTensors } from '../../src-main/jobs/batches.ts'
import { expectClose } from '../support/all-close.ts'
import { expectNoLeak } from '../support/no-leak.ts'
import { describeParity, parityFolder } from '../support/read-parity.ts'
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

/** Runs step number `step` on micro-batches and gives the numbers it logs. */
function runner(trainable: TrainableModel, training: Training) {
  const step = createTrainStep(trainable, createObjective(training.objective), training)
  return (number: number, ...batches: Batch[]): Record<string, number> => {
    const scalars = Object.fromEntries(
      Object.entries(stepNumbers(training, number)).map(([name, value]) => [name, tf.scalar(value)]),
    )
    const outputs = step.run(named(...batches), scalars)
    expect(Object.keys(outputs).sort()).toEqual([...step.outputs].sort())
    const numbers = Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, value.dataSync()[0]!]))
    tf.dispose([outputs, scalars])
    return numbers
  }
}

function named(...batches: Batch[]): NamedTensors {
  return Object.fromEntries(
    batches.flatMap((batch, i) => Object.entries(batch).map(([name, tensor]) => [`${i}/${name}`, tensor as tf.Tensor])),
  )
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

    it('decays weights and neither biases nor norms', () => {
      const plain = open(aTraining({ objective }))
      const decayed = open(aTraining({ objective, weightDecay: 0.5 }))
      for (const { run } of [plain, decayed]) run(1, batchOf(kind))
      const [a, b] = [bits(plain.trainable), bits(decayed.trainable)]
      for (const name of Object.keys(a).filter((each) => /^(visionEncoder|projector|languageModel)\//.test(each))) {
        const isExempt = name.endsWith('.bias') || /norm/.test(name)
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

describeParity('training', (read) => {
  interface Logged {
    readonly config: { readonly beta?: number; readonly learning_rate: number }
    readonly log: readonly Readonly<Record<string, number>>[]
  }
  interface Recorded {
    readonly rows: readonly { readonly prompt: string; readonly chosen: string; readonly rejected: string }[]
    readonly tokenised_first_row: Readonly<Record<'prompt_ids' | 'chosen_ids' | 'rejected_ids', number[]>>
    readonly sft: Logged
    readonly dpo_sigmoid: Logged
  }
  const BATCH = 4
  const folder = join(parityFolder, 'training')
  const tokenizerFolder = join(parityFolder, 'tokenizers', 'qwen2_like')
  const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
  const tokenizer = () =>
    createChatTokenizer({
      tokenizer: readJson(join(tokenizerFolder, 'tokenizer.json')),
      config: {
        ...readJson(join(tokenizerFolder, 'tokenizer_config.json')),
        chat_template: readFileSync(join(tokenizerFolder, 'chat_template.jinja'), 'utf8'),
      },
    })
  const recorded = () => read().json as Recorded
  const languageModelOf = (name: string): NamedArrays =>
    splitByModule(readSafetensors(readFileSync(join(folder, name, 'model.safetensors')))).modules.languageModel

  /** The recorded text-only model; an encoder that no row looks at stands beside it, frozen. */
  function openRecorded(kind: 'text' | 'dpo', { config, log }: Logged) {
    const spec = multimodalLmSpecSchema.parse({
      ...TINY,
      languageModel: languageModelSpec(readJson(join(folder, 'model', 'config.json'))),
    })
    const training = aTraining({
      objective: kind === 'text' ? { kind } : { kind, beta: config.beta },
      learningRate: config.learning_rate,
      steps: log.length,
      schedule: 'cosine',
      warmupRatio: 2 / log.length,
      weightDecay: 0.05,
      maxGradientNorm: 1,
      modules: { visionEncoder: { train: false }, projector: { train: false } },
    })
    const trainable = trainableModel(spec, { ...initialWeights(spec, 0), languageModel: languageModelOf('model') }, training)
    return { trainable, training, run: runner(trainable, training) }
  }

  function rowsOf(answer: 'chosen' | 'rejected'): EncodedRow[] {
    const { encode, endId } = tokenizer()
    return recorded().rows.map((row) => {
      const [prompt, words] = [encode(row.prompt), [...encode(row[answer]), endId]]
      return { ids: [...prompt, ...words], isAnswer: [...prompt.map(() => false), ...words.map(() => true)] }
    })
  }

  /** Rows in file order, four at a time, from the beginning again at the end. */
  function rowsOfStep(rows: readonly EncodedRow[], step: number): EncodedRow[] {
    return Array.from({ length: BATCH }, (_, i) => rows[((step - 1) * BATCH + i) % rows.length]!)
  }

  function textBatch(rows: readonly EncodedRow[], images: number, weight: number, references: readonly number[]): Batch {
    return {
      ...rowTensors(collateRows({ padId: 0, imageId: 3 }, rows, images, 4, { T: 48, A: 32 })),
      patches: tf.zeros([images, 4, 192]),
      rowWeights: tf.fill([rows.length], weight),
      referenceLogProbs: tf.tensor1d([...references]),
    }
  }

  function logProbsOf(model: MultimodalLm, rows: readonly EncodedRow[]): number[] {
    return Array.from(
      tf.tidy(() => {
        const batch = textBatch(
          rows,
          rows.length,
          1,
          rows.map(() => 0),
        )
        const logits = answerLogits(model, batch, imageTokens(model, imageFeatures(model, batch.patches)))
        return answerLogProbs(
          tokenLogProbs(logits, tf.reshape(batch.answerIds, [-1]) as tf.Tensor1D),
          batch.answerMask,
        ).dataSync()
      }),
    )
  }

  /** Six steps of float32 on both sides: each number to 2e-4 of its size, or 2e-5. */
  function expectLogged(
    step: number,
    found: Readonly<Record<string, number>>,
    expected: Readonly<Record<string, number>>,
    names: readonly string[],
  ) {
    for (const name of names) {
      const allowed = Math.max(2e-5, 2e-4 * Math.abs(expected[name]!))
      expect(
        Math.abs(found[name]! - expected[name]!),
        `${name} of step ${step}: ${found[name]} for ${expected[name]}`,
      ).toBeLessThanOrEqual(allowed)
    }
  }

  function expectWeights({ variables }: TrainableModel, name: string) {
    for (const [key, { values }] of Object.entries(languageModelOf(name)))
      // A key's bias has no gradient but rounding, which Adam brings to the size of the rate.
      if (!key.endsWith('k_proj.bias')) expectClose(variables[`languageModel/${key}`]!, values, 2e-4, key)
  }

  it('the same tokens', () => {
    const { tokenised_first_row: expected } = recorded()
    for (const answer of ['chosen', 'rejected'] as const) {
      const { ids, isAnswer } = rowsOf(answer)[0]!
      expect(ids.filter((_, i) => !isAnswer[i])).toEqual(expected.prompt_ids)
      expect(ids.filter((_, i) => isAnswer[i])).toEqual(expected[`${answer}_ids`])
    }
  })

  it('SFT: loss, gradient norm and entropy of every step, and the weights at the end', () => {
    const logged = recorded().sft
    const { run, trainable, training } = openRecorded('text', logged)
    const rows = rowsOf('chosen')
    logged.log.forEach((expected, i) => {
      const batch = rowsOfStep(rows, i + 1)
      const tokens = batch.reduce((sum, { isAnswer }) => sum + isAnswer.filter(Boolean).length, 0)
      const found = run(
        i + 1,
        textBatch(
          batch,
          BATCH,
          1 / tokens,
          batch.map(() => 0),
        ),
      )
      expectLogged(i + 1, found, expected, ['loss', 'grad_norm', 'entropy', 'mean_token_accuracy'])
      expect(stepNumbers(training, i + 1)['learning_rate/languageModel']).toBeCloseTo(expected['learning_rate']!, 12)
    })
    expectWeights(trainable, 'sft')
  })

  it('DPO: loss, gradient norm, rewards, log-probabilities and logits of every step, and the weights at the end', () => {
    const logged = recorded().dpo_sigmoid
    const { run, trainable } = openRecorded('dpo', logged)
    const [chosen, rejected] = [rowsOf('chosen'), rowsOf('rejected')]
    const reference = { chosen: logProbsOf(trainable.model, chosen), rejected: logProbsOf(trainable.model, rejected) }
    logged.log.forEach((expected, i) => {
      const indices = Array.from({ length: BATCH }, (_, j) => (i * BATCH + j) % chosen.length)
      const rows = [...indices.map((j) => chosen[j]!), ...indices.map((j) => rejected[j]!)]
      const references = [...indices.map((j) => reference.chosen[j]!), ...indices.map((j) => reference.rejected[j]!)]
      const found = run(i + 1, textBatch(rows, BATCH, 1 / BATCH, references))
      const names = Object.keys(expected).filter((name) => /^(loss|grad_norm|rewards\/(?!acc)|logps\/|logits\/)/.test(name))
      expect(names.length).toBe(9)
      expectLogged(i + 1, found, expected, names)
      // At the first two steps every margin is rounding: who is ahead says nothing.
      if (i >= 2) expect(found['rewards/accuracies']).toBe(expected['rewards/accuracies'])
    })
    expectWeights(trainable, 'dpo_sigmoid')
  })
})
