// What the families share: patch and position embeddings, the pre-norm transformer block under each family's own names,
// the class token taken out. A family's file says which names and which options.

import * as tf from '@tensorflow/tfjs'
import type { Activation } from '../../../domain/vision-encoder-spec.ts'
import { addResidual } from '../../nn/add.ts'
import { ACTIVATION } from '../../nn/activations.ts'
import { attention, mergeHeads, splitHeads } from '../../nn/attention.ts'
import { linear } from '../../nn/linear.ts'
import { layerNorm } from '../../nn/norm.ts'
import { weightOf, type Weights } from '../../shapes.ts'
import { linearLayout, normLayout, residualScale, type Layout } from '../../weights/layout.ts'
import type { PositionInterpolation, VisionInput } from './family.ts'
import { resizedPositions } from './positions.ts'

/** Names of the parts of a block, local to it. */
export interface BlockNames {
  readonly norm1: string
  readonly query: string
  readonly key: string
  readonly value: string
  readonly output: string
  readonly norm2: string
  readonly mlpIn: string
  readonly mlpOut: string
}

/** Of CLIP and SigLIP, image and text towers alike. */
export const CLIP_NAMES: BlockNames = {
  norm1: 'layer_norm1',
  query: 'self_attn.q_proj',
  key: 'self_attn.k_proj',
  value: 'self_attn.v_proj',
  output: 'self_attn.out_proj',
  norm2: 'layer_norm2',
  mlpIn: 'mlp.fc1',
  mlpOut: 'mlp.fc2',
}

/** Attention of ViT and DINOv2, as published and as later releases call it. */
export const VIT_ATTENTION = {
  query: 'attention.attention.query',
  key: 'attention.attention.key',
  value: 'attention.attention.value',
  output: 'attention.output.dense',
} as const
export const VIT_ATTENTION_RENAMES: readonly (readonly [RegExp, string])[] = [
  [/\.attention\.q_proj\./, '.attention.attention.query.'],
  [/\.attention\.k_proj\./, '.attention.attention.key.'],
  [/\.attention\.v_proj\./, '.attention.attention.value.'],
  [/\.attention\.o_proj\./, '.attention.output.dense.'],
]

interface BlockSizes {
  readonly numAttentionHeads: number
  readonly layerNormEps: number
  readonly hiddenAct: Activation
}

/**
 * x + A(norm(x)), then that + MLP(norm(that)).
 * @param x (B, N, D)   @param mask  added to the attention scores, broadcastable to (B, H, N, N); null: none
 * @returns (B, N, D)
 */
export function preNormBlock(names: BlockNames, sizes: BlockSizes, weights: Weights, x: tf.Tensor, mask: tf.Tensor | null): tf.Tensor {
  const attended = addResidual(x, selfAttention(names, sizes, weights, x, mask))
  return addResidual(attended, mlp(names, sizes, weights, layerNorm(weights, names.norm2, attended, sizes.layerNormEps)))
}

/**
 * The probabilities with which `selfAttention` mixes: what it computes on its way, for whoever wants to see it.
 * @param x (B, N, D) @returns (B, H, N, N), every row sums to one
 */
export function attentionProbabilities(names: BlockNames, sizes: BlockSizes, weights: Weights, x: tf.Tensor, mask: tf.Tensor | null): tf.Tensor {
  return tf.tidy(() => {
    const normed = layerNorm(weights, names.norm1, x, sizes.layerNormEps)
    const heads = (name: string) => splitHeads(linear(weights, name, normed), sizes.numAttentionHeads) // (B, H, N, d)
    const queries = heads(names.query)
    const scores = tf.matMul(tf.mul(queries, 1 / Math.sqrt(queries.shape[3]!)), heads(names.key), false, true) // (B, H, N, N)
    return tf.softmax(mask === null ? scores : tf.add(scores, mask))
  })
}

/** Attention over the normed x. @param x (B, N, D) @returns (B, N, D) */
export function selfAttention(names: BlockNames, sizes: BlockSizes, weights: Weights, x: tf.Tensor, mask: tf.Tensor | null): tf.Tensor {
  const normed = layerNorm(weights, names.norm1, x, sizes.layerNormEps)
  const heads = (name: string) => splitHeads(linear(weights, name, normed), sizes.numAttentionHeads) // (B, H, N, d)
  const mixed = mergeHeads(attention(heads(names.query), heads(names.key), heads(names.value), mask)) // (B, N, D)
  return linear(weights, names.output, mixed)
}

/** @param x (..., D) @returns (..., D) */
export function mlp(names: Pick<BlockNames, 'mlpIn' | 'mlpOut'>, { hiddenAct }: Pick<BlockSizes, 'hiddenAct'>, weights: Weights, x: tf.Tensor): tf.Tensor {
  return linear(weights, names.mlpOut, ACTIVATION[hiddenAct](linear(weights, names.mlpIn, x)))
}

/** Tensors of `preNormBlock`, at the names of block `at`. Standard deviations are Lecun's, smaller where the residual stream is fed. */
export function blockLayout(at: string, names: BlockNames, width: number, inner: number, layers: number, qkvBias = true): Layout {
  const residual = residualScale(layers)
  const layout: Layout = { ...normLayout(at + names.norm1, width), ...normLayout(at + names.norm2, width) }
  for (const name of [names.query, names.key, names.value]) {
    Object.assign(layout, linearLayout(at + name, width, width))
    if (!qkvBias) delete layout[`${at}${name}.bias`]
  }
  return Object.assign(
    layout,
    linearLayout(at + names.output, width, width, residual / Math.sqrt(width)),
    linearLayout(at + names.mlpIn, width, inner),
    linearLayout(at + names.mlpOut, inner, width, residual / Math.sqrt(inner)),
  )
}

/**
 * A convolution whose stride is its size, as a product.
 * @param patches (B, P, C·patch²)   @param name  of a weight (D, C, patch, patch) and, where there is one, a bias (D)
 * @returns (B, P, D)
 */
export function patchEmbedding(weights: Weights, name: string, patches: tf.Tensor): tf.Tensor {
  const kernel = weightOf(weights, `${name}.weight`) // (D, C, patch, patch)
  const bias = weights[`${name}.bias`]
  return linear({ 'p.weight': tf.reshape(kernel, [kernel.shape[0]!, -1]), ...(bias && { 'p.bias': bias }) }, 'p', patches) // (B, P, D)
}

/**
 * A class token before the patches, positions added to both. The class token's own position is the table's first.
 * @param patches (B, P, D)   @param token (1, 1, D) or (D)   @param table (1 + positions, D) or (1, 1 + positions, D)
 * @returns (B, 1 + P, D)
 */
export function withClassToken(patches: tf.Tensor, token: tf.Tensor, table: tf.Tensor, input: VisionInput, how: PositionInterpolation): tf.Tensor {
  const [B, , D] = patches.shape as [number, number, number]
  const rows = tf.reshape(table, [-1, D]) // (1 + positions, D)
  const ofPatches = resizedPositions(tf.slice(rows, [1, 0]), input.grid, how) // (P, D)
  const positions = tf.concat([tf.slice(rows, [0, 0], [1, D]), ofPatches], 0) // (1 + P, D)
  return tf.add(tf.concat([tf.tile(tf.reshape(token, [1, 1, D]), [B, 1, 1]), patches], 1), positions)
}

/** The class token's state. @param x (B, N, D) @returns (B, D) */
export function classState(x: tf.Tensor): tf.Tensor {
  const [B, , D] = x.shape as [number, number, number]
  return tf.reshape(tf.slice(x, [0, 0, 0], [B, 1, D]), [B, D])
}
