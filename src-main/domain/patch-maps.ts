// Maps of one picture, one number (or colour) a patch: where an encoder looks, what moves an answer, which patches are alike. Each
// method is described once: what it shows, what it is worth as evidence, and what its numbers are. Nothing is normalised, and
// artefacts at the border or of single tokens are kept: they are part of what the encoder does.

import { z } from 'zod'
import { boxSchema, imageRefSchema, objectSchema, regionSchema, SPLITS } from './sample.ts'

export const MAP_METHODS = [
  'gradient',
  'grad-cam',
  'integrated-gradients',
  'occlusion',
  'rollout',
  'attention',
  'components',
  'similarity',
  'patch-norm',
  'segmentation',
] as const
export type MapMethod = (typeof MAP_METHODS)[number]

export interface MapMethodWords {
  readonly label: string
  /** One sentence. */
  readonly shows: string
  readonly evidence: 'strong' | 'moderate' | 'weak' | 'descriptive'
  /** Why it is worth so much. */
  readonly worth: string
  /** What a number is, and its unit. */
  readonly values: string
  readonly range: 'magnitude' | 'signed' | 'share' | 'cosine' | 'colour' | 'class'
  readonly needs: 'an answer' | 'nothing' | 'a patch' | 'masks'
}

export const MAP_METHOD_WORDS: Readonly<Record<MapMethod, MapMethodWords>> = {
  gradient: {
    label: 'Gradient at the visual tokens',
    shows: 'How strongly the loss pulls at each image token: Σ|∂/∂token| at the output of the projector, as in the paper.',
    evidence: 'moderate',
    worth: 'Exact, but local: it says what a small change would do, not what the token contributes.',
    values: 'size of the gradient, nats per unit of the token; at least 0',
    range: 'magnitude',
    needs: 'an answer',
  },
  'grad-cam': {
    label: 'Grad-CAM',
    shows: "Patches whose features push the answer up, by the mean gradient of each channel of the encoder's output.",
    evidence: 'moderate',
    worth: 'One weight a channel for all patches: coarse, and what speaks against the answer is left out.',
    values: 'weighted activation, at least 0; only the order of patches means something',
    range: 'magnitude',
    needs: 'an answer',
  },
  'integrated-gradients': {
    label: 'Integrated gradients',
    shows: "How much each patch's pixels add to the answer's log-probability, on the way from a grey picture to this one.",
    evidence: 'strong',
    worth: 'Complete: the numbers add up to what the picture adds. They depend on the grey picture that they start from.',
    values: 'nats; negative where the patch speaks against the answer',
    range: 'signed',
    needs: 'an answer',
  },
  occlusion: {
    label: 'Occlusion',
    shows: "How far the answer's log-probability falls when the patch is covered in grey.",
    evidence: 'strong',
    worth: 'A real intervention on the whole model; covered pictures are unlike those that it was trained on.',
    values: 'nats; negative where covering helps',
    range: 'signed',
    needs: 'an answer',
  },
  rollout: {
    label: 'Attention rollout',
    shows: "How much of each patch's input reaches the patches that go to the language model, if attention were all there is.",
    evidence: 'weak',
    worth: 'Knows nothing of the answer, and leaves values and MLPs out: attention is not what decides.',
    values: 'share of the attention that goes to the patch',
    range: 'share',
    needs: 'nothing',
  },
  attention: {
    label: 'Raw attention',
    shows: "Where the patches of the last block look, mean over heads.",
    evidence: 'weak',
    worth: 'One block of many, and nothing of the answer: the weakest evidence here.',
    values: 'share of the attention that goes to the patch',
    range: 'share',
    needs: 'nothing',
  },
  components: {
    label: 'Principal components as colour',
    shows: 'Patches of like colour have like features; the colours mean the same in all encoders that are compared.',
    evidence: 'descriptive',
    worth: 'Three components of many: it shows what is told apart, not what is used.',
    values: 'red, green, blue: places along three components fitted to all encoders together',
    range: 'colour',
    needs: 'nothing',
  },
  similarity: {
    label: 'Similarity to a patch',
    shows: 'How alike the features of each patch are to those of the patch that was clicked.',
    evidence: 'descriptive',
    worth: 'Shows which patches the encoder groups; a high value everywhere means it tells little apart.',
    values: 'cosine, −1 to 1',
    range: 'cosine',
    needs: 'a patch',
  },
  'patch-norm': {
    label: 'Length of patch features',
    shows: 'Patches whose features are unusually long: artefacts that hold no place of the picture (arXiv 2309.16588).',
    evidence: 'descriptive',
    worth: 'A check of the encoder, not of the answer.',
    values: "Euclidean norm of the patch's feature",
    range: 'magnitude',
    needs: 'nothing',
  },
  segmentation: {
    label: 'Segmentation probe',
    shows: "The class that a small probe reads off each patch's frozen features, once it has learned from pictures with masks.",
    evidence: 'moderate',
    worth: 'What can be read off the features, not what the model uses of them. The epoch is chosen on the pictures that the probe is scored on, as in the paper (appendix E.5).',
    values: 'class of the patch; dark is no class',
    range: 'class',
    needs: 'masks',
  },
}

