// TRL's GRPO loss on given answers, old and reference log-probabilities: loss, gradient and all that is logged.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { multimodalLmSpecSchema } from '../../../src-main/domain/model-spec.ts'
import type { ObjectiveOf } from '../../../src-main/domain/objective-config.ts'
import { languageModelSpec } from '../../../src-main/engine/models/language/families.ts'
import { imageFeatures, imageTokens } from '../../../src-main/engine/models/multimodal-lm.ts'
import { grpoRowWeight, sampledLogProbs } from '../../../src-main/engine/objectives/grpo.ts'
import { collateRows } from '../../../src-main/engine/text/collate.ts'
import { createChatTokenizer } from '../../../src-main/engine/text/tokenizer.ts'
import { trainableModel } from '../../../src-main/engine/train-step.ts'
import { initialWeights } from '../../../src-main/engine/weights/initial.ts'
import { splitByModule } from '../../../src-main/engine/weights/names.ts'
import { readSafetensors } from '../../../src-main/engine/weights/safetensors.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { rowTensors } from '../../../src-main/jobs/batches.ts'
import { parityFolder } from '../../support/read-parity.ts'
import { runner } from '../../support/step-runner.ts'
import { aTraining, TINY } from '../../support/tiny-model.ts'

beforeAll(() => openBackend('native'))
afterEach(() => tf.disposeVariables())

interface Run {
  readonly config: Readonly<Record<string, unknown>>
  readonly log: Readonly<Record<string, number>>
}
const PROMPTS = 4
const folder = join(parityFolder, 'training')
const tokenizerFolder = join(parityFolder, 'tokenizers', 'qwen2_like')
const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
const { runs } = readJson(join(import.meta.dirname, 'trl-grpo.json')) as { readonly runs: Readonly<Record<string, Run>> }

describe.skipIf(!existsSync(folder))('GRPO as TRL computes it', () => {
  it.each(Object.entries(runs))('%s', (_name, { config, log }) => {
    const settings = Object.fromEntries(Object.entries(config).map(([key, value]) => [key.replace(/_(\w)/g, (_all, letter: string) => letter.toUpperCase()), value]))
    const training = aTraining({
      objective: { ...settings, kind: 'grpo', numGenerations: 2 },
      modules: { visionEncoder: { train: false }, projector: { train: false } },
    })
    const grpo = training.objective as ObjectiveOf<'grpo'>
    const spec = multimodalLmSpecSchema.parse({ ...TINY, languageModel: languageModelSpec(readJson(join(folder, 'model', 'config.json'))) })
    const { languageModel } = splitByModule(readSafetensors(readFileSync(join(folder, 'model', 'model.safetensors')))).modules
    const trainable = trainableModel(spec, { ...initialWeights(spec, 0), languageModel }, training)
    const rows = answersToPrompts()
    const own = rowTensors(collateRows({ padId: 0, imageId: 3 }, rows, PROMPTS, 4, { T: 48, A: 32 }))
    const patches = tf.zeros([PROMPTS, 4, 192]) as tf.Tensor3D
    const logProbs = tf.tidy(() => sampledLogProbs(trainable.model, own, imageTokens(trainable.model, imageFeatures(trainable.model, patches)), grpo.temperature).logProbs)
    const [R, A] = own.answerIds.shape
    const movedBy = (of: (r: number, a: number) => number) =>
      tf.add<tf.Tensor2D>(logProbs, tf.tensor2d(Array.from({ length: R }, (_r, r) => Array.from({ length: A }, (_a, a) => of(r, a)))))
    const lengths = rows.map(({ isAnswer }) => isAnswer.filter(Boolean).length)
    const found = runner(trainable, training)(1, {
      ...own,
      patches,
      rowWeights: tf.fill([R], grpoRowWeight(grpo, lengths)),
      referenceLogProbs: tf.zeros([R]),
      sampled: {
        advantages: tf.tensor1d([1, -0.5, 0.25, -1, -1, 0.5, -0.25, 1]),
        share: tf.scalar(1),
        oldLogProbs: movedBy((r, a) => 0.4 * Math.sin(3 * r + a)),
        ...(grpo.beta > 0 ? { referenceLogProbs: movedBy((r, a) => 0.5 * Math.cos(r + 2 * a)) } : {}),
      },
    })
    for (const [metric, value] of Object.entries(log))
      expect(Math.abs(found[metric]! - value), `${metric}: ${found[metric]} for ${value}`).toBeLessThanOrEqual(Math.max(2e-5, 2e-4 * Math.abs(value)))
  })
})

/** All chosen answers, then all rejected ones. */
function answersToPrompts() {
  const { encode, endId } = createChatTokenizer({
    tokenizer: readJson(join(tokenizerFolder, 'tokenizer.json')),
    config: { ...readJson(join(tokenizerFolder, 'tokenizer_config.json')), chat_template: readFileSync(join(tokenizerFolder, 'chat_template.jinja'), 'utf8') },
  })
  const { rows } = readJson(join(folder, 'case.json')) as unknown as { rows: readonly Readonly<Record<'prompt' | 'chosen' | 'rejected', string>>[] }
  return (['chosen', 'rejected'] as const).flatMap((answer) =>
    rows.slice(0, PROMPTS).map((row) => {
      const [prompt, words] = [encode(row.prompt), [...encode(row[answer]), endId]]
      return { ids: [...prompt, ...words], isAnswer: [...prompt.map(() => false), ...words.map(() => true)] }
    }),
  )
}
