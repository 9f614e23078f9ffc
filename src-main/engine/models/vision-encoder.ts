// A vision encoder of any family (vision/families.ts): patches in, hidden states out. It stops at the block that is asked for:
// blocks above the selected feature layer are neither run nor trained. Dropout is absent: both arms of a study would draw it
// differently.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import { gridOf, numPatches, numPrefixTokens, patchGrid, type Grid, type VisionEncoderSpec } from '../../domain/vision-encoder-spec.ts'
import { checkpointed } from '../nn/checkpointing.ts'
import { subset, type Weights } from '../shapes.ts'
import { familyOf } from './vision/families.ts'
import type { VariableInput, VisionInput } from './vision/family.ts'
import { resizeMatrix } from './vision/positions.ts'

/**
 * Cuts pixels into whole patches, each flattened in the order of a convolution's weight (C, P, P).
 * @param pixels (B, C, height, width)   @returns (B, P, C·patch²), patches row by row
 * @throws LabError 'invalid-input' when the image is smaller than a patch
 */
export function patchify(pixels: tf.Tensor4D, patchSize: number): tf.Tensor3D {
  const [B, C, height, width] = pixels.shape
  const { rows, columns } = gridOf(height, width, patchSize)
  if (rows === 0 || columns === 0)
    throw new LabError('invalid-input', `image of ${width} × ${height} pixels: expected at least one patch of ${patchSize} × ${patchSize}; resize it`)
  const [seenHeight, seenWidth] = [rows * patchSize, columns * patchSize]
  const seen = seenHeight === height && seenWidth === width ? pixels : tf.slice(pixels, [0, 0, 0, 0], [B, C, seenHeight, seenWidth])
  const cells = tf.reshape(seen, [B, C, rows, patchSize, columns, patchSize])
  return tf.reshape(tf.transpose(cells, [0, 2, 4, 1, 3, 5]), [B, rows * columns, C * patchSize * patchSize])
}

export interface VisionOptions {
  readonly gradientCheckpointing?: boolean
  /** Where the image is not the square that the encoder was made for. */
  readonly grid?: Grid
  /** Images of different shapes in one batch (NaFlex). */
  readonly variable?: VariableInput
}

/**
 * The hidden states that Hugging Face calls hidden_states[0 … layers]: the embeddings, then each block's output.
 * @param patches  (B, P, C·patch²)
 * @param layers   how many blocks to run, at most numHiddenLayers
 * @returns layers + 1 tensors (B, N, D): N = prefix tokens (class token, registers) + P
 */
export function visionHiddenStates(
  spec: VisionEncoderSpec,
  weights: Weights,
  patches: tf.Tensor,
  layers: number,
  { gradientCheckpointing = false, grid = patchGrid(spec), variable }: VisionOptions = {},
): tf.Tensor[] {
  const family = familyOf(spec)
  const states = [family.embeddings(spec, weights, visionInput(spec, patches, grid, variable))] // (B, N, D)
  const masks = variable === undefined ? [] : [variable.mask]
  const run = (held: Weights, x: tf.Tensor, [mask]: readonly tf.Tensor[]) => family.block(spec, held, x, mask ?? null)
  for (let i = 0; i < layers; i++) {
    const block = subset(weights, family.blockPrefix(i))
    const x = states[i]!
    states.push(
      gradientCheckpointing
        ? checkpointed(run, block, x, masks)
        : // A block's tidy frees at once what the backward pass does not keep.
          tf.tidy(() => run(block, x, masks)),
    )
  }
  return states
}

/**
 * Where the tokens of each block look.
 * @param states  what `visionHiddenStates` gave, of images without padding   @returns (B, H, N, N) of each block that was run
 */
export function visionAttention(spec: VisionEncoderSpec, weights: Weights, states: readonly tf.Tensor[]): tf.Tensor[] {
  const family = familyOf(spec)
  return states.slice(0, -1).map((x, i) => family.attention(spec, subset(weights, family.blockPrefix(i)), x, null))
}

/** last_hidden_state. @param state the last block's output (B, N, D) */
export function visionLastHiddenState(spec: VisionEncoderSpec, weights: Weights, state: tf.Tensor): tf.Tensor {
  return familyOf(spec).lastHiddenState(spec, weights, state)
}

/** pooler_output; null where the checkpoint has none. @param lastHiddenState (B, N, D) @returns (B, D) */
export function visionPooled(spec: VisionEncoderSpec, weights: Weights, lastHiddenState: tf.Tensor, variable?: VariableInput): tf.Tensor | null {
  return familyOf(spec).pooled(spec, weights, lastHiddenState, variable?.mask ?? null)
}

/** Without the class token and registers. @param states (B, N, D) of `grid` @returns (B, P, D) */
export function patchStates(spec: VisionEncoderSpec, states: tf.Tensor): tf.Tensor {
  return withoutFirst(states, numPrefixTokens(spec))
}

/** Drops the first `count` tokens. @param states (B, N, D) */
export function withoutFirst(states: tf.Tensor, count: number): tf.Tensor {
  const [B, N, D] = states.shape as [number, number, number]
  return count === 0 ? states : tf.slice(states, [0, count, 0], [B, N - count, D])
}

/** A scores' summand that leaves nothing of a softmax, and is finite: −∞ in a row of nothing else would make NaN. */
const MASKED = -1e30

/**
 * What NaFlex is told about images of `grids`, each padded to `patches` patches. The caller disposes.
 * @throws LabError 'invalid-input' when an image has more patches than that
 */
export function variableInput(spec: VisionEncoderSpec, grids: readonly Grid[], patches: number): VariableInput {
  const [B, positions] = [grids.length, numPatches(spec)]
  const mask = new Float32Array(B * patches)
  const resize = new Float32Array(B * patches * positions)
  const { interpolation } = familyOf(spec)
  grids.forEach((grid, b) => {
    const count = grid.rows * grid.columns
    if (count > patches)
      throw new LabError('invalid-input', `image ${b}: expected at most ${patches} patches, found ${grid.rows} × ${grid.columns} = ${count}; resize it to fewer`)
    mask.fill(MASKED, b * patches + count, (b + 1) * patches)
    const weights = resizeMatrix(patchGrid(spec).rows, grid, interpolation)
    resize.set(weights, b * patches * positions)
    // Padding has the position of the image's first patch, as in the reference; nothing but its own state sees it.
    for (let p = count; p < patches; p++) resize.set(weights.subarray(0, positions), (b * patches + p) * positions)
  })
  return { mask: tf.tensor4d(mask, [B, 1, 1, patches]), resize: tf.tensor3d(resize, [B, patches, positions]) }
}

function visionInput(spec: VisionEncoderSpec, patches: tf.Tensor, grid: Grid, variable: VariableInput | undefined): VisionInput {
  if (variable !== undefined && spec.family !== 'siglip2')
    throw new LabError('invalid-input', `${spec.family}: expected images of one shape; only siglip2 (NaFlex) takes padded batches of several`)
  if (variable === undefined && patches.shape[1] !== grid.rows * grid.columns)
    throw new LabError(
      'invalid-input',
      `patches: expected ${grid.rows} × ${grid.columns} = ${grid.rows * grid.columns} an image, found ${patches.shape[1]}; ` +
        `an encoder of ${spec.imageSize} pixels in patches of ${spec.patchSize} needs images of that size, or the grid of theirs`,
    )
  return { patches, grid, variable: variable ?? null }
}