/** Which answer's log-probability a map is of. */
export const MAP_TARGETS = ['sft', 'chosen', 'rejected', 'contrast', 'token'] as const
export type MapTarget = (typeof MAP_TARGETS)[number]
export const MAP_TARGET_WORDS: Readonly<Record<MapTarget, { readonly label: string; readonly meaning: string }>> = {
  sft: { label: 'SFT', meaning: 'Mean log-probability of a token of the chosen answer: what SFT raises.' },
  chosen: { label: 'Chosen', meaning: 'Log-probability of the whole chosen answer.' },
  rejected: { label: 'Rejected', meaning: 'Log-probability of the whole rejected answer.' },
  contrast: {
    label: 'Contrast',
    meaning: "log π(chosen) − log π(rejected) with features shared by both: what DPO raises, up to its positive factor β·σ(−margin).",
  },
  token: { label: 'One token', meaning: 'Log-probability of one token of the chosen answer.' },
}

/** What is looked at: a picture of the project, and what was asked and answered about it. */
export const mapItemSchema = z.strictObject({
  image: imageRefSchema,
  /** null: only maps that need no answer can be made. */
  prompt: z.string().nullable().default(null),
  chosen: z.string().min(1).nullable().default(null),
  rejected: z.string().min(1).nullable().default(null),
  /** What decides; maps are scored against it. */
  region: regionSchema.default([]),
  /** What the picture's masks say, in the classes of the segmentation probe; null: nobody has drawn any. */
  objects: z.array(objectSchema).nullable().default(null),
})
export type MapItem = z.output<typeof mapItemSchema>

/** A place in the picture that the encoders see: 0, 0 is its upper left corner, 1, 1 the lower right one. */
const placeSchema = z.strictObject({ x: z.number().min(0).max(1), y: z.number().min(0).max(1) })

/** How the segmentation probe is trained: with enough pictures that it names rare classes too, which one picture is looked at for. */
export const patchProbeSettingsSchema = z.strictObject({
  hiddenSize: z.int().min(1).default(256),
  epochs: z.int().min(1).default(8),
  /** Pictures drawn of each split, the same for every encoder. */
  limit: z.strictObject({ train: z.int().min(1), test: z.int().min(1) }).prefault({ train: 1000, test: 200 }),
  batchSize: z.int().min(1).default(32),
  seed: z.int().min(0).default(0),
})
export type PatchProbeSettings = z.output<typeof patchProbeSettingsSchema>

const patchProbeSchema = z.strictObject({ settings: patchProbeSettingsSchema.prefault({}) })

export const mapSettingsSchema = z.strictObject({
  methods: z
    .array(z.enum(MAP_METHODS))
    .min(1)
    .default(['gradient', 'grad-cam', 'integrated-gradients', 'occlusion', 'rollout', 'attention', 'components', 'patch-norm']),
  /** What Grad-CAM, integrated gradients and occlusion are of; null: the contrast of a pair, else the answer. */
  target: z.enum(MAP_TARGETS).nullable().default(null),
  /** Which token of the chosen answer the target 'token' means, from 0. */
  token: z.int().min(0).default(0),
  /** Gradient maps of every token of the chosen answer too. */
  everyToken: z.boolean().default(false),
  /** The patch that 'similarity' compares with. */
  at: placeSchema.nullable().default(null),
  /** What the probe of 'segmentation' learns from: objects with masks. */
  segmentation: patchProbeSchema.extend({ dataset: z.string().min(1) }).nullable().default(null),
})
/** The same for a job, which knows data by their snapshot. */
export const mapJobSettingsSchema = mapSettingsSchema.extend({ segmentation: patchProbeSchema.extend({ snapshot: z.string() }).nullable().default(null) })
export type MapJobSettings = z.output<typeof mapJobSettingsSchema>

/** Which item: a sample by its row, what stands behind a number, or a picture of the project with words of one's own. */
export const mapItemRequestSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('sample'), row: z.int() }),
  /** An item behind a measured number, by its id. */
  z.strictObject({ kind: z.literal('item'), itemId: z.string() }),
  mapItemSchema.omit({ image: true, objects: true }).extend({ kind: z.literal('image'), sha256: z.string() }),
])
export type MapItemRequest = z.output<typeof mapItemRequestSchema>

export const mapsRequestSchema = z.strictObject({
  /** Ids of encoders.list or of runs; from the command line model folders too. */
  encoders: z
    .array(z.string())
    .min(1)
    .max(8)
    .refine((all) => new Set(all).size === all.length, 'expected every encoder once'),
  item: mapItemRequestSchema,
  settings: mapSettingsSchema.prefault({}),
})
export type MapsRequest = z.output<typeof mapsRequestSchema>

