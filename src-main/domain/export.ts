// What an encoder can be written as, and how whoever gets it loads it: one declaration for the command line, the window and
// the model card.

import { z } from 'zod'

export const EXPORT_FORMATS = ['hf', 'onnx', 'tfjs', 'timm', 'open_clip'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

export const EXPORT_DTYPES = ['float32', 'float16', 'bfloat16'] as const
export type ExportDtype = (typeof EXPORT_DTYPES)[number]

export const EXPORT_PARTS = ['vision-encoder', 'multimodal-lm'] as const
export type ExportPart = (typeof EXPORT_PARTS)[number]

/** What is asked of an export, beside the checkpoint and the folder. */
export const exportSettingsSchema = z.strictObject({
  part: z.enum(EXPORT_PARTS).default('vision-encoder').meta({ label: 'What', help: 'the vision encoder alone, or the whole multimodal model' }),
  format: z.enum(EXPORT_FORMATS).default('hf').meta({ label: 'Format', help: 'which library reads it' }),
  dtype: z
    .enum(EXPORT_DTYPES)
    .default('float32')
    .meta({ label: 'Number type', help: 'float32 is bit-equal to the checkpoint; two-byte types halve the files and round to nearest even' }),
  projectorLayers: z
    .union([z.literal(0), z.literal(1), z.literal(2)])
    .default(0)
    .meta({ label: 'Projector layers', help: 'linear layers of the projector that go along: 0 features of the encoder, 2 what the language model sees' }),
})
export type ExportSettings = z.output<typeof exportSettingsSchema>

/** What a format is, in the words of buttons and help. */
export const FORMAT_WORDS: Readonly<Record<ExportFormat, { readonly label: string; readonly help: string }>> = {
  hf: { label: 'Hugging Face', help: 'a folder for AutoModel and AutoImageProcessor' },
  onnx: { label: 'ONNX', help: 'a graph for ONNX Runtime, TensorRT, OpenVINO' },
  tfjs: { label: 'TensorFlow.js', help: 'a graph for browsers and Node' },
  timm: { label: 'timm', help: 'a vision transformer for timm.create_model' },
  open_clip: { label: 'OpenCLIP', help: 'the image tower of open_clip; CLIP encoders only' },
}

/** What a request may not combine. @returns the fault in words; null: it can be written */
export function exportFault({ part, format, dtype, projectorLayers }: ExportSettings): string | null {
  if (part === 'multimodal-lm' && format !== 'hf')
    return `format: the whole multimodal model is written as hf only, found ${format}; choose hf, or the vision encoder`
  if (part === 'multimodal-lm' && projectorLayers !== 0)
    return `projectorLayers: the whole multimodal model has its projector in it, found ${projectorLayers}; leave it at 0`
  if (format === 'tfjs' && dtype === 'bfloat16')
    return 'dtype: a TensorFlow.js model holds float32 or float16, found bfloat16; choose one of these'
  if ((format === 'timm' || format === 'open_clip') && projectorLayers !== 0)
    return `projectorLayers: ${format} has no place for a projector, found ${projectorLayers}; choose 0, or the format hf, onnx or tfjs`
  return null
}

/** The lines that load an export. `folder` is as a person would type it. */
export function loadingLines({ part, format, projectorLayers }: ExportSettings, folder: string): readonly string[] {
  const path = JSON.stringify(folder)
  if (part === 'multimodal-lm')
    return [
      'from transformers import AutoModelForImageTextToText',
      `model = AutoModelForImageTextToText.from_pretrained(${path})`,
    ]
  switch (format) {
    case 'hf':
      return [
        'from transformers import AutoImageProcessor, AutoModel',
        `encoder = AutoModel.from_pretrained(${path}).eval(); processor = AutoImageProcessor.from_pretrained(${path})`,
      ]
    case 'onnx':
      return [
        'import onnxruntime',
        `features = onnxruntime.InferenceSession(${JSON.stringify(`${folder}/model.onnx`)}).run(["${projectorLayers === 0 ? 'features' : 'projected'}"], {"pixel_values": pixels})[0]`,
      ]
    case 'tfjs':
      return ["import * as tf from '@tensorflow/tfjs'", `const encoder = await tf.loadGraphModel(${JSON.stringify(`${folder}/model.json`)})`]
    case 'timm':
      return ['import timm', `encoder = timm.create_model(${JSON.stringify(`local-dir:${folder}`)}, pretrained=True).eval()`]
    case 'open_clip':
      // The image tower alone: open_clip's own loader wants a text tower too.
      return [
        'import json, open_clip',
        'from safetensors.torch import load_file',
        `config = json.load(open(${JSON.stringify(`${folder}/open_clip_config.json`)}))["model_cfg"]`,
        'encoder = open_clip.model._build_vision_tower(**config).eval()',
        `encoder.load_state_dict({name.removeprefix("visual."): tensor for name, tensor in load_file(${JSON.stringify(`${folder}/open_clip_model.safetensors`)}).items()})`,
      ]
  }
}

/** How near what was written came to the checkpoint's own features. */
export const verificationSchema = z.strictObject({
  /** What ran it: "onnxruntime 1.30.0"; null: nothing could, the export is not verified. */
  by: z.string().nullable(),
  /** Batch sizes that were run. */
  batches: z.array(z.int().min(1)),
  /** Largest ‖written − own‖ / ‖own‖ over outputs and batches; 0: bit for bit. */
  difference: z.number().min(0).nullable(),
  /** The largest that is let through. */
  tolerance: z.number().min(0),
})
export type Verification = z.output<typeof verificationSchema>

export function verificationWords({ by, batches, difference, tolerance }: Verification): string {
  if (by === null) return 'not verified: onnxruntime-node is not installed on this machine'
  // No features were run: the numbers are the checkpoint's, under other names or in another type.
  if (batches.length === 0) return `verified by ${by}: the weights are as they were meant; no features were run`
  if (difference === 0) return `verified by ${by}: features equal, bit for bit`
  return `verified by ${by} on batches of ${batches.join(' and ')}: features differ by ${difference!.toExponential(1)} (relative; ${tolerance} is let through)`
}

/** An export as it lies on the disk, after every file was compared with the manifest. */
export const exportCheckSchema = z.strictObject({
  folder: z.string(),
  kind: z.enum(EXPORT_PARTS),
  settings: exportSettingsSchema,
  files: z.int(),
  bytes: z.number(),
  /** Of the manifest, which holds the hash of every other file: the export's identity. */
  sha256: z.string(),
})
export type ExportCheck = z.output<typeof exportCheckSchema>

/** From the run's record, for the model card: what the checkpoint itself does not know. */
export const exportRecordSchema = z.strictObject({
  run: z.string(),
  study: z.string().nullable(),
  /** Names of data by role, with the SHA-256 of each snapshot. */
  data: z.array(z.strictObject({ role: z.string(), name: z.string(), sha256: z.string() })),
  /** Measured on this encoder; limits of the interval where there is one. */
  results: z.array(
    z.strictObject({ label: z.string(), value: z.string(), interval: z.string().nullable(), n: z.int(), basis: z.string() }),
  ),
})
export type ExportRecord = z.output<typeof exportRecordSchema>
