// Any config.json of a known architecture is read, or refused by a fault that names the field: never another error, and never so
// large a model that its list of weights alone would fill the memory.

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LabError } from '../../../src-main/domain/errors.ts'
import { LARGEST_SIZE } from '../../../src-main/domain/vision-encoder-spec.ts'
import { dualEncoderLayout, dualEncoderSpec } from '../../../src-main/engine/models/dual-encoder.ts'
import { languageModelSpec } from '../../../src-main/engine/models/language/families.ts'
import { specFromHuggingFace } from '../../../src-main/engine/preprocess/hugging-face.ts'
import { multimodalLmSpec, visionEncoderSpec } from '../../../src-main/engine/weights/hugging-face-config.ts'
import { languageModelLayout, visionEncoderLayout } from '../../../src-main/engine/weights/initial.ts'

/** What a slip, a script or malice puts where a number, a word or a list should be. */
const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(1, 2, 3, 4, 8, 12, 16, 64, 224, 1024) },
  fc.constantFrom(0, -1, 1e15, 2 ** 31, 2 ** 53, 1e308, 0.5, -0, 1e-300, LARGEST_SIZE, LARGEST_SIZE + 1, Number.MAX_SAFE_INTEGER),
  fc.constantFrom<unknown>(null, true, false, '', 'silu', 'gelu_new', '12', 'yarn', 'llama3', 'dynamic', 'longrope', 'full_attention', '__proto__'),
  fc.json({ maxDepth: 2 }).map((text): unknown => JSON.parse(text)),
)
const KEYS = [
  'vocab_size', 'hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads', 'num_key_value_heads', 'head_dim', 'attention_bias', 'mlp_bias', 'rms_norm_eps', 'layer_norm_eps', 'rope_theta', 'rope_scaling',
  'rope_parameters', 'tie_word_embeddings', 'max_position_embeddings', 'hidden_act', 'layer_types', 'use_sliding_window', 'sliding_window', 'max_window_layers', 'partial_rotary_factor', 'image_size', 'patch_size',
  'num_channels', 'num_patches', 'vision_use_head', 'mlp_ratio', 'qkv_bias', 'layerscale_value', 'use_swiglu_ffn', 'num_register_tokens', 'architectures', 'pooler_act', 'pooler_output_size', 'projection_dim', 'projection_size', 'eos_token_id',
  'projector_hidden_act', 'vision_feature_layer', 'vision_feature_select_strategy', 'multimodal_projector_bias', 'size', 'crop_size', 'resample', 'image_mean', 'image_std', 'do_resize', 'rescale_factor', 'image_processor_type', 'max_num_patches',
]
const scaling = fc.dictionary(fc.constantFrom('rope_type', 'type', 'factor', 'rope_theta', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings', 'attention_factor', 'beta_fast', 'mscale', 'mscale_all_dim'), value, { maxKeys: 6, noNullPrototype: true })
const fields = fc.dictionary(fc.constantFrom(...KEYS), fc.oneof({ weight: 9, arbitrary: value }, scaling), { maxKeys: 6, noNullPrototype: true })

/** What is read has a list of weights that any machine holds. */
function isReadOrRefused(read: () => object | null): void {
  let layout: object | null
  try {
    layout = read()
  } catch (thrown) {
    if (!(thrown instanceof LabError)) throw thrown
    expect(thrown.code).toBe('invalid-input')
    return
  }
  expect(Object.keys(layout ?? {}).length).toBeLessThan(64_000)
}

describe('is read or refused:', () => {
  const check = (read: (config: Readonly<Record<string, unknown>>) => object | null) => fc.assert(fc.property(fields, (config) => isReadOrRefused(() => read(config))), { numRuns: 150, seed: 7 })

  it.each(['siglip_vision_model', 'siglip2_vision_model', 'clip_vision_model', 'dinov2', 'dinov2_with_registers', 'vit', 'vit_mae'])('%s', (model_type) =>
    check((config) => visionEncoderLayout(visionEncoderSpec({ ...config, model_type }))),
  )
  it.each(['qwen2', 'qwen3', 'llama'])('%s', (model_type) => check((config) => languageModelLayout(languageModelSpec({ ...config, model_type }))))
  it.each(['clip', 'siglip', 'siglip2'])('%s, either tower', (model_type) =>
    check((config) => dualEncoderLayout(dualEncoderSpec({ ...config, model_type, vision_config: config, text_config: config }))),
  )
  it.each(['llava', 'llava_onevision'])('%s', (model_type) =>
    check((config) => {
      const { hidden_act: _, ...rest } = config
      return languageModelLayout(multimodalLmSpec({ ...config, model_type, vision_config: rest, text_config: rest }).languageModel)
    }),
  )
  it('preprocessor_config.json', () => check((config) => specFromHuggingFace(config)))
})

it.each([
  ['positions', { max_position_embeddings: 1e15 }, 'maxPositionEmbeddings'],
  ['a width', { hidden_size: 2 ** 40 }, 'hiddenSize'],
  ['blocks', { num_hidden_layers: 1e9 }, 'numHiddenLayers'],
  ['a vocabulary', { vocab_size: 2 ** 53 }, 'vocabSize'],
  ['heads', { num_attention_heads: 1e12 }, 'numAttentionHeads'],
] as const)('%s beyond any model are refused by name', (_what, absurd, field) => {
  expect(() => languageModelSpec({ model_type: 'llama', ...absurd })).toThrow(field)
  const text = { model_type: 'clip', vision_config: {}, text_config: absurd }
  expect(() => dualEncoderSpec(text)).toThrow(field)
})
