// Whole runs of TRL's trainers on a text-only model: what each step logs under TRL's names, and the weights at the end where
// they are recorded. Runs are the members of case.json that have a `config` and a `log`; `model` is where all start.

import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import { multimodalLmSpecSchema, type MultimodalLmSpec } from '../../domain/model-spec.ts'
import { parse } from '../../domain/parse.ts'
import { trainingSchema, type Training } from '../../domain/run-config.ts'
import { languageModelSpec } from '../../engine/models/language/families.ts'
import { imageFeatures, imageTokens, type MultimodalLm } from '../../engine/models/multimodal-lm.ts'
import { rowLogProbs } from '../../engine/objectives/log-probs.ts'
import { createObjective, type Batch } from '../../engine/objectives/objective.ts'
import { collateRows, type EncodedRow } from '../../engine/text/collate.ts'
import { createChatTokenizer, type ChatTokenizer } from '../../engine/text/tokenizer.ts'
import { createTrainStep, stepNumbers, trainableModel } from '../../engine/train-step.ts'
import { initialWeights, languageModelLayout, type NamedArrays } from '../../engine/weights/initial.ts'
import { matchWeights } from '../../engine/weights/match.ts'
import { splitByModule } from '../../engine/weights/names.ts'
import { rowTensors } from '../batches.ts'
import { readTokenizerFiles } from '../tokenizer-files.ts'
import { readJson } from '../files.ts'
import { readWeights } from '../weight-files.ts'
import type { CaseFiles, JsonObject } from './case-files.ts'
import type { Comparison } from './comparison.ts'
import type { ParityKind } from './parity-kind.ts'

type Answer = 'chosen' | 'rejected'
interface Run {
  /** As the configuration of TRL's trainer has it. */
  readonly config: JsonObject
  readonly log: readonly Readonly<Record<string, number>>[]
}

/** How the trainer was set up, where its configuration does not say: the case's note does, in words. */
interface Setup {
  readonly batchSize: number
  readonly warmUpSteps: number
  readonly clipping: number
  readonly schedule: string
  readonly adam: { readonly adamBeta1: number; readonly adamBeta2: number; readonly adamEpsilon: number }
}
/** Some steps of float32 on both sides: each logged number to 2e-4 of its size, or 2e-5. */
export const LOGGED = { relative: 2e-4, floor: 0.1 }
export const WEIGHTS = { relative: 2e-4, floor: 1 }

/** An encoder that no row looks at: four tokens a picture. */
const BLIND = { imageSize: 16, patchSize: 8, hiddenSize: 4, intermediateSize: 4, numHiddenLayers: 1, numAttentionHeads: 1 }
const IMAGE_TOKENS = 4
const PATCH_WIDTH = 192

