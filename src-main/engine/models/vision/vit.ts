// The plain ViT (arXiv 2010.11929), and the encoder of a masked autoencoder (arXiv 2111.06377) as a second family: the same
// blocks, without masking and without a pooler.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../../domain/errors.ts'
import { numPatches, type SpecOf } from '../../../domain/vision-encoder-spec.ts'
import { constant } from '../../nn/constant.ts'
import { linear } from '../../nn/linear.ts'
import { layerNorm } from '../../nn/norm.ts'
import { weightOf, type Weights } from '../../shapes.ts'
import { linearLayout, normLayout, type Layout } from '../../weights/layout.ts'
import { attentionProbabilities, blockLayout, classState, patchEmbedding, preNormBlock, VIT_ATTENTION, VIT_ATTENTION_RENAMES, withClassToken, type BlockNames } from './blocks.ts'
import type { Json, VisionFamily, VisionInput } from './family.ts'

type Spec = SpecOf<'vit'> | SpecOf<'vit_mae'>

const NAMES: BlockNames = {
  norm1: 'layernorm_before',
  ...VIT_ATTENTION,
  norm2: 'layernorm_after',
  mlpIn: 'intermediate.dense',
  mlpOut: 'output.dense',
}

const INTERPOLATION = { filter: 'bicubic', antialias: false } as const

const shared = {
  filePrefix: '',
  renames: [[/^(?:encoder\.)?layers?\./, 'encoder.layer.'], [/\.mlp\.fc1\./, '.intermediate.dense.'], [/\.mlp\.fc2\./, '.output.dense.'], ...VIT_ATTENTION_RENAMES],
  joins: [],
  interpolation: INTERPOLATION,
  embeddings(_spec: Spec, weights: Weights, input: VisionInput): tf.Tensor {
    const patches = patchEmbedding(weights, 'embeddings.patch_embeddings.projection', input.patches) // (B, P, D)
    return withClassToken(patches, weightOf(weights, 'embeddings.cls_token'), weightOf(weights, 'embeddings.position_embeddings'), input, INTERPOLATION)
  },
  blockPrefix: (i: number) => `encoder.layer.${i}.`,
  block: (spec: Spec, weights: Weights, x: tf.Tensor, mask: tf.Tensor | null) => preNormBlock(NAMES, spec, weights, x, mask),
  attention: (spec: Spec, weights: Weights, x: tf.Tensor, mask: tf.Tensor | null) => attentionProbabilities(NAMES, spec, weights, x, mask),
  lastHiddenState: (spec: Spec, weights: Weights, state: tf.Tensor) => layerNorm(weights, 'layernorm', state, spec.layerNormEps),
} as const

export const VIT: VisionFamily<SpecOf<'vit'>> = {
  ...shared,
  family: 'vit',
  modelTypes: ['vit'],
  spec(config) {
    if (!hasPooler(config)) return { ...sizes(config), poolerOutputSize: null }
    const activation = config['pooler_act'] ?? 'tanh'
    if (activation !== 'tanh') throw new LabError('invalid-input', `config.json: pooler_act: expected "tanh", found ${JSON.stringify(activation)}; no other pooler is computed`, { key: 'pooler_act' })
    return { ...sizes(config), poolerOutputSize: config['pooler_output_size'] ?? config['hidden_size'] ?? 768 }
  },
  config: (spec) => ({
    // Without a pooler there is no ViTModel to name: the loader would make one up with random weights, and says so.
    architectures: [spec.poolerOutputSize === null ? 'ViTForImageClassification' : 'ViTModel'],
    model_type: 'vit',
    ...configOf(spec),
    ...(spec.poolerOutputSize !== null && { pooler_output_size: spec.poolerOutputSize, pooler_act: 'tanh' }),
  }),
  truncated: (spec, layers) => ({ ...spec, numHiddenLayers: layers, poolerOutputSize: null }),
  layout: (spec) => ({ ...layout(spec), ...(spec.poolerOutputSize !== null && linearLayout('pooler.dense', spec.hiddenSize, spec.poolerOutputSize)) }),
  pooled: (spec, weights, lastHiddenState) => (spec.poolerOutputSize === null ? null : tf.tanh(linear(weights, 'pooler.dense', classState(lastHiddenState)))),
}

export const VIT_MAE: VisionFamily<SpecOf<'vit_mae'>> = {
  ...shared,
  // Its positions are sines and cosines, which no training moves.
  embeddings: (spec, weights, input) =>
    shared.embeddings(spec, { ...weights, 'embeddings.position_embeddings': constant(weightOf(weights, 'embeddings.position_embeddings')) }, input),
  family: 'vit_mae',
  modelTypes: ['vit_mae'],
  spec: sizes,
  config: (spec) => ({ architectures: ['ViTMAEModel'], model_type: 'vit_mae', mask_ratio: 0, ...configOf(spec) }),
  truncated: (spec, layers) => ({ ...spec, numHiddenLayers: layers }),
  layout,
  pooled: () => null,
}

/** Of the architectures, only the bare model has a pooler; a config without any is the bare model's. */
function hasPooler(config: Json): boolean {
  return [config['architectures'] ?? 'ViTModel'].flat()[0] === 'ViTModel'
}

function layout(spec: Spec): Layout {
  const { hiddenSize: D, numChannels, patchSize, numHiddenLayers: layers } = spec
  const result: Layout = {
    'embeddings.cls_token': { shape: [1, 1, D], std: Math.sqrt(1 / D) },
    'embeddings.patch_embeddings.projection.weight': { shape: [D, numChannels, patchSize, patchSize], std: Math.sqrt(1 / (numChannels * patchSize ** 2)) },
    'embeddings.patch_embeddings.projection.bias': { shape: [D], fill: 0 },
    'embeddings.position_embeddings': { shape: [1, 1 + numPatches(spec), D], std: Math.sqrt(1 / D) },
  }
  for (let i = 0; i < layers; i++) Object.assign(result, blockLayout(`encoder.layer.${i}.`, NAMES, D, spec.intermediateSize, layers, spec.qkvBias))
  return Object.assign(result, normLayout('layernorm', D))
}

function sizes(config: Json): Record<string, unknown> {
  return {
    imageSize: config['image_size'] ?? 224,
    patchSize: config['patch_size'] ?? 16,
    numChannels: config['num_channels'] ?? 3,
    hiddenSize: config['hidden_size'] ?? 768,
    intermediateSize: config['intermediate_size'] ?? 3072,
    numHiddenLayers: config['num_hidden_layers'] ?? 12,
    numAttentionHeads: config['num_attention_heads'] ?? 12,
    layerNormEps: config['layer_norm_eps'] ?? 1e-12,
    hiddenAct: config['hidden_act'] ?? 'gelu',
    qkvBias: config['qkv_bias'] ?? true,
  }
}

function configOf(spec: Spec): Json {
  return {
    image_size: spec.imageSize,
    patch_size: spec.patchSize,
    num_channels: spec.numChannels,
    hidden_size: spec.hiddenSize,
    intermediate_size: spec.intermediateSize,
    num_hidden_layers: spec.numHiddenLayers,
    num_attention_heads: spec.numAttentionHeads,
    layer_norm_eps: spec.layerNormEps,
    hidden_act: spec.hiddenAct,
    qkv_bias: spec.qkvBias,
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    torch_dtype: 'float32',
  }
}
