// A job is long work as a plain value: what the job process is asked, and what it says while it works. Both survive
// structuredClone; no tensor, function or class instance is in them. Paths in a job are absolute.

import { z } from 'zod'
import { benchmarkAnswerSchema, benchmarkSettingsSchema } from './benchmark.ts'
import { executionModeSchema, executionPreferenceSchema, type BackendPreference, type ExecutionMode, type Precision } from './device.ts'
import { evaluationSchema, EVALUATORS } from './evaluation.ts'
import { exportRecordSchema, exportSettingsSchema } from './export.ts'
import { dataJobSchema, type DataJobEvent } from './data-job.ts'
import { IMAGE_CONDITIONS } from './labelling/image-use.ts'
import { multimodalLmSpecSchema } from './model-spec.ts'
import { modelQuestionSchema, type AnswerToken, type ModelAnswer, type ModelInspection } from './model-view.ts'
import { parityRequestSchema, type ParityReport } from './parity.ts'
import { mapItemSchema, mapJobSettingsSchema, mapScoreSettingsSchema } from './patch-maps.ts'
import { probeSettingsSchema } from './probe.ts'
import { runDecodingSchema } from './preprocess-spec.ts'
import { runConfigSchema, trainingSchema } from './run-config.ts'
import { representationSettingsSchema } from './representation.ts'
import { imageRefSchema, SPLITS } from './sample.ts'
import { itemTermsSchema } from './score-of-totals.ts'
import type { TrainingPlan } from './training-plan.ts'
import { zeroShotRequestSchema } from './zero-shot.ts'

/**
 * Measurements while training goes on (domain/watch.ts): at every so manieth checkpoint, between two steps, on the checkpoint as it was
 * written. They read and draw nothing of the training's, so its bits are the same with and without them.
 */
export const watchedSchema = z.strictObject({
  everyCheckpoints: z.int().min(1),
  evaluators: z.array(z.enum(EVALUATORS)),
  settings: evaluationSchema,
  snapshots: z.record(z.enum(['questions', 'preferences', 'objects', 'captions']), z.string().nullable()),
  probes: z.strictObject({ snapshot: z.string(), settings: probeSettingsSchema }).nullable().default(null),
})
export type Watched = z.output<typeof watchedSchema>

/** Trains one model. Continues from the newest complete checkpoint in `folder` when there is one. */
const trainJob = z.strictObject({
  kind: z.literal('train'),
  /** The project folder: image paths of samples are relative to it; caches lie in it. */
  project: z.string(),
  /** Where checkpoints of this run are written. */
  folder: z.string(),
  config: runConfigSchema,
  /** How steps run; stored with each checkpoint, because resuming is bit-exact within a mode only. */
  execution: executionPreferenceSchema.default('auto'),
  watch: watchedSchema.nullable().default(null),
})

/** The dry run of a training: says what it would do, and trains nothing. */
const planJob = z.strictObject({
  kind: z.literal('plan'),
  project: z.string(),
  config: runConfigSchema,
  execution: executionPreferenceSchema.default('auto'),
  /** Bytes that the training may take; null: what the machine has. */
  budget: z.number().positive().nullable().default(null),
})

/** Measures one checkpoint. `baseline` is the checkpoint whose encoder the change is measured against. */
const evaluateJob = z.strictObject({
  kind: z.literal('evaluate'),
  project: z.string(),
  checkpoint: z.string(),
  baseline: z.string().nullable(),
  evaluators: z.array(z.enum(EVALUATORS)).min(1),
  settings: evaluationSchema,
  /** SHA-256 of the snapshots; null: evaluators that need it are refused. */
  snapshots: z.strictObject({
    questions: z.string().nullable(),
    preferences: z.string().nullable(),
    objects: z.string().nullable(),
    captions: z.string().nullable(),
  }),
})

/** Writes a checkpoint's encoder for other programs, and checks what was written against the checkpoint's own features. */
const exportJob = z.strictObject({
  kind: z.literal('export'),
  project: z.string(),
  checkpoint: z.string(),
  folder: z.string(),
  ...exportSettingsSchema.shape,
  /** From the run's record, for the model card; null: the checkpoint alone is known. */
  record: exportRecordSchema.nullable().default(null),
})

/** Reads an export back: every file against the manifest's hashes. Answers with an ExportCheck. */
const checkExportJob = z.strictObject({ kind: z.literal('check-export'), folder: z.string() })

