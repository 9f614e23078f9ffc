// The language model: a Llama-type decoder. Pre-norm with RMSNorm, rotary positions, grouped-query attention, SwiGLU; what
// the families differ in (biases, norms of queries and keys, width of a head, reach of the positions) is in `language/`.
// It starts from embeddings, not ids, because image tokens stand among them. Generation writes keys and values into a
// cache of fixed size, so that every step has the same shapes and can be recorded.

import * as tf from '@tensorflow/tfjs'
import { headWidth, type LanguageModelSpec } from '../../domain/model-spec.ts'
import { addResidual } from '../nn/add.ts'
import { gated } from '../nn/activations.ts'
import { attention, mergeHeads, splitHeads } from '../nn/attention.ts'
import { checkpointed } from '../nn/checkpointing.ts'
import { linear } from '../nn/linear.ts'
import { rmsNorm } from '../nn/norm.ts'
import { rotaryAngles, rotate, type RotaryAngles } from '../nn/rotary.ts'
import { subset, weightOf, type Weights } from '../shapes.ts'
import { languageFamily } from './language/families.ts'

/** Keys and values, layer by layer (key, value, key, …), each (R, H_kv, S, d): S slots, zeros where nothing was read yet. */
export type KeyValueCache = readonly tf.Tensor[]

/** Large enough to silence a position after softmax, small enough to be finite in bfloat16. */
const MASKED = -1e9

/** @param ids (R, T) int32   @returns (R, T, D) */
export function embedTokens(weights: Weights, ids: tf.Tensor): tf.Tensor {
  return tf.gather(weightOf(weights, 'model.embed_tokens.weight'), ids as tf.Tensor2D)
}

/** Causal mask of T positions: (T, T), 0 or −1e9; with a window nothing further back than its other positions is seen either. */
export function causalMask(T: number, window: number | null = null): tf.Tensor2D {
  const values = new Float32Array(T * T)
  for (let t = 0; t < T; t++) {
    values.fill(MASKED, t * T + t + 1, (t + 1) * T)
    if (window !== null) values.fill(MASKED, t * T, t * T + Math.max(0, t - window + 1))
  }
  return tf.tensor2d(values, [T, T])
}

/** Of block i. */
function windowOf({ slidingWindow, maxWindowLayers }: LanguageModelSpec, i: number): number | null {
  return i < maxWindowLayers ? null : slidingWindow
}

/** What each block adds to its scores, made once for all blocks that see alike. */
function masksOf<Mask>(spec: LanguageModelSpec, make: (window: number | null) => Mask): (i: number) => Mask {
  const made = new Map<number | null, Mask>()
  return (i) => {
    const window = windowOf(spec, i)
    if (!made.has(window)) made.set(window, make(window))
    return made.get(window)!
  }
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
  const angles = anglesAt(spec, options.positions ?? positionsUpTo(T))
  const maskOf = masksOf(spec, (window) => (options.padding ? tf.add(causalMask(T, window), options.padding) : causalMask(T, window)))
  const states = lowerStates(spec, weights, embeddings, { angles, maskOf, blocks: spec.numHiddenLayers, ...options })
  states.push(rmsNorm(weights, 'model.norm', states.pop()!, spec.rmsNormEps))
  return states
}

/**
 * The normed last hidden state where it is asked for. Above its keys and values the last block works on those positions alone,
 * which is most of its work where few are asked for; the numbers are those of `decoderHiddenStates`.
 *
 * @param embeddings  (R, T, D), at positions 0 … T−1
 * @param places      (R·A) int32: A of each row, counted over the rows laid end to end
 * @returns (R·A, D)
 */
export function lastStatesAt(spec: LanguageModelSpec, weights: Weights, embeddings: tf.Tensor, places: tf.Tensor1D, gradientCheckpointing: boolean): tf.Tensor2D {
  const [R, T, D] = embeddings.shape as [number, number, number]
  const A = places.size / R
  const angles = anglesAt(spec, positionsUpTo(T))
  const maskOf = masksOf<tf.Tensor>(spec, (window) => causalMask(T, window))
  const mask = maskOf(spec.numHiddenLayers - 1)
  const below = lowerStates(spec, weights, embeddings, { angles, maskOf, blocks: spec.numHiddenLayers - 1, gradientCheckpointing }).at(-1)!
  const inRow = tf.sub(places, tf.tensor1d(Int32Array.from({ length: R * A }, (_, i) => Math.floor(i / A) * T), 'int32')) as tf.Tensor1D // (R·A)
  const rowsOf = (table: tf.Tensor) => tf.reshape(tf.gather(tf.reshape(table, [T, -1]), inRow), [R, 1, A, -1]) // (R, 1, A, ·)
  const constants = [angles.cos, angles.signedSin, rowsOf(angles.cos), rowsOf(angles.signedSin), rowsOf(mask), places]
  const run = (held: Weights, input: tf.Tensor, [cos, signedSin, cosThere, signedSinThere, seen, at]: readonly tf.Tensor[]) => {
    const there = tf.reshape(tf.gather(tf.reshape(input, [R * T, D]), at as tf.Tensor1D), [R, A, D])
    const asking = { x: there, angles: { cos: cosThere!, signedSin: signedSinThere! } }
    return decoderBlock(spec, held, input, { cos: cos!, signedSin: signedSin! }, seen!, (key, value) => ({ key, value }), asking).x
  }
  const block = subset(weights, `model.layers.${spec.numHiddenLayers - 1}.`)
  const last = gradientCheckpointing ? checkpointed(run, block, below, constants) : tf.tidy(() => run(block, below, constants)) // (R, A, D)
  return tf.reshape(rmsNorm(weights, 'model.norm', last, spec.rmsNormEps), [R * A, D])
}

