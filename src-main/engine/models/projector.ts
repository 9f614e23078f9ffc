// From the vision encoder's width to the language model's: LLaVA's two-layer MLP (arXiv 2310.03744).

import * as tf from '@tensorflow/tfjs'
import { geluErf } from '../nn/activations.ts'
import { linear } from '../nn/linear.ts'
import type { Weights } from '../shapes.ts'

/** @param features (B, P, D_vision)   @returns image tokens (B, I, D_language), I = P */
export function projector(weights: Weights, features: tf.Tensor): tf.Tensor {
  return linear(weights, 'linear_2', geluErf(linear(weights, 'linear_1', features)))
}