/** Writes a study's two arms as a folder for TRL and Accelerate. */
const exportRecipeJob = z.strictObject({
  kind: z.literal('export-recipe'),
  project: z.string(),
  folder: z.string(),
  study: z.strictObject({ id: z.string(), name: z.string() }),
  /** SHA-256 of the snapshot of preference pairs. */
  snapshot: z.string(),
  /** The model that both arms of a seed start from. */
  seeds: z.array(z.strictObject({ seed: z.int().min(0), checkpoint: z.string() })).min(1),
  arms: z.strictObject({ sft: trainingSchema, dpo: trainingSchema }),
  images: runDecodingSchema,
})

/** Takes in a run that such a folder's script trained: its weights and its log. */
const importRunJob = z.strictObject({
  kind: z.literal('import-run'),
  /** What the script wrote. */
  source: z.string(),
  /** Where the run's checkpoint goes. */
  folder: z.string(),
  /** What the study would have trained here. */
  config: runConfigSchema,
})

/** Writes the built-in sight test to `folder` in ordinary formats (PNG, LLaVA JSON, preference JSONL, COCO). */
const sightTestJob = z.strictObject({
  kind: z.literal('sight-test'),
  folder: z.string(),
  settings: z.lazy(() => sightTestSchema),
})

/** How many scenes of which size; scenes of different splits never share a layout seed. */
export const sightTestSchema = z.strictObject({
  seed: z.int().min(0).default(0),
  /** Side of the square scene, pixels. */
  imageSize: z.int().min(32).max(1024).default(64),
  scenes: z
    .strictObject({ train: z.int().min(1), validation: z.int().min(1), test: z.int().min(1) })
    .prefault({ train: 4000, validation: 300, test: 400 }),
  /** Preference pairs drawn from the training scenes, and from the test scenes. */
  pairs: z.strictObject({ train: z.int().min(1), test: z.int().min(1) }).prefault({ train: 1500, test: 400 }),
})
export type SightTest = z.output<typeof sightTestSchema>

/** Trains the byte-level BPE tokenizer of a model from scratch on a snapshot's text; writes it to `folder`. */
const tokenizerJob = z.strictObject({
  kind: z.literal('tokenizer'),
  project: z.string(),
  folder: z.string(),
  snapshots: z.array(z.string()).min(1),
  vocabSize: z.int().min(300).max(100_000),
})

/** What is shown instead of the true image. blurred: down to 8 × 8 and up again; shuffled: the image of another prompt. */
export const IMAGE_STAND_INS = ['true', 'blurred', 'blank', 'shuffled'] as const

/** A checkpoint's answers to prompts; yields items of the metric 'answers', the text in `detail`. */
const answersJob = z.strictObject({
  kind: z.literal('answers'),
  project: z.string(),
  checkpoint: z.string(),
  prompts: z.array(z.strictObject({ id: z.string(), image: imageRefSchema.nullable(), prompt: z.string() })).min(1),
  image: z.enum(IMAGE_STAND_INS),
  /** 0: the most likely answer. */
  temperature: z.number().min(0),
  seed: z.int().min(0),
  maxNewTokens: z.int().min(1),
  batchSize: z.int().min(1),
})

/**
 * The implicit reward margin of pairs, β·[(log π − log π_ref)(first) − (log π − log π_ref)(second)], under each image condition;
 * yields items of 'margin/<condition>', and of 'diversity/rank' (farthest image first) where that is wanted.
 */
const pairScoresJob = z.strictObject({
  kind: z.literal('pair-scores'),
  project: z.string(),
  checkpoint: z.string(),
  /** null: log π_ref is left out, and the margin is that of the model alone. */
  reference: z.string().nullable(),
  beta: z.number().positive(),
  pairs: z
    .array(
      z.strictObject({ id: z.string(), image: imageRefSchema.nullable(), prompt: z.string(), first: z.string(), second: z.string() }),
    )
    .min(1),
  images: z.array(z.enum(IMAGE_CONDITIONS)),
  diversity: z.boolean(),
  seed: z.int().min(0),
  batchSize: z.int().min(1),
})

/** Classifies the images of a folder by class names, with a dual encoder. */
export const zeroShotJobSchema = zeroShotRequestSchema.extend({
  batchSize: z.int().min(1).default(16),
  /** Images that were classified before a break: they are left out. */
  done: z.array(z.string()).default([]),
})

/**
 * Asks a checkpoint the questions of a benchmark and scores its answers. New answers come as items of 'answers' with
 * { prompt, answer } in `detail`; results and the items behind them follow at the end.
 */
const benchmarkJob = z.strictObject({
  kind: z.literal('benchmark'),
  project: z.string(),
  checkpoint: z.string(),
  /** SHA-256 of a snapshot that holds questions of one benchmark. */
  snapshot: z.string(),
  settings: benchmarkSettingsSchema,
  /** Given before by this checkpoint under these settings; one whose prompt is the same is not asked for again. */
  answers: z.array(benchmarkAnswerSchema),
})

