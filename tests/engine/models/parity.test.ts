// The models against transformers: hidden states, gradients, losses, log-probabilities, gradient maps and greedy answers of
// the recorded cases. Tolerances are those that each case states.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { beforeAll, expect, it } from 'vitest'
import { MODULES, type Module, type MultimodalLmSpec } from '../../../src-main/domain/model-spec.ts'
import { objectiveSchema } from '../../../src-main/domain/objective-config.ts'
import { pairMaps } from '../../../src-main/engine/evaluate/gradient-maps.ts'
import { collectAnswers, eagerDecoder, generateTokens, greedyAnswers } from '../../../src-main/engine/generate.ts'
import { languageModelSpec } from '../../../src-main/engine/models/language/families.ts'
import { decoderHiddenStates, embedTokens, languageHead } from '../../../src-main/engine/models/language-model.ts'
import { answerLogits, imageFeatures, imageTokens, type MultimodalLm } from '../../../src-main/engine/models/multimodal-lm.ts'
import {
  patchify,
  visionHiddenStates,
  visionLastHiddenState,
  visionPooled,
} from '../../../src-main/engine/models/vision-encoder.ts'
import { answerLogProbs, tokenLogProbs } from '../../../src-main/engine/objectives/log-probs.ts'
import { createObjective, type Batch, type Objective } from '../../../src-main/engine/objectives/objective.ts'
import { sft } from '../../../src-main/engine/objectives/sft.ts'
import type { Weights } from '../../../src-main/engine/shapes.ts'
import { collateRows, type EncodedRow } from '../../../src-main/engine/text/collate.ts'
import { multimodalLmSpec, visionEncoderSpec } from '../../../src-main/engine/weights/hugging-face-config.ts'
import { localName, splitByModule } from '../../../src-main/engine/weights/names.ts'
import { readSafetensors } from '../../../src-main/engine/weights/safetensors.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { rowTensors } from '../../../src-main/jobs/batches.ts'
import { describeParity, parityFolder, type ParityCase, type ParityTensor } from '../../support/read-parity.ts'

beforeAll(() => openBackend())

const asTensor = ({ shape, values }: ParityTensor) =>
  tf.tensor(values, [...shape], values instanceof Int32Array ? 'int32' : 'float32')

/** The stated rule: |found − expected| ≤ 2e-5·max(1, max |expected|), for gradients 1e-4·max(1e-3, max |expected|). */
function expectAgreement(
  name: string,
  found: tf.Tensor | ArrayLike<number>,
  expected: ParityTensor,
  kind: 'forward' | 'gradient' = 'forward',
) {
  const values = found instanceof tf.Tensor ? found.dataSync() : found
  expect(values.length, name).toBe(expected.values.length)
  let [largest, worst] = [kind === 'forward' ? 1 : 1e-3, 0]
  for (let i = 0; i < values.length; i++) {
    largest = Math.max(largest, Math.abs(expected.values[i]!))
    worst = Math.max(worst, Math.abs(values[i]! - expected.values[i]!))
  }
  expect(worst / largest, `${name}: largest deviation`).toBeLessThanOrEqual(kind === 'forward' ? 2e-5 : 1e-4)
}

function readModel(name: string): {
  readonly config: Record<string, unknown>
  readonly weights: Record<Module, Record<string, tf.Variable>>
} {
  const folder = join(parityFolder, name)
  const { modules, unknown } = splitByModule(readSafetensors(readFileSync(join(folder, 'model.safetensors'))))
  expect(unknown).toEqual([])
  const weights = Object.fromEntries(
    MODULES.map((module) => [
      module,
      Object.fromEntries(
        Object.entries(modules[module]).map(([key, { shape, values }]) => [key, tf.variable(tf.tensor(values, [...shape]))]),
      ),
    ]),
  ) as Record<Module, Record<string, tf.Variable>>
  return { config: JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>, weights }
}

/** Checks the gradient of `loss` by every weight that the case has a gradient for. @returns how many */
function expectGradients(
  loss: () => tf.Scalar,
  weights: Record<Module, Record<string, tf.Variable>>,
  prefix: string,
  { tensor }: ParityCase,
): number {
  const variables = MODULES.flatMap((module) => Object.values(weights[module]))
  const { grads } = tf.variableGrads(loss, variables)
  let checked = 0
  for (const module of MODULES)
    for (const [name, variable] of Object.entries(weights[module])) {
      const found = grads[variable.name]
      const recorded = gradientNames(prefix).get(`${module}/${name}`)
      if (recorded === undefined) {
        // The reference records no gradient where there is none: above the selected feature layer.
        if (found !== undefined) expect(found.abs().max().dataSync()[0], name).toBe(0)
        continue
      }
      expectAgreement(recorded, found ?? tf.zerosLike(variable), tensor(recorded), 'gradient')
      checked++
    }
  return checked
}

