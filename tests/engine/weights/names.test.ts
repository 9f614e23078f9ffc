// Names of weights: every generation of published prefixes means the same weight.

import { describe, expect, it } from 'vitest'
import { MODULES, multimodalLmSpecSchema } from '../../../src-main/domain/model-spec.ts'
import { initialWeights } from '../../../src-main/engine/weights/initial.ts'
import { localName, multimodalName, splitByModule, visionEncoderName } from '../../../src-main/engine/weights/names.ts'

const spec = multimodalLmSpecSchema.parse({
    visionEncoder: {
      imageSize: 16,
      patchSize: 8,
      hiddenSize: 4,
      intermediateSize: 4,
      numHiddenLayers: 2,
      numAttentionHeads: 1,
      visionUseHead: true,
    },
    languageModel: {
      vocabSize: 4,
      hiddenSize: 4,
      intermediateSize: 4,
      numHiddenLayers: 1,
      numAttentionHeads: 1,
      numKeyValueHeads: 1,
      tieWordEmbeddings: false,
    },
})
const weights = initialWeights(spec, 0)
const all = MODULES.flatMap((module) => Object.keys(weights[module]).map((name) => ({ module, name })))

it('the test knows every kind of name', () => {
  expect(all.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'head.probe',
      'post_layernorm.bias',
      'embeddings.patch_embedding.weight',
      'linear_2.bias',
      'lm_head.weight',
      'model.norm.weight',
    ]),
  )
})

it('a multimodal checkpoint as the lab writes it names every weight once and is read back', () => {
  const written = all.map(({ module, name }) => multimodalName(module, name))
  expect(new Set(written).size).toBe(all.length)
  written.forEach((fileName, i) => expect(localName(fileName), fileName).toEqual(all[i]))
})

describe('every generation is read as the same name:', () => {
  const vision = [
    '',
    'vision_model.',
    'vision_tower.',
    'vision_tower.vision_model.',
    'vision_tower.vision_tower.vision_model.',
    'model.vision_tower.',
    'model.vision_tower.vision_model.',
    'model.vision_tower.vision_tower.vision_model.',
  ]
  for (const prefix of vision)
    it(`encoder under "${prefix}"`, () => {
      for (const name of Object.keys(weights.visionEncoder))
        expect(localName(prefix + name), prefix + name).toEqual({ module: 'visionEncoder', name })
    })

  it('the exported encoder', () => {
    for (const name of Object.keys(weights.visionEncoder))
      expect(localName(visionEncoderName(spec.visionEncoder, name))).toEqual({ module: 'visionEncoder', name })
  })

  const projector = ['multi_modal_projector.', 'model.multi_modal_projector.', 'mm_projector.', 'model.mm_projector.']
  for (const prefix of projector)
    it(`projector under "${prefix}", by name and by the numbers of a Sequential`, () => {
      for (const [layer, number] of [
        ['linear_1', '0'],
        ['linear_2', '2'],
      ])
        for (const part of ['weight', 'bias']) {
          const expected = { module: 'projector', name: `${layer}.${part}` }
          expect(localName(`${prefix}${layer}.${part}`)).toEqual(expected)
          expect(localName(`${prefix}${number}.${part}`)).toEqual(expected)
        }
    })

  const language: readonly (readonly [string, string])[] = [
    ['', ''],
    ['language_model.', 'language_model.'],
    ['language_model.', 'model.language_model.'],
    ['model.language_model.model.', 'model.language_model.'],
  ]
  for (const [body, head] of language)
    it(`language model under "${body}", its head under "${head}"`, () => {
      for (const name of Object.keys(weights.languageModel)) {
        const isHead = name.startsWith('lm_head.')
        const fileName = isHead ? head + name : body.endsWith('model.model.') ? body + name.slice('model.'.length) : body + name
        expect(localName(fileName), fileName).toEqual({ module: 'languageModel', name })
      }
    })

  it('language model under "model.language_model." as transformers 5 holds it', () => {
    expect(localName('model.language_model.layers.0.mlp.up_proj.weight')).toEqual({
      module: 'languageModel',
      name: 'model.layers.0.mlp.up_proj.weight',
    })
    expect(localName('model.language_model.embed_tokens.weight')).toEqual({
      module: 'languageModel',
      name: 'model.embed_tokens.weight',
    })
    expect(localName('lm_head.weight')).toEqual({ module: 'languageModel', name: 'lm_head.weight' })
  })
})

it('a file is sorted by module, and names of no known form stand beside', () => {
  const tensor = { shape: [1], values: Float32Array.of(1) }
  const { modules, unknown } = splitByModule({
    'vision_tower.post_layernorm.bias': tensor,
    'mm_projector.0.bias': tensor,
    'model.norm.weight': tensor,
    'text_model.embeddings.weight': tensor,
    logit_scale: tensor,
  })
  expect(modules).toEqual({
    visionEncoder: { 'post_layernorm.bias': tensor },
    projector: { 'linear_1.bias': tensor },
    languageModel: { 'model.norm.weight': tensor },
  })
  expect(unknown).toEqual(['text_model.embeddings.weight', 'logit_scale'])
})
