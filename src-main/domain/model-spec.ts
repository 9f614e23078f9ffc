// The shapes of the three parts of a multimodal language model. Keys are Hugging Face's config keys in camelCase, so
// that an exported config.json is a renaming and not a translation. Sizes only: weights are files.

import { z } from 'zod'

const size = (help: string, min = 1) => z.int().min(min).meta({ help })

/** SigLIP's layout (arXiv 2303.15343): no class token, learned positions, tanh-GELU, pre-norm, final layer norm. */
export const visionEncoderSpecSchema = z
  .strictObject({
    family: z.literal('siglip').default('siglip'),
    imageSize: size('side of the square input, pixels').default(64),
    patchSize: size('side of a patch, pixels; must divide imageSize').default(8),
    numChannels: z.literal(3).default(3),
    hiddenSize: size('width of the encoder').default(128),
    intermediateSize: size('width inside each MLP').default(512),
    numHiddenLayers: size('transformer blocks').default(4),
    numAttentionHeads: size('heads per block; must divide hiddenSize').default(4),
    layerNormEps: z.number().positive().default(1e-6),
    hiddenAct: z.literal('gelu_pytorch_tanh').default('gelu_pytorch_tanh'),
    visionUseHead: z.boolean().default(false).meta({ help: "SigLIP's attention-pooling head" }),
  })
  .refine((spec) => spec.imageSize % spec.patchSize === 0, { path: ['patchSize'], message: 'must divide imageSize' })
  .refine((spec) => spec.hiddenSize % spec.numAttentionHeads === 0, { path: ['numAttentionHeads'], message: 'must divide hiddenSize' })
export type VisionEncoderSpec = z.output<typeof visionEncoderSpecSchema>

/** LLaVA's mlp2x_gelu: Linear(vision width → language width), exact GELU, Linear(language width → language width). */
export const projectorSpecSchema = z.strictObject({ hiddenAct: z.literal('gelu').default('gelu') })
export type ProjectorSpec = z.output<typeof projectorSpecSchema>

/** Qwen2 (arXiv 2407.10671): RMSNorm, rotary positions, grouped-query attention with biases on q, k, v, SwiGLU. */
export const languageModelSpecSchema = z
  .strictObject({
    family: z.literal('qwen2').default('qwen2'),
    vocabSize: size('tokens, the image placeholder included').default(512),
    hiddenSize: size('width of the language model').default(192),
    intermediateSize: size('width inside each MLP').default(512),
    numHiddenLayers: size('transformer blocks').default(4),
    numAttentionHeads: size('query heads; must divide hiddenSize').default(6),
    numKeyValueHeads: size('key/value heads; must divide numAttentionHeads').default(2),
    rmsNormEps: z.number().positive().default(1e-6),
    ropeTheta: z.number().positive().default(10000),
    tieWordEmbeddings: z.boolean().default(true),
    maxPositionEmbeddings: size('longest sequence, tokens').default(1024),
  })
  .refine((spec) => spec.hiddenSize % spec.numAttentionHeads === 0, { path: ['numAttentionHeads'], message: 'must divide hiddenSize' })
  .refine((spec) => (spec.hiddenSize / spec.numAttentionHeads) % 2 === 0, {
    path: ['numAttentionHeads'],
    message: 'the width of a head must be even (rotary positions turn pairs)',
  })
  .refine((spec) => spec.numAttentionHeads % spec.numKeyValueHeads === 0, {
    path: ['numKeyValueHeads'],
    message: 'must divide numAttentionHeads',
  })
export type LanguageModelSpec = z.output<typeof languageModelSpecSchema>

export const multimodalLmSpecSchema = z
  .strictObject({
    visionEncoder: visionEncoderSpecSchema.prefault({}),
    projector: projectorSpecSchema.prefault({}),
    languageModel: languageModelSpecSchema.prefault({}),
    /** Which hidden state feeds the projector: -1 the last block's output, -2 the penultimate (LLaVA, and the paper). */
    visionFeatureLayer: z.int().max(-1).default(-2),
  })
  .refine((spec) => -spec.visionFeatureLayer <= spec.visionEncoder.numHiddenLayers, {
    path: ['visionFeatureLayer'],
    message: 'reaches below the first block of the vision encoder',
  })
export type MultimodalLmSpec = z.output<typeof multimodalLmSpecSchema>

export const MODULES = ['visionEncoder', 'projector', 'languageModel'] as const
export type Module = (typeof MODULES)[number]

/** Patches of an image = image tokens after the projector. */
export function numImageTokens(spec: VisionEncoderSpec): number {
  return (spec.imageSize / spec.patchSize) ** 2
}
