// Whole runs of TRL's trainers, step by step: what each step logs under TRL's names, and the weights at the end. The runs are
// those of the reference case `training` and those of trl-runs.json, which go on from the same model and the same rows.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { multimodalLmSpecSchema } from '../../../src-main/domain/model-spec.ts'
import { imageFeatures, imageTokens, type MultimodalLm } from '../../../src-main/engine/models/multimodal-lm.ts'
import { rowLogProbs } from '../../../src-main/engine/objectives/log-probs.ts'
import type { Batch } from '../../../src-main/engine/objectives/objective.ts'
import { collateRows, type EncodedRow } from '../../../src-main/engine/text/collate.ts'
import { createChatTokenizer } from '../../../src-main/engine/text/tokenizer.ts'
import { stepNumbers, trainableModel, type TrainableModel } from '../../../src-main/engine/train-step.ts'
import { languageModelSpec } from '../../../src-main/engine/models/language/families.ts'
import { initialWeights, type NamedArrays } from '../../../src-main/engine/weights/initial.ts'
import { splitByModule } from '../../../src-main/engine/weights/names.ts'
import { readSafetensors } from '../../../src-main/engine/weights/safetensors.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { rowTensors } from '../../../src-main/jobs/batches.ts'
import { expectClose } from '../../support/all-close.ts'
import { describeParity, parityFolder } from '../../support/read-parity.ts'
import { runner } from '../../support/step-runner.ts'
import { aTraining, TINY } from '../../support/tiny-model.ts'

beforeAll(() => openBackend('native'))
afterEach(() => tf.disposeVariables())

interface Run {
  /** As TRL's configuration of the trainer has it. */
  readonly config: Readonly<Record<string, unknown>>
  readonly log: readonly Readonly<Record<string, number>>[]
}
interface Recorded extends Readonly<Record<string, unknown>> {
  readonly rows: readonly { readonly prompt: string; readonly chosen: string; readonly rejected: string }[]
  readonly tokenised_first_row: Readonly<Record<'prompt_ids' | 'chosen_ids' | 'rejected_ids', number[]>>
}
type Answer = 'chosen' | 'rejected'

const BATCH = 4
const further = (JSON.parse(readFileSync(join(import.meta.dirname, 'trl-runs.json'), 'utf8')) as { runs: Readonly<Record<string, Run>> }).runs

/** TRL's settings as the lab's: the names are the same but for their spelling; a list of losses with weights is a mix. */
function objectiveOf(run: string, config: Run['config']): Record<string, unknown> {
  const [losses, weights] = [config['loss_type'], config['loss_weights']]
  const settings = Object.fromEntries(
    Object.entries(config)
      .filter(([name]) => name !== 'learning_rate' && !(run === 'simpo' && name === 'loss_type'))
      .map(([name, value]) => [name.replace(/_(\w)/g, (_all, letter: string) => letter.toUpperCase()), value]),
  )
  if (run === 'sft') return { kind: 'text' }
  const kind = /^(orpo|cpo|simpo|kto|apo_zero_unpaired)/.exec(run)?.[0]
  if (kind === 'apo_zero_unpaired') return { ...settings, kind: 'kto' }
  if (kind !== undefined) return { ...settings, kind }
  return weights === undefined
    ? { ...settings, kind: 'dpo', ...(Array.isArray(losses) ? { lossType: losses[0] as string } : {}) }
    : { ...settings, kind: 'mpo' }
}

