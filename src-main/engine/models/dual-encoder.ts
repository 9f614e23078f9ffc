// CLIP and SigLIP whole (arXiv 2103.00020, 2303.15343): a vision encoder and a text tower whose embeddings meet in one space.
// Used as they are published, for zero-shot classification; the lab trains none. Unusual: CLIP's text is causal and pooled at
// the end token, SigLIP's sees both ways and is pooled at its last position, padding included.

import * as tf from '@tensorflow/tfjs'
import { z } from 'zod'
import { LabError } from '../../domain/errors.ts'
import { parse } from '../../domain/parse.ts'
import { ACTIVATIONS, LARGEST_SIZE, MOST_LAYERS, visionEncoderSpecSchema } from '../../domain/vision-encoder-spec.ts'
import { withKnownActivation } from './activation-names.ts'
import { linear } from '../nn/linear.ts'
import { layerNorm } from '../nn/norm.ts'
import { assertShape, subset, weightOf, type Weights } from '../shapes.ts'
import { normLayout, type Layout } from '../weights/layout.ts'
import { blockLayout, CLIP_NAMES, preNormBlock } from './vision/blocks.ts'
import { familyOf, familyOfConfig } from './vision/families.ts'
import type { Json } from './vision/family.ts'
import { visionHiddenStates, visionLastHiddenState, visionPooled, type VisionOptions } from './vision-encoder.ts'

const size = z.int().min(1).max(LARGEST_SIZE)
const dualEncoderSpecSchema = z
  .strictObject({
    family: z.enum(['clip', 'siglip', 'siglip2']),
    visionEncoder: visionEncoderSpecSchema,
    textEncoder: z.strictObject({
      vocabSize: size,
      hiddenSize: size,
      intermediateSize: size,
      numHiddenLayers: size.max(MOST_LAYERS),
      numAttentionHeads: size,
      maxPositionEmbeddings: size,
      layerNormEps: z.number().positive(),
      hiddenAct: z.enum(ACTIVATIONS),
      /** Where CLIP pools. */
      eosTokenId: z.int(),
    }),
    /** Width of the shared space. */
    projectionDim: size,
  })
  .refine(({ textEncoder }) => textEncoder.hiddenSize % textEncoder.numAttentionHeads === 0, {
    path: ['textEncoder', 'numAttentionHeads'],
    message: 'must divide hiddenSize',
  })
export type DualEncoderSpec = z.output<typeof dualEncoderSpecSchema>

const MODEL_TYPES = ['clip', 'siglip', 'siglip2'] as const

/** Whether a config.json is a dual encoder's. */
export function isDualEncoder(config: Json): boolean {
  return (MODEL_TYPES as readonly unknown[]).includes(config['model_type'])
}

/** @throws LabError 'invalid-input' listing the known architectures, or naming the field that the lab cannot follow */
export function dualEncoderSpec(config: Json, where = 'config.json'): DualEncoderSpec {
  if (!isDualEncoder(config))
    throw new LabError(
      'invalid-input',
      `${where}: model_type: expected a dual encoder, one of ${MODEL_TYPES.join(', ')}; found ${JSON.stringify(config['model_type'])}. ` +
        'A vision encoder alone has no text to compare with',
    )
  const family = config['model_type'] as DualEncoderSpec['family']
  // A nested config may leave its own type out: it is the outer one's.
  const tower = (name: 'vision' | 'text'): Json => withKnownActivation({ model_type: `${family}_${name}_model`, ...(config[`${name}_config`] as Json | undefined) })
  const [vision, text] = [tower('vision'), tower('text')]
  const visionFamily = familyOfConfig(vision, `${where}: vision_config`)
  const isClip = family === 'clip'
  const hiddenSize = text['hidden_size'] ?? (isClip ? 512 : 768)
  return parse(
    dualEncoderSpecSchema,
    {
      family,
      visionEncoder: { family: visionFamily.family, ...visionFamily.spec(vision) },
      textEncoder: {
        vocabSize: text['vocab_size'] ?? (isClip ? 49408 : 32000),
        hiddenSize,
        intermediateSize: text['intermediate_size'] ?? (isClip ? 2048 : 3072),
        numHiddenLayers: text['num_hidden_layers'] ?? 12,
        numAttentionHeads: text['num_attention_heads'] ?? (isClip ? 8 : 12),
        maxPositionEmbeddings: text['max_position_embeddings'] ?? (isClip ? 77 : 64),
        layerNormEps: text['layer_norm_eps'] ?? (isClip ? 1e-5 : 1e-6),
        hiddenAct: text['hidden_act'] ?? (isClip ? 'quick_gelu' : 'gelu_pytorch_tanh'),
        eosTokenId: text['eos_token_id'] ?? 49407,
      },
      projectionDim: isClip ? (config['projection_dim'] ?? 512) : (text['projection_size'] ?? hiddenSize),
    },
    'invalid-input',
    where,
  )
}

