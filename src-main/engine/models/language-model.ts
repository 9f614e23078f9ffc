// The language model: Qwen2's decoder (arXiv 2407.10671). Pre-norm with RMSNorm, rotary positions, grouped-query
// attention with biases on q, k and v only, SwiGLU, no biases elsewhere, embeddings tied to the head by default.
// It starts from embeddings, not ids, because image tokens stand among them. Generation keeps keys and values.

import * as tf from '@tensorflow/tfjs'
import type { LanguageModelSpec } from '../../domain/model-spec.ts'
import { addResidual } from '../nn/add.ts'
import { swiGlu } from '../nn/activations.ts'
import { attention, mergeHeads, splitHeads } from '../nn/attention.ts'
import { checkpointed } from '../nn/checkpointing.ts'
import { linear } from '../nn/linear.ts'
import { rmsNorm } from '../nn/norm.ts'
import { rotaryAngles, rotate, type RotaryAngles } from '../nn/rotary.ts'
import { weightOf, type Weights } from '../shapes.ts'
import { subset } from '../weights/initial.ts'

/** Keys and values of the positions seen so far, one pair a layer, each (R, H_kv, S, d). */
export interface KeyValueCache {
  readonly layers: readonly { readonly key: tf.Tensor; readonly value: tf.Tensor }[]
}

/** Large enough to silence a position after softmax, small enough to be finite in bfloat16. */
const MASKED = -1e9

/** @param ids (R, T) int32   @returns (R, T, D) */
export function embedTokens(weights: Weights, ids: tf.Tensor): tf.Tensor {
  return tf.gather(weightOf(weights, 'model.embed_tokens.weight'), ids as tf.Tensor2D)
}

/** Causal mask of T queries that follow `past` earlier positions: (T, past + T), 0 or −1e9. */
export function causalMask(T: number, past = 0): tf.Tensor2D {
  const S = past + T
  const values = new Float32Array(T * S)
  for (let t = 0; t < T; t++) values.fill(MASKED, t * S + past + t + 1, (t + 1) * S)
  return tf.tensor2d(values, [T, S])
}

/** Mask of padded positions: 0 where `attentionMask` is 1, −1e9 where it is 0. (R, S) → (R, 1, 1, S). */
export function paddingMask(attentionMask: tf.Tensor2D): tf.Tensor4D {
  const [R, S] = attentionMask.shape
  return tf.reshape(tf.mul(tf.sub(1, tf.cast(attentionMask, 'float32')), MASKED), [R, 1, 1, S])
}

/**
 * Runs the decoder over whole sequences.
 *
 * @param embeddings  (R, T, D)
 * @param positions   (R or 1, T) int32; null: 0 … T−1
 * @param padding     additive mask (R, 1, 1, T); null: none. Right-padded batches need none: no real position sees the padding.
 * @returns hidden_states as Hugging Face names them (embeddings, each block's output but the last, the normed last), (R, T, D) each
 */
export function decoderHiddenStates(
  spec: LanguageModelSpec,
  weights: Weights,
  embeddings: tf.Tensor,
  options: {
    readonly positions?: tf.Tensor2D | null
    readonly padding?: tf.Tensor4D | null
    readonly gradientCheckpointing?: boolean
  } = {},
): tf.Tensor[] {
  const T = embeddings.shape[1]!
  const angles = rotaryAngles(options.positions ?? tf.range(0, T, 1, 'int32').reshape([1, T]), headWidth(spec), spec.ropeTheta)
  const causal = causalMask(T)
  const mask = options.padding ? tf.add(causal, options.padding) : causal
  const states = [embeddings]
  for (let i = 0; i < spec.numHiddenLayers; i++) {
    const block = subset(weights, `model.layers.${i}.`)
    const run = (held: Weights, input: tf.Tensor, [cos, signedSin, added]: readonly tf.Tensor[]) =>
      decoderBlock(spec, held, input, { cos: cos!, signedSin: signedSin! }, added!, null).x
    // A block's tidy frees at once what the backward pass does not keep.
    const constants = [angles.cos, angles.signedSin, mask]
    states.push(options.gradientCheckpointing ? checkpointed(run, block, states[i]!, constants) : tf.tidy(() => run(block, states[i]!, constants)))
  }
  states.push(rmsNorm(weights, 'model.norm', states.pop()!, spec.rmsNormEps))
  return states
}

/**
 * The same with a cache: runs T new positions after those in `cache`.
 * @param mask  additive, broadcastable to (R, H, T, past + T)
 * @returns the normed last hidden state (R, T, D) and the cache grown by T; the caller disposes both caches
 */
export function decodeWithCache(
  spec: LanguageModelSpec,
  weights: Weights,
  embeddings: tf.Tensor,
  positions: tf.Tensor2D,
  mask: tf.Tensor,
  cache: KeyValueCache | null,
): { readonly hidden: tf.Tensor; readonly cache: KeyValueCache } {
  const angles = rotaryAngles(positions, headWidth(spec), spec.ropeTheta)
  let x = embeddings
  const layers: { key: tf.Tensor; value: tf.Tensor }[] = []
  for (let i = 0; i < spec.numHiddenLayers; i++) {
    const block = decoderBlock(spec, subset(weights, `model.layers.${i}.`), x, angles, mask, cache?.layers[i] ?? null)
    x = block.x
    layers.push({ key: block.key, value: block.value })
  }
  return { hidden: rmsNorm(weights, 'model.norm', x, spec.rmsNormEps), cache: { layers } }
}

/** @param hidden (..., D)   @returns logits (..., V) */
export function languageHead(spec: LanguageModelSpec, weights: Weights, hidden: tf.Tensor): tf.Tensor {
  const head = weightOf(weights, spec.tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight')
  return linear({ 'head.weight': head }, 'head', hidden)
}

function headWidth(spec: LanguageModelSpec): number {
  return spec.hiddenSize / spec.numAttentionHeads
}

function decoderBlock(
  spec: LanguageModelSpec,
  weights: Weights,
  x: tf.Tensor,
  angles: RotaryAngles,
  mask: tf.Tensor,
  past: { readonly key: tf.Tensor; readonly value: tf.Tensor } | null,
): { x: tf.Tensor; key: tf.Tensor; value: tf.Tensor } {
  const normed = rmsNorm(weights, 'input_layernorm', x, spec.rmsNormEps)
  const heads = (name: string, count: number) => splitHeads(linear(weights, `self_attn.${name}`, normed), count)
  const q = rotate(heads('q_proj', spec.numAttentionHeads), angles) // (R, H, T, d)
  const newKey = rotate(heads('k_proj', spec.numKeyValueHeads), angles) // (R, H_kv, T, d)
  const newValue = heads('v_proj', spec.numKeyValueHeads)
  const key = past === null ? newKey : tf.concat([past.key, newKey], 2) // (R, H_kv, S, d)
  const value = past === null ? newValue : tf.concat([past.value, newValue], 2)
  const attended = addResidual(x, linear(weights, 'self_attn.o_proj', mergeHeads(attention(q, key, value, mask)))) // (R, T, D)
  const inner = rmsNorm(weights, 'post_attention_layernorm', attended, spec.rmsNormEps)
  const gated = swiGlu(linear(weights, 'mlp.gate_proj', inner), linear(weights, 'mlp.up_proj', inner)) // (R, T, 4·D)
  return { x: addResidual(attended, linear(weights, 'mlp.down_proj', gated)), key, value }
}
