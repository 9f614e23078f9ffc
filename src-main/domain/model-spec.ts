// The shapes of the three parts of a multimodal language model. Keys are Hugging Face's config keys in camelCase, so
// that an exported config.json is a renaming and not a translation. Sizes only: weights are files.

import { z } from 'zod'
import { ACTIVATIONS, LARGEST_SIZE, MOST_LAYERS, numPatches, numPrefixTokens, visionEncoderSpecSchema } from './vision-encoder-spec.ts'

const size = (help: string, min = 1) => z.int().min(min).max(LARGEST_SIZE).meta({ help })

/** LLaVA's mlp2x_gelu: Linear(vision width → language width), exact GELU, Linear(language width → language width). */
export const projectorSpecSchema = z.strictObject({
  hiddenAct: z.literal('gelu').default('gelu'),
  bias: z.boolean().default(true).meta({ help: 'biases in both layers' }),
})
export type ProjectorSpec = z.output<typeof projectorSpecSchema>

/** Families of language models; `engine/models/language/` holds one file each. */
export const LANGUAGE_MODEL_FAMILIES = ['qwen2', 'qwen3', 'llama'] as const
export type LanguageModelFamilyName = (typeof LANGUAGE_MODEL_FAMILIES)[number]

const factor = z.number().min(1).meta({ label: 'Factor', help: 'how many times longer than in pre-training sequences may be' })
const trainedLength = size('longest sequence of the pre-training, tokens')
const optional = (help: string) => z.number().positive().nullable().default(null).meta({ help })

/** How rotary positions reach further than the pre-training did: transformers' `rope_type` and its settings. */
export const ropeScalingSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('default') }),
  /** Every frequency divided by the factor (position interpolation, arXiv 2306.15595). */
  z.strictObject({ kind: z.literal('linear'), factor }),
  /** A larger base for sequences longer than the pre-training's ("dynamic NTK"). */
  z.strictObject({ kind: z.literal('dynamic'), factor, originalMaxPositionEmbeddings: trainedLength }),
  /** Low frequencies interpolated, high ones kept, attention sharpened (YaRN, arXiv 2309.00071). */
  z.strictObject({
    kind: z.literal('yarn'),
    factor,
    originalMaxPositionEmbeddings: trainedLength,
    attentionFactor: optional('scale of cosines and sines; empty: from the factor'),
    betaFast: z.number().positive().default(32),
    betaSlow: z.number().positive().default(1),
    mscale: optional('YaRN as DeepSeek weighs its attention scale'),
    mscaleAllDim: optional('YaRN as DeepSeek weighs its attention scale'),
    truncate: z.boolean().default(true).meta({ help: 'round the borders between kept and interpolated frequencies' }),
  }),
  /** Llama 3.1: like YaRN, with a linear ramp between two wavelengths. */
  z.strictObject({
    kind: z.literal('llama3'),
    factor,
    lowFreqFactor: z.number().positive(),
    highFreqFactor: z.number().positive(),
    originalMaxPositionEmbeddings: trainedLength,
  }),
])
export type RopeScaling = z.output<typeof ropeScalingSchema>

