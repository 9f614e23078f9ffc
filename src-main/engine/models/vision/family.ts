// What a family of vision encoders is to the rest of the lab: how its folders read, which weights it has, what it computes.
// One file a family writes one such value; families.ts lists them. Everything here is a plain function of its arguments.
//
// Two spaces of names: a weight's local name is the one that published checkpoints have behind their prefix
// (`encoder.layer.0.norm1.weight`); later releases of transformers renamed some, and `renames` leads those back.

import type * as tf from '@tensorflow/tfjs'
import type { Grid, VisionEncoderSpec } from '../../../domain/vision-encoder-spec.ts'
import type { Weights } from '../../shapes.ts'
import type { Layout } from '../../weights/layout.ts'

/** What config.json holds. */
export type Json = Readonly<Record<string, unknown>>

/** Images as an encoder takes them. B images, P patches each. */
export interface VisionInput {
  /** (B, P, C·patch²): each patch flattened in the order of a convolution's weight (C, patch, patch). */
  readonly patches: tf.Tensor
  /** Rows and columns of patches, all images alike; positions are interpolated to it. */
  readonly grid: Grid
  /** Images of different shapes, padded to P patches (NaFlex); null: none is padded. */
  readonly variable: VariableInput | null
}

/** What tells padded images apart. Computed outside the step, so that a recorded step serves every shape. */
export interface VariableInput {
  /** (B, 1, 1, P): 0 where a patch is, −1e30 where padding is; added to attention scores. */
  readonly mask: tf.Tensor
  /** (B, P, positions): rows of weights that resize the table of positions to each image. */
  readonly resize: tf.Tensor
}

/** How the table of positions follows another image size (torch.nn.functional.interpolate, align_corners=False). */
export interface PositionInterpolation {
  readonly filter: 'bicubic' | 'bilinear'
  readonly antialias: boolean
}

export interface VisionFamily<Spec extends VisionEncoderSpec = VisionEncoderSpec> {
  readonly family: Spec['family']
  /** `model_type` in a config.json that this family reads. */
  readonly modelTypes: readonly string[]
  /** The schema's input from a config.json, absent keys at the architecture's defaults. Unknown activations are the schema's to refuse. */
  spec(config: Json): Readonly<Record<string, unknown>>
  /** The config.json that loads with AutoModel. */
  config(spec: Spec): Json
  /** The encoder's first `layers` blocks and no pooled output. */
  truncated(spec: Spec, layers: number): Spec
  layout(spec: Spec): Layout
  /** What stands before local names in a file that holds the encoder alone. */
  readonly filePrefix: string
  /** Names of later releases to local ones, applied one after the other. */
  readonly renames: readonly (readonly [RegExp, string])[]
  /** Layers that later releases keep as two and this one as one, the first on top. */
  readonly joins: readonly { readonly parts: readonly [string, string]; readonly whole: string }[]
  readonly interpolation: PositionInterpolation
  /** hidden_states[0]. @returns (B, N, D): prefix tokens, then patches */
  embeddings(spec: Spec, weights: Weights, input: VisionInput): tf.Tensor
  /** What stands before the names of block i. */
  blockPrefix(i: number): string
  /** One transformer block. @param weights of this block @param x (B, N, D) @param mask added to the scores @returns (B, N, D) */
  block(spec: Spec, weights: Weights, x: tf.Tensor, mask: tf.Tensor | null): tf.Tensor
  /** The attention inside that block. @returns (B, H, N, N), every row sums to one */
  attention(spec: Spec, weights: Weights, x: tf.Tensor, mask: tf.Tensor | null): tf.Tensor
  /** last_hidden_state. @param state the last block's output (B, N, D) */
  lastHiddenState(spec: Spec, weights: Weights, state: tf.Tensor): tf.Tensor
  /** pooler_output (B, D); null: this checkpoint has none. @param lastHiddenState (B, N, D) */
  pooled(spec: Spec, weights: Weights, lastHiddenState: tf.Tensor, mask: tf.Tensor | null): tf.Tensor | null
}