/** Every tensor by its name in the file, with its shape. */
export function dualEncoderLayout({ family, visionEncoder, textEncoder, projectionDim }: DualEncoderSpec): Layout {
  const D = textEncoder.hiddenSize
  const layout: Layout = {
    'text_model.embeddings.token_embedding.weight': { shape: [textEncoder.vocabSize, D], std: 0.02 },
    'text_model.embeddings.position_embedding.weight': { shape: [textEncoder.maxPositionEmbeddings, D], std: 0.02 },
    ...normLayout('text_model.final_layer_norm', D),
  }
  for (const [name, tensor] of Object.entries(familyOf(visionEncoder).layout(visionEncoder))) layout[`vision_model.${name}`] = tensor
  for (let i = 0; i < textEncoder.numHiddenLayers; i++)
    Object.assign(layout, blockLayout(`text_model.encoder.layers.${i}.`, CLIP_NAMES, D, textEncoder.intermediateSize, textEncoder.numHiddenLayers))
  if (family === 'clip') {
    layout['visual_projection.weight'] = { shape: [projectionDim, visionEncoder.hiddenSize], std: 0.02 }
    layout['text_projection.weight'] = { shape: [projectionDim, D], std: 0.02 }
    layout['logit_scale'] = { shape: [], fill: 2.6592 }
  } else {
    layout['text_model.head.weight'] = { shape: [projectionDim, D], std: 0.02 }
    layout['text_model.head.bias'] = { shape: [projectionDim], fill: 0 }
    for (const name of ['logit_scale', 'logit_bias']) layout[name] = { shape: [1], fill: 0 }
  }
  return layout
}

/** The pictures' places in the shared space. @param patches (B, P, C·patch²) @returns (B, E), each of length one */
export function imageEmbeddings(spec: DualEncoderSpec, weights: Weights, patches: tf.Tensor, options: VisionOptions = {}): tf.Tensor2D {
  const { visionEncoder } = spec
  const held = subset(weights, 'vision_model.')
  const state = visionHiddenStates(visionEncoder, held, patches, visionEncoder.numHiddenLayers, options).at(-1)!
  const pooled = visionPooled(visionEncoder, held, visionLastHiddenState(visionEncoder, held, state), options.variable)
  if (pooled === null) throw new LabError('invalid-input', 'vision_config.vision_use_head: expected true, found false: without the pooling head a picture has no embedding')
  return unit(spec.family === 'clip' ? linear(weights, 'visual_projection', pooled) : pooled)
}

/**
 * The texts' places in the shared space.
 * @param ids (N, T), each row padded to T as the family's tokenizer pads   @returns (N, E), each of length one
 * @throws LabError 'invalid-input' for more positions than there are, or an id beyond the vocabulary
 */
export function textEmbeddings(spec: DualEncoderSpec, weights: Weights, ids: readonly (readonly number[])[]): tf.Tensor2D {
  const { textEncoder, family } = spec
  const [N, T] = [ids.length, ids[0]?.length ?? 0]
  if (T < 1 || T > textEncoder.maxPositionEmbeddings)
    throw new LabError('invalid-input', `texts: expected 1 to ${textEncoder.maxPositionEmbeddings} tokens, found ${T}; shorten the prompt`)
  for (const [i, row] of ids.entries()) {
    assertShape(`tokens of text ${i}`, { shape: [row.length] }, [T])
    const beyond = row.find((id) => id < 0 || id >= textEncoder.vocabSize)
    if (beyond !== undefined)
      throw new LabError('invalid-input', `text ${i}: expected token ids below ${textEncoder.vocabSize}, found ${beyond}; the tokenizer belongs to another model`)
  }
  const D = textEncoder.hiddenSize
  const table = weightOf(weights, 'text_model.embeddings.token_embedding.weight')
  const words = tf.reshape(tf.gather(table, tf.tensor1d(ids.flat(), 'int32')), [N, T, D]) // (N, T, D)
  const positions = tf.slice(weightOf(weights, 'text_model.embeddings.position_embedding.weight'), [0, 0], [T, D])
  let state: tf.Tensor = tf.add(words, positions)
  const mask = family === 'clip' ? causalMask(T) : null
  for (let i = 0; i < textEncoder.numHiddenLayers; i++) state = preNormBlock(CLIP_NAMES, textEncoder, subset(weights, `text_model.encoder.layers.${i}.`), state, mask)
  const normed = tf.reshape(layerNorm(weights, 'text_model.final_layer_norm', state, textEncoder.layerNormEps), [N * T, D])
  const at = ids.map((row, r) => r * T + (family === 'clip' ? endPosition(row, textEncoder.eosTokenId) : T - 1))
  const pooled = tf.gather(normed, tf.tensor1d(at, 'int32')) // (N, D)
  return unit(linear(weights, family === 'clip' ? 'text_projection' : 'text_model.head', pooled))
}

/**
 * logits_per_image: how well each text describes each picture.
 * @param images (B, E)   @param texts (N, E)   @returns (B, N)
 */
export function imageTextLogits(weights: Weights, images: tf.Tensor2D, texts: tf.Tensor2D): tf.Tensor2D {
  const scaled = tf.mul(tf.matMul(images, texts, false, true), tf.exp(tf.reshape(weightOf(weights, 'logit_scale'), [])))
  const bias = weights['logit_bias']
  return (bias === undefined ? scaled : tf.add(scaled, tf.reshape(bias, []))) as tf.Tensor2D
}

/** Where CLIP pools a text: the first end token. Published configs with the end token 2 mean the largest id instead. */
function endPosition(ids: readonly number[], eosTokenId: number): number {
  // No end token: the reference's argmax over all-false is position 0.
  return eosTokenId === 2 ? ids.indexOf(Math.max(...ids)) : Math.max(0, ids.indexOf(eosTokenId))
}

/** (T, T): 0 where a position may look, a large negative number after it. */
function causalMask(T: number): tf.Tensor {
  return tf.tensor2d(
    Float32Array.from({ length: T * T }, (_, at) => (at % T > Math.floor(at / T) ? -1e30 : 0)),
    [T, T],
  )
}

/** Rows divided by their length. */
function unit(rows: tf.Tensor): tf.Tensor2D {
  return tf.div(rows, tf.norm(rows, 'euclidean', -1, true)) as tf.Tensor2D
}
