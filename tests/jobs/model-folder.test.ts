// Folders as Hugging Face's libraries write them: a multimodal model, or an encoder and a language model to be put together.
// Whatever does not belong together is refused by name.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { multimodalLmSpecSchema, numImageTokens, type MultimodalLmSpec } from '../../src-main/domain/model-spec.ts'
import { siglipPreprocess } from '../../src-main/domain/preprocess-spec.ts'
import type { Start } from '../../src-main/domain/run-config.ts'
import { languageModelConfig } from '../../src-main/engine/models/language/families.ts'
import { specToHuggingFace } from '../../src-main/engine/preprocess/hugging-face.ts'
import { createChatTokenizer } from '../../src-main/engine/text/tokenizer.ts'
import { trainTokenizer } from '../../src-main/engine/text/train-tokenizer.ts'
import { multimodalLmConfig, visionEncoderConfig } from '../../src-main/engine/weights/hugging-face-config.ts'
import { initialWeights, type NamedArrays } from '../../src-main/engine/weights/initial.ts'
import { multimodalName, visionEncoderName } from '../../src-main/engine/weights/names.ts'
import { writeSafetensors } from '../../src-main/engine/weights/safetensors.ts'
import { readCheckpoint, writeCheckpoint } from '../../src-main/jobs/checkpoint.ts'
import { startModel } from '../../src-main/jobs/start-model.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { plainArrays, plainModules } from '../support/plain-arrays.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pivot-lab-folder-'))
  return () => rmSync(root, { recursive: true, force: true })
})

const tokenizerFiles = trainTokenizer(['red blue'], 270)
const tokens = createChatTokenizer(tokenizerFiles).vocabSize
const widths = { hiddenSize: 16, intermediateSize: 24, numHiddenLayers: 2, numAttentionHeads: 2 }
const specOf = (languageModel: object = {}, more: object = {}): MultimodalLmSpec =>
  multimodalLmSpecSchema.parse({
    visionEncoder: { family: 'clip', imageSize: 16, patchSize: 8, ...widths },
    languageModel: { family: 'llama', vocabSize: 272, numKeyValueHeads: 1, tieWordEmbeddings: false, ...widths, ...languageModel },
    visionFeatureSelectStrategy: 'default',
    ...more,
  })
const json = (folder: string, name: string, content: unknown) => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, name), JSON.stringify(content))
}
function putTokenizer(folder: string, files = tokenizerFiles): void {
  json(folder, 'tokenizer.json', files.tokenizer)
  json(folder, 'tokenizer_config.json', files.config)
}
const named = (weights: NamedArrays, name: (local: string) => string): NamedArrays =>
  Object.fromEntries(Object.entries(weights).map(([local, tensor]) => [name(local), tensor]))

/** A LLaVA folder without anything of the lab's. */
function published(spec = specOf(), change: { config?: object; tensors?: (named: NamedArrays) => NamedArrays } = {}): string {
  const folder = join(root, 'llava')
  const weights = initialWeights(spec, 1)
  const all = (['visionEncoder', 'projector', 'languageModel'] as const).reduce<NamedArrays>(
    (sum, module) => ({ ...sum, ...named(weights[module], (local) => multimodalName(module, local)) }),
    {},
  )
  json(folder, 'config.json', { ...multimodalLmConfig(spec, tokenId('<image>')), ...change.config })
  writeFileSync(join(folder, 'model.safetensors'), writeSafetensors(change.tensors?.(all) ?? all))
  json(folder, 'preprocessor_config.json', specToHuggingFace(siglipPreprocess(16)))
  putTokenizer(folder)
  return folder
}
function tokenId(content: string): number {
  return (tokenizerFiles.tokenizer as { added_tokens: { id: number; content: string }[] }).added_tokens.find((token) => token.content === content)!.id
}