/** Agreement of named patches with true ones: of one picture over its patches, of a probe over the patches of its test pictures. */
const segmentationScoresSchema = z.strictObject({
  /** Share of patches named rightly. */
  accuracy: z.number(),
  /** Over the classes that were seen or named. */
  meanIou: z.number(),
})

/** What the numbers of a categorical map stand for. */
const patchClassesSchema = z.strictObject({
  /** By number; 0 is what belongs to no class. */
  names: z.array(z.string()),
  /** The picture's own mask, each patch by the class that most of its pixels have; null: it has none. */
  truth: z.array(z.int()).nullable(),
  /** Against the truth. */
  scores: segmentationScoresSchema.nullable(),
  /** On the test pictures of its data. */
  probe: segmentationScoresSchema.extend({ macroRecall: z.number(), trainedOn: z.int(), testedOn: z.int() }),
})
export type PatchClasses = z.output<typeof patchClassesSchema>

export const patchLayerSchema = z.strictObject({
  encoder: z.string(),
  method: z.enum(MAP_METHODS),
  /** null: the method knows nothing of an answer. */
  target: z.enum(MAP_TARGETS).nullable(),
  token: z.strictObject({ index: z.int(), text: z.string() }).nullable(),
  rows: z.int().min(1),
  columns: z.int().min(1),
  /** Numbers a patch: 3 for a colour, else 1. */
  channels: z.union([z.literal(1), z.literal(3)]),
  /** Row by row, a patch's channels together. */
  values: z.array(z.number()),
  /** Of the values; of a colour: what is shown as 0 and as 1, the same for all encoders. */
  low: z.number(),
  high: z.number(),
  /** What should be known of this very map. */
  note: z.string().nullable(),
  /** Against the item's region, where there is one and the map has a size a patch; AUROC is null where no patch lies outside. */
  scores: z
    .strictObject({ energyRatio: z.number(), pointing: z.number(), auroc: z.number().nullable(), entropy: z.number() })
    .nullable(),
  /** Where the values are numbers of classes; null: they are amounts. */
  classes: patchClassesSchema.nullable().default(null),
})
export type PatchLayer = z.output<typeof patchLayerSchema>

export const mapsSchema = z.strictObject({
  encoders: z.array(
    z.strictObject({
      encoder: z.string(),
      rows: z.int(),
      columns: z.int(),
      /** The part of the stored picture that the patches cover, pixels: preprocessing may crop. */
      frame: boxSchema,
      /** Tokens of the chosen answer as this model reads them. */
      tokens: z.array(z.string()),
      /** In nats; null where there is no such answer. */
      logProbs: z.strictObject({ chosen: z.number().nullable(), rejected: z.number().nullable() }),
    }),
  ),
  layers: z.array(patchLayerSchema),
  /** Maps that were asked for and cannot be had, and why. */
  missing: z.array(z.strictObject({ encoder: z.string(), method: z.enum(MAP_METHODS), reason: z.string() })),
})
export type Maps = z.output<typeof mapsSchema>

/** What has come of a look that is still being computed; null: nothing yet. */
export const mapsSoFarSchema = z.strictObject({
  /** SHA-256 of the picture that is looked at. */
  image: z.string().nullable(),
  maps: mapsSchema.nullable(),
  progress: z.strictObject({ part: z.string(), done: z.number(), of: z.number() }).nullable(),
})
export type MapsSoFar = z.output<typeof mapsSoFarSchema>

/** Methods with a size a patch that does not hang on a click: they can be scored against regions. */
export const SCORED_MAP_METHODS = ['gradient', 'grad-cam', 'integrated-gradients', 'occlusion', 'rollout', 'attention', 'patch-norm'] as const satisfies readonly MapMethod[]
export const MAP_SCORES = ['energy', 'pointing', 'auroc', 'entropy'] as const

/** Whether the maps of a whole set lie on the regions that decide. */
export const mapScoreSettingsSchema = z.strictObject({
  methods: z.array(z.enum(SCORED_MAP_METHODS)).min(1).default([...SCORED_MAP_METHODS]),
  /** As of `mapSettingsSchema`; gradients are scored for every target. */
  target: z.enum(['sft', 'chosen', 'rejected', 'contrast']).nullable().default(null),
  split: z.enum(SPLITS).default('test'),
  /** Drawn from the items that have a region, the same for every encoder. */
  limit: z.int().min(1).default(64),
  seed: z.int().min(0).default(0),
})
export type MapScoreSettings = z.output<typeof mapScoreSettingsSchema>

/** A metric's name: maps/gradient-contrast/energy. */
export function mapMetric(method: MapMethod, target: MapTarget | null, score: (typeof MAP_SCORES)[number]): string {
  return `maps/${method === 'gradient' ? `gradient-${target}` : method}/${score}`
}
