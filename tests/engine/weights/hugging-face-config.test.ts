// config.json: there and back is the same model, and what the lab does not compute is refused by name.

import { expect, it } from 'vitest'
import { LANGUAGE_MODEL_FAMILIES, languageModelSpecSchema, multimodalLmSpecSchema } from '../../../src-main/domain/model-spec.ts'
import { languageModelConfig, languageModelSpec } from '../../../src-main/engine/models/language/families.ts'
import {
  configText,
  multimodalLmConfig,
  multimodalLmSpec,
  visionEncoderConfig,
  visionEncoderSpec,
} from '../../../src-main/engine/weights/hugging-face-config.ts'
import { parse } from '../../../src-main/domain/parse.ts'
import { faultOf } from '../../support/fault-of.ts'

/** No field at its default, here or at Hugging Face: a field that is forgotten shows. */
const spec = multimodalLmSpecSchema.parse({
  visionEncoder: {
    imageSize: 48,
    patchSize: 12,
    hiddenSize: 20,
    intermediateSize: 28,
    numHiddenLayers: 3,
    numAttentionHeads: 5,
    layerNormEps: 3e-5,
    visionUseHead: true,
  },
  languageModel: {
    vocabSize: 77,
    hiddenSize: 24,
    intermediateSize: 36,
    numHiddenLayers: 5,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
    rmsNormEps: 2e-5,
    ropeTheta: 54321,
    tieWordEmbeddings: false,
    maxPositionEmbeddings: 99,
  },
  visionFeatureLayer: -3,
})
const asFile = (config: unknown) => JSON.parse(JSON.stringify(config)) as Record<string, unknown>

it('every field comes back', () => {
  expect(visionEncoderSpec(asFile(visionEncoderConfig(spec.visionEncoder)))).toEqual(spec.visionEncoder)
  expect(languageModelSpec(asFile(languageModelConfig(spec.languageModel)))).toEqual(spec.languageModel)
  const config = asFile(multimodalLmConfig(spec, 42))
  expect(multimodalLmSpec(config)).toEqual(spec)
  expect(config).toMatchObject({ image_token_index: 42, image_seq_length: 16, vision_feature_select_strategy: 'full' })
})

it('a model with image_newline is of the OneVision type, and comes back with it', () => {
  const config = asFile(multimodalLmConfig({ ...spec, imageNewline: true }, 42))
  expect(config).toMatchObject({ architectures: ['LlavaOnevisionForConditionalGeneration'], model_type: 'llava_onevision', image_seq_length: 17 })
  expect(multimodalLmSpec(config)).toEqual({ ...spec, imageNewline: true })
})

it('the rotary base is read where transformers 4 and where transformers 5 keep it', () => {
  const { rope_parameters: _parameters, ...older } = asFile(languageModelConfig(spec.languageModel))
  expect(languageModelSpec(older).ropeTheta).toBe(54321)
  const { rope_theta: _theta, ...newer } = asFile(languageModelConfig(spec.languageModel))
  expect(languageModelSpec(newer).ropeTheta).toBe(54321)
})

it('every family comes back with what it has of its own, and every kind of rotary scaling in both spellings', () => {
  const scalings = [
    { kind: 'linear', factor: 3 },
    { kind: 'dynamic', factor: 2.5, originalMaxPositionEmbeddings: 33 },
    { kind: 'llama3', factor: 8, lowFreqFactor: 1.5, highFreqFactor: 5, originalMaxPositionEmbeddings: 34 },
    { kind: 'yarn', factor: 4, originalMaxPositionEmbeddings: 35, betaFast: 24, betaSlow: 2, attentionFactor: 1.2, truncate: false },
    { kind: 'yarn', factor: 4, originalMaxPositionEmbeddings: 35, mscale: 0.7, mscaleAllDim: 0.9 },
  ]
  for (const family of LANGUAGE_MODEL_FAMILIES)
    for (const ropeScaling of scalings) {
      const own = { qwen2: {}, qwen3: { headDim: 10, attentionBias: true }, llama: { headDim: 14, attentionBias: true, mlpBias: true } }[family]
      const language = parse(languageModelSpecSchema, { ...spec.languageModel, family, ropeScaling, ...own })
      const { rope_scaling, rope_theta, rope_parameters, ...rest } = asFile(languageModelConfig(language))
      expect(languageModelSpec({ ...rest, rope_scaling, rope_theta })).toEqual(language)
      expect(languageModelSpec({ ...rest, rope_parameters })).toEqual(language)
    }
  const older = { model_type: 'llama', max_position_embeddings: 4096, rope_scaling: { type: 'dynamic', factor: 2 } }
  expect(languageModelSpec(older).ropeScaling).toEqual({ kind: 'dynamic', factor: 2, originalMaxPositionEmbeddings: 4096 })
})

