// A whole multimodal model against its reference: visual tokens, logits, SFT and DPO with every gradient, log-probabilities
// against a reference model, gradient maps of each pair, the greedy answer about a picture and, where one is recorded, a short training.

import * as tf from '@tensorflow/tfjs'
import { objectiveSchema } from '../../domain/objective-config.ts'
import { pairGradients, pairMaps } from '../../engine/evaluate/gradient-maps.ts'
import { greedyAnswers } from '../../engine/generate.ts'
import { answerLogits, imageFeatures, imageTokens, type MultimodalLm } from '../../engine/models/multimodal-lm.ts'
import { patchify } from '../../engine/models/vision-encoder.ts'
import { createObjective, type Batch } from '../../engine/objectives/objective.ts'
import { collateRows, type EncodedRow } from '../../engine/text/collate.ts'
import { multimodalLmSpec } from '../../engine/weights/hugging-face-config.ts'
import { languageModelLayout, projectorLayout, visionEncoderLayout } from '../../engine/weights/initial.ts'
import { matchWeights } from '../../engine/weights/match.ts'
import { splitByModule, visionEncoderTensors } from '../../engine/weights/names.ts'
import { rowTensors } from '../batches.ts'
import { heldModel } from '../held-model.ts'
import { readWeights } from '../weight-files.ts'
import { toTensor, tolerancesOf, type CaseTensors, type JsonObject } from './case-files.ts'
import type { Comparison, Tolerance } from './comparison.ts'
import { endIdsOf, untilEnd } from './language-model.ts'
import { compareMultimodalTraining } from './multimodal-training.ts'
import type { ParityKind } from './parity-kind.ts'
import { compareWeightGradients } from './recorded-gradients.ts'

type Answer = 'chosen' | 'rejected'

/** A case that is read, and what its numbers are compared with. */
interface Opened {
  readonly model: MultimodalLm
  readonly recorded: CaseTensors
  readonly patches: tf.Tensor3D
  readonly imageId: number
  readonly endIds: readonly number[]
  readonly beta: number
  readonly comparison: Comparison
  readonly forward: Tolerance
  readonly gradient: Tolerance
}

export const multimodalLmParity: ParityKind = {
  name: 'multimodal model',
  recognises: ({ json }) => json['kind'] === 'multimodal model',
  async compare(files, comparison) {
    const config = await files.object('config.json')
    const spec = multimodalLmSpec(config)
    const { modules } = splitByModule(await readWeights(files.folder))
    const weights = {
      visionEncoder: matchWeights(visionEncoderLayout(spec.visionEncoder), visionEncoderTensors(spec.visionEncoder, modules.visionEncoder), files.folder).weights,
      projector: matchWeights(projectorLayout(spec), modules.projector, files.folder).weights,
      languageModel: matchWeights(languageModelLayout(spec.languageModel), modules.languageModel, files.folder).weights,
    }
    const recorded = await files.tensors('case.safetensors')
    const text = (config['text_config'] ?? {}) as JsonObject
    const held = heldModel({ spec, weights })
    try {
      tf.tidy(() => {
        const opened: Opened = {
          model: held.model,
          recorded,
          comparison,
          ...tolerancesOf(files),
          patches: patchify(toTensor(recorded.get('pixel_values')) as tf.Tensor4D, spec.visionEncoder.patchSize),
          imageId: Number(files.json['image_token_id'] ?? config['image_token_index'] ?? config['image_token_id']),
          endIds: endIdsOf(text['eos_token_id'] ?? config['eos_token_id'] ?? 2),
          beta: Number(files.json['beta'] ?? 0.1),
        }
        compareLogits(opened)
        compareObjectives(opened)
        compareMaps(opened)
        compareAnswer(opened)
        const training = files.json['training']
        if (training === undefined) return
        const rows = rowsOf(opened, 'chosen')
        const batch = batchOf(opened, rows, rows.length, (tokens) => 1 / tokens)
        compareMultimodalTraining(training as JsonObject, { spec, weights }, batch, recorded, comparison)
      })
    } finally {
      held.dispose()
    }
  },
}

function tokensOf({ model, patches }: Opened): tf.Tensor {
  return imageTokens(model, imageFeatures(model, patches))
}

/** Recorded rows without their padding. */
function rowsOf({ recorded }: Opened, answer: Answer): EncodedRow[] {
  const [ids, mask, labels] = ['input_ids', 'attention_mask', 'labels'].map((name) => recorded.get(`${answer}.${name}`)) as [Recorded, Recorded, Recorded]
  const [R, T] = ids.shape as [number, number]
  return Array.from({ length: R }, (_, r) => {
    const real = Array.from({ length: T }, (_, t) => r * T + t).filter((at) => mask.values[at] === 1)
    return { ids: real.map((at) => ids.values[at]!), isAnswer: real.map((at) => labels.values[at]! >= 0) }
  })
}
type Recorded = ReturnType<CaseTensors['get']>

const answerLength = ({ isAnswer }: EncodedRow) => isAnswer.filter(Boolean).length

