// Everything that decides the outcome of one training run, declared once: from it come the type, the check at every
// boundary, the form's fields, the command line's --set keys, the JSON presets and the column in `runs`.
// Parsed once, frozen into the run's row, never re-read. A default lives here and nowhere in the engine.

import { z } from 'zod'
import { precisionSchema } from './device.ts'
import { multimodalLmSpecSchema } from './model-spec.ts'
import { objectiveSchema } from './objective-config.ts'
import { runDecodingSchema } from './preprocess-spec.ts'

/**
 * LoRA (arXiv 2106.09685), in PEFT's terms. Its dropout is absent: the two arms of a study would draw it differently, and
 * a resumed run would have to carry it.
 */
export const loraSchema = z.strictObject({
  rank: z.int().min(1).max(1024).default(8).meta({ label: 'Rank', help: 'r: width of the two factors that are trained beside each weight' }),
  alpha: z.number().positive().max(4096).default(16).meta({ label: 'α', help: 'the product of the factors is scaled by α / rank' }),
  rankStabilised: z.boolean().default(false).meta({ label: 'Rank-stabilised', help: 'rsLoRA (arXiv 2312.03732): scale by α / √rank, which keeps high ranks learning' }),
  targets: z.string().min(1).max(2000).default('all-linear').meta({
    label: 'Layers',
    help: 'all-linear, or regular expressions separated by spaces, each for the end of a layer’s name: q_proj v_proj, or layers\\.[0-3]\\..*',
  }),
})
export type Lora = z.output<typeof loraSchema>

const ofAnyModule = {
  train: z.boolean().default(true).meta({ label: 'Train', help: 'off: the module is frozen' }),
  /** null: the weights themselves are trained. */
  lora: loraSchema.nullable().default(null).meta({
    label: 'LoRA',
    help: 'the module’s weights stay as they are, and a small trained product is added to each linear layer: far less memory for gradients and moments',
  }),
  /** null: the run's own learning rate. */
  learningRate: z.number().min(0).max(1).nullable().default(null).meta({
    label: 'Learning rate',
    help: "this module's own learning rate; empty: the run's",
  }),
  gradientCheckpointing: z.boolean().default(false).meta({
    label: 'Gradient checkpointing',
    help: 'recompute each block in the backward pass: about half the memory for about a fifth more time',
  }),
}
const block = (label: string, help: string) => z.int().min(0).nullable().default(null).meta({ label, help })
const ofBlocks = {
  firstBlock: block('First block', 'only blocks from this one on are trained, counted from 0; embeddings and the last norm then stay frozen'),
  lastBlock: block('Last block', 'only blocks up to this one are trained, counted from 0'),
}
const frozenOrAdapted = {
  path: ['lora'],
  message: 'a frozen module has no adapters: switch "train" on, or leave LoRA out',
}
const hasNoIdleAdapter = ({ train, lora }: { readonly train: boolean; readonly lora: Lora | null }) => train || lora === null

/** A module is trained, frozen (`train` off), or frozen under adapters that are trained (`lora`). */
const moduleTrainingSchema = z.strictObject(ofAnyModule).refine(hasNoIdleAdapter, frozenOrAdapted)
const blockwiseTrainingSchema = z.strictObject({ ...ofAnyModule, ...ofBlocks }).refine(hasNoIdleAdapter, frozenOrAdapted)
export type ModuleTraining = z.output<typeof moduleTrainingSchema> & Partial<z.output<typeof blockwiseTrainingSchema>>