let listed: { readonly folder: string; readonly names: readonly string[] } = { folder: '', names: [] }
function list(name: string): void {
  const bytes = readFileSync(join(parityFolder, name, 'case.safetensors'))
  const length = Number(bytes.readBigUInt64LE(0))
  listed = { folder: name, names: Object.keys(JSON.parse(bytes.toString('utf8', 8, 8 + length)) as object) }
}
/** Recorded gradients of `prefix`, by module and our name. */
function gradientNames(prefix: string): ReadonlyMap<string, string> {
  return new Map(
    listed.names.flatMap((recorded): [string, string][] => {
      const local = recorded.startsWith(prefix) ? localName(recorded.slice(prefix.length)) : null
      return local === null ? [] : [[`${local.module}/${local.name}`, recorded]]
    }),
  )
}

describeParity('siglip_vision', (read) => {
  it('hidden states, last hidden state, pooled output and gradients of every weight and of the pixels', () => {
    list('siglip_vision')
    const { config, weights } = readModel('siglip_vision')
    const spec = visionEncoderSpec(config)
    const recorded = read()
    const pixels = asTensor(recorded.tensor('pixel_values')) as tf.Tensor4D
    const run = (held: Weights, input: tf.Tensor4D) =>
      visionHiddenStates(spec, held, patchify(input, spec.patchSize), spec.numHiddenLayers)
    const states = run(weights.visionEncoder, pixels)
    expect(states.length).toBe(spec.numHiddenLayers + 1)
    states.forEach((state, i) => expectAgreement(`hidden_states.${i}`, state, recorded.tensor(`hidden_states.${i}`)))
    const last = visionLastHiddenState(spec, weights.visionEncoder, states.at(-1)!)
    expectAgreement('last_hidden_state', last, recorded.tensor('last_hidden_state'))
    expectAgreement('pooler_output', visionPooled(spec, weights.visionEncoder, last)!, recorded.tensor('pooler_output'))

    const cotangent = asTensor(recorded.tensor('cotangent'))
    const loss = (input: tf.Tensor4D) =>
      tf.sum(
        tf.mul(visionLastHiddenState(spec, weights.visionEncoder, run(weights.visionEncoder, input).at(-1)!), cotangent),
      ) as tf.Scalar
    expect(expectGradients(() => loss(pixels), weights, 'grad.', recorded)).toBeGreaterThan(40)
    expectAgreement(
      'grad.pixel_values',
      tf.grad((input: tf.Tensor) => loss(input as tf.Tensor4D))(pixels),
      recorded.tensor('grad.pixel_values'),
      'gradient',
    )
  })
})

const languageCases = existsSync(parityFolder)
  ? readdirSync(parityFolder).filter((name) => {
      const file = join(parityFolder, name, 'case.json')
      return existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { kind?: string }).kind === 'causal language model'
    })
  : ['of a causal language model']
