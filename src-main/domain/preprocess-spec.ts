// The image pipeline as a list of named operations: stored with a run, exported with an encoder, interpreted by one
// function (engine/preprocess/pipeline.ts). An encoder without its preprocessing is unusable.

import { z } from 'zod'

const triple = z.tuple([z.number(), z.number(), z.number()])

/** Pillow's resampling filters; all but `nearest` are antialiased when an image shrinks. */
export const RESAMPLES = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'] as const
const resample = z.enum(RESAMPLES).default('bicubic')
export type Resample = (typeof RESAMPLES)[number]

export const preprocessOpSchema = z.discriminatedUnion('op', [
  /** Plain resize to exactly width × height, aspect ratio ignored (SigLIP, and the paper's "square"). */
  z.strictObject({ op: z.literal('resize'), width: z.int().min(1), height: z.int().min(1), resample }),
  /** The shorter side becomes `size`, the longer ⌊size · long / short⌋ (CLIP, DINOv2). */
  z.strictObject({ op: z.literal('resize-shortest-edge'), size: z.int().min(1), resample }),
  /** The middle width × height; black is added around an image that is smaller. */
  z.strictObject({ op: z.literal('center-crop'), width: z.int().min(1), height: z.int().min(1) }),
  /** value × factor, then (value − mean) / std per channel. */
  z.strictObject({ op: z.literal('normalize'), factor: z.number().default(1 / 255), mean: triple, std: triple }),
])
export type PreprocessOp = z.output<typeof preprocessOpSchema>

export const preprocessSpecSchema = z.array(preprocessOpSchema)
export type PreprocessSpec = z.output<typeof preprocessSpecSchema>

/** SigLIP's preprocessing: bicubic resize to the input size, values to [-1, 1]. */
export function siglipPreprocess(imageSize: number): PreprocessSpec {
  return [
    { op: 'resize', width: imageSize, height: imageSize, resample: 'bicubic' },
    { op: 'normalize', factor: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  ]
}
