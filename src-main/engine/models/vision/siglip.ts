// SigLIP's image tower, which is also that of SigLIP 2 at fixed resolution (arXiv 2303.15343, 2502.14786). Unusual beside a
// plain ViT: no class token, tanh-GELU, and a pooled output that one learned query gathers by attention.

import * as tf from '@tensorflow/tfjs'
import { numPatches, type SpecOf } from '../../../domain/vision-encoder-spec.ts'
import { attention, mergeHeads, splitHeads } from '../../nn/attention.ts'
import { linear } from '../../nn/linear.ts'
import { layerNorm } from '../../nn/norm.ts'
import { weightOf, type Weights } from '../../shapes.ts'
import { linearLayout, normLayout, type Layout } from '../../weights/layout.ts'
import { attentionProbabilities, blockLayout, CLIP_NAMES, mlp, patchEmbedding, preNormBlock } from './blocks.ts'
import type { Json, VisionFamily } from './family.ts'
import { resizedPositions } from './positions.ts'

type Spec = SpecOf<'siglip'> | SpecOf<'siglip2'>

export const SIGLIP: VisionFamily<SpecOf<'siglip'>> = {
  family: 'siglip',
  modelTypes: ['siglip_vision_model'],
  spec: (config) => ({ imageSize: config['image_size'] ?? 224, ...siglipSizes(config) }),
  config: (spec) => ({ architectures: ['SiglipVisionModel'], model_type: 'siglip_vision_model', image_size: spec.imageSize, ...siglipConfig(spec) }),
  truncated: (spec, layers) => ({ ...spec, numHiddenLayers: layers, visionUseHead: false }),
  layout(spec) {
    const { hiddenSize: D, numChannels, patchSize } = spec
    const fanIn = numChannels * patchSize ** 2
    return {
      'embeddings.patch_embedding.weight': { shape: [D, numChannels, patchSize, patchSize], std: Math.sqrt(1 / fanIn) },
      ...siglipLayout(spec),
    }
  },
  filePrefix: 'vision_model.',
  renames: [],
  joins: [],
  interpolation: { filter: 'bicubic', antialias: false },
  embeddings(_spec, weights, { patches, grid }) {
    const embedded = patchEmbedding(weights, 'embeddings.patch_embedding', patches) // (B, P, D)
    return tf.add(embedded, resizedPositions(weightOf(weights, 'embeddings.position_embedding.weight'), grid, this.interpolation))
  },
  blockPrefix: (i) => `encoder.layers.${i}.`,
  block: (spec, weights, x, mask) => preNormBlock(CLIP_NAMES, spec, weights, x, mask),
  attention: (spec, weights, x, mask) => attentionProbabilities(CLIP_NAMES, spec, weights, x, mask),
  lastHiddenState: (spec, weights, state) => layerNorm(weights, 'post_layernorm', state, spec.layerNormEps),
  pooled: (spec, weights, lastHiddenState, mask) => (spec.visionUseHead ? attentionPooled(spec, weights, lastHiddenState, mask) : null),
}

/** Fields of config.json that fixed resolution and NaFlex share. */
export function siglipSizes(config: Json): Record<string, unknown> {
  return {
    patchSize: config['patch_size'] ?? 16,
    numChannels: config['num_channels'] ?? 3,
    hiddenSize: config['hidden_size'] ?? 768,
    intermediateSize: config['intermediate_size'] ?? 3072,
    numHiddenLayers: config['num_hidden_layers'] ?? 12,
    numAttentionHeads: config['num_attention_heads'] ?? 12,
    layerNormEps: config['layer_norm_eps'] ?? 1e-6,
    hiddenAct: config['hidden_act'] ?? 'gelu_pytorch_tanh',
    visionUseHead: config['vision_use_head'] ?? true,
  }
}

export function siglipConfig(spec: Spec): Json {
  return {
    hidden_size: spec.hiddenSize,
    intermediate_size: spec.intermediateSize,
    num_hidden_layers: spec.numHiddenLayers,
    num_attention_heads: spec.numAttentionHeads,
    num_channels: spec.numChannels,
    patch_size: spec.patchSize,
    hidden_act: spec.hiddenAct,
    layer_norm_eps: spec.layerNormEps,
    attention_dropout: 0,
    vision_use_head: spec.visionUseHead,
    torch_dtype: 'float32',
  }
}

/** Every tensor but the patch embedding's weight, whose rank the two variants do not share. */
export function siglipLayout(spec: Spec): Layout {
  const { hiddenSize: D, intermediateSize: inner, numHiddenLayers: layers } = spec
  const layout: Layout = {
    'embeddings.patch_embedding.bias': { shape: [D], fill: 0 },
    'embeddings.position_embedding.weight': { shape: [numPatches(spec), D], std: Math.sqrt(1 / D) },
  }
  for (let i = 0; i < layers; i++) Object.assign(layout, blockLayout(`encoder.layers.${i}.`, CLIP_NAMES, D, inner, layers))
  Object.assign(layout, normLayout('post_layernorm', D))
  if (spec.visionUseHead) {
    layout['head.probe'] = { shape: [1, 1, D], std: Math.sqrt(1 / D) }
    layout['head.attention.in_proj_weight'] = { shape: [3 * D, D], std: Math.sqrt(1 / D) }
    layout['head.attention.in_proj_bias'] = { shape: [3 * D], fill: 0 }
    Object.assign(layout, linearLayout('head.attention.out_proj', D, D), normLayout('head.layernorm', D))
    Object.assign(layout, linearLayout('head.mlp.fc1', D, inner), linearLayout('head.mlp.fc2', inner, D))
  }
  return layout
}

/**
 * The attention-pooling head: one learned query over the patches, then an MLP with a residual.
 * @param lastHiddenState (B, P, D)   @param mask  (B, 1, 1, P) added to the scores; null: no padding   @returns (B, D)
 */
export function attentionPooled(spec: Spec, weights: Weights, lastHiddenState: tf.Tensor, mask: tf.Tensor | null): tf.Tensor {
  const [B, , D] = lastHiddenState.shape as [number, number, number]
  const joint = weightOf(weights, 'head.attention.in_proj_weight') as tf.Tensor2D // (3·D, D): q, k, v stacked
  const jointBias = weightOf(weights, 'head.attention.in_proj_bias') as tf.Tensor1D
  const part = (index: number, x: tf.Tensor) =>
    splitHeads(
      linear({ 'i.weight': tf.slice(joint, [index * D, 0], [D, D]), 'i.bias': tf.slice(jointBias, [index * D], [D]) }, 'i', x),
      spec.numAttentionHeads,
    )
  const probe = tf.tile(weightOf(weights, 'head.probe'), [B, 1, 1]) // (B, 1, D)
  const mixed = mergeHeads(attention(part(0, probe), part(1, lastHiddenState), part(2, lastHiddenState), mask)) // (B, 1, D)
  const attended = linear(weights, 'head.attention.out_proj', mixed)
  const names = { mlpIn: 'head.mlp.fc1', mlpOut: 'head.mlp.fc2' }
  const inner = mlp(names, spec, weights, layerNorm(weights, 'head.layernorm', attended, spec.layerNormEps))
  return tf.reshape(tf.add(attended, inner), [B, D])
}