for (const name of languageCases) describeParity(name, (read) => {
  it('hidden states, logits, loss, log-probabilities of sequences and every gradient', () => {
    list(name)
    const { config, weights } = readModel(name)
    const spec = languageModelSpec(config)
    const recorded = read()
    const [ids, mask, labels] = ['input_ids', 'attention_mask', 'labels'].map((name) => recorded.tensor(name)) as [
      ParityTensor,
      ParityTensor,
      ParityTensor,
    ]
    const [R, T] = ids.shape as [number, number]
    const input = asTensor(ids) as tf.Tensor2D
    const states = decoderHiddenStates(spec, weights.languageModel, embedTokens(weights.languageModel, input))
    const logits = languageHead(spec, weights.languageModel, states.at(-1)!)
    const real = tf.cast(asTensor(mask), 'float32').reshape([R, T, 1])
    const masked = (name: string) => ({
      ...recorded.tensor(name),
      values: tf.mul(asTensor(recorded.tensor(name)), real).dataSync() as Float32Array,
    })
    states.forEach((state, i) => expectAgreement(`hidden_states.${i}`, tf.mul(state, real), masked(`hidden_states.${i}`)))
    expectAgreement('logits', tf.mul(logits, real), masked('logits'))

    const targets = Int32Array.from(labels.values, (label) => Math.max(0, label))
    const isTarget = tf
      .tensor2d(
        Float32Array.from(labels.values, (label) => (label < 0 ? 0 : 1)),
        [R, T],
      )
      .slice([0, 1])
    const next = tf.tensor2d(targets, [R, T], 'int32').slice([0, 1])
    const sums = () => {
      const held = decoderHiddenStates(spec, weights.languageModel, embedTokens(weights.languageModel, input)).at(-1)!
      const all = languageHead(spec, weights.languageModel, held).slice([0, 0, 0], [R, T - 1, spec.vocabSize])
      return answerLogProbs(
        tokenLogProbs(all.reshape([R * (T - 1), spec.vocabSize]) as tf.Tensor2D, next.reshape([-1]) as tf.Tensor1D),
        isTarget as tf.Tensor2D,
      )
    }
    expectAgreement('sequence_logps', sums(), recorded.tensor('sequence_logps'))
    const loss = () => tf.neg(tf.div(tf.sum(sums()), tf.sum(isTarget))) as tf.Scalar
    expectAgreement('loss', loss(), recorded.tensor('loss'))
    expect(expectGradients(loss, weights, 'grad.', recorded)).toBe(gradientNames('grad.').size)
  })

  it('greedy answers, alone and in a batch padded on the left, are token for token the same', () => {
    const { config, weights } = readModel(name)
    const spec = languageModelSpec(config)
    const { tensor } = read()
    for (const [run, masked] of [
      ['greedy', false],
      ['greedy_left_padded', true],
    ] as const) {
      const [ids, output] = [tensor(`${run}.input_ids`), tensor(`${run}.output_ids`)]
      const [R, T] = ids.shape as [number, number]
      const S = output.shape[1]!
      const lengths = Array.from({ length: R }, (_, r) =>
        masked ? [...tensor(`${run}.attention_mask`).values].slice(r * T, (r + 1) * T).reduce((sum, each) => sum + each, 0) : T,
      )
      const endId = config['eos_token_id'] as number
      const embeddings = embedTokens(weights.languageModel, asTensor(ids))
      const steps = generateTokens(eagerDecoder(spec, weights.languageModel), embeddings, lengths, { endIds: [endId], maxNewTokens: S - T })
      collectAnswers(steps, R).forEach((answer, r) => {
        // What the reference writes after the end is padding.
        const expected = [...output.values.subarray(r * S + T, (r + 1) * S)]
        const end = expected.indexOf(endId)
        expect(answer, `${run}, row ${r}`).toEqual(end < 0 ? expected : expected.slice(0, end))
      })
    }
  })
})

