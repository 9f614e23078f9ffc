// DINOv2 (arXiv 2304.07193), with registers (arXiv 2309.16588) as a second family. Unusual beside a plain ViT: what each half
// of a block adds is scaled per channel (layer scale); the giant model's MLP is a SwiGLU; registers are tokens without a
// position that come between class token and patches. The mask token of pre-training is carried along and used by nothing.

import * as tf from '@tensorflow/tfjs'
import { numPatches, type SpecOf } from '../../../domain/vision-encoder-spec.ts'
import { addResidual } from '../../nn/add.ts'
import { swiGlu } from '../../nn/activations.ts'
import { linear } from '../../nn/linear.ts'
import { layerNorm } from '../../nn/norm.ts'
import { weightOf, type Weights } from '../../shapes.ts'
import { linearLayout, normLayout, residualScale, type Layout } from '../../weights/layout.ts'
import { attentionProbabilities, blockLayout, classState, mlp, patchEmbedding, selfAttention, VIT_ATTENTION, VIT_ATTENTION_RENAMES, withClassToken, type BlockNames } from './blocks.ts'
import type { Json, VisionFamily } from './family.ts'

type Spec = SpecOf<'dinov2'> | SpecOf<'dinov2_with_registers'>

const NAMES: BlockNames = { norm1: 'norm1', ...VIT_ATTENTION, norm2: 'norm2', mlpIn: 'mlp.fc1', mlpOut: 'mlp.fc2' }

const shared = {
  filePrefix: '',
  renames: [...VIT_ATTENTION_RENAMES, [/\.mlp\.down_proj\./, '.mlp.weights_out.']],
  // Later releases keep the two halves of the SwiGLU apart.
  joins: [{ parts: ['mlp.gate_proj', 'mlp.up_proj'], whole: 'mlp.weights_in' }],
  blockPrefix: (i: number) => `encoder.layer.${i}.`,
  block,
  attention: (spec: Spec, weights: Weights, x: tf.Tensor, mask: tf.Tensor | null) => attentionProbabilities(NAMES, spec, weights, x, mask),
  lastHiddenState: (spec: Spec, weights: Weights, state: tf.Tensor) => layerNorm(weights, 'layernorm', state, spec.layerNormEps),
  pooled: (_spec: Spec, _weights: Weights, lastHiddenState: tf.Tensor) => classState(lastHiddenState),
} as const

export const DINOV2: VisionFamily<SpecOf<'dinov2'>> = {
  ...shared,
  family: 'dinov2',
  modelTypes: ['dinov2'],
  spec: sizes,
  config: (spec) => ({ architectures: ['Dinov2Model'], model_type: 'dinov2', ...configOf(spec) }),
  truncated: (spec, layers) => ({ ...spec, numHiddenLayers: layers }),
  layout,
  interpolation: { filter: 'bicubic', antialias: false },
  embeddings(_spec, weights, input) {
    const patches = patchEmbedding(weights, 'embeddings.patch_embeddings.projection', input.patches) // (B, P, D)
    return withClassToken(patches, weightOf(weights, 'embeddings.cls_token'), weightOf(weights, 'embeddings.position_embeddings'), input, this.interpolation)
  },
}

export const DINOV2_WITH_REGISTERS: VisionFamily<SpecOf<'dinov2_with_registers'>> = {
  ...shared,
  family: 'dinov2_with_registers',
  modelTypes: ['dinov2_with_registers'],
  spec: (config) => ({ ...sizes(config), numRegisterTokens: config['num_register_tokens'] ?? 4 }),
  config: (spec) => ({
    architectures: ['Dinov2WithRegistersModel'],
    model_type: 'dinov2_with_registers',
    ...configOf(spec),
    num_register_tokens: spec.numRegisterTokens,
  }),
  truncated: (spec, layers) => ({ ...spec, numHiddenLayers: layers }),
  layout: (spec) => ({
    ...layout(spec),
    'embeddings.register_tokens': { shape: [1, spec.numRegisterTokens, spec.hiddenSize], std: Math.sqrt(1 / spec.hiddenSize) },
  }),
  // Unlike DINOv2 without registers: the reference antialiases here.
  interpolation: { filter: 'bicubic', antialias: true },
  embeddings(spec, weights, input) {
    const patches = patchEmbedding(weights, 'embeddings.patch_embeddings.projection', input.patches) // (B, P, D)
    const [token, table] = [weightOf(weights, 'embeddings.cls_token'), weightOf(weights, 'embeddings.position_embeddings')]
    const placed = withClassToken(patches, token, table, input, this.interpolation) // (B, 1 + P, D)
    if (spec.numRegisterTokens === 0) return placed
    const [B, tokens, D] = placed.shape as [number, number, number]
    const registers = tf.tile(weightOf(weights, 'embeddings.register_tokens'), [B, 1, 1]) // (B, registers, D)
    return tf.concat([tf.slice(placed, [0, 0, 0], [B, 1, D]), registers, tf.slice(placed, [0, 1, 0], [B, tokens - 1, D])], 1)
  },
}

