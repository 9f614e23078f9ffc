// Pictures as a case records them: pixels (B, C, H, W), or the padded patches of NaFlex with their mask and shapes.

import * as tf from '@tensorflow/tfjs'
import { gridOf, type VisionEncoderSpec } from '../../domain/vision-encoder-spec.ts'
import { patchify, variableInput, type VisionOptions } from '../../engine/models/vision-encoder.ts'
import type { CaseTensors } from './case-files.ts'

export interface RecordedImages {
  /** @param pixels of the recorded shape @returns (B, P, C·patch²) */
  patches(pixels: tf.Tensor): tf.Tensor
  /** How the encoder is to look at them. */
  readonly options: VisionOptions
}

/** The pictures recorded under `prefix`. */
export function imagesOf(spec: VisionEncoderSpec, recorded: CaseTensors, prefix: string): RecordedImages {
  const { shape } = recorded.get(`${prefix}pixel_values`)
  if (shape.length === 4) {
    const grid = gridOf(shape[2]!, shape[3]!, spec.patchSize)
    return { patches: (pixels) => patchify(pixels as tf.Tensor4D, spec.patchSize), options: { grid } }
  }
  const [B, P] = shape as [number, number]
  const { patchSize, numChannels } = spec
  const sides = recorded.get(`${prefix}spatial_shapes`).values
  const grids = Array.from({ length: B }, (_, b) => ({ rows: sides[2 * b]!, columns: sides[2 * b + 1]! }))
  return {
    // The processor flattens a patch as (y, x, channel), the lab as (channel, y, x).
    patches: (pixels) => tf.reshape(tf.transpose(tf.reshape(pixels, [B * P, patchSize, patchSize, numChannels]), [0, 3, 1, 2]), [B, P, -1]),
    options: { variable: variableInput(spec, grids, P) },
  }
}
