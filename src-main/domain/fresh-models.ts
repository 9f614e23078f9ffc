// Models of several sizes for a sweep, each from random weights and through the stages that come before the arms: which of two
// objectives teaches an encoder more may hang on how large encoder and language model are (arXiv 2510.16333, figure 6). Width and
// depth are varied; heads keep their width, and MLPs their width in widths of the model.

import { z } from 'zod'
import { LabError } from './errors.ts'
import { headWidth, multimodalLmSpecSchema, type LanguageModelSpec, type MultimodalLmSpec } from './model-spec.ts'
import { runDecodingSchema } from './preprocess-spec.ts'
import { trainingSchema } from './run-config.ts'
import type { VisionEncoderSpec } from './vision-encoder-spec.ts'

export const modelSizeSchema = z.strictObject({ hiddenSize: z.int().min(1), numHiddenLayers: z.int().min(1) })
export type ModelSize = z.output<typeof modelSizeSchema>
const sizes = z.array(modelSizeSchema).min(1).max(16).nullable().default(null)

export const freshModelsSchema = z.strictObject({
  /** Whatever is not varied. */
  model: multimodalLmSpecSchema,
  images: runDecodingSchema,
  /** null: the size of `model`. */
  visionEncoders: sizes,
  languageModels: sizes,
  /** As of a study: what each model learns before the arms part. */
  stages: z.strictObject({
    language: trainingSchema.nullable().default(null),
    pretraining: trainingSchema.nullable().default(null),
    alignment: trainingSchema,
    instruction: trainingSchema,
  }),
  data: z.strictObject({ texts: z.string().nullable().default(null), captions: z.string(), instructions: z.string() }),
})
export type FreshModels = z.output<typeof freshModelsSchema>

/** In the order in which they are trained. */
export const FRESH_STAGES = [
  ['language', 'texts'],
  ['pretraining', 'captions'],
  ['alignment', 'captions'],
  ['instruction', 'instructions'],
] as const

export interface FreshModel {
  /** "encoder 128×4, language model 192×4": width × blocks; unique. */
  readonly label: string
  readonly spec: MultimodalLmSpec
}

/** Every size of encoder with every size of language model. @throws LabError 'invalid-input' naming a width that its heads do not divide */
export function freshModels({ model, visionEncoders, languageModels }: Pick<FreshModels, 'model' | 'visionEncoders' | 'languageModels'>): readonly FreshModel[] {
  return (visionEncoders ?? [model.visionEncoder]).flatMap((encoderSize) =>
    (languageModels ?? [model.languageModel]).map((languageSize): FreshModel => {
      const spec = { ...model, visionEncoder: sizedEncoder(model.visionEncoder, encoderSize), languageModel: sizedLanguageModel(model.languageModel, languageSize) }
      return { label: `encoder ${sizeText(encoderSize)}, language model ${sizeText(languageSize)}`, spec: checked(spec) }
    }),
  )
}

export const sizeText = ({ hiddenSize, numHiddenLayers }: ModelSize): string => `${hiddenSize}×${numHiddenLayers}`

function sizedEncoder(base: VisionEncoderSpec, { hiddenSize, numHiddenLayers }: ModelSize): VisionEncoderSpec {
  const numAttentionHeads = headsOf(hiddenSize, base.hiddenSize / base.numAttentionHeads, 'visionEncoders')
  const mlp = 'intermediateSize' in base ? { intermediateSize: Math.round((base.intermediateSize * hiddenSize) / base.hiddenSize) } : {}
  return { ...base, hiddenSize, numHiddenLayers, numAttentionHeads, ...mlp }
}

function sizedLanguageModel(base: LanguageModelSpec, { hiddenSize, numHiddenLayers }: ModelSize): LanguageModelSpec {
  const numAttentionHeads = headsOf(hiddenSize, headWidth(base), 'languageModels')
  const most = Math.max(1, Math.floor((numAttentionHeads * base.numKeyValueHeads) / base.numAttentionHeads))
  // As many query heads a key/value head as before, or the next number that divides them.
  const numKeyValueHeads = Array.from({ length: most }, (_, i) => most - i).find((heads) => numAttentionHeads % heads === 0)!
  return { ...base, hiddenSize, numHiddenLayers, numAttentionHeads, numKeyValueHeads, intermediateSize: Math.round((base.intermediateSize * hiddenSize) / base.hiddenSize) }
}

function headsOf(hiddenSize: number, width: number, field: string): number {
  if (hiddenSize % width !== 0)
    throw new LabError('invalid-input', `fresh.${field}: expected widths that heads of ${width} divide, found ${hiddenSize}; choose a multiple of ${width}`, { path: ['settings', 'fresh', field] })
  return hiddenSize / width
}

function checked(spec: MultimodalLmSpec): MultimodalLmSpec {
  const found = multimodalLmSpecSchema.safeParse(spec)
  if (found.success) return found.data
  const { path, message } = found.error.issues[0]!
  throw new LabError('invalid-input', `fresh: no model of encoder ${sizeText(spec.visionEncoder)} and language model ${sizeText(spec.languageModel)} can be made: ${path.join('.')} ${message}`, { path: ['settings', 'fresh'] })
}
