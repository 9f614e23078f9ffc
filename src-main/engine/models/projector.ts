// From the vision encoder's width to the language model's: LLaVA's two-layer MLP (arXiv 2310.03744).

import * as tf from '@tensorflow/tfjs'
import { geluErf } from '../nn/activations.ts'
import { linear } from '../nn/linear.ts'
import type { Weights } from '../shapes.ts'

/**
 * @param features (B, P, D_vision)
 * @param layers   how many linear layers to go through; after the first its activation is applied
 * @returns image tokens (B, I, D_language), I = P
 */
export function projector(weights: Weights, features: tf.Tensor, layers: 1 | 2 = 2): tf.Tensor {
  const inner = geluErf(linear(weights, 'linear_1', features)) // (B, I, D_language)
  return layers === 1 ? inner : linear(weights, 'linear_2', inner)
}
