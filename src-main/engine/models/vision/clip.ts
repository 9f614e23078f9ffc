// CLIP's image tower (arXiv 2103.00020). Unusual beside a plain ViT: no bias in the patch embedding, a norm before the first
// block (`pre_layrnorm`, spelled so in every checkpoint), quick GELU; the final norm touches the class token alone.

import { numPatches, type SpecOf } from '../../../domain/vision-encoder-spec.ts'
import { layerNorm } from '../../nn/norm.ts'
import { weightOf } from '../../shapes.ts'
import { normLayout, type Layout } from '../../weights/layout.ts'
import { attentionProbabilities, blockLayout, classState, CLIP_NAMES, patchEmbedding, preNormBlock, withClassToken } from './blocks.ts'
import type { VisionFamily } from './family.ts'

export const CLIP: VisionFamily<SpecOf<'clip'>> = {
  family: 'clip',
  modelTypes: ['clip_vision_model'],
  spec: (config) => ({
    imageSize: config['image_size'] ?? 224,
    patchSize: config['patch_size'] ?? 32,
    numChannels: config['num_channels'] ?? 3,
    hiddenSize: config['hidden_size'] ?? 768,
    intermediateSize: config['intermediate_size'] ?? 3072,
    numHiddenLayers: config['num_hidden_layers'] ?? 12,
    numAttentionHeads: config['num_attention_heads'] ?? 12,
    layerNormEps: config['layer_norm_eps'] ?? 1e-5,
    hiddenAct: config['hidden_act'] ?? 'quick_gelu',
  }),
  config: (spec) => ({
    architectures: ['CLIPVisionModel'],
    model_type: 'clip_vision_model',
    image_size: spec.imageSize,
    patch_size: spec.patchSize,
    num_channels: spec.numChannels,
    hidden_size: spec.hiddenSize,
    intermediate_size: spec.intermediateSize,
    num_hidden_layers: spec.numHiddenLayers,
    num_attention_heads: spec.numAttentionHeads,
    layer_norm_eps: spec.layerNormEps,
    hidden_act: spec.hiddenAct,
    attention_dropout: 0,
    torch_dtype: 'float32',
  }),
  truncated: (spec, layers) => ({ ...spec, numHiddenLayers: layers }),
  layout(spec) {
    const { hiddenSize: D, numChannels, patchSize, numHiddenLayers: layers } = spec
    const layout: Layout = {
      'embeddings.class_embedding': { shape: [D], std: Math.sqrt(1 / D) },
      'embeddings.patch_embedding.weight': { shape: [D, numChannels, patchSize, patchSize], std: Math.sqrt(1 / (numChannels * patchSize ** 2)) },
      'embeddings.position_embedding.weight': { shape: [1 + numPatches(spec), D], std: Math.sqrt(1 / D) },
      ...normLayout('pre_layrnorm', D),
    }
    for (let i = 0; i < layers; i++) Object.assign(layout, blockLayout(this.blockPrefix(i), CLIP_NAMES, D, spec.intermediateSize, layers))
    return Object.assign(layout, normLayout('post_layernorm', D))
  },
  filePrefix: 'vision_model.',
  renames: [],
  joins: [],
  interpolation: { filter: 'bicubic', antialias: false },
  embeddings(spec, weights, input) {
    const patches = patchEmbedding(weights, 'embeddings.patch_embedding', input.patches) // (B, P, D)
    const [token, table] = [weightOf(weights, 'embeddings.class_embedding'), weightOf(weights, 'embeddings.position_embedding.weight')]
    return layerNorm(weights, 'pre_layrnorm', withClassToken(patches, token, table, input, this.interpolation), spec.layerNormEps)
  },
  blockPrefix: (i) => `encoder.layers.${i}.`,
  block: (spec, weights, x, mask) => preNormBlock(CLIP_NAMES, spec, weights, x, mask),
  attention: (spec, weights, x, mask) => attentionProbabilities(CLIP_NAMES, spec, weights, x, mask),
  // The library's last_hidden_state has not been through the final norm; only the pooled class token has.
  lastHiddenState: (_spec, _weights, state) => state,
  pooled: (spec, weights, lastHiddenState) => layerNorm(weights, 'post_layernorm', classState(lastHiddenState), spec.layerNormEps),
}
