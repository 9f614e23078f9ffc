// One feature an image from an encoder's tokens: the mean over patches, the class token, or what the encoder itself pools.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import type { Pooling } from '../../domain/probe.ts'
import { numPrefixTokens, type VisionEncoderSpec } from '../../domain/vision-encoder-spec.ts'
import { patchStates, visionHiddenStates, visionLastHiddenState, visionPooled } from '../models/vision-encoder.ts'
import type { Weights } from '../shapes.ts'

/**
 * @param patches  (B, P, C·patch²)
 * @param layers   hidden states that are wanted: 0 the embeddings, i the output of block i
 * @returns (B, D) for each
 * @throws LabError 'invalid-input' where the family has no class token, or the checkpoint no pooled output of that layer
 */
export function pooledStates(spec: VisionEncoderSpec, weights: Weights, patches: tf.Tensor, layers: readonly number[], pooling: Pooling): tf.Tensor2D[] {
  const beyond = layers.find((layer) => layer > spec.numHiddenLayers)
  if (beyond !== undefined) throw new LabError('invalid-input', `layers: expected 0 to ${spec.numHiddenLayers}, the encoder's blocks, got ${beyond}`)
  const states = visionHiddenStates(spec, weights, patches, Math.max(...layers))
  return layers.map((layer) => pooled(spec, weights, states[layer]!, layer, pooling) as tf.Tensor2D)
}

function pooled(spec: VisionEncoderSpec, weights: Weights, state: tf.Tensor, layer: number, pooling: Pooling): tf.Tensor {
  switch (pooling) {
    case 'mean':
      return tf.mean(patchStates(spec, state), 1)
    case 'class':
      if (numPrefixTokens(spec) === 0) throw new LabError('invalid-input', `pooling: ${spec.family} has no class token; choose mean or attention`)
      return tf.squeeze(tf.slice(state, [0, 0, 0], [state.shape[0]!, 1, state.shape[2]!]), [1])
    case 'attention': {
      if (layer !== spec.numHiddenLayers)
        throw new LabError('invalid-input', `pooling: the encoder pools the output of its last block, ${spec.numHiddenLayers}; layer ${layer} has mean or class`)
      const own = visionPooled(spec, weights, visionLastHiddenState(spec, weights, state))
      if (own === null) throw new LabError('invalid-input', 'pooling: this checkpoint carries no pooled output (its head was left out); choose mean or class')
      return own
    }
  }
}