/** @throws LabError 'invalid-input' saying what the note must say */
function setupOf({ json, folder }: CaseFiles): Setup {
  const note = String(json['note'] ?? '')
  const read = (expression: RegExp, example: string) => {
    const found = expression.exec(note)
    if (found === null) throw new LabError('invalid-input', `${folder}: case.json: note: expected words such as "${example}", found ${JSON.stringify(note)}`)
    return found.slice(1)
  }
  const [last] = read(/\(0[-–](\d+),/, 'batches are taken in file order (0-3, 4-7, …)')
  const [schedule, warmUp] = read(/(\w+) schedule with (\d+) warm-up steps/, 'cosine schedule with 2 warm-up steps')
  const [clipping] = read(/gradient clipping ([\d.e+-]*\d)/, 'gradient clipping 1.0')
  const [beta1, beta2, epsilon] = read(/betas ([\d.]*\d)\/([\d.]*\d) eps ([\d.e+-]*\d)/, 'AdamW betas 0.9/0.999 eps 1e-8')
  return {
    batchSize: Number(last) + 1,
    warmUpSteps: Number(warmUp),
    clipping: Number(clipping),
    schedule: schedule!,
    adam: { adamBeta1: Number(beta1), adamBeta2: Number(beta2), adamEpsilon: Number(epsilon) },
  }
}

export const trainingParity: ParityKind = {
  name: 'training',
  recognises: (files) => Array.isArray(files.json['rows']) && Object.values(files.json).some(isRun),
  async compare(files, comparison) {
    const setup = setupOf(files)
    const rows = await tokenisedRows(files, comparison)
    const model = join(files.folder, 'model')
    const languageModel = languageModelSpec((await readJson(join(model, 'config.json'))) as JsonObject)
    const spec = parse(multimodalLmSpecSchema, { visionEncoder: BLIND, visionFeatureLayer: -1, languageModel })
    const start = await languageWeights(spec, model)
    const groups = files.json['parameter_groups'] as readonly { readonly weight_decay: number }[] | undefined
    const ofNote = Number(/weight decay ([\d.e-]*\d)/.exec(String(files.json['note']))?.[1] ?? 0)
    const weightDecay = groups === undefined ? ofNote : Math.max(0, ...groups.map((group) => group.weight_decay))
    for (const [name, run] of Object.entries(files.json))
      if (isRun(run)) {
        const end = existsSync(join(files.folder, name)) ? await languageWeights(spec, join(files.folder, name)) : null
        compareRun(name, run, { spec, start, end, rows, setup: ofRun({ ...setup, weightDecay }, run) }, comparison)
      }
  },
}

function isRun(value: unknown): value is Run {
  return typeof value === 'object' && value !== null && 'config' in value && 'log' in value
}

async function languageWeights(spec: MultimodalLmSpec, folder: string): Promise<NamedArrays> {
  const { modules } = splitByModule(await readWeights(folder))
  return matchWeights(languageModelLayout(spec.languageModel), modules.languageModel, folder).weights
}

/** Token ids of a row's prompt and of one of its answers. */
interface TokenisedRow {
  readonly prompt: readonly number[]
  readonly chosen: readonly number[]
  readonly rejected: readonly number[]
}

/** The rows' tokens, by the tokenizer that gives the recorded first row: in the case's folder, its model's, or beside it. */
async function tokenisedRows({ json, folder }: CaseFiles, comparison: Comparison): Promise<readonly TokenisedRow[]> {
  const rows = json['rows'] as readonly Readonly<Record<'prompt' | Answer, string>>[]
  const first = json['tokenised_first_row'] as Readonly<Record<string, readonly number[]>>
  const beside = join(dirname(folder), 'tokenizers')
  const others = existsSync(beside) ? (await readdir(beside)).sort().map((name) => join(beside, name)) : []
  for (const candidate of [folder, join(folder, 'model'), ...others]) {
    if (!existsSync(join(candidate, 'tokenizer.json'))) continue
    const tokenizer = createChatTokenizer(await readTokenizerFiles(candidate))
    const tokenised = rows.map((row) => tokenisedRow(tokenizer, row))
    const { prompt, chosen, rejected } = tokenised[0]!
    if (JSON.stringify([prompt, chosen, rejected]) !== JSON.stringify([first['prompt_ids'], first['chosen_ids'], first['rejected_ids']])) continue
    comparison.same('tokens', 'tokenised_first_row', { prompt, chosen, rejected }, { prompt: first['prompt_ids'], chosen: first['chosen_ids'], rejected: first['rejected_ids'] })
    return tokenised
  }
  throw new LabError('not-found', `${folder}: expected a tokenizer that gives tokenised_first_row, here, in model or in ../tokenizers; found none`)
}

function tokenisedRow({ encode, endId }: ChatTokenizer, row: Readonly<Record<'prompt' | Answer, string>>): TokenisedRow {
  return { prompt: encode(row.prompt), chosen: [...encode(row.chosen), endId], rejected: [...encode(row.rejected), endId] }
}

interface Setting {
  readonly spec: MultimodalLmSpec
  readonly start: NamedArrays
  readonly end: NamedArrays | null
  readonly rows: readonly TokenisedRow[]
  readonly setup: RunSetup
}

interface RunSetup extends Setup {
  readonly weightDecay: number
  /** Forward passes of an optimiser step. */
  readonly accumulation: number
}

/** What a run's own configuration says of the trainer goes before the note, which is of all runs. */
function ofRun(setup: Setup & { readonly weightDecay: number }, { config }: Run): RunSetup {
  const number = (key: string, otherwise: number) => Number(config[key] ?? otherwise)
  return {
    batchSize: number('per_device_train_batch_size', setup.batchSize),
    accumulation: number('gradient_accumulation_steps', 1),
    warmUpSteps: number('warmup_steps', setup.warmUpSteps),
    clipping: number('max_grad_norm', setup.clipping),
    schedule: String(config['lr_scheduler_type'] ?? setup.schedule).replace(/_with_warmup$/, ''),
    weightDecay: number('weight_decay', setup.weightDecay),
    adam: {
      adamBeta1: number('adam_beta1', setup.adam.adamBeta1),
      adamBeta2: number('adam_beta2', setup.adam.adamBeta2),
      adamEpsilon: number('adam_epsilon', setup.adam.adamEpsilon),
    },
  }
}

/** Of a run's configuration what is the trainer's and not the objective's. */
const OF_TRAINER = /^(learning_rate|per_device_train_batch_size|gradient_accumulation_steps|warmup_steps|max_grad_norm|lr_scheduler_type|weight_decay|adam_beta1|adam_beta2|adam_epsilon|num_train_epochs)$/

function compareRun(name: string, { config, log }: Run, { spec, start, end, rows, setup }: Setting, comparison: Comparison): void {
  const training = parse(trainingSchema, {
    objective: objectiveOf(name, config),
    // What the trainer reached, where its configuration does not name it.
    learningRate: config['learning_rate'] ?? Math.max(...log.map((each) => each['learning_rate'] ?? 0)),
    steps: log.length,
    schedule: setup.schedule,
    // Rounded up by the schedule: half a step less is safe from the rounding of the division.
    warmupRatio: Math.max(0, setup.warmUpSteps - 0.5) / log.length,
    gradientAccumulation: setup.accumulation,
    weightDecay: setup.weightDecay,
    ...setup.adam,
    maxGradientNorm: setup.clipping,
    modules: { visionEncoder: { train: false }, projector: { train: false } },
  })
  const trainable = trainableModel(spec, { ...initialWeights(spec, 0), languageModel: start }, training)
  const batches = batchesOf(training, trainable.model, rows, setup)
  try {
    const step = createTrainStep(trainable, createObjective(training.objective), training)
    log.forEach((expected, i) => {
      const numbers = stepNumbers(training, i + 1)
      const scalars = Object.fromEntries(Object.entries(numbers).map(([key, value]) => [key, tf.scalar(value)]))
      const passes = Array.from({ length: setup.accumulation }, (_, pass) => flat(batches[(i * setup.accumulation + pass) % batches.length]!, `${pass}/`))
      const outputs = step.run(Object.assign({}, ...passes) as Record<string, tf.Tensor>, scalars)
      for (const [metric, value] of Object.entries(expected)) {
        const where = `${metric} of step ${i + 1}`
        if (metric === 'learning_rate') comparison.check(name, where, [numbers['learning_rate/languageModel']!], { shape: [1], values: [value] }, { relative: 1e-9, floor: 1e-3 })
        else if (isComparable(name, config, metric, i, setup)) comparison.check(name, where, outputs[metric] ?? [], { shape: [1], values: [value] }, LOGGED)
      }
      tf.dispose([outputs, scalars])
    })
    if (end !== null)
      for (const [key, { shape, values }] of Object.entries(end))
        comparison.check(`${name}, weights`, key, trainable.variables[`languageModel/${key}`]!, { shape, values }, WEIGHTS)
  } finally {
    tf.dispose(batches as unknown as tf.NamedTensorMap[])
    trainable.dispose()
  }
}

/** Whether what TRL logs is a number of the run, and not of how its trainer counts. */
function isComparable(name: string, config: JsonObject, metric: string, index: number, { warmUpSteps, accumulation }: RunSetup): boolean {
  const isReferenceFree = /^(cpo|simpo|orpo)/.test(name)
  if (metric === 'step') return false
  // TRL logs 0 for what it leaves out.
  if ((metric === 'nll_loss' && config['cpo_alpha'] === 0) || (metric === 'kl' && name === 'apo_zero_unpaired')) return false
  // Over the passes of a step it takes the mean of means, and the lab the mean over their tokens.
  if (accumulation > 1 && /^(entropy|mean_token_accuracy|logits\/)/.test(metric)) return false
  // Its code takes the mean over prompts and padding, which no batch of ours has in the same way.
  if (isReferenceFree && metric.startsWith('logits/')) return false
  // While the policy is the reference every margin is rounding: who is ahead says nothing. The first step has no rate.
  return !(metric === 'rewards/accuracies' && index < Math.max(1, warmUpSteps) && !isReferenceFree)
}

/** TRL's settings as the lab's: the names are the same but for their spelling; a list of losses with weights is a mix. */
function objectiveOf(name: string, config: JsonObject): Record<string, unknown> {
  const settings = Object.fromEntries(
    Object.entries(config)
      .filter(([key]) => !OF_TRAINER.test(key) && !(name === 'simpo' && key === 'loss_type'))
      .map(([key, value]) => [key.replace(/_(\w)/g, (_all, letter: string) => letter.toUpperCase()), value]),
  )
  if (/^sft/.test(name)) return { kind: 'text' }
  const kind = /^(orpo|cpo|simpo|kto|apo_zero_unpaired)/.exec(name)?.[0]
  if (kind !== undefined) return { ...settings, kind: kind === 'apo_zero_unpaired' ? 'kto' : kind }
  const losses = [(config['loss_type'] ?? 'sigmoid') as string | readonly string[]].flat()
  if (losses.length > 1) return { ...settings, kind: 'mpo', lossWeights: config['loss_weights'] ?? losses.map(() => 1), labelSmoothing: smoothing(config, losses) }
  return { ...settings, kind: 'dpo', lossType: losses[0], labelSmoothing: smoothing(config, losses) }
}

/** TRL's sigmoid does not read label_smoothing: it has no cDPO. */
function smoothing(config: JsonObject, losses: readonly string[]): unknown {
  return losses.some((loss) => /^(robust|exo_pair|aot|aot_unpaired)$/.test(loss)) ? (config['label_smoothing'] ?? 0) : 0
}

/** Batches in file order, from the beginning again at the end; weights are those of the step that each belongs to. The caller disposes. */
function batchesOf({ objective }: Training, model: MultimodalLm, rows: readonly TokenisedRow[], { batchSize, accumulation }: RunSetup): readonly Batch[] {
  const { weighsTokens, rowsPerImage, reference, needsMismatched } = createObjective(objective)
  const answers: readonly Answer[] = rowsPerImage === 1 ? ['chosen'] : ['chosen', 'rejected']
  const size = {
    T: Math.max(...rows.map(({ prompt }) => prompt.length)) + Math.max(...rows.map(({ chosen, rejected }) => Math.max(chosen.length, rejected.length))),
    A: Math.max(...rows.map(({ chosen, rejected }) => Math.max(chosen.length, rejected.length))),
  }
  // No row holds a picture: no token is its placeholder.
  const tensorsOf = (encoded: readonly EncodedRow[]) => rowTensors(collateRows({ padId: 0, imageId: -1 }, encoded, batchSize, IMAGE_TOKENS, size))
  const patches = () => tf.zeros([batchSize, IMAGE_TOKENS, PATCH_WIDTH]) as tf.Tensor3D
  const references = (encoded: readonly EncodedRow[], ldAlpha: number) =>
    tf.tidy(() => rowLogProbs(model, tensorsOf(encoded), imageTokens(model, imageFeatures(model, patches())), ldAlpha))
  const orderOf = (b: number) => answers.flatMap((answer) => Array.from({ length: batchSize }, (_, i) => [b * batchSize + i, answer] as const))
  const tokensOf = (b: number) => orderOf(b).reduce((sum, [i, answer]) => sum + rows[i]![answer].length, 0)
  return Array.from({ length: Math.floor(rows.length / batchSize) }, (_, b): Batch => {
    const order = orderOf(b)
    const encoded = order.map(([i, answer]) => joined(rows[i]!.prompt, rows[i]![answer]))
    // TRL's mismatched answers are those of the batch, moved on by one.
    const others = order.map(([i], at) => {
      const [j, answer] = order.at(at - 1)!
      return joined(rows[i]!.prompt, rows[j]![answer])
    })
    const first = b - (b % accumulation)
    const tokens = Array.from({ length: accumulation }, (_, pass) => tokensOf(first + pass)).reduce((sum, each) => sum + each, 0)
    return {
      ...tensorsOf(encoded),
      patches: patches(),
      rowWeights: tf.fill([encoded.length], 1 / (weighsTokens ? tokens : batchSize * accumulation)),
      referenceLogProbs: reference === null ? tf.zeros([encoded.length]) : references(encoded, reference.ldAlpha),
      ...(needsMismatched && { mismatched: { ...tensorsOf(others), referenceLogProbs: references(others, 1) } }),
    }
  })
}

function joined(prompt: readonly number[], answer: readonly number[]): EncodedRow {
  return { ids: [...prompt, ...answer], isAnswer: [...prompt.map(() => false), ...answer.map(() => true)] }
}

/** Tensors of a batch under the names of a step's inputs. */
function flat(tensors: object, prefix: string): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(tensors).flatMap(([name, each]): [string, tf.Tensor][] =>
      each instanceof tf.Tensor ? [[prefix + name, each]] : Object.entries(flat(each as object, `${prefix}${name}/`)),
    ),
  )
}