/** Probes the frozen vision encoder of a folder on labelled pictures; yields results and the items behind them. */
const probeJob = z.strictObject({
  kind: z.literal('probe'),
  project: z.string(),
  /** A folder that holds the encoder alone, in a dual encoder or in a multimodal model. */
  checkpoint: z.string(),
  /** SHA-256 of a snapshot of objects. */
  snapshot: z.string(),
  settings: probeSettingsSchema,
})

/** Compares the lab with every reference case at or below `folder`. */
const parityJob = parityRequestSchema.extend({
  /** Cases that were compared before a break: they are left out. */
  done: z.array(z.string()).default([]),
})

/** Looks into a model folder without loading it. */
const inspectJob = z.strictObject({ kind: z.literal('inspect'), folder: z.string() })

/** Names the weights of a folder's vision encoder, and says whether the lab can compute it. */
const encoderFactsJob = z.strictObject({ kind: z.literal('encoder-facts'), folder: z.string() })

/** Asks a model one question. */
const askJob = z.strictObject({
  kind: z.literal('ask'),
  checkpoint: z.string(),
  /** Absolute; null: a question without a picture. */
  image: z.string().nullable(),
  question: modelQuestionSchema,
})

/** Features of images under a model's encoder, mean over patches, into `file` (safetensors); known ones are not computed again. */
const imageFeaturesJob = z.strictObject({
  kind: z.literal('image-features'),
  project: z.string(),
  checkpoint: z.string(),
  /** A file with an ImageRef a line: a hundred thousand are too much for a message. */
  images: z.string(),
})

/** Maps of one picture under several encoders; answers `Maps`. */
const mapsJob = z.strictObject({
  kind: z.literal('maps'),
  project: z.string(),
  encoders: z.array(z.strictObject({ name: z.string(), checkpoint: z.string() })).min(1).max(8),
  item: mapItemSchema,
  settings: mapJobSettingsSchema,
})

/** Scores one encoder's maps of a snapshot's items against their regions; yields results and the items behind them. */
const mapScoresJob = z.strictObject({
  kind: z.literal('map-scores'),
  project: z.string(),
  checkpoint: z.string(),
  snapshot: z.string(),
  settings: mapScoreSettingsSchema,
})

/** Two encoders on the pictures of a snapshot; answers `Representation`. */
const representationJob = z.strictObject({
  kind: z.literal('representation'),
  project: z.string(),
  a: z.string(),
  b: z.string(),
  /** A checkpoint whose language model reads the captions; null: language is left out. */
  languageModel: z.string().nullable(),
  snapshot: z.string(),
  split: z.enum(SPLITS),
  settings: representationSettingsSchema,
})

/** SFT's and DPO's gradients on one pair at several checkpoints; answers `Microscope`. */
const microscopeJob = z.strictObject({
  kind: z.literal('microscope'),
  project: z.string(),
  checkpoints: z.array(z.strictObject({ name: z.string(), checkpoint: z.string() })).min(1),
  /** null: each checkpoint is its own reference. */
  reference: z.string().nullable(),
  item: mapItemSchema,
  beta: z.number().positive(),
})

export const jobSchema = z.discriminatedUnion('kind', [
  trainJob, planJob,
  evaluateJob,
  exportJob,
  checkExportJob,
  exportRecipeJob,
  importRunJob,
  sightTestJob,
  tokenizerJob,
  answersJob,
  pairScoresJob,
  parityJob,
  inspectJob,
  encoderFactsJob,
  probeJob,
  askJob,
  zeroShotJobSchema,
  benchmarkJob,
  imageFeaturesJob,
  mapsJob,
  mapScoresJob,
  microscopeJob,
  representationJob,
  ...dataJobSchema.options,
])
export type Job = z.output<typeof jobSchema>
export type JobKind = Job['kind']
export type PlanJob = Extract<Job, { kind: 'plan' }>
export type TrainJob = Extract<Job, { kind: 'train' }>
export type EvaluateJob = Extract<Job, { kind: 'evaluate' }>
export type ExportRecipeJob = Extract<Job, { kind: 'export-recipe' }>
export type ImportRunJob = Extract<Job, { kind: 'import-run' }>
export type ExportJob = Extract<Job, { kind: 'export' }>
export type CheckExportJob = Extract<Job, { kind: 'check-export' }>
export type SightTestJob = Extract<Job, { kind: 'sight-test' }>
export type BenchmarkJob = Extract<Job, { kind: 'benchmark' }>
export type ZeroShotJob = Extract<Job, { kind: 'zero-shot' }>
export type ParityJob = Extract<Job, { kind: 'parity' }>
export type InspectJob = Extract<Job, { kind: 'inspect' }>
export type ProbeJob = Extract<Job, { kind: 'probe' }>
export type EncoderFactsJob = Extract<Job, { kind: 'encoder-facts' }>
export type AskJob = Extract<Job, { kind: 'ask' }>
export type ImageFeaturesJob = Extract<Job, { kind: 'image-features' }>
export type MapScoresJob = Extract<Job, { kind: 'map-scores' }>
export type RepresentationJob = Extract<Job, { kind: 'representation' }>
export type MicroscopeJob = Extract<Job, { kind: 'microscope' }>
export type MapsJob = Extract<Job, { kind: 'maps' }>
export type TokenizerJob = Extract<Job, { kind: 'tokenizer' }>
export type AnswersJob = Extract<Job, { kind: 'answers' }>
export type PairScoresJob = Extract<Job, { kind: 'pair-scores' }>

