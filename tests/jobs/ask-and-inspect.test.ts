// A question to a model, whose answer comes in pieces, and a dry look into a folder that says what is wrong with it.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import type { JobEvent } from '../../src-main/domain/job.ts'
import { modelQuestionSchema, type ModelAnswer } from '../../src-main/domain/model-view.ts'
import { siglipPreprocess } from '../../src-main/domain/preprocess-spec.ts'
import { multimodalLmSpecSchema } from '../../src-main/domain/model-spec.ts'
import { createChatTokenizer } from '../../src-main/engine/text/tokenizer.ts'
import { trainTokenizer } from '../../src-main/engine/text/train-tokenizer.ts'
import { readSafetensors, writeSafetensors } from '../../src-main/engine/weights/safetensors.ts'
import { runAskJob } from '../../src-main/jobs/ask-job.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { writeCheckpoint } from '../../src-main/jobs/checkpoint.ts'
import { encodePng } from '../../src-main/jobs/images/codec.ts'
import { inspectFolder } from '../../src-main/jobs/inspect-job.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { livelyWeights, TINY } from '../support/tiny-model.ts'

const tokenizerFiles = trainTokenizer(['red blue green'], 300)
const chat = createChatTokenizer(tokenizerFiles)
let folder: string
let picture: string

beforeAll(async () => {
  await openBackend()
  const root = mkdtempSync(join(tmpdir(), 'pivot-lab-ask-'))
  folder = join(root, 'model')
  picture = join(root, 'picture.png')
  const model = multimodalLmSpecSchema.parse({ ...TINY, languageModel: { ...TINY.languageModel, vocabSize: chat.vocabSize } })
  const describe = { step: 0, model, config: null, execution: null, numTokens: 0 } as const
  await writeCheckpoint(folder, { weights: livelyWeights(2, model), moments: null, adapter: null, tokenizerFiles, preprocess: siglipPreprocess(16), describe })
  const data = Uint8Array.from({ length: 20 * 10 * 3 }, (_, i) => (i * 37) % 256)
  writeFileSync(picture, encodePng({ width: 20, height: 10, data }))
  return () => rmSync(root, { recursive: true, force: true })
})

async function ask(question: object, image: string | null = picture, signal = { aborted: false }): Promise<{ pieces: string[]; answer: ModelAnswer; events: JobEvent[] }> {
  const events: JobEvent[] = []
  const asked = modelQuestionSchema.parse({ question: 'red?', maxNewTokens: 8, ...question })
  for await (const event of runAskJob({ kind: 'ask', checkpoint: folder, image, question: asked }, signal)) events.push(event)
  return {
    events,
    pieces: events.flatMap((event) => (event.kind === 'text' ? [event.piece] : [])),
    answer: events.flatMap((event) => (event.kind === 'answered' ? [event.answer] : []))[0]!,
  }
}

describe('a question', () => {
  it('is answered in pieces that make the answer, the same each time, and leaves nothing behind', async () => {
    const before = tf.memory().numTensors
    const [first, again] = [await ask({}), await ask({})]
    expect(first.pieces.join('')).toBe(first.answer.text)
    expect(first.answer).toEqual(again.answer)
    expect(first.answer.tokens).toBeGreaterThan(0)
    // Greedy: the chosen token is the likeliest of those told, and is told with its probability.
    const tokens = first.events.flatMap((event) => (event.kind === 'token' ? [event.token] : []))
    expect(tokens).toHaveLength(first.answer.tokens)
    for (const { text, probability, alternatives } of tokens) expect(alternatives[0]).toEqual({ text, probability })
    expect(tf.memory().numTensors).toBe(before)
  })

  it('is about the picture: another one, or none, is answered otherwise', async () => {
    const other = join(folder, '..', 'other.png')
    writeFileSync(other, encodePng({ width: 8, height: 8, data: new Uint8Array(8 * 8 * 3).fill(255) }))
    const sampled = { temperature: 1.5, seed: 3, maxNewTokens: 24 }
    const answers = [await ask(sampled), await ask(sampled, other), await ask(sampled, null)].map(({ answer }) => answer.text)
    expect(new Set(answers).size).toBe(3)
  })

  it('is drawn by the seed, and ends at the limit or at a stop string', async () => {
    const [a, b, c] = [await ask({ temperature: 2, seed: 1 }), await ask({ temperature: 2, seed: 1 }), await ask({ temperature: 2, seed: 2 })]
    expect(a.answer).toEqual(b.answer)
    expect(a.answer.text).not.toBe(c.answer.text)
    const long = await ask({ temperature: 2, seed: 1, maxNewTokens: 30 })
    expect(long.answer).toMatchObject({ ended: 'limit', tokens: 30 })
    const stop = [...long.answer.text].find((character) => character.trim() !== '')!
    const cut = await ask({ temperature: 2, seed: 1, maxNewTokens: 30, stops: [stop] })
    expect(cut.answer).toMatchObject({ ended: 'stop', text: long.answer.text.slice(0, long.answer.text.indexOf(stop)) })
  })

  it('can be stopped between two tokens, and one longer than the model reads is refused', async () => {
    const signal = { aborted: false }
    const job = { kind: 'ask', checkpoint: folder, image: picture, question: modelQuestionSchema.parse({ question: 'red?' }) } as const
    const before = tf.memory().numTensors
    const read = async () => {
      for await (const event of runAskJob(job, signal)) if (event.kind === 'progress') signal.aborted = true
    }
    expect((await faultOfPromise(read())).code).toBe('cancelled')
    expect(tf.memory().numTensors).toBe(before)
    expect(await faultOfPromise(ask({ question: 'red '.repeat(2000) }))).toMatchObject({ code: 'invalid-input', message: expect.stringContaining('tokens') })
  })
})