/** A Llama-type decoder: RMSNorm before each half of a block, rotary positions, grouped-query attention, SwiGLU. */
export const languageModelSpecSchema = z
  .strictObject({
    family: z.enum(LANGUAGE_MODEL_FAMILIES).default('qwen2').meta({ help: 'architecture of the language model' }),
    vocabSize: size('tokens, the image placeholder included').default(512),
    hiddenSize: size('width of the language model').default(192),
    intermediateSize: size('width inside each MLP').default(512),
    numHiddenLayers: size('transformer blocks').max(MOST_LAYERS).default(4),
    numAttentionHeads: size('query heads; must divide hiddenSize').default(6),
    numKeyValueHeads: size('key/value heads; must divide numAttentionHeads').default(2),
    headDim: z.int().min(2).max(LARGEST_SIZE).nullable().default(null).meta({ help: 'width of a head; empty: hiddenSize / numAttentionHeads' }),
    attentionBias: z.boolean().default(false).meta({ help: 'biases on all four attention layers (llama, qwen3; qwen2 has its own)' }),
    mlpBias: z.boolean().default(false).meta({ help: 'biases inside each MLP (llama)' }),
    hiddenAct: z.enum(ACTIVATIONS).default('silu').meta({ help: 'activation of the gate inside each MLP' }),
    slidingWindow: z.int().min(1).max(LARGEST_SIZE).nullable().default(null).meta({ help: 'how many positions a token attends to, its own included; empty: all before it' }),
    maxWindowLayers: z.int().min(0).max(MOST_LAYERS).default(0).meta({ help: 'blocks from the bottom that attend to everything all the same' }),
    rmsNormEps: z.number().positive().default(1e-6),
    ropeTheta: z.number().positive().default(10000),
    ropeScaling: ropeScalingSchema.prefault({ kind: 'default' }),
    tieWordEmbeddings: z.boolean().default(true),
    maxPositionEmbeddings: size('longest sequence, tokens').default(1024),
  })
  .refine((spec) => spec.headDim !== null || spec.hiddenSize % spec.numAttentionHeads === 0, {
    path: ['numAttentionHeads'],
    message: 'must divide hiddenSize (or set headDim)',
  })
  .refine((spec) => headWidth(spec) % 2 === 0, {
    path: ['numAttentionHeads'],
    message: 'the width of a head must be even (rotary positions turn pairs)',
  })
  .refine((spec) => spec.ropeScaling.kind !== 'dynamic' || headWidth(spec) > 2, {
    path: ['ropeScaling'],
    message: 'dynamic scaling needs heads wider than 2',
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
    /** Which hidden state feeds the projector: -1 the last block's output, -2 the penultimate (LLaVA, and the paper); of several, all beside each other. */
    visionFeatureLayer: z.union([z.int().max(-1), z.array(z.int().max(-1)).min(1)], { error: 'expected a negative whole number, or a list of such' }).default(-2),
    /** LLaVA's names: 'full' keeps every token of that state, 'default' drops the first (the class token, where there is one). */
    visionFeatureSelectStrategy: z.enum(['default', 'full']).default('full').meta({ help: "'default' drops the encoder's first token, its class token" }),
    /** LLaVA-OneVision's `image_newline`: a learned vector that stands after an image's tokens. Absent: there is none. */
    imageNewline: z.boolean().optional().meta({ help: "a learned vector after each image's tokens, as LLaVA-OneVision has" }),
  })
  .refine((spec) => -Math.min(...featureLayers(spec)) <= spec.visionEncoder.numHiddenLayers, {
    path: ['visionFeatureLayer'],
    message: 'reaches below the first block of the vision encoder',
  })
export type MultimodalLmSpec = z.output<typeof multimodalLmSpecSchema>

export const MODULES = ['visionEncoder', 'projector', 'languageModel'] as const
export type Module = (typeof MODULES)[number]

/** The hidden states that feed the projector, in the order in which they stand beside each other. */
export function featureLayers({ visionFeatureLayer }: { readonly visionFeatureLayer: number | readonly number[] }): readonly number[] {
  return [visionFeatureLayer].flat()
}

/** Numbers that the projector sees of each token. */
export function featureWidth(spec: Pick<MultimodalLmSpec, 'visionFeatureLayer' | 'visionEncoder'>): number {
  return featureLayers(spec).length * spec.visionEncoder.hiddenSize
}

/** Tokens that an image takes among those of the text: one a feature, and the one that ends it in a model with `image_newline`. */
export function numImageTokens(spec: MultimodalLmSpec): number {
  return numImageFeatures(spec) + (spec.imageNewline === true ? 1 : 0)
}

/** What the projector sees of an image: the encoder's tokens, without the first under the strategy 'default'. */
export function numImageFeatures({ visionEncoder, visionFeatureSelectStrategy }: Pick<MultimodalLmSpec, 'visionEncoder' | 'visionFeatureSelectStrategy'>): number {
  return numPrefixTokens(visionEncoder) + numPatches(visionEncoder) - (visionFeatureSelectStrategy === 'default' ? 1 : 0)
}

/** Width of one attention head of a language model. */
export function headWidth(spec: { readonly headDim: number | null; readonly hiddenSize: number; readonly numAttentionHeads: number }): number {
  return spec.headDim ?? spec.hiddenSize / spec.numAttentionHeads
}