describeParity('llava_siglip_qwen2', (read) => {
  const beta = 0.1

  interface Case {
    readonly model: MultimodalLm
    readonly spec: MultimodalLmSpec
    readonly weights: Record<Module, Record<string, tf.Variable>>
    readonly patches: tf.Tensor3D
    readonly imageId: number
    readonly recorded: ParityCase
  }
  function open(): Case {
    list('llava_siglip_qwen2')
    const { config, weights } = readModel('llava_siglip_qwen2')
    const spec = multimodalLmSpec(config)
    const recorded = read()
    const pixels = asTensor(recorded.tensor('pixel_values')) as tf.Tensor4D
    return {
      spec,
      weights,
      recorded,
      model: { spec, weights, gradientCheckpointing: { visionEncoder: false, projector: false, languageModel: false } },
      patches: patchify(pixels, spec.visionEncoder.patchSize),
      imageId: config['image_token_index'] as number,
    }
  }
  function rowsOf({ recorded }: Case, answer: 'chosen' | 'rejected'): EncodedRow[] {
    const [ids, mask, labels] = ['input_ids', 'attention_mask', 'labels'].map((name) => recorded.tensor(`${answer}.${name}`)) as [
      ParityTensor,
      ParityTensor,
      ParityTensor,
    ]
    const [R, T] = ids.shape as [number, number]
    return Array.from({ length: R }, (_, r) => {
      const real = Array.from({ length: T }, (_, t) => r * T + t).filter((at) => mask.values[at] === 1)
      return { ids: real.map((at) => ids.values[at]!), isAnswer: real.map((at) => labels.values[at]! >= 0) }
    })
  }
  /** Both answers of each pair (or one) over `images` images, with the weights of one optimiser step. */
  function batchOf(held: Case, rows: readonly EncodedRow[], images: number, weighsTokens: boolean): Batch {
    const I = held.patches.shape[1]
    const collated = collateRows({ padId: 0, imageId: held.imageId }, rows, images, I, { T: 48, A: 8 })
    const tokens = collated.answerTokens.reduce((sum, each) => sum + each, 0)
    const reference = ['reference.chosen_logps', 'reference.rejected_logps'].flatMap((name) => [
      ...held.recorded.tensor(name).values,
    ])
    return {
      ...rowTensors(collated),
      patches: held.patches,
      rowWeights: tf.fill([rows.length], weighsTokens ? 1 / tokens : 1 / images),
      referenceLogProbs: tf.tensor1d(rows.length === 2 * images ? reference : new Float32Array(rows.length)),
    }
  }
  function expectObjective(held: Case, objective: Objective, batch: Batch, name: 'sft' | 'dpo') {
    const { loss, metrics } = objective.loss(held.model, batch)
    expectAgreement(`${name}.loss`, loss, held.recorded.tensor(`${name}.loss`))
    const lossOf = () => objective.loss(held.model, batch).loss
    expect(expectGradients(lossOf, held.weights, `${name}.grad.`, held.recorded)).toBeGreaterThan(50)
    return metrics
  }

  it('visual tokens and logits of the chosen answers', () => {
    const held = open()
    const tokens = imageTokens(held.model, imageFeatures(held.model, held.patches))
    expectAgreement('visual_tokens', tokens, held.recorded.tensor('visual_tokens'))
    const rows = rowsOf(held, 'chosen')
    const logits = answerLogits(held.model, batchOf(held, rows, 2, true), tokens)
    const expected = held.recorded.tensor('chosen.logits')
    const [, T, V] = expected.shape as [number, number, number]
    rows.forEach(({ isAnswer }, r) => {
      const first = isAnswer.indexOf(true)
      const count = isAnswer.filter(Boolean).length
      const at = (r * T + first - 1) * V
      expectAgreement(`logits of row ${r}`, logits.slice([r * 8, 0], [count, V]), {
        shape: [count, V],
        values: expected.values.subarray(at, at + count * V) as Float32Array,
      })
    })
  })

  it('SFT: the mean over all answer tokens of the batch, and every gradient', () => {
    const held = open()
    expectObjective(held, sft(), batchOf(held, rowsOf(held, 'chosen'), 2, true), 'sft')
  })

  it('DPO: loss against the reference, rewards, log-probabilities and every gradient', () => {
    const held = open()
    const batch = batchOf(held, [...rowsOf(held, 'chosen'), ...rowsOf(held, 'rejected')], 2, false)
    const metrics = expectObjective(held, createObjective(objectiveSchema.parse({ kind: 'dpo', beta })), batch, 'dpo')
    for (const [metric, name] of [
      ['rewards/chosen', 'dpo.rewards.chosen'],
      ['rewards/rejected', 'dpo.rewards.rejected'],
      ['logps/chosen', 'policy.chosen_logps'],
      ['logps/rejected', 'policy.rejected_logps'],
    ] as const) {
      const { values } = held.recorded.tensor(name)
      expectAgreement(metric, metrics[metric]!, { shape: [1], values: Float32Array.of((values[0]! + values[1]!) / 2) })
    }
  })

  it('gradient maps of SFT, chosen, rejected and DPO at the visual tokens, from one backward pass', () => {
    const held = open()
    const batch = batchOf(held, [...rowsOf(held, 'chosen'), ...rowsOf(held, 'rejected')], 4, false)
    const tokens = imageTokens(held.model, imageFeatures(held.model, held.patches))
    const [chosen, rejected] = ['reference.chosen_logps', 'reference.rejected_logps'].map(
      (name) => held.recorded.tensor(name).values,
    )
    const references = [0, 1].map((i) => ({ chosen: chosen![i]!, rejected: rejected![i]! }))
    const before = tf.memory().numTensors
    const maps = pairMaps(held.model, batch, tokens, references, beta)
    expect(tf.memory().numTensors).toBe(before)
    for (const name of ['sft', 'chosen', 'rejected', 'dpo'] as const)
      expectAgreement(
        `map.${name}`,
        maps.flatMap((pair) => [...pair[name]]),
        held.recorded.tensor(`map.${name}`),
        'gradient',
      )
    expectAgreement(
      'policy.chosen_logps',
      maps.map(({ logProbs }) => logProbs.chosen),
      held.recorded.tensor('policy.chosen_logps'),
    )
    expectAgreement(
      'policy.rejected_logps',
      maps.map(({ logProbs }) => logProbs.rejected),
      held.recorded.tensor('policy.rejected_logps'),
    )
  })

  it('greedy answer about an image, alone and beside a longer prompt', () => {
    const held = open()
    const { tensor } = held.recorded
    const prompt = [...tensor('greedy.input_ids').values]
    const expected = [...tensor('greedy.output_ids').values].slice(prompt.length)
    const tokens = imageTokens(held.model, imageFeatures(held.model, held.patches))
    const limits = { endIds: [2], maxNewTokens: expected.length }
    const first = tokens.slice([0, 0, 0], [1, -1, -1])
    expect(greedyAnswers(held.model, [prompt], first, { padId: 0, imageId: held.imageId }, limits)).toEqual([expected])
    const longer = [...prompt, 11, 12, 13, 14, 15]
    const before = tf.memory().numTensors
    expect(greedyAnswers(held.model, [prompt, longer], tokens, { padId: 0, imageId: held.imageId }, limits)[0]).toEqual(expected)
    expect(tf.memory().numTensors).toBe(before)
  })
})
