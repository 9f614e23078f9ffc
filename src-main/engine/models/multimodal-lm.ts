// Vision encoder, projector and language model joined the LLaVA way (arXiv 2304.08485): image tokens take the places of
// the `<image>` placeholders among the text embeddings. Features of an image are computed once, however many rows of
// text look at it: the two answers of a preference pair share them, and gradients of both meet there.

import * as tf from '@tensorflow/tfjs'
import { featureLayers, type Module, type MultimodalLmSpec } from '../../domain/model-spec.ts'
import { withGradient } from '../nn/with-gradient.ts'
import type { Weights } from '../shapes.ts'
import { embedTokens, languageHead, lastStatesAt } from './language-model.ts'
import { IMAGE_NEWLINE, projector, withNewline } from './projector.ts'
import { visionHiddenStates, withoutFirst } from './vision-encoder.ts'

/** What a batch holds of its images: patches, or the features of a frozen encoder, which is then not run. */
export type ImagesAs = 'patches' | 'features'

export interface MultimodalLm {
  readonly spec: MultimodalLmSpec
  readonly weights: Readonly<Record<Module, Weights>>
  readonly gradientCheckpointing: Readonly<Record<Module, boolean>>
  /** Patches unless said. */
  readonly imagesAs?: ImagesAs
}

/**
 * Rows of text over a batch of images, at fixed shapes. Row r looks at image r mod B.
 * `collate.ts` makes it; every index is into the rows laid end to end (row r, position t ↦ r·T + t).
 */
export interface TextRows {
  /** (R, T) int32; padding on the right. */
  readonly ids: tf.Tensor2D
  /** (R·T) int32: where each position's embedding comes from in [rows' text embeddings; images' tokens]. */
  readonly sources: tf.Tensor1D
  /** (R·T, 1) float: 1 where an image token stands. */
  readonly isImage: tf.Tensor2D
  /** (R·I) int32: where image token i of row r stands; any text position for a row without an image. */
  readonly imagePositions: tf.Tensor1D
  /** (R·A) int32: the position whose hidden state predicts each answer token. */
  readonly answerPositions: tf.Tensor1D
}

/** How many blocks of the encoder feed the projector. */
export function encoderLayersUsed(spec: MultimodalLmSpec): number {
  return blocksBelow(spec, Math.max(...featureLayers(spec)))
}

/** Blocks whose output is the hidden state `layer`, counted from the top. */
function blocksBelow({ visionEncoder }: MultimodalLmSpec, layer: number): number {
  return visionEncoder.numHiddenLayers + 1 + layer
}

/**
 * The selected hidden state, without its first token under the strategy 'default': what the projector sees. Of several states
 * the channels stand beside each other (LLaVA's config, `vision_feature_layer` as a list).
 * @param images (B, P, C·patch²); where the model takes features, those themselves   @returns (B, F, D_vision · states)
 */
export function imageFeatures(model: MultimodalLm, images: tf.Tensor): tf.Tensor {
  const { spec, weights, gradientCheckpointing, imagesAs } = model
  if (imagesAs === 'features') return images
  return selectedFeatures(spec, visionHiddenStates(spec.visionEncoder, weights.visionEncoder, images, encoderLayersUsed(spec), { gradientCheckpointing: gradientCheckpointing.visionEncoder }))
}

/** The same from hidden states that were computed already. @param states (B, N, D) each, those below the highest that feeds the projector */
export function selectedFeatures(spec: MultimodalLmSpec, states: readonly tf.Tensor[]): tf.Tensor {
  const selected = featureLayers(spec).map((layer) => withoutFirst(states[blocksBelow(spec, layer)]!, spec.visionFeatureSelectStrategy === 'default' ? 1 : 0))
  return selected.length === 1 ? selected[0]! : tf.concat(selected, -1)
}

/**
 * The projected features and, in a model that has it, `image_newline` after them. One view of the picture, as transformers'
 * `LlavaOnevisionModel.pack_image_features` packs it; tiles (anyres grids) are not read.
 * @param features (B, F, D_vision · states)   @returns (B, I, D), I = F, or F + 1 with `image_newline`
 */
export function imageTokens({ weights }: MultimodalLm, features: tf.Tensor): tf.Tensor {
  const projected = projector(weights.projector, features)
  const newline = weights.projector[IMAGE_NEWLINE]
  return newline === undefined ? projected : withNewline(projected, newline)
}

/** Text embeddings with image tokens in their places. @param tokens (B, I, D) @returns (R, T, D) */
export function joinedEmbeddings(model: MultimodalLm, rows: TextRows, tokens: tf.Tensor): tf.Tensor {
  const [R, T] = rows.ids.shape
  const D = model.spec.languageModel.hiddenSize
  const text = tf.reshape(embedTokens(model.weights.languageModel, rows.ids), [R * T, D])
  return tf.reshape(placeImageTokens(text, tokens, rows), [R, T, D])
}

/** Logits that predict each answer token. @param tokens (B, I, D); null: rows of text alone @returns (R·A, V) */
export function answerLogits(model: MultimodalLm, rows: TextRows, tokens: tf.Tensor | null): tf.Tensor2D {
  const { languageModel: spec } = model.spec
  const embeddings = tokens === null ? embedTokens(model.weights.languageModel, rows.ids) : joinedEmbeddings(model, rows, tokens)
  // The head is the widest product of all; it runs on answer positions only, and so does most of the last block.
  const hidden = lastStatesAt(spec, model.weights.languageModel, embeddings, rows.answerPositions, model.gradientCheckpointing.languageModel)
  return languageHead(spec, model.weights.languageModel, hidden) as tf.Tensor2D
}

/**
 * Replaces placeholder embeddings by image tokens. Every image token has a known place in every row, so the gradient
 * gathers where automatic differentiation would scatter.
 * @param text (R·T, D)   @param tokens (B, I, D)   @returns (R·T, D)
 */
function placeImageTokens(text: tf.Tensor, tokens: tf.Tensor, rows: TextRows): tf.Tensor {
  const [B, I, D] = tokens.shape as [number, number, number]
  const perImage = rows.ids.shape[0]! / B
  return withGradient([text, tokens], (words: tf.Tensor, images: tf.Tensor) => ({
    value: tf.gather(tf.concat([words, tf.reshape(images, [B * I, D])], 0), rows.sources),
    saved: [],
    gradient: (dy) => {
      const atImages = tf.mul(dy, rows.isImage) // (R·T, D)
      const gathered = tf.gather(atImages, rows.imagePositions) // (R·I, D)
      const dTokens = perImage === 1 ? gathered : tf.sum(tf.reshape(gathered, [perImage, B * I, D]), 0)
      return [tf.sub(dy, atImages), tf.reshape(dTokens, [B, I, D])]
    },
  }))
}