describe('a multimodal folder', () => {
  it('is a model to start from: its spec, its weights, its tokenizer and its preprocessing', async () => {
    const spec = specOf()
    const folder = published(spec)
    const start = await startModel({ kind: 'checkpoint', folder })
    expect(start.spec).toEqual(spec)
    expect(plainModules(start.weights)).toEqual(initialWeights(spec, 1))
    expect(start.preprocess).toEqual(siglipPreprocess(16))
    expect(numImageTokens(start.spec)).toBe(4)
    expect(start.notes).toEqual([])
  })

  it('goes on as a checkpoint of the lab: written, it reads back the same', async () => {
    const { spec, weights, tokenizerFiles: files, preprocess, identity } = await startModel({ kind: 'checkpoint', folder: published() })
    const describe = { step: 1, model: spec, config: null, execution: null, numTokens: 0 }
    await writeCheckpoint(join(root, 'mine'), { weights, moments: null, tokenizerFiles: files, preprocess, describe })
    const back = await readCheckpoint(join(root, 'mine'))
    expect(plainModules(back.weights)).toEqual(plainModules(weights))
    expect(back.checkpoint.sha256).toBe(identity)
  })

  describe('of the OneVision type', () => {
    const spec = specOf({ family: 'qwen2', tieWordEmbeddings: true }, { visionFeatureLayer: -1, visionFeatureSelectStrategy: 'full', imageNewline: true })
    const oneVision = (rename: (name: string) => string = (name) => name): string => {
      const folder = published(spec, { tensors: (all) => named(all, rename) })
      const { vision_feature_layer: _layer, vision_feature_select_strategy: _strategy, image_grid_pinpoints: _grids, ...rest } = multimodalLmConfig(spec, tokenId('<image>'))
      json(folder, 'config.json', rest)
      return folder
    }

    it('is read with one view a picture and image_newline after it, and says that tiles are not', async () => {
      for (const name of ['image_newline', 'model.image_newline', 'language_model.model.image_newline']) {
        const start = await startModel({ kind: 'checkpoint', folder: oneVision((each) => (each === 'image_newline' ? name : each)) })
        expect(start.spec).toEqual(spec)
        expect(numImageTokens(start.spec)).toBe(6)
        expect(plainModules(start.weights)).toEqual(initialWeights(spec, 1))
        expect(start.notes).toEqual([expect.stringContaining('one view of 16 × 16 pixels. Its tiles')])
      }
    })

    it('goes on as a checkpoint of the same type with the same vector, and takes no other place in a new model', async () => {
      const folder = oneVision()
      const { weights, tokenizerFiles: files, preprocess } = await startModel({ kind: 'checkpoint', folder })
      await writeCheckpoint(join(root, 'mine'), { weights, moments: null, tokenizerFiles: files, preprocess, describe: { step: 1, model: spec, config: null, execution: null, numTokens: 0 } })
      const back = await readCheckpoint(join(root, 'mine'))
      expect(back.checkpoint.model).toEqual(spec)
      expect(plainModules(back.weights)).toEqual(initialWeights(spec, 1))
      expect(JSON.parse(readFileSync(join(root, 'mine', 'config.json'), 'utf8'))).toMatchObject({ model_type: 'llava_onevision', image_grid_pinpoints: [[16, 16]] })
      const transplanted = await startModel({ kind: 'transplant', folder, languageModelFolder: null, projectorLayers: 2, seed: 1 })
      expect(numImageTokens(transplanted.spec)).toBe(5)
      expect(Object.keys(transplanted.weights.projector).sort()).toEqual(['linear_1.bias', 'linear_1.weight', 'linear_2.bias', 'linear_2.weight'])
    })

    it('without image_newline is refused by its name; of the LLaVA type with one it is told as unused', async () => {
      const folder = published(spec, { tensors: ({ image_newline: _, ...rest }) => rest })
      expect((await faultOfPromise(startModel({ kind: 'checkpoint', folder }))).message).toMatch(/projector: 1 of 5 weights are missing: image_newline/)
      const start = await startModel({ kind: 'checkpoint', folder: published(specOf(), { tensors: (all) => ({ ...all, image_newline: { shape: [16], values: new Float32Array(16) } }) }) })
      expect(start.spec).toEqual(specOf())
      expect(start.notes.join()).toContain('image_newline')
    })
  })

  it('under the names of other releases is the same model', async () => {
    const spec = specOf()
    for (const rename of [
      (name: string) => `model.${name}`.replace('model.language_model.model.', 'model.language_model.').replace('model.language_model.lm_head', 'lm_head'),
      (name: string) => name.replace('vision_tower.', 'vision_tower.vision_model.'),
      (name: string) =>
        name
          .replace('language_model.', '')
          .replace('multi_modal_projector.linear_1', 'model.mm_projector.0')
          .replace('multi_modal_projector.linear_2', 'model.mm_projector.2')
          .replace('vision_tower.', 'model.vision_tower.vision_tower.vision_model.'),
    ]) {
      const folder = published(spec, { tensors: (all) => named(all, rename) })
      expect(plainModules((await startModel({ kind: 'checkpoint', folder })).weights)).toEqual(initialWeights(spec, 1))
    }
  })

  it('whose parts do not belong together is refused, naming what', async () => {
    const start = async (folder: string) => faultOfPromise(startModel({ kind: 'checkpoint', folder }))
    for (const [folder, words] of [
      [() => published(specOf(), { tensors: ({ 'language_model.lm_head.weight': _, ...rest }) => rest }), ['lm_head.weight', 'tie_word_embeddings']],
      [() => published(specOf(), { tensors: ({ 'multi_modal_projector.linear_1.bias': _, ...rest }) => rest }), ['projector', 'linear_1.bias']],
      [() => published(specOf({ vocabSize: 200 })), ['tokenizer.json', '200']],
      [() => published(specOf(), { config: { image_token_index: 7 } }), ['image_token_index', '7']],
      [() => published(specOf(), { config: { model_type: 'llava_qwen' } }), ['llava_qwen', 'convert']],
      [() => published(specOf(), { config: { vision_feature_layer: [-2, -5] } }), ['visionFeatureLayer']],
      [() => published(specOf(), { config: { text_config: { ...languageModelConfig(specOf().languageModel), hidden_size: 32 } } }), ['expected [', 'found [']],
    ] as const) {
      const fault = await start(folder())
      expect(fault.code).toBe('invalid-input')
      for (const word of words) expect(fault.message).toContain(word)
    }
  })

  it('whose template drops the image is refused: file, field, what was expected and what was written', async () => {
    const folder = published()
    const template = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] | replace('<image>', '') }}{% endfor %}"
    json(folder, 'tokenizer_config.json', { ...(tokenizerFiles.config as object), chat_template: template })
    const { message } = await faultOfPromise(startModel({ kind: 'checkpoint', folder }))
    expect(message).toContain(`${folder}: chat_template (in tokenizer_config.json or chat_template.jinja): expected the image token <image>`)
    expect(message).toMatch(/found "user: .*"; .*Correct chat_template/)
  })
})