/** One measured item, kept so that differences between checkpoints can be paired item by item. */
export const itemResultSchema = z.strictObject({
  itemId: z.string(),
  /** Items that share an image are one cluster. */
  cluster: z.string(),
  group: z.string().nullable(),
  value: z.number(),
  /** What a person wants to see: answer given, answer expected, maps. */
  detail: z.unknown(),
  /** Of a score that is no mean of values: what the item adds to it. */
  terms: itemTermsSchema.exactOptional(),
})
export type ItemResult = z.output<typeof itemResultSchema>

/** What a job says while it works. */
export type JobEvent =
  /** First event of every job that computes: what it runs on. */
  | { readonly kind: 'device'; readonly engine: string; readonly device: string; readonly versions: Readonly<Record<string, string>> }
  /** How the steps of a training run from here on. */
  | { readonly kind: 'execution'; readonly mode: ExecutionMode; readonly precision: Precision }
  /** A part of the job begins ("reference log-probabilities"); `of` units of counted work follow. */
  | { readonly kind: 'part'; readonly name: string; readonly of: number }
  | { readonly kind: 'progress'; readonly done: number; readonly of: number }
  | { readonly kind: 'step'; readonly step: number; readonly of: number; readonly metrics: Readonly<Record<string, number>> }
  | { readonly kind: 'checkpoint'; readonly step: number; readonly folder: string; readonly sha256: string }
  /** A number about the whole checkpoint; `n` items stand behind it. `interval`: at 95 %, where the job computes it. */
  | { readonly kind: 'result'; readonly metric: string; readonly value: number; readonly n: number; readonly interval?: { readonly low: number; readonly high: number } }
  | { readonly kind: 'items'; readonly metric: string; readonly items: readonly ItemResult[] }
  | { readonly kind: 'parity'; readonly report: ParityReport }
  | { readonly kind: 'inspection'; readonly inspection: ModelInspection }
  /** The next piece of an answer. */
  | { readonly kind: 'text'; readonly piece: string }
  /** A token was chosen; its text may hold half a character, which `text` events never do. */
  | { readonly kind: 'token'; readonly token: AnswerToken }
  | { readonly kind: 'answered'; readonly answer: ModelAnswer }
  /** `sha256`: of an export's manifest, which holds the hash of every other file. */
  | { readonly kind: 'artifact'; readonly name: string; readonly path: string; readonly sha256?: string }
  | DataJobEvent
  /** What a dry run found. */
  | { readonly kind: 'plan'; readonly plan: TrainingPlan }
  /** At the end of a training: most bytes that its process held, and what had been predicted; null: nothing had. */
  | { readonly kind: 'memory'; readonly step: number; readonly peak: number; readonly predicted: number | null }
  | { readonly kind: 'log'; readonly level: 'info' | 'warning'; readonly message: string }

/** Runs a job wherever the adapter puts it. Stops by `signal`: the iteration then throws LabError 'cancelled'. */
export type Runner = (job: Job, signal: AbortSignalLike, options?: { readonly backend?: BackendPreference }) => AsyncIterable<JobEvent>

/** All that the core asks of an AbortSignal, so that it needs neither DOM nor Node types. */
export interface AbortSignalLike {
  readonly aborted: boolean
  addEventListener?(type: 'abort', listener: () => void, options?: { once?: boolean }): void
}

/** The model a checkpoint folder holds, as its lab.json says. */
export const checkpointSchema = z.strictObject({
  formatVersion: z.literal(1),
  step: z.int().min(0),
  model: multimodalLmSpecSchema,
  config: runConfigSchema.nullable(),
  /** SHA-256 of model.safetensors. */
  sha256: z.string(),
  /** How the steps so far were run; null before the first. */
  execution: executionModeSchema.nullable().default(null),
  /** Tokens seen so far, so that num_tokens continues after a resume. */
  numTokens: z.number().default(0),
})
export type Checkpoint = z.output<typeof checkpointSchema>