/** @param x (B, N, D) @returns (B, N, D) */
function block(spec: Spec, weights: Weights, x: tf.Tensor, mask: tf.Tensor | null): tf.Tensor {
  const attended = addResidual(x, tf.mul(selfAttention(NAMES, spec, weights, x, mask), weightOf(weights, 'layer_scale1.lambda1')))
  const normed = layerNorm(weights, 'norm2', attended, spec.layerNormEps)
  const inner = spec.useSwigluFfn ? swiGluMlp(weights, normed) : mlp(NAMES, spec, weights, normed)
  return addResidual(attended, tf.mul(inner, weightOf(weights, 'layer_scale2.lambda1')))
}

function swiGluMlp(weights: Weights, x: tf.Tensor): tf.Tensor {
  const [gate, up] = tf.split(linear(weights, 'mlp.weights_in', x), 2, -1) as [tf.Tensor, tf.Tensor] // 2 × (B, N, inner)
  return linear(weights, 'mlp.weights_out', swiGlu(gate, up))
}

/** Width of the SwiGLU: two thirds of an MLP's, up to a multiple of eight. */
function swiGluWidth({ hiddenSize, mlpRatio }: Spec): number {
  return 8 * Math.floor((Math.trunc((Math.trunc(hiddenSize * mlpRatio) * 2) / 3) + 7) / 8)
}

function layout(spec: Spec): Layout {
  const { hiddenSize: D, numChannels, patchSize, numHiddenLayers: layers } = spec
  const result: Layout = {
    'embeddings.cls_token': { shape: [1, 1, D], std: Math.sqrt(1 / D) },
    'embeddings.mask_token': { shape: [1, D], fill: 0 },
    'embeddings.patch_embeddings.projection.weight': { shape: [D, numChannels, patchSize, patchSize], std: Math.sqrt(1 / (numChannels * patchSize ** 2)) },
    'embeddings.patch_embeddings.projection.bias': { shape: [D], fill: 0 },
    'embeddings.position_embeddings': { shape: [1, 1 + numPatches(spec), D], std: Math.sqrt(1 / D) },
  }
  for (let i = 0; i < layers; i++) {
    const at = `encoder.layer.${i}.`
    const inner = Math.trunc(D * spec.mlpRatio)
    Object.assign(result, blockLayout(at, NAMES, D, inner, layers, spec.qkvBias))
    if (spec.useSwigluFfn) {
      for (const name of ['mlp.fc1', 'mlp.fc2']) for (const part of ['weight', 'bias']) delete result[`${at}${name}.${part}`]
      const width = swiGluWidth(spec)
      Object.assign(result, linearLayout(`${at}mlp.weights_in`, D, 2 * width))
      Object.assign(result, linearLayout(`${at}mlp.weights_out`, width, D, residualScale(layers) / Math.sqrt(width)))
    }
    for (const name of ['layer_scale1', 'layer_scale2']) result[`${at}${name}.lambda1`] = { shape: [D], fill: spec.layerscaleValue }
  }
  return Object.assign(result, normLayout('layernorm', D))
}

function sizes(config: Json): Record<string, unknown> {
  return {
    imageSize: config['image_size'] ?? 224,
    patchSize: config['patch_size'] ?? 16,
    numChannels: config['num_channels'] ?? 3,
    hiddenSize: config['hidden_size'] ?? 768,
    mlpRatio: config['mlp_ratio'] ?? 4,
    numHiddenLayers: config['num_hidden_layers'] ?? 12,
    numAttentionHeads: config['num_attention_heads'] ?? 12,
    layerNormEps: config['layer_norm_eps'] ?? 1e-6,
    hiddenAct: config['hidden_act'] ?? 'gelu',
    qkvBias: config['qkv_bias'] ?? true,
    layerscaleValue: config['layerscale_value'] ?? 1,
    useSwigluFfn: config['use_swiglu_ffn'] ?? false,
  }
}

function configOf(spec: Spec): Json {
  return {
    image_size: spec.imageSize,
    patch_size: spec.patchSize,
    num_channels: spec.numChannels,
    hidden_size: spec.hiddenSize,
    mlp_ratio: spec.mlpRatio,
    num_hidden_layers: spec.numHiddenLayers,
    num_attention_heads: spec.numAttentionHeads,
    layer_norm_eps: spec.layerNormEps,
    hidden_act: spec.hiddenAct,
    qkv_bias: spec.qkvBias,
    layerscale_value: spec.layerscaleValue,
    use_swiglu_ffn: spec.useSwigluFfn,
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    drop_path_rate: 0,
    torch_dtype: 'float32',
  }
}