/** The embeddings and what each of the first `blocks` blocks makes of them, (R, T, D) each. */
function lowerStates(
  spec: LanguageModelSpec,
  weights: Weights,
  embeddings: tf.Tensor,
  { angles, maskOf, blocks, gradientCheckpointing }: { readonly angles: RotaryAngles; readonly maskOf: (i: number) => tf.Tensor; readonly blocks: number; readonly gradientCheckpointing?: boolean },
): tf.Tensor[] {
  const states = [embeddings]
  const run = (held: Weights, input: tf.Tensor, [cos, signedSin, added]: readonly tf.Tensor[]) =>
    decoderBlock(spec, held, input, { cos: cos!, signedSin: signedSin! }, added!, (key, value) => ({ key, value })).x
  for (let i = 0; i < blocks; i++) {
    const constants = [angles.cos, angles.signedSin, maskOf(i)]
    const block = subset(weights, `model.layers.${i}.`)
    // A block's tidy frees at once what the backward pass does not keep.
    states.push(gradientCheckpointing === true ? checkpointed(run, block, states[i]!, constants) : tf.tidy(() => run(block, states[i]!, constants)))
  }
  return states
}

function positionsUpTo(T: number): tf.Tensor2D {
  return tf.range(0, T, 1, 'int32').reshape([1, T])
}

/**
 * Reads prompts padded on the left. Positions count from each prompt's own first token.
 * @param embeddings  (R, T, D)
 * @param starts      (R) int32: where each prompt begins; what stands before is padding and is not seen
 * @param slots       S ≥ T: how many positions the cache has room for
 * @returns the normed last hidden state (R, D) and the cache; the caller disposes
 */
export function readPrompts(
  spec: LanguageModelSpec,
  weights: Weights,
  embeddings: tf.Tensor,
  starts: tf.Tensor1D,
  slots: number,
): { readonly hidden: tf.Tensor2D; readonly cache: KeyValueCache } {
  const [R, T, D] = embeddings.shape as [number, number, number]
  const at = tf.range(0, T, 1, 'int32') // (T)
  const begin = tf.reshape(starts, [R, 1])
  const positions = tf.maximum(tf.sub(at, begin), 0) as tf.Tensor2D // (R, T)
  const padding = paddingMask(tf.greaterEqual(at, begin) as tf.Tensor2D) // (R, 1, 1, T)
  const { x, cache } = runBlocks(spec, weights, embeddings, anglesAt(spec, positions), masksOf(spec, (window) => tf.add(causalMask(T, window), padding)), (_, key, value) => ({ key, value }))
  const last = tf.slice(x, [0, T - 1, 0], [R, 1, D])
  const room = (each: tf.Tensor) => (slots === T ? each : tf.pad(each, [[0, 0], [0, 0], [0, slots - T], [0, 0]])) // (R, H_kv, S, d)
  return { hidden: tf.reshape(rmsNorm(weights, 'model.norm', last, spec.rmsNormEps), [R, D]), cache: cache.map(room) }
}

/**
 * Reads one further token of each row into the cache: a pure function of tensors at fixed shapes.
 * @param embeddings  (R, 1, D)
 * @param slot        () int32: where it is written, the same in every row; slots after it are empty
 * @param starts      (R) int32, as for the prompts
 * @returns the normed hidden state (R, D) and the next cache; the caller disposes both caches
 */
