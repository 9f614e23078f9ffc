// The vision encoder: a ViT in SigLIP's layout (arXiv 2303.15343). Unusual beside a plain ViT: no class token, learned
// positions, tanh-GELU, an optional attention-pooling head. It stops at the block that is asked for: blocks above the
// selected feature layer are neither run nor trained. Dropout is absent: both arms of a study would draw it differently.

import * as tf from '@tensorflow/tfjs'
import type { VisionEncoderSpec } from '../../domain/model-spec.ts'
import { addResidual } from '../nn/add.ts'
import { geluTanh } from '../nn/activations.ts'
import { attention, mergeHeads, splitHeads } from '../nn/attention.ts'
import { checkpointed } from '../nn/checkpointing.ts'
import { linear } from '../nn/linear.ts'
import { layerNorm } from '../nn/norm.ts'
import { weightOf, type Weights } from '../shapes.ts'
import { subset } from '../weights/initial.ts'

/**
 * Cuts pixels into patches, each flattened in the order of a convolution's weight (C, P, P).
 * @param pixels (B, C, height, width)   @returns (B, P, C·patch²), patches row by row
 */
export function patchify(pixels: tf.Tensor4D, patchSize: number): tf.Tensor3D {
  const [B, C, height, width] = pixels.shape
  const [rows, columns] = [height / patchSize, width / patchSize]
  const cells = tf.reshape(pixels, [B, C, rows, patchSize, columns, patchSize])
  return tf.reshape(tf.transpose(cells, [0, 2, 4, 1, 3, 5]), [B, rows * columns, C * patchSize * patchSize])
}

/**
 * The hidden states that Hugging Face calls hidden_states[0 … layers]: the embeddings, then each block's output.
 * @param patches  (B, P, C·patch²)
 * @param layers   how many blocks to run, at most numHiddenLayers
 * @returns layers + 1 tensors (B, P, D)
 */
export function visionHiddenStates(
  spec: VisionEncoderSpec,
  weights: Weights,
  patches: tf.Tensor,
  layers: number,
  gradientCheckpointing = false,
): tf.Tensor[] {
  const kernel = weightOf(weights, 'embeddings.patch_embedding.weight') // (D, C, P, P)
  const bias = weightOf(weights, 'embeddings.patch_embedding.bias')
  const asLinear = { 'p.weight': tf.reshape(kernel, [spec.hiddenSize, -1]), 'p.bias': bias }
  const embedded = linear(asLinear, 'p', patches) // (B, P, D)
  const states = [tf.add(embedded, weightOf(weights, 'embeddings.position_embedding.weight'))] // (B, P, D)
  for (let i = 0; i < layers; i++) {
    const block = subset(weights, `encoder.layers.${i}.`)
    const x = states[i]!
    states.push(
      gradientCheckpointing
        ? checkpointed((held, input) => encoderBlock(spec, held, input), block, x)
        : // A block's tidy frees at once what the backward pass does not keep.
          tf.tidy(() => encoderBlock(spec, block, x)),
    )
  }
  return states
}

/** Pre-norm transformer block. @param x (B, P, D) @returns (B, P, D) */
function encoderBlock(spec: VisionEncoderSpec, weights: Weights, x: tf.Tensor): tf.Tensor {
  const normed = layerNorm(weights, 'layer_norm1', x, spec.layerNormEps)
  const heads = (name: string) => splitHeads(linear(weights, `self_attn.${name}`, normed), spec.numAttentionHeads) // (B, H, P, d)
  const mixed = mergeHeads(attention(heads('q_proj'), heads('k_proj'), heads('v_proj'), null)) // (B, P, D)
  const attended = addResidual(x, linear(weights, 'self_attn.out_proj', mixed))
  const inner = geluTanh(linear(weights, 'mlp.fc1', layerNorm(weights, 'layer_norm2', attended, spec.layerNormEps))) // (B, P, 4·D)
  return addResidual(attended, linear(weights, 'mlp.fc2', inner))
}

/** SigLIP's final layer norm: last_hidden_state. @param state (B, P, D) */
export function visionLastHiddenState(spec: VisionEncoderSpec, weights: Weights, state: tf.Tensor): tf.Tensor {
  return layerNorm(weights, 'post_layernorm', state, spec.layerNormEps)
}

/**
 * SigLIP's attention-pooling head: one learned query over the patches, then an MLP with a residual.
 * @param lastHiddenState (B, P, D)   @returns pooler_output (B, D)
 */
export function visionPooled(spec: VisionEncoderSpec, weights: Weights, lastHiddenState: tf.Tensor): tf.Tensor {
  const [B, , D] = lastHiddenState.shape as [number, number, number]
  const joint = weightOf(weights, 'head.attention.in_proj_weight') as tf.Tensor2D // (3·D, D): q, k, v stacked
  const jointBias = weightOf(weights, 'head.attention.in_proj_bias') as tf.Tensor1D
  const part = (index: number, x: tf.Tensor) =>
    splitHeads(
      linear({ 'i.weight': tf.slice(joint, [index * D, 0], [D, D]), 'i.bias': tf.slice(jointBias, [index * D], [D]) }, 'i', x),
      spec.numAttentionHeads,
    )
  const probe = tf.tile(weightOf(weights, 'head.probe'), [B, 1, 1]) // (B, 1, D)
  const mixed = mergeHeads(attention(part(0, probe), part(1, lastHiddenState), part(2, lastHiddenState), null)) // (B, 1, D)
  const attended = linear(weights, 'head.attention.out_proj', mixed)
  const inner = geluTanh(linear(weights, 'head.mlp.fc1', layerNorm(weights, 'head.layernorm', attended, spec.layerNormEps)))
  return tf.reshape(tf.add(attended, linear(weights, 'head.mlp.fc2', inner)), [B, D])
}