it('what the decoder does not compute is refused by its field, and an unknown architecture is told the known ones', () => {
  for (const [fields, words] of [
    [{ hidden_act: 'mish' }, ['hiddenAct', 'silu', 'mish']],
    [{ num_hidden_layers: 2, layer_types: ['full_attention', 'linear_attention'] }, ['layer_types', 'linear_attention']],
    [{ num_hidden_layers: 2, layer_types: ['full_attention'] }, ['layer_types', '2 layers']],
    [{ partial_rotary_factor: 0.5 }, ['partial_rotary_factor']],
    [{ rope_scaling: { rope_type: 'longrope' } }, ['rope_type', 'longrope', 'yarn']],
    [{ rope_scaling: { rope_type: 'linear' } }, ['ropeScaling.factor']],
    [{ model_type: 'gpt_neox' }, ['gpt_neox', 'qwen2', 'qwen3', 'llama', 'models/language/<family>.ts', 'families.ts']],
  ] as const) {
    const fault = faultOf(() => languageModelSpec({ ...asFile(languageModelConfig(spec.languageModel)), ...fields, ...('rope_scaling' in fields ? { rope_parameters: undefined } : {}) }))
    expect(fault.code).toBe('invalid-input')
    for (const word of words) expect(fault.message).toContain(word)
  }
})

it("a dual SigLIP's encoder is its vision_config", () => {
  const vision = asFile(visionEncoderConfig(spec.visionEncoder))
  expect(visionEncoderSpec({ model_type: 'siglip', vision_config: vision, text_config: {} })).toEqual(spec.visionEncoder)
})

it("a field that is left out is at the architecture's default, never at the lab's", () => {
  // SiglipVisionConfig, Qwen2Config, Qwen3Config and LlamaConfig of transformers.
  expect(languageModelSpec({ model_type: 'qwen3' })).toMatchObject({ numKeyValueHeads: 32, headDim: null, attentionBias: false })
  expect(languageModelSpec({ model_type: 'qwen3', hidden_size: 1024, num_attention_heads: 16, num_key_value_heads: 8 }).headDim).toBe(128)
  expect(languageModelSpec({ model_type: 'llama', num_attention_heads: 8 })).toMatchObject({
    vocabSize: 32000,
    intermediateSize: 11008,
    numKeyValueHeads: 8,
    headDim: null,
    maxPositionEmbeddings: 2048,
    mlpBias: false,
  })
  expect(visionEncoderSpec({ model_type: 'siglip_vision_model' })).toMatchObject({
    imageSize: 224,
    patchSize: 16,
    hiddenSize: 768,
    intermediateSize: 3072,
    numHiddenLayers: 12,
    numAttentionHeads: 12,
    layerNormEps: 1e-6,
  })
  expect(languageModelSpec({ model_type: 'qwen2' })).toMatchObject({
    vocabSize: 151936,
    hiddenSize: 4096,
    intermediateSize: 22016,
    numHiddenLayers: 32,
    numAttentionHeads: 32,
    numKeyValueHeads: 32,
    rmsNormEps: 1e-6,
    ropeTheta: 10000,
    tieWordEmbeddings: false,
    maxPositionEmbeddings: 32768,
  })
})

it('another architecture, another activation and sizes that do not fit are refused, naming the field', () => {
  const vision = asFile(visionEncoderConfig(spec.visionEncoder))
  const language = asFile(languageModelConfig(spec.languageModel))
  for (const [call, field] of [
    [() => visionEncoderSpec({ ...vision, model_type: 'bert' }), 'model_type'],
    [() => languageModelSpec({ ...language, model_type: 'gpt2' }), 'model_type'],
    [() => multimodalLmSpec({ model_type: 'idefics' }), 'llava, llava_onevision, found "idefics"'],
    [() => multimodalLmSpec({ model_type: 'idefics' }), 'MULTIMODAL in src-main/engine/weights/hugging-face-config.ts'],
    [() => visionEncoderSpec({ ...vision, hidden_act: 'mish' }), 'hiddenAct'],
    [() => visionEncoderSpec({ ...vision, patch_size: 700 }), 'patchSize'],
    [() => languageModelSpec({ ...language, max_position_embeddings: 1e15 }), 'maxPositionEmbeddings'],
    [() => languageModelSpec({ ...language, layer_types: ['sliding_attention', 'full_attention'] }), 'layer_types'],
    [() => languageModelSpec({ ...language, num_key_value_heads: 3 }), 'numKeyValueHeads'],
    [() => languageModelSpec({ ...language, hidden_size: 'wide' }), 'hiddenSize'],
  ] as const) {
    const fault = faultOf(call)
    expect(fault.code).toBe('invalid-input')
    expect(fault.message).toContain(field)
  }
})

it('whole numbers that transformers insists are floats are written as floats, at any depth, and nothing else changes', () => {
  const config = { layerscale_value: 1, mask_ratio: 0, mlp_ratio: 4, text_config: { rope_theta: 10000, vocab_size: 7, rope_parameters: { factor: 8, rope_theta: 0.5 } } }
  const text = configText(config)
  expect(JSON.parse(text)).toEqual(config)
  for (const line of ['"layerscale_value": 1.0,', '"mask_ratio": 0.0,', '"mlp_ratio": 4,', '"rope_theta": 10000.0,', '"vocab_size": 7,', '"factor": 8.0,', '"rope_theta": 0.5\n']) expect(text).toContain(line)
})