describe('parts put together', () => {
  function parts(spec = specOf(), files = tokenizerFiles): Start {
    const weights = initialWeights(spec, 1)
    const [visionEncoderFolder, languageModelFolder] = [join(root, 'encoder'), join(root, 'language')]
    json(visionEncoderFolder, 'config.json', visionEncoderConfig(spec.visionEncoder))
    json(visionEncoderFolder, 'preprocessor_config.json', specToHuggingFace(siglipPreprocess(16)))
    writeFileSync(
      join(visionEncoderFolder, 'model.safetensors'),
      writeSafetensors(named(weights.visionEncoder, (local) => visionEncoderName(spec.visionEncoder, local))),
    )
    json(languageModelFolder, 'config.json', languageModelConfig(spec.languageModel))
    writeFileSync(join(languageModelFolder, 'model.safetensors'), writeSafetensors(weights.languageModel))
    putTokenizer(languageModelFolder, files)
    return { kind: 'parts', visionEncoderFolder, languageModelFolder, visionFeatureLayer: -2, visionFeatureSelectStrategy: null, seed: 4 }
  }
  /** A tokenizer that knows no image. */
  const blind = { ...tokenizerFiles, config: { ...tokenizerFiles.config, image_token: '<picture>' } }

  it("are the encoder's and the language model's weights around a projector of the seed, without the class token", async () => {
    const spec = specOf()
    const start = await startModel(parts(spec))
    expect(start.spec).toEqual(spec)
    const expected = initialWeights(spec, 1)
    expect(plainArrays(start.weights.visionEncoder)).toEqual(expected.visionEncoder)
    expect(plainArrays(start.weights.languageModel)).toEqual(expected.languageModel)
    expect(plainArrays(start.weights.projector)).toEqual(initialWeights(spec, 4).projector)
  })

  it('teach a text-only tokenizer the placeholder: in a spare row, or in a new one that is the mean of all', async () => {
    const spare = await startModel(parts(specOf({ vocabSize: 300 }), blind))
    expect([spare.spec.languageModel.vocabSize, spare.tokenizer.imageId]).toEqual([300, tokens])
    const full = await startModel(parts(specOf({ vocabSize: tokens }), blind))
    expect([full.spec.languageModel.vocabSize, full.tokenizer.imageId]).toEqual([tokens + 1, tokens])
    for (const name of ['model.embed_tokens.weight', 'lm_head.weight']) {
      const { shape, values } = full.weights.languageModel[name]!
      expect(shape).toEqual([tokens + 1, 16])
      for (let column = 0; column < 16; column++) {
        let sum = 0
        for (let row = 0; row < tokens; row++) sum += values[row * 16 + column]!
        expect(values[tokens * 16 + column]).toBeCloseTo(sum / tokens, 6)
      }
    }
  })

  it('whose tokenizer has more tokens than the model has rows are refused', async () => {
    expect(await faultOfPromise(startModel(parts(specOf({ vocabSize: 200 }))))).toMatchObject({ code: 'invalid-input', message: expect.stringContaining('200') })
  })

  it('may be the two halves of a multimodal folder', async () => {
    const folder = published()
    const start = await startModel({
      kind: 'parts',
      visionEncoderFolder: folder,
      languageModelFolder: folder,
      visionFeatureLayer: -2,
      visionFeatureSelectStrategy: null,
      seed: 4,
    })
    expect(plainArrays(start.weights.languageModel)).toEqual(initialWeights(specOf(), 1).languageModel)
    expect(plainArrays(start.weights.projector)).toEqual(initialWeights(specOf(), 4).projector)
  })

  it('a tokenizer of the old kind is told how to become one that is read', async () => {
    const start = parts() as Extract<Start, { kind: 'parts' }>
    rmSync(join(start.languageModelFolder, 'tokenizer.json'))
    expect((await faultOfPromise(startModel(start))).message).toContain('save_pretrained')
    expect(readFileSync(join(start.languageModelFolder, 'config.json'), 'utf8')).toContain('llama')
  })
})
