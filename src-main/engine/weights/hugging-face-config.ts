// Our model specs ⇄ Hugging Face's config.json: a renaming, field by field, and a refusal of what the lab does not compute.

import { LabError } from '../../domain/errors.ts'
import {
  multimodalLmSpecSchema,
  numImageTokens,
  type MultimodalLmSpec,
} from '../../domain/model-spec.ts'
import { parse } from '../../domain/parse.ts'
import { visionEncoderSpecSchema, type VisionEncoderSpec } from '../../domain/vision-encoder-spec.ts'
import { languageModelConfig, languageModelSpec } from '../models/language/families.ts'
import { withKnownActivation } from '../models/activation-names.ts'
import { familyOf, familyOfConfig } from '../models/vision/families.ts'
import type { Json } from '../models/vision/family.ts'

/** Numbers that transformers insists are floats: it refuses `1` where it wants `1.0`, which JSON.stringify never writes. */
const FLOATS = /^(\s*"(?:layerscale_value|rope_theta|factor|low_freq_factor|high_freq_factor|attention_factor|layer_norm_eps|rms_norm_eps|mask_ratio)": -?\d+)(,?)$/gm

/** The text of a config.json. */
export function configText(config: Json): string {
  return `${JSON.stringify(config, null, 2)}\n`.replace(FLOATS, '$1.0$2')
}

export function visionEncoderConfig(spec: VisionEncoderSpec): Json {
  return familyOf(spec).config(spec)
}

/** Models that hold a vision encoder under `vision_config`. */
const WITH_VISION_CONFIG = ['siglip', 'siglip2', 'clip']

/**
 * The vision encoder that a config.json describes, alone or as part of a dual encoder.
 * @throws LabError 'invalid-input' listing the known families, or naming the field that the lab cannot follow
 */
export function visionEncoderSpec(config: Json, where = 'config.json'): VisionEncoderSpec {
  const type = String(config['model_type'])
  const vision = withKnownActivation(
    WITH_VISION_CONFIG.includes(type)
      ? // A nested config may leave its own type out: it is the outer one's.
        { model_type: `${type}_vision_model`, ...(config['vision_config'] as Json) }
      : config,
  )
  const family = familyOfConfig(vision, where)
  return parse(visionEncoderSpecSchema, { family: family.family, ...family.spec(vision) }, 'invalid-input', where)
}

/** LLaVA's, or LLaVA-OneVision's for a model with `image_newline`, whose grids then hold nothing beyond the one view. */
export function multimodalLmConfig(spec: MultimodalLmSpec, imageTokenId: number): Json {
  const { imageSize } = spec.visionEncoder
  return {
    ...(spec.imageNewline === true
      ? { architectures: ['LlavaOnevisionForConditionalGeneration'], model_type: 'llava_onevision', image_grid_pinpoints: [[imageSize, imageSize]] }
      : { architectures: ['LlavaForConditionalGeneration'], model_type: 'llava' }),
    image_token_index: imageTokenId,
    image_seq_length: numImageTokens(spec),
    multimodal_projector_bias: spec.projector.bias,
    projector_hidden_act: spec.projector.hiddenAct,
    vision_feature_layer: spec.visionFeatureLayer,
    vision_feature_select_strategy: spec.visionFeatureSelectStrategy,
    text_config: languageModelConfig(spec.languageModel),
    vision_config: visionEncoderConfig(spec.visionEncoder),
    tie_word_embeddings: spec.languageModel.tieWordEmbeddings,
    torch_dtype: 'float32',
  }
}

/** LLaVA-type models: what their configs leave out. */
const MULTIMODAL = {
  llava: { text: 'llama', vision: 'clip_vision_model', visionFeatureLayer: -2, strategy: 'default', newline: {} },
  // One square view and `image_newline` after it, as transformers packs a picture among several (`batch_num_images`).
  llava_onevision: { text: 'qwen2', vision: 'siglip_vision_model', visionFeatureLayer: -1, strategy: 'full', newline: { imageNewline: true } },
} as const

/** What a model that was trained with tiles of a picture loses here; null: nothing. */
export function withoutTiles(config: Json): string | null {
  if (config['model_type'] !== 'llava_onevision') return null
  const side = multimodalLmSpec(config).visionEncoder.imageSize
  return `The lab shows this model each picture as one view of ${side} × ${side} pixels. Its tiles (image_grid_pinpoints) are not read: detail finer than that view, such as small print, is lost, and answers differ from those of transformers with tiles.`
}

/**
 * A model of the type llava_onevision is read with one view a picture and `image_newline` after its tokens; tiles (anyres
 * grids, `image_grid_pinpoints`) are not read, so that what one that was trained with them would see beyond the view is lost.
 * @throws LabError 'invalid-input' listing the known types, or naming the field that the lab cannot follow
 */
export function multimodalLmSpec(config: Json): MultimodalLmSpec {
  const type = String(config['model_type'])
  const absent = MULTIMODAL[type as keyof typeof MULTIMODAL]
  if (!Object.hasOwn(MULTIMODAL, type))
    throw new LabError(
      'invalid-input',
      `config.json: model_type: expected a multimodal model of ${Object.keys(MULTIMODAL).join(', ')}, found ${JSON.stringify(config['model_type'])}. ` +
        (/^llava_/.test(type)
          ? "This is the original LLaVA layout, which does not describe its vision encoder: convert it with transformers' convert_llava*_weights_to_hf.py."
          : 'An encoder or a language model alone can be a part of a fresh one (start from parts); a further multimodal type is a line of MULTIMODAL in src-main/engine/weights/hugging-face-config.ts.'),
      { field: 'model_type' },
    )
  const vision = visionEncoderSpec({ model_type: absent.vision, ...(config['vision_config'] as Json | undefined) }, 'config.json: vision_config')
  const text = { model_type: absent.text, tie_word_embeddings: config['tie_word_embeddings'], ...(config['text_config'] as Json | undefined) }
  return parse(
    multimodalLmSpecSchema,
    {
      visionEncoder: vision,
      projector: { hiddenAct: config['projector_hidden_act'] ?? 'gelu', bias: config['multimodal_projector_bias'] ?? true },
      languageModel: languageModelSpec(text),
      visionFeatureLayer: fromTheTop(config['vision_feature_layer'] ?? absent.visionFeatureLayer, vision.numHiddenLayers),
      visionFeatureSelectStrategy: config['vision_feature_select_strategy'] ?? absent.strategy,
      ...absent.newline,
    },
    'invalid-input',
    'config.json',
  )
}

/** hidden_states[i], or a list of such, counted from the last, as the lab counts. */
function fromTheTop(layer: unknown, numHiddenLayers: number): unknown {
  if (Array.isArray(layer)) return layer.map((each) => fromTheTop(each, numHiddenLayers))
  return typeof layer === 'number' && layer >= 0 ? layer - numHiddenLayers - 1 : layer
}

/** The id that stands for an image in a multimodal config; null where it names none. */
export function imageTokenIdOf(config: Json): number | null {
  const id = config['image_token_index'] ?? config['image_token_id']
  return typeof id === 'number' ? id : null
}