describeParity('training', (read) => {
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
  // Without the folder the runs are only named, to be skipped.
  const recorded: Recorded = existsSync(folder) ? (read().json as Recorded) : { rows: [], tokenised_first_row: { prompt_ids: [], chosen_ids: [], rejected_ids: [] } }
  const runs: Readonly<Record<string, Run>> = {
    ...Object.fromEntries(Object.entries(recorded).filter((entry): entry is [string, Run] => typeof entry[1] === 'object' && entry[1] !== null && 'log' in entry[1])),
    ...further,
  }
  const languageModelOf = (name: string): NamedArrays =>
    splitByModule(readSafetensors(readFileSync(join(folder, name, 'model.safetensors')))).modules.languageModel

  /** The recorded text-only model; an encoder that no row looks at stands beside it, frozen. */
  function open(name: string) {
    const { config, log } = runs[name]!
    const spec = multimodalLmSpecSchema.parse({
      ...TINY,
      languageModel: languageModelSpec(readJson(join(folder, 'model', 'config.json'))),
    })
    const training = aTraining({
      objective: objectiveOf(name, config),
      learningRate: config['learning_rate'] ?? 5e-4,
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

  let opened: ReturnType<typeof tokenizer> | undefined
  /** The prompt of row i under an answer of row j. */
  function rowOf(i: number, j: number, answer: Answer): EncodedRow {
    const { encode, endId } = (opened ??= tokenizer())
    const [prompt, words] = [encode(recorded.rows[i]!.prompt), [...encode(recorded.rows[j]![answer]), endId]]
    return { ids: [...prompt, ...words], isAnswer: [...prompt.map(() => false), ...words.map(() => true)] }
  }

  function textRows(rows: readonly EncodedRow[]) {
    return rowTensors(collateRows({ padId: 0, imageId: 3 }, rows, BATCH, 4, { T: 48, A: 32 }))
  }

  function logProbsOf(model: MultimodalLm, rows: readonly EncodedRow[], ldAlpha: number): tf.Tensor1D {
    return tf.tidy(() => rowLogProbs(model, textRows(rows), imageTokens(model, imageFeatures(model, tf.zeros([BATCH, 4, 192]))), ldAlpha))
  }

  /** Batches in file order, four samples at a time, from the beginning again at the end. */
  function batches(name: string, model: MultimodalLm): (step: number) => Batch {
    const { ldAlpha = 1 } = objectiveOf(name, runs[name]!.config) as { ldAlpha?: number }
    const made = [0, BATCH].map((first): Batch => {
      const indices = Array.from({ length: BATCH }, (_, i) => first + i)
      const answers = (name === 'sft' ? ['chosen'] : ['chosen', 'rejected']).flatMap((answer) => indices.map((i) => [i, answer as Answer] as const))
      const rows = answers.map(([i, answer]) => rowOf(i, i, answer))
      // TRL's mismatched answers are those of the batch, moved on by one.
      const others = answers.map(([i], at) => rowOf(i, ...answers.at(at - 1)!))
      const tokens = rows.reduce((sum, { isAnswer }) => sum + isAnswer.filter(Boolean).length, 0)
      return {
        ...textRows(rows),
        patches: tf.zeros([BATCH, 4, 192]),
        rowWeights: tf.fill([rows.length], 1 / (name === 'sft' ? tokens : BATCH)),
        referenceLogProbs: name === 'sft' ? tf.zeros([BATCH]) : logProbsOf(model, rows, ldAlpha),
        ...(name === 'kto' ? { mismatched: { ...textRows(others), referenceLogProbs: logProbsOf(model, others, 1) } } : {}),
      }
    })
    return (step) => made[(step - 1) % made.length]!
  }

  it('the same tokens', () => {
    for (const answer of ['chosen', 'rejected'] as const) {
      const { ids, isAnswer } = rowOf(0, 0, answer)
      expect(ids.filter((_, i) => !isAnswer[i])).toEqual(recorded.tokenised_first_row.prompt_ids)
      expect(ids.filter((_, i) => isAnswer[i])).toEqual(recorded.tokenised_first_row[`${answer}_ids`])
    }
  })

  for (const [name, { log, config }] of Object.entries(runs))
    it(`${name}: everything that TRL logs, at every step`, () => {
      const { trainable, training, run } = open(name)
      const batchOf = batches(name, trainable.model)
      const isReferenceFree = /^(cpo|simpo|orpo)/.test(name)
      log.forEach((expected, i) => {
        const found = run(i + 1, batchOf(i + 1))
        for (const [metric, value] of Object.entries(expected)) {
          if (metric === 'learning_rate') expect(stepNumbers(training, i + 1)['learning_rate/languageModel']).toBeCloseTo(value, 12)
          if (metric === 'learning_rate' || metric === 'step') continue
          // TRL logs 0 for what it leaves out.
          if ((metric === 'nll_loss' && config['cpo_alpha'] === 0) || (metric === 'kl' && name === 'apo_zero_unpaired')) continue
          // Its code takes the mean over prompts and padding, which no batch of ours has in the same way.
          if (isReferenceFree && metric.startsWith('logits/')) continue
          // At the first two steps every margin to the reference is rounding: who is ahead says nothing.
          if (metric === 'rewards/accuracies' && i < 2 && !isReferenceFree) continue
          // Six steps of float32 on both sides: each number to 2e-4 of its size, or 2e-5.
          const allowed = Math.max(2e-5, 2e-4 * Math.abs(value))
          expect(Math.abs(found[metric]! - value), `${metric} of step ${i + 1}: ${found[metric]} for ${value}`).toBeLessThanOrEqual(allowed)
        }
      })
      if (name in recorded && ['sft', 'dpo_sigmoid', 'mpo'].includes(name)) expectWeights(trainable, name)
    })

  function expectWeights({ variables }: TrainableModel, name: string) {
    for (const [key, { values }] of Object.entries(languageModelOf(name)))
      // A key's bias has no gradient but rounding, which Adam brings to the size of the rate.
      if (!key.endsWith('k_proj.bias')) expectClose(variables[`languageModel/${key}`]!, values, 2e-4, key)
  }
})
