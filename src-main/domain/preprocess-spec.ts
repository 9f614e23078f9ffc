// The image pipeline as a list of named operations: stored with a run, exported with an encoder, interpreted by one
// function (engine/preprocess/pipeline.ts). An encoder without its preprocessing is unusable.

import { z } from 'zod'
import type { VisionEncoderSpec, VisionFamilyName } from './vision-encoder-spec.ts'

/** EXIF orientation of photographs, and what stands under transparent pixels. The reference processors do neither. */
export const decodingSchema = z.strictObject({
  orientation: z
    .enum(['ignore', 'apply'])
    .default('ignore')
    .meta({ help: 'turn photographs as their EXIF says; boxes and masks of a data set must then be those of the turned picture' }),
  alpha: z.enum(['drop', 'white', 'black']).default('drop').meta({ help: "what shows through transparent pixels: the file's own colours, white, or black" }),
})
export type Decoding = z.output<typeof decodingSchema>

/** Of a run: null reads files as the model that it starts from does. */
export const runDecodingSchema = decodingSchema
  .nullable()
  .default(null)
  .meta({ label: 'Reading of image files', help: 'set: how photographs are turned and what shows through transparent pixels; kept with the checkpoint' })

const triple = z.tuple([z.number(), z.number(), z.number()])

/** Pillow's resampling filters; all but `nearest` are antialiased when an image shrinks. */
export const RESAMPLES = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'] as const
const resample = z.enum(RESAMPLES).default('bicubic')
export type Resample = (typeof RESAMPLES)[number]

export const preprocessOpSchema = z.discriminatedUnion('op', [
  /** How the file is read, where that is not as the reference processors do; comes first. */
  decodingSchema.extend({ op: z.literal('decode') }),
  /** Plain resize to exactly width × height, aspect ratio ignored (SigLIP, and the paper's "square"). */
  z.strictObject({ op: z.literal('resize'), width: z.int().min(1), height: z.int().min(1), resample }),
  /** The shorter side becomes `size`, the longer ⌊size · long / short⌋ (CLIP, DINOv2). */
  z.strictObject({ op: z.literal('resize-shortest-edge'), size: z.int().min(1), resample }),
  /** As large as `maxPatches` patches allow, aspect ratio nearly kept, both sides multiples of `patchSize` (SigLIP 2 NaFlex). */
  z.strictObject({ op: z.literal('resize-to-patches'), patchSize: z.int().min(1), maxPatches: z.int().min(1), resample }),
  /** The middle width × height; black is added around an image that is smaller. */
  z.strictObject({ op: z.literal('center-crop'), width: z.int().min(1), height: z.int().min(1) }),
  /** value × factor, then (value − mean) / std per channel. */
  z.strictObject({ op: z.literal('normalize'), factor: z.number().default(1 / 255), mean: triple, std: triple }),
])
export type PreprocessOp = z.output<typeof preprocessOpSchema>

export const preprocessSpecSchema = z.array(preprocessOpSchema)
export type PreprocessSpec = z.output<typeof preprocessSpecSchema>

/** Each operation with its settings, for a person to read. */
export function preprocessWords(spec: PreprocessSpec): string[] {
  return spec.map((op) => Object.values(op).map(String).join(' '))
}

/** How files are to be read under `spec`. */
export function decodingOf(spec: PreprocessSpec): Decoding {
  const op = spec.find((each) => each.op === 'decode')
  return op === undefined ? decodingSchema.parse({}) : { orientation: op.orientation, alpha: op.alpha }
}

/** The same pipeline with files read as `decoding` says. */
export function withDecoding(spec: PreprocessSpec, decoding: Decoding): PreprocessSpec {
  const rest = spec.filter((each) => each.op !== 'decode')
  return decoding.orientation === 'ignore' && decoding.alpha === 'drop' ? rest : [{ op: 'decode', ...decoding }, ...rest]
}

/**
 * The same pipeline for squares of one size: batches of a training run have one number of patches. What NaFlex resizes to as
 * many patches as fit becomes a plain resize.
 */
export function squareSized(spec: PreprocessSpec, imageSize: number): PreprocessSpec {
  return spec.map((op) => (op.op === 'resize-to-patches' ? { op: 'resize', width: imageSize, height: imageSize, resample: op.resample } : op))
}

/** Mean and spread of the pixels that a family was trained on, where they are not ½ and ½. */
const NORMALIZATIONS: Partial<Record<VisionFamilyName, Readonly<Record<'mean' | 'std', [number, number, number]>>>> = {
  clip: { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] },
  dinov2: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  dinov2_with_registers: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  vit_mae: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
}

/** What a fresh encoder of a family gets: SigLIP's plain resize, with the family's own normalisation. */
export function freshPreprocess({ family, imageSize }: Pick<VisionEncoderSpec, 'family' | 'imageSize'>): PreprocessSpec {
  return siglipPreprocess(imageSize).map((op) => (op.op === 'normalize' ? { ...op, ...NORMALIZATIONS[family] } : op))
}

/** SigLIP's preprocessing: bicubic resize to the input size, values to [-1, 1]. */
export function siglipPreprocess(imageSize: number): PreprocessSpec {
  return [
    { op: 'resize', width: imageSize, height: imageSize, resample: 'bicubic' },
    { op: 'normalize', factor: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  ]
}