export function readToken(
  spec: LanguageModelSpec,
  weights: Weights,
  embeddings: tf.Tensor,
  slot: tf.Scalar,
  starts: tf.Tensor1D,
  past: KeyValueCache,
): { readonly hidden: tf.Tensor2D; readonly cache: KeyValueCache } {
  const [R, , D] = embeddings.shape as [number, number, number]
  const S = past[0]!.shape[2]!
  const at = tf.range(0, S, 1, 'int32') // (S)
  const begin = tf.reshape(starts, [R, 1])
  const written = tf.logicalAnd(tf.greaterEqual(at, begin), tf.lessEqual(at, slot)) as tf.Tensor2D // (R, S)
  const seen = (window: number | null) => (window === null ? written : tf.logicalAnd(written, tf.greater(at, tf.sub(slot, window)))) as tf.Tensor2D
  const here = tf.reshape(tf.cast(tf.equal(at, slot), 'float32'), [1, 1, S, 1])
  // An empty slot holds zeros, so that adding writes.
  const write = (held: tf.Tensor, fresh: tf.Tensor) => tf.add(held, tf.mul(fresh, here)) // (R, H_kv, S, d)
  const angles = anglesAt(spec, tf.sub(slot, begin) as tf.Tensor2D)
  const { x, cache } = runBlocks(spec, weights, embeddings, angles, masksOf(spec, (window) => paddingMask(seen(window))), (i, key, value) => ({
    key: write(past[2 * i]!, key),
    value: write(past[2 * i + 1]!, value),
  }))
  return { hidden: tf.reshape(rmsNorm(weights, 'model.norm', x, spec.rmsNormEps), [R, D]), cache }
}

function runBlocks(
  spec: LanguageModelSpec,
  weights: Weights,
  embeddings: tf.Tensor,
  angles: RotaryAngles,
  maskOf: (i: number) => tf.Tensor,
  remember: (layer: number, key: tf.Tensor, value: tf.Tensor) => KeyValue,
): { readonly x: tf.Tensor; readonly cache: KeyValueCache } {
  let x = embeddings
  const cache: tf.Tensor[] = []
  for (let i = 0; i < spec.numHiddenLayers; i++) {
    const before = x
    // Outside the tidy: other blocks use it too.
    const mask = maskOf(i)
    const block = tf.tidy(
      () =>
        decoderBlock(spec, subset(weights, `model.layers.${i}.`), before, angles, mask, (key, value) => remember(i, key, value)) as unknown as tf.TensorContainerObject,
    ) as unknown as ReturnType<typeof decoderBlock>
    if (i > 0) before.dispose()
    x = block.x
    cache.push(block.key, block.value)
  }
  return { x, cache }
}

/** @param hidden (..., D)   @returns logits (..., V) */
export function languageHead(spec: LanguageModelSpec, weights: Weights, hidden: tf.Tensor): tf.Tensor {
  const head = weightOf(weights, spec.tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight')
  return linear({ 'head.weight': head }, 'head', hidden)
}

function anglesAt(spec: LanguageModelSpec, positions: tf.Tensor2D): RotaryAngles {
  return rotaryAngles(positions, headWidth(spec), spec.ropeTheta, spec.ropeScaling)
}

interface KeyValue {
  readonly key: tf.Tensor
  readonly value: tf.Tensor
}

/**
 * @param seen    from the keys and values of these positions (R, H_kv, T, d) to all that are attended to (R, H_kv, S, d)
 * @param asking  the positions whose output is wanted, (R, A, D), where they are not all of x
 */
function decoderBlock(
  spec: LanguageModelSpec,
  weights: Weights,
  x: tf.Tensor,
  angles: RotaryAngles,
  mask: tf.Tensor,
  seen: (key: tf.Tensor, value: tf.Tensor) => KeyValue,
  asking: { readonly x: tf.Tensor; readonly angles: RotaryAngles } | null = null,
): KeyValue & { readonly x: tf.Tensor } {
  const normed = rmsNorm(weights, 'input_layernorm', x, spec.rmsNormEps)
  const { normsQueriesAndKeys } = languageFamily(spec)
  const heads = (name: string, of: tf.Tensor, count: number) => splitHeads(linear(weights, `self_attn.${name}_proj`, of), count)
  const turned = (name: string, of: tf.Tensor, count: number, at: RotaryAngles) => {
    const each = heads(name, of, count)
    return rotate(normsQueriesAndKeys ? rmsNorm(weights, `self_attn.${name}_norm`, each, spec.rmsNormEps) : each, at)
  }
  const { x: from, angles: anglesFrom } = asking ?? { x, angles } // (R, A, D)
  const q = turned('q', asking === null ? normed : rmsNorm(weights, 'input_layernorm', from, spec.rmsNormEps), spec.numAttentionHeads, anglesFrom) // (R, H, A, d)
  const { key, value } = seen(turned('k', normed, spec.numKeyValueHeads, angles), heads('v', normed, spec.numKeyValueHeads)) // (R, H_kv, S, d)
  const attended = addResidual(from, linear(weights, 'self_attn.o_proj', mergeHeads(attention(q, key, value, mask)))) // (R, A, D)
  const inner = rmsNorm(weights, 'post_attention_layernorm', attended, spec.rmsNormEps)
  const product = gated(spec.hiddenAct, linear(weights, 'mlp.gate_proj', inner), linear(weights, 'mlp.up_proj', inner)) // (R, T, 4·D)
  return { x: addResidual(attended, linear(weights, 'mlp.down_proj', product)), key, value }
}
