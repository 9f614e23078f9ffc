// From the vision encoder's width to the language model's: LLaVA's two-layer MLP (arXiv 2310.03744).

import * as tf from '@tensorflow/tfjs'
import { geluErf } from '../nn/activations.ts'
import { linear } from '../nn/linear.ts'
import { withGradient } from '../nn/with-gradient.ts'
import type { Weights } from '../shapes.ts'

/** The vector after an image's tokens, in models of the LLaVA-OneVision type: its local name, and that in files. */
export const IMAGE_NEWLINE = 'image_newline'

/**
 * @param features (B, P, D_vision)
 * @param layers   how many linear layers to go through; after the first its activation is applied
 * @returns image tokens (B, I, D_language), I = P
 */
export function projector(weights: Weights, features: tf.Tensor, layers: 1 | 2 = 2): tf.Tensor {
  const inner = geluErf(linear(weights, 'linear_1', features)) // (B, I, D_language)
  return layers === 1 ? inner : linear(weights, 'linear_2', inner)
}

/**
 * The same vector after the tokens of each image.
 * @param tokens (B, F, D)   @param newline (D)   @returns (B, F + 1, D)
 */
export function withNewline(tokens: tf.Tensor, newline: tf.Tensor): tf.Tensor {
  const [B, F, D] = tokens.shape as [number, number, number]
  return withGradient([tokens, newline], (images: tf.Tensor, last: tf.Tensor) => ({
    value: tf.concat([images, tf.tile(tf.reshape(last, [1, 1, D]), [B, 1, 1])], 1),
    saved: [],
    gradient: (dy) => [tf.slice(dy, [0, 0, 0], [B, F, D]), tf.sum(tf.reshape(tf.slice(dy, [0, F, 0], [B, 1, D]), [B, D]), 0)],
  }))
}
