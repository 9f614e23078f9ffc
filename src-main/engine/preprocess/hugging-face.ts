// Hugging Face's preprocessor_config.json to a PreprocessSpec and back: what an imported encoder expects, and what goes
// beside an exported one. Options that would change pixels and are not interpreted here are refused, never ignored.
// Defaults of absent keys are those of the processor class in transformers.

import { z } from 'zod'
import { LabError } from '../../domain/errors.ts'
import { parse } from '../../domain/parse.ts'
import { decodingSchema, type PreprocessOp, type PreprocessSpec, type Resample } from '../../domain/preprocess-spec.ts'

/** Pillow's numbers of its filters. */
const RESAMPLE_BY_NUMBER: readonly Resample[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming']

type Triple = [number, number, number]
const CLIP_MEAN: Triple = [0.48145466, 0.4578275, 0.40821073]
const CLIP_STD: Triple = [0.26862954, 0.26130258, 0.27577711]
const HALF: Triple = [0.5, 0.5, 0.5]

interface Defaults {
  readonly size: number
  /** What a bare number as `size` means. */
  readonly bareSize: 'square' | 'shortest edge'
  readonly resample: number
  readonly centerCrop: boolean
  readonly mean: Triple
  readonly std: Triple
}

const CLIP: Defaults = { size: 224, bareSize: 'shortest edge', resample: 3, centerCrop: true, mean: CLIP_MEAN, std: CLIP_STD }
const SIGLIP: Defaults = { size: 224, bareSize: 'square', resample: 3, centerCrop: false, mean: HALF, std: HALF }
const VIT: Defaults = { size: 224, bareSize: 'square', resample: 2, centerCrop: false, mean: HALF, std: HALF }

/** By the class name without "ImageProcessor", "FeatureExtractor" and what follows ("Fast", "Pil"). */
const DEFAULTS: Readonly<Record<string, Defaults>> = {
  CLIP,
  Bit: CLIP,
  Siglip: SIGLIP,
  Siglip2: { ...SIGLIP, resample: 2 },
  ViT: VIT,
  DeiT: { ...VIT, resample: 3 },
  Llava: CLIP,
  // In its single-image form: the whole picture, resized. Its padding is of the views of larger pictures.
  LlavaOnevision: { ...SIGLIP, size: 384, mean: CLIP_MEAN, std: CLIP_STD },
}
/** Where a switch of the same name means something else, and changes no pixel of the single-image form. */
const HARMLESS: Readonly<Record<string, readonly string[]>> = { LlavaOnevision: ['do_pad'] }

const side = z.int().min(1)
/** Strict: another key beside these (longest_edge) would change the size. */
const size = z.union([side, z.strictObject({ height: side, width: side }), z.strictObject({ shortest_edge: side })])
const triple = z.union([z.tuple([z.number(), z.number(), z.number()]), z.number().transform((each): Triple => [each, each, each])])
const configSchema = z.looseObject({
  image_processor_type: z.string().optional(),
  feature_extractor_type: z.string().optional(),
  size: size.optional(),
  crop_size: size.optional(),
  resample: z.int().min(0).max(5).nullish(),
  do_resize: z.boolean().nullish(),
  do_center_crop: z.boolean().nullish(),
  do_rescale: z.boolean().nullish(),
  do_normalize: z.boolean().nullish(),
  rescale_factor: z.number().nullish(),
  image_mean: triple.nullish(),
  image_std: triple.nullish(),
  patch_size: z.int().min(1).nullish(),
  max_num_patches: z.int().min(1).nullish(),
  /** The lab's own: what the reference processors have no key for, and pass over. */
  lab_decoding: decodingSchema.optional(),
})

/** Switches that change pixels and that no operation of ours stands for. */
const UNSUPPORTED = [
  'do_pad',
  'do_thumbnail',
  'do_align_long_axis',
  'do_crop_margin',
  'do_image_splitting',
  'do_reduce_labels',
  'do_flip_channel_order',
]

/**
 * The operations that a processor with this configuration performs.
 * @throws LabError 'invalid-input' naming the key, what it may be and what it is
 */
export function specFromHuggingFace(config: unknown, where = 'preprocessor_config.json'): PreprocessSpec {
  const given = parse(configSchema, config, 'invalid-input', where)
  const name = given.image_processor_type ?? given.feature_extractor_type ?? 'CLIPImageProcessor'
  const family = name.replace(/(ImageProcessor|FeatureExtractor).*$/, '')
  for (const key of UNSUPPORTED)
    if (given[key] === true && !(HARMLESS[family] ?? []).includes(key))
      throw new LabError(
        'invalid-input',
        `${where}: ${key}: expected false or absent, got true; this processing is not supported`,
        { key },
      )
  const defaults = DEFAULTS[family]
  if (defaults === undefined)
    throw new LabError(
      'invalid-input',
      `${where}: image_processor_type: expected the processor of ${Object.keys(DEFAULTS).join(', ')}, got "${name}"`,
      { key: 'image_processor_type' },
    )
  const resample = RESAMPLE_BY_NUMBER[given.resample ?? defaults.resample]!
  const spec: PreprocessOp[] = given.lab_decoding === undefined ? [] : [{ op: 'decode', ...given.lab_decoding }]
  if (given.do_resize ?? true)
    spec.push(
      family === 'Siglip2'
        ? { op: 'resize-to-patches', patchSize: given.patch_size ?? 16, maxPatches: given.max_num_patches ?? 256, resample }
        : resizeOp(given.size ?? defaults.size, defaults.bareSize, resample),
    )
  if (given.do_center_crop ?? defaults.centerCrop) spec.push(cropOp(given.crop_size ?? defaults.size))
  const normalizes = given.do_normalize ?? true
  spec.push({
    op: 'normalize',
    factor: (given.do_rescale ?? true) ? (given.rescale_factor ?? 1 / 255) : 1,
    mean: normalizes ? (given.image_mean ?? defaults.mean) : [0, 0, 0],
    std: normalizes ? (given.image_std ?? defaults.std) : [1, 1, 1],
  })
  return spec
}

/**
 * The preprocessor_config.json that makes transformers do what `spec` says.
 * @throws LabError 'invalid-input' when no single processor does these operations in this order
 */
export function specToHuggingFace(spec: PreprocessSpec): Record<string, unknown> {
  const decode = spec.find((op) => op.op === 'decode')
  const order = spec.map((op) => op.op).join(' ')
  if (!/^(decode)?( ?(resize|resize-shortest-edge))?( ?center-crop)?( ?normalize)?$|^(decode )?resize-to-patches( normalize)?$/.test(order))
    throw new LabError(
      'invalid-input',
      `preprocess: expected resize, center-crop, normalize in this order to export, got: ${order}`,
    )
  const budget = spec.find((op) => op.op === 'resize-to-patches')
  const resize = spec.find((op) => op.op === 'resize' || op.op === 'resize-shortest-edge')
  const crop = spec.find((op) => op.op === 'center-crop')
  const normalize = spec.find((op) => op.op === 'normalize')
  // Both classes do the same with every switch written out; the name follows the family that usually has these operations.
  const plain = crop === undefined && resize?.op !== 'resize-shortest-edge'
  return {
    image_processor_type: budget !== undefined ? 'Siglip2ImageProcessor' : plain ? 'SiglipImageProcessor' : 'CLIPImageProcessor',
    do_convert_rgb: true,
    ...(decode && { lab_decoding: { orientation: decode.orientation, alpha: decode.alpha } }),
    do_resize: resize !== undefined || budget !== undefined,
    ...(budget && { patch_size: budget.patchSize, max_num_patches: budget.maxPatches, resample: RESAMPLE_BY_NUMBER.indexOf(budget.resample) }),
    ...(resize && {
      size: resize.op === 'resize' ? { height: resize.height, width: resize.width } : { shortest_edge: resize.size },
      resample: RESAMPLE_BY_NUMBER.indexOf(resize.resample),
    }),
    ...(!plain && { do_center_crop: crop !== undefined }),
    ...(crop && { crop_size: { height: crop.height, width: crop.width } }),
    do_rescale: normalize !== undefined && normalize.factor !== 1,
    ...(normalize && { rescale_factor: normalize.factor }),
    do_normalize: normalize !== undefined,
    ...(normalize && { image_mean: normalize.mean, image_std: normalize.std }),
  }
}

function resizeOp(given: z.output<typeof size>, bare: Defaults['bareSize'], resample: Resample): PreprocessOp {
  if (typeof given === 'number')
    return bare === 'square'
      ? { op: 'resize', width: given, height: given, resample }
      : { op: 'resize-shortest-edge', size: given, resample }
  return 'shortest_edge' in given
    ? { op: 'resize-shortest-edge', size: given.shortest_edge, resample }
    : { op: 'resize', width: given.width, height: given.height, resample }
}

function cropOp(given: z.output<typeof size>): PreprocessOp {
  if (typeof given === 'number') return { op: 'center-crop', width: given, height: given }
  return 'shortest_edge' in given
    ? { op: 'center-crop', width: given.shortest_edge, height: given.shortest_edge }
    : { op: 'center-crop', width: given.width, height: given.height }
}
