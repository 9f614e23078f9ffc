// Our model specs ⇄ Hugging Face's config.json: a renaming, field by field, and a refusal of what the lab does not compute.

import { LabError } from '../../domain/errors.ts'
import {
  multimodalLmSpecSchema,
  visionEncoderSpecSchema,
  type MultimodalLmSpec,
  type VisionEncoderSpec,
} from '../../domain/model-spec.ts'
import { parse } from '../../domain/parse.ts'
import { languageModelConfig, languageModelSpec } from '../models/language/families.ts'

type Json = Readonly<Record<string, unknown>>

export function visionEncoderConfig(spec: VisionEncoderSpec): Json {
  return {
    architectures: ['SiglipVisionModel'],
    model_type: 'siglip_vision_model',
    hidden_size: spec.hiddenSize,
    intermediate_size: spec.intermediateSize,
    num_hidden_layers: spec.numHiddenLayers,
    num_attention_heads: spec.numAttentionHeads,
    num_channels: spec.numChannels,
    image_size: spec.imageSize,
    patch_size: spec.patchSize,
    hidden_act: spec.hiddenAct,
    layer_norm_eps: spec.layerNormEps,
    attention_dropout: 0,
    vision_use_head: spec.visionUseHead,
    torch_dtype: 'float32',
  }
}

/** @throws LabError 'invalid-input' naming the field that the lab cannot follow */
export function visionEncoderSpec(config: Json): VisionEncoderSpec {
  const type = config['model_type']
  if (type !== 'siglip_vision_model' && type !== 'siglip')
    throw new LabError('invalid-input', `config.json: model_type: expected siglip_vision_model, found ${JSON.stringify(type)}`)
  const vision = (type === 'siglip' ? config['vision_config'] : config) as Json
  return parse(
    visionEncoderSpecSchema,
    {
      imageSize: vision['image_size'] ?? 224,
      patchSize: vision['patch_size'] ?? 16,
      numChannels: vision['num_channels'] ?? 3,
      hiddenSize: vision['hidden_size'] ?? 768,
      intermediateSize: vision['intermediate_size'] ?? 3072,
      numHiddenLayers: vision['num_hidden_layers'] ?? 12,
      numAttentionHeads: vision['num_attention_heads'] ?? 12,
      layerNormEps: vision['layer_norm_eps'] ?? 1e-6,
      hiddenAct: vision['hidden_act'] ?? 'gelu_pytorch_tanh',
      visionUseHead: vision['vision_use_head'] ?? true,
    },
    'invalid-input',
    'config.json',
  )
}

export function multimodalLmConfig(spec: MultimodalLmSpec, imageTokenId: number): Json {
  return {
    architectures: ['LlavaForConditionalGeneration'],
    model_type: 'llava',
    image_token_index: imageTokenId,
    image_seq_length: (spec.visionEncoder.imageSize / spec.visionEncoder.patchSize) ** 2,
    multimodal_projector_bias: true,
    projector_hidden_act: spec.projector.hiddenAct,
    vision_feature_layer: spec.visionFeatureLayer,
    vision_feature_select_strategy: 'full',
    text_config: languageModelConfig(spec.languageModel),
    vision_config: visionEncoderConfig(spec.visionEncoder),
    tie_word_embeddings: spec.languageModel.tieWordEmbeddings,
    torch_dtype: 'float32',
  }
}

export function multimodalLmSpec(config: Json): MultimodalLmSpec {
  if (config['model_type'] !== 'llava')
    throw new LabError('invalid-input', `config.json: model_type: expected llava, found ${JSON.stringify(config['model_type'])}`)
  return parse(
    multimodalLmSpecSchema,
    {
      visionEncoder: visionEncoderSpec(config['vision_config'] as Json),
      projector: { hiddenAct: config['projector_hidden_act'] ?? 'gelu' },
      languageModel: languageModelSpec(config['text_config'] as Json),
      visionFeatureLayer: config['vision_feature_layer'] ?? -2,
    },
    'invalid-input',
    'config.json',
  )
}