/** Rows over `images` images; the references are those of the pairs, in the rows' order. */
function batchOf({ recorded, patches, imageId, model }: Opened, rows: readonly EncodedRow[], images: number, weight: (tokens: number) => number): Batch {
  const I = tokensPerImage(model, patches)
  const size = { T: Math.max(...rows.map(({ ids }) => ids.length)), A: Math.max(...rows.map(answerLength)) }
  const collated = collateRows({ padId: 0, imageId }, rows, images, I, size)
  const tokens = collated.answerTokens.reduce((sum, each) => sum + each, 0)
  const references = ['reference.chosen_logps', 'reference.rejected_logps'].flatMap((name) => [...recorded.get(name).values])
  return {
    ...rowTensors(collated),
    patches,
    rowWeights: tf.fill([rows.length], weight(tokens)),
    referenceLogProbs: tf.tensor1d(rows.length === references.length ? references : rows.map(() => 0)),
  }
}

function tokensPerImage(model: MultimodalLm, patches: tf.Tensor): number {
  return imageTokens(model, imageFeatures(model, tf.slice(patches, [0, 0, 0], [1, -1, -1]))).shape[1]!
}

function compareLogits(opened: Opened): void {
  const { model, recorded, comparison, forward } = opened
  const tokens = tokensOf(opened)
  comparison.check('visual tokens', 'visual_tokens', tokens, recorded.get('visual_tokens'), forward)
  const rows = rowsOf(opened, 'chosen')
  const A = Math.max(...rows.map(answerLength))
  const logits = answerLogits(model, batchOf(opened, rows, rows.length, () => 1), tokens) // (R·A, V)
  const { shape, values } = recorded.get('chosen.logits')
  const [, T, V] = shape as [number, number, number]
  rows.forEach((row, r) => {
    const count = answerLength(row)
    const at = (r * T + row.isAnswer.indexOf(true) - 1) * V
    comparison.check('logits', `chosen.logits, row ${r}`, tf.slice(logits, [r * A, 0], [count, V]), { shape: [count, V], values: values.subarray(at, at + count * V) }, forward)
  })
}

function compareObjectives(opened: Opened): void {
  const { model, recorded, comparison, forward, gradient, beta } = opened
  const [chosen, rejected] = [rowsOf(opened, 'chosen'), rowsOf(opened, 'rejected')]
  const pairs = chosen.length
  for (const [name, config, batch] of [
    ['sft', { kind: 'sft' }, batchOf(opened, chosen, pairs, (tokens) => 1 / tokens)],
    ['dpo', { kind: 'dpo', beta }, batchOf(opened, [...chosen, ...rejected], pairs, () => 1 / pairs)],
  ] as const) {
    const objective = createObjective(objectiveSchema.parse(config))
    const { loss, metrics } = objective.loss(model, batch)
    comparison.check('losses', `${name}.loss`, loss, recorded.get(`${name}.loss`), forward)
    const check = { comparison, tolerance: gradient, recorded, prefix: `${name}.grad.`, weights: model.weights, visionEncoder: model.spec.visionEncoder }
    compareWeightGradients(check, () => objective.loss(model, batch).loss, null)
    if (name === 'dpo')
      for (const answer of ['chosen', 'rejected'] as const) {
        const values = recorded.get(`dpo.rewards.${answer}`).values
        const mean = values.reduce((sum, each) => sum + each, 0) / values.length
        comparison.check('rewards', `dpo.rewards.${answer}`, metrics[`rewards/${answer}`]!, { shape: [1], values: [mean] }, forward)
      }
  }
}

function compareMaps(opened: Opened): void {
  const { model, recorded, comparison, forward, gradient, beta } = opened
  const rows = [...rowsOf(opened, 'chosen'), ...rowsOf(opened, 'rejected')]
  const [chosen, rejected] = ['reference.chosen_logps', 'reference.rejected_logps'].map((name) => recorded.get(name).values) as [Float32Array, Float32Array]
  const references = Array.from(chosen, (each, i) => ({ chosen: each, rejected: rejected[i]! }))
  const batch = batchOf(opened, rows, rows.length, () => 1)
  const maps = pairMaps(pairGradients(model, batch, tokensOf(opened)), batch.answerMask, references, beta)
  for (const name of ['sft', 'chosen', 'rejected', 'dpo'] as const)
    comparison.check('gradient maps', `map.${name}`, maps.flatMap((pair) => [...pair[name]]), recorded.get(`map.${name}`), gradient)
  for (const answer of ['chosen', 'rejected'] as const)
    comparison.check('log-probabilities', `policy.${answer}_logps`, maps.map(({ logProbs }) => logProbs[answer]), recorded.get(`policy.${answer}_logps`), forward)
}

/** The answer alone, and beside a longer prompt about another picture: padding must change nothing. */
function compareAnswer(opened: Opened): void {
  const { model, recorded, comparison, imageId, endIds } = opened
  if (!recorded.has('greedy.output_ids')) return
  const prompt = [...recorded.get('greedy.input_ids').values]
  const written = [...recorded.get('greedy.output_ids').values].slice(prompt.length)
  const expected = untilEnd(written, endIds)
  const tokens = tokensOf(opened)
  const [B, I, D] = tokens.shape as [number, number, number]
  const answers = (prompts: readonly number[][]) =>
    greedyAnswers(model, prompts, tf.slice(tokens, [0, 0, 0], [prompts.length, I, D]), { padId: 0, imageId }, { endIds, maxNewTokens: written.length })
  comparison.same('answers', 'greedy.output_ids', answers([prompt])[0], expected)
  const longer = [...prompt, ...prompt.filter((id) => id !== imageId).slice(-3)]
  if (B > 1) comparison.same('answers', 'greedy.output_ids, in a batch', answers([prompt, longer])[0], expected)
}