/** How a stage trains: all of a run's configuration but its data and its starting point. */
export const trainingSchema = z.strictObject({
  objective: objectiveSchema.prefault({ kind: 'sft' }),
  learningRate: z.number().min(0).max(1).default(1e-3).meta({ label: 'Learning rate', help: 'peak, reached after warm-up' }),
  steps: z.int().min(1).max(10_000_000).default(100).meta({ label: 'Steps', help: 'optimiser updates' }),
  batchSize: z.int().min(1).max(4096).default(16).meta({ label: 'Batch size', help: 'samples (or pairs) per forward pass' }),
  gradientAccumulation: z.int().min(1).max(1024).default(1).meta({
    label: 'Gradient accumulation',
    help: 'forward passes per optimiser update; the effective batch is batchSize × this',
  }),
  schedule: z.enum(['cosine', 'linear', 'constant']).default('cosine').meta({ label: 'Schedule', help: 'cosine and linear fall to zero at the last step' }),
  warmupRatio: z.number().min(0).max(1).default(0.03).meta({ label: 'Warm-up', help: 'share of the steps; the paper uses 0.03' }),
  weightDecay: z.number().min(0).max(1).default(0).meta({ label: 'Weight decay', help: 'AdamW; not applied to biases and norms' }),
  adamBeta1: z.number().min(0).max(0.9999).default(0.9).meta({ label: 'Adam β₁', help: 'decay of the first moment' }),
  adamBeta2: z.number().min(0).max(0.99999).default(0.999).meta({ label: 'Adam β₂', help: 'decay of the second moment' }),
  adamEpsilon: z.number().positive().default(1e-8).meta({ label: 'Adam ε', help: 'added to the root of the second moment' }),
  maxGradientNorm: z.number().positive().default(1).meta({ label: 'Gradient clipping', help: 'largest global norm' }),
  precision: precisionSchema.default('float32').meta({
    label: 'Precision',
    help: 'of matrix products in compiled steps; bfloat16 is faster where the processor or card has it, and rounds each factor to 8 bits',
  }),
  maxLength: z.int().min(8).max(131072).default(512).meta({
    label: 'Longest sequence',
    help: 'tokens, image tokens included; longer samples are left out and counted, never cut',
  }),
  modules: z
    .strictObject({
      visionEncoder: blockwiseTrainingSchema.prefault({}),
      projector: moduleTrainingSchema.prefault({}),
      languageModel: blockwiseTrainingSchema.prefault({}),
    })
    .prefault({}),
  seed: z.int().min(0).default(0).meta({ label: 'Seed', help: 'order of the data and initial weights' }),
  checkpointEverySteps: z.int().min(1).default(100).meta({ label: 'Checkpoint every', help: 'steps between checkpoints' }),
})
export type Training = z.output<typeof trainingSchema>

/** A published encoder and a published language model under a fresh projector (LLaVA, arXiv 2310.03744). */
export const modelPartsSchema = z.strictObject({
  kind: z.literal('parts'),
  visionEncoderFolder: z.string().min(1).meta({ label: 'Vision encoder', help: 'a Hugging Face folder of an encoder, alone or in a CLIP or SigLIP' }),
  languageModelFolder: z.string().min(1).meta({ label: 'Language model', help: 'a Hugging Face folder of a Qwen2, Qwen3 or Llama model with a chat template' }),
  visionFeatureLayer: z.int().max(-1).default(-2).meta({ label: 'Feature layer', help: 'which hidden state feeds the projector: -1 the last, -2 the one before (the paper)' }),
  visionFeatureSelectStrategy: z.enum(['default', 'full']).nullable().default(null).meta({
    label: 'Feature tokens',
    help: "'default' drops the class token, 'full' keeps all; empty: drops it where the encoder has one",
  }),
})

/** What a run starts from. */
export const startSchema = z.discriminatedUnion('kind', [
  /** A model folder: a checkpoint of a training job, or a LLaVA-type folder as Hugging Face's libraries write it. */
  z.strictObject({
    kind: z.literal('checkpoint'),
    folder: z.string(),
    /** A folder in PEFT's layout, merged into the weights before anything else. */
    adapter: z.string().optional(),
  }),
  /**
   * The vision encoder (and the first `projectorLayers` projector layers) of a checkpoint under a fresh rest:
   * PIVOT's transplant (paper section 6). `model` describes the new language model; its encoder must match.
   */
  z.strictObject({
    kind: z.literal('transplant'),
    folder: z.string(),
    projectorLayers: z.union([z.literal(0), z.literal(1), z.literal(2)]).default(0),
    languageModelFolder: z.string().nullable().default(null),
    seed: z.int().min(0),
  }),
  modelPartsSchema.extend({ seed: z.int().min(0) }),
  /** Random weights; the tokenizer is read from `tokenizerFolder` (tokenizer.json, tokenizer_config.json). */
  z.strictObject({
    kind: z.literal('scratch'),
    model: multimodalLmSpecSchema.prefault({}),
    tokenizerFolder: z.string(),
    seed: z.int().min(0),
  }),
])
export type Start = z.output<typeof startSchema>

export const runConfigSchema = z
  .strictObject({
    training: trainingSchema.prefault({}),
    images: runDecodingSchema,
    /** SHA-256 of the dataset snapshot, which is the name of its file. */
    snapshot: z.string(),
    start: startSchema,
  })
  .readonly()
export type RunConfig = z.output<typeof runConfigSchema>
