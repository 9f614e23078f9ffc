// config.json: there and back is the same model, and what the lab does not compute is refused by name.

import { expect, it } from 'vitest'
import { multimodalLmSpecSchema } from '../../../src-main/domain/model-spec.ts'
import {
  languageModelConfig,
  languageModelSpec,
  multimodalLmConfig,
  multimodalLmSpec,
  visionEncoderConfig,
  visionEncoderSpec,
} from '../../../src-main/engine/weights/hugging-face-config.ts'
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

it('the rotary base is read where transformers 4 and where transformers 5 keep it', () => {
  const { rope_parameters: _parameters, ...older } = asFile(languageModelConfig(spec.languageModel))
  expect(languageModelSpec(older).ropeTheta).toBe(54321)
  const { rope_theta: _theta, ...newer } = asFile(languageModelConfig(spec.languageModel))
  expect(languageModelSpec(newer).ropeTheta).toBe(54321)
})

it("a dual SigLIP's encoder is its vision_config", () => {
  const vision = asFile(visionEncoderConfig(spec.visionEncoder))
  expect(visionEncoderSpec({ model_type: 'siglip', vision_config: vision, text_config: {} })).toEqual(spec.visionEncoder)
})

it("a field that is left out is at the architecture's default, never at the lab's", () => {
  // SiglipVisionConfig and Qwen2Config of transformers.
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
    [() => multimodalLmSpec({ model_type: 'idefics' }), 'model_type'],
    [() => visionEncoderSpec({ ...vision, hidden_act: 'quick_gelu' }), 'hiddenAct'],
    [() => visionEncoderSpec({ ...vision, patch_size: 7 }), 'patchSize'],
    [() => languageModelSpec({ ...language, num_key_value_heads: 3 }), 'numKeyValueHeads'],
    [() => languageModelSpec({ ...language, hidden_size: 'wide' }), 'hiddenSize'],
  ] as const) {
    const fault = faultOf(call)
    expect(fault.code).toBe('invalid-input')
    expect(fault.message).toContain(field)
  }
})