describe('a dry look into a folder', () => {
  const copy = (name: string): string => {
    const target = join(folder, '..', name)
    cpSync(folder, target, { recursive: true })
    return target
  }

  it('tells family, sizes, tensors, tokenizer and preprocessing, and finds no fault with what the lab wrote', async () => {
    const inspection = await inspectFolder(folder)
    expect(inspection).toMatchObject({ kind: 'checkpoint', modelType: 'llava', unknown: [], faults: [], tokenizer: { tokens: chat.vocabSize, imageId: chat.imageId } })
    expect(inspection.modules.map(({ module, missing, extra, misshapen }) => [module, missing, extra, misshapen])).toEqual([
      ['visionEncoder', [], [], []],
      ['projector', [], [], []],
      ['languageModel', [], [], []],
    ])
    const stored = readSafetensors(readFileSync(join(folder, 'model.safetensors')))
    expect(inspection.modules.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(Object.values(stored).reduce((sum, { values }) => sum + values.length, 0))
    expect(inspection.bytes).toBe(4 * inspection.modules.reduce((sum, { parameters }) => sum + parameters, 0))
    expect(inspection.preprocess).toHaveLength(2)
  })

  it('tells what is missing, over and misshapen, all at once, and what the tokenizer lacks', async () => {
    const broken = copy('broken')
    const { 'language_model.model.norm.weight': norm, ...rest } = readSafetensors(readFileSync(join(broken, 'model.safetensors')))
    const misshapen = { shape: [3], values: new Float32Array(3) }
    writeFileSync(join(broken, 'model.safetensors'), writeSafetensors({ ...rest, 'language_model.model.normal.weight': norm!, 'multi_modal_projector.linear_1.bias': misshapen, strange: misshapen }))
    writeFileSync(join(broken, 'tokenizer_config.json'), JSON.stringify({ ...tokenizerFiles.config, chat_template: undefined }))
    const { modules, unknown, faults, tokenizer } = await inspectFolder(broken)
    const languageModel = modules.find(({ module }) => module === 'languageModel')!
    expect([languageModel.missing, languageModel.extra]).toEqual([['model.norm.weight'], ['model.normal.weight']])
    expect(modules.find(({ module }) => module === 'projector')!.misshapen).toEqual(['linear_1.bias'])
    expect(unknown).toEqual(['strange'])
    expect(tokenizer).toBeNull()
    expect(faults.join('\n')).toMatch(/model\.norm\.weight[\s\S]*chat_template|chat_template[\s\S]*model\.norm\.weight/)
  })

  it('knows an adapter in PEFT’s layout, and what keeps it from being used', async () => {
    const adapter = join(folder, '..', 'adapter')
    mkdirSync(adapter)
    writeFileSync(join(adapter, 'adapter_config.json'), JSON.stringify({ peft_type: 'IA3', r: 4 }))
    const { kind, modules, faults } = await inspectFolder(adapter)
    expect([kind, modules]).toEqual(['adapter', []])
    expect(faults.join()).toMatch(/expected LORA, found IA3.*adapter_model\.safetensors does not exist/)
  })

  it('of an unknown architecture lists those that are known', async () => {
    const foreign = copy('foreign')
    writeFileSync(join(foreign, 'config.json'), JSON.stringify({ model_type: 'mamba' }))
    const fault = await faultOfPromise(inspectFolder(foreign))
    expect(fault.code).toBe('invalid-input')
    for (const word of ['mamba', 'qwen2', 'dinov2', 'models/language/', 'models/vision/']) expect(fault.message).toContain(word)
  })
})
