// The shapes of vision encoders, one schema a family. A family's name is Hugging Face's model_type without its endings, keys
// are the keys of its config.json in camelCase. What a family computes stands in engine/models/vision/ under the same name.

import { z } from 'zod'

/** No model is larger in any direction; a slip in a config must not become an allocation. */
export const LARGEST_SIZE = 2 ** 24
export const MOST_LAYERS = 1024

const size = (help: string, min = 1) => z.int().min(min).max(LARGEST_SIZE).meta({ help })
const heads = size('heads per block; must divide hiddenSize').default(4)

/** Activations inside an MLP, by the names of Hugging Face. */
export const ACTIVATIONS = ['gelu', 'gelu_pytorch_tanh', 'quick_gelu', 'silu', 'relu'] as const
export type Activation = (typeof ACTIVATIONS)[number]
const activation = (usual: Activation) => z.enum(ACTIVATIONS).default(usual).meta({ help: 'activation inside each MLP' })

/** What every encoder has. */
const common = {
  imageSize: size('side of the square input, pixels; the table of positions is this large').default(64),
  patchSize: size('side of a patch, pixels; what is left of imageSize beyond whole patches is not seen').default(8),
  numChannels: z.literal(3).default(3),
  hiddenSize: size('width of the encoder').default(128),
  numHiddenLayers: size('transformer blocks').max(MOST_LAYERS).default(4),
  numAttentionHeads: heads,
}
const intermediateSize = size('width inside each MLP').default(512)
const layerNormEps = (usual: number) => z.number().positive().default(usual)
const qkvBias = z.boolean().default(true).meta({ help: 'biases on queries, keys and values' })

/** SigLIP, and SigLIP 2 at fixed resolution (arXiv 2303.15343, 2502.14786): no class token, learned positions, pre-norm. */
const siglip = z.strictObject({
  // Specs written before there were families have no name of one: they are SigLIP's.
  family: z.literal('siglip').optional().default('siglip'),
  ...common,
  intermediateSize,
  layerNormEps: layerNormEps(1e-6),
  hiddenAct: activation('gelu_pytorch_tanh'),
  visionUseHead: z.boolean().default(false).meta({ help: "SigLIP's attention-pooling head" }),
})

/** SigLIP 2 NaFlex (arXiv 2502.14786, section 2.4.2): any aspect ratio, positions resized to each image, padding masked. */
const siglip2 = siglip.extend({ family: z.literal('siglip2') })

/** CLIP (arXiv 2103.00020): class token, a norm before the first block, no bias in the patch embedding. */
const clip = z.strictObject({
  family: z.literal('clip'),
  ...common,
  intermediateSize,
  layerNormEps: layerNormEps(1e-5),
  hiddenAct: activation('quick_gelu'),
})

/** DINOv2 (arXiv 2304.07193): class token, layer scale; SwiGLU in the giant model. */
const dinov2 = z.strictObject({
  family: z.literal('dinov2'),
  ...common,
  mlpRatio: z.number().positive().max(64).default(4).meta({ help: 'width inside each MLP, in widths of the encoder' }),
  layerNormEps: layerNormEps(1e-6),
  hiddenAct: activation('gelu'),
  qkvBias,
  layerscaleValue: z.number().default(1).meta({ help: 'scale of what each half of a block adds, at the start' }),
  useSwigluFfn: z.boolean().default(false).meta({ help: 'SwiGLU in place of the MLP, as in the giant model' }),
})

/** DINOv2 with registers (arXiv 2309.16588): tokens without a place, between the class token and the patches. */
const dinov2WithRegisters = dinov2.extend({
  family: z.literal('dinov2_with_registers'),
  numRegisterTokens: size('register tokens', 0).default(4),
})

/** ViT (arXiv 2010.11929): class token, exact GELU, a pooler of one dense layer and tanh. */
const vit = z.strictObject({
  family: z.literal('vit'),
  ...common,
  intermediateSize,
  layerNormEps: layerNormEps(1e-12),
  hiddenAct: activation('gelu'),
  qkvBias,
  /** Width of the pooler; null: the checkpoint has none. */
  poolerOutputSize: size("width of the pooler's output").nullable().default(null),
})

/** The encoder of a masked autoencoder (arXiv 2111.06377), without masking: ViT's blocks and no pooler. */
const vitMae = vit.omit({ poolerOutputSize: true }).extend({ family: z.literal('vit_mae') })

const FAMILIES = [siglip, siglip2, clip, dinov2, dinov2WithRegisters, vit, vitMae] as const

export const visionEncoderSpecSchema = z
  .discriminatedUnion('family', FAMILIES, {
    error: `expected one of ${FAMILIES.map((schema) => z.toJSONSchema(schema.shape.family, { io: 'output' })['const'] as string).join(', ')}`,
  })
  .refine((spec) => spec.imageSize >= spec.patchSize, { path: ['patchSize'], message: 'must be no larger than imageSize' })
  .refine((spec) => spec.hiddenSize % spec.numAttentionHeads === 0, { path: ['numAttentionHeads'], message: 'must divide hiddenSize' })
export type VisionEncoderSpec = z.output<typeof visionEncoderSpecSchema>
export type VisionFamilyName = VisionEncoderSpec['family']
/** The spec of one family. */
export type SpecOf<Name extends VisionFamilyName> = Extract<VisionEncoderSpec, { family: Name }>

/** Rows and columns of patches. */
export interface Grid {
  readonly rows: number
  readonly columns: number
}

/** The grid of the square input that the table of positions was made for. */
export function patchGrid({ imageSize, patchSize }: Pick<VisionEncoderSpec, 'imageSize' | 'patchSize'>): Grid {
  return gridOf(imageSize, imageSize, patchSize)
}

/**
 * Whole patches of an image. As in a convolution without padding, a rest at the right and at the bottom that fills no patch is
 * not seen: SigLIP So400m/14 at 384 pixels sees 27 × 27 patches, 378 pixels.
 */
export function gridOf(height: number, width: number, patchSize: number): Grid {
  return { rows: Math.floor(height / patchSize), columns: Math.floor(width / patchSize) }
}

/** Side of what the patches of the square input cover, pixels. */
export function seenSide(spec: Pick<VisionEncoderSpec, 'imageSize' | 'patchSize'>): number {
  return patchGrid(spec).rows * spec.patchSize
}

/** Patches of the square input. */
export function numPatches(spec: Pick<VisionEncoderSpec, 'imageSize' | 'patchSize'>): number {
  const { rows, columns } = patchGrid(spec)
  return rows * columns
}

/** Tokens before those of the patches: the class token, and registers. */
export function numPrefixTokens(spec: VisionEncoderSpec): number {
  switch (spec.family) {
    case 'siglip':
    case 'siglip2':
      return 0
    case 'clip':
    case 'dinov2':
    case 'vit':
    case 'vit_mae':
      return 1
    case 'dinov2_with_registers':
      return 1 + spec.numRegisterTokens
  }
}

/** Numbers in one patch: channels × side². */
export function patchWidth({ numChannels, patchSize }: Pick<VisionEncoderSpec, 'numChannels' | 'patchSize'>): number {
  return numChannels * patchSize ** 2
}
