// A run as the window, the command line and the report see it: rows of the store as plain values, and the request that
// starts one. Times are milliseconds since 1970; `workedMs` counts only the time in which the run was running.

import { z } from 'zod'
import { ERROR_CODES } from './errors.ts'
import { multimodalLmSpecSchema } from './model-spec.ts'
import { objectiveSchema } from './objective-config.ts'
import { runDecodingSchema } from './preprocess-spec.ts'
import { modelPartsSchema, runConfigSchema, trainingSchema } from './run-config.ts'
import { RUN_STATUSES } from './run.ts'
import { runWatchSchema } from './watch.ts'

export const failureSchema = z.strictObject({
  code: z.enum(ERROR_CODES),
  message: z.string(),
  details: z.record(z.string(), z.unknown()),
})

const timeMs = z.number()

/** Counted work: `done` of `of` units of the part that is under way. */
export const partProgressSchema = z.strictObject({ part: z.string(), done: z.number(), of: z.number() })
export type PartProgress = z.output<typeof partProgressSchema>

/** Programs whose logs are taken in as runs. */
export const RUN_ORIGINS = ['wandb'] as const

/** Where an imported run comes from. */
export const runOriginSchema = z.strictObject({ kind: z.enum(RUN_ORIGINS), file: z.string(), project: z.string(), group: z.string(), runId: z.string() })
export type RunOrigin = z.output<typeof runOriginSchema>

/** What came of taking in a folder of logs. */
export const importedRunsSchema = z.strictObject({
  /** Those that were not there before, and those whose rows were read anew. */
  added: z.array(z.string()),
  renewed: z.array(z.string()),
  faults: z.array(z.strictObject({ file: z.string(), message: z.string() })),
})
export type ImportedRuns = z.output<typeof importedRunsSchema>

export const runRowSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  status: z.enum(RUN_STATUSES),
  /** The study whose phase this run is; null: started on its own. */
  studyId: z.string().nullable(),
  phaseId: z.string().nullable(),
  /** null: another program's, of which the lab knows none. */
  objective: z.enum(objectiveSchema.options.map((option) => option.shape.kind.value)).nullable(),
  dataset: z.string().nullable(),
  step: z.int(),
  steps: z.int(),
  progress: partProgressSchema.nullable(),
  /** "native TensorFlow 2.21.0", "WebAssembly": what the job said it ran on; null before it said so. */
  engine: z.string().nullable(),
  device: z.string().nullable(),
  createdAtMs: timeMs,
  startedAtMs: timeMs.nullable(),
  finishedAtMs: timeMs.nullable(),
  workedMs: z.number(),
  /** null: no pace has been measured yet, or nothing is under way. */
  leftMs: z.number().nullable(),
  failure: failureSchema.nullable(),
  /** What a person wrote beside it. */
  note: z.string(),
  tags: z.array(z.string()),
  /** Which other program logged it; null: it was trained here, or by a recipe of the lab. */
  origin: z.enum(RUN_ORIGINS).nullable(),
})
export type RunRow = z.output<typeof runRowSchema>

export const checkpointRowSchema = z.strictObject({
  step: z.int(),
  folder: z.string(),
  sha256: z.string(),
  createdAtMs: timeMs,
})
export type CheckpointRow = z.output<typeof checkpointRowSchema>

export const artifactRowSchema = z.strictObject({
  id: z.string(),
  studyId: z.string().nullable(),
  runId: z.string().nullable(),
  /** "encoder dpo, seed 0", "report". */
  name: z.string(),
  path: z.string(),
  createdAtMs: timeMs,
})
export type ArtifactRow = z.output<typeof artifactRowSchema>

/** What an export came to: where it lies, how it was checked, the lines that load it. */
export const exportResultSchema = z.strictObject({
  artifact: artifactRowSchema,
  /** Of the manifest, which holds the hash of every other file. */
  sha256: z.string(),
  verification: z.string(),
  loading: z.array(z.string()),
})
export type ExportResult = z.output<typeof exportResultSchema>

/** One run with all that does not fit a list. */
export const runViewSchema = z.strictObject({
  row: runRowSchema,
  /** null: an imported run, whose own configuration is in `imported`. */
  config: runConfigSchema.nullable(),
  imported: z.strictObject({ origin: runOriginSchema, config: z.record(z.string(), z.unknown()) }).nullable(),
  /** What computed: packages, threads and, under `steps`, how they ran. */
  versions: z.record(z.string(), z.string()),
  folder: z.string(),
  /** Metrics that have rows, in the order of domain/metric.ts. */
  metrics: z.array(z.string()),
  /** Last value of each metric. */
  latest: z.record(z.string(), z.number()),
  checkpoints: z.array(checkpointRowSchema),
  artifacts: z.array(artifactRowSchema),
})
export type RunView = z.output<typeof runViewSchema>

export const logLineSchema = z.strictObject({
  id: z.int(),
  atMs: timeMs,
  level: z.enum(['info', 'warning', 'error']),
  message: z.string(),
})
export type LogLine = z.output<typeof logLineSchema>

/** Points are [step, value], ascending by step. */
export const seriesSchema = z.strictObject({ name: z.string(), points: z.array(z.tuple([z.number(), z.number()])) })
export type Series = z.output<typeof seriesSchema>

const adapter = z.string().min(1).nullable().default(null).meta({
  label: 'Adapter',
  help: 'a LoRA folder in PEFT’s layout, merged into the weights before anything else; empty: none',
})

/** What a person asks for; the run service turns it into a RunConfig (snapshot, tokenizer and folders filled in). */
export const runRequestSchema = z.strictObject({
  name: z.string().min(1).max(120).meta({ label: 'Name' }),
  dataset: z.string().min(1).meta({ label: 'Dataset', help: 'name of an imported dataset; DPO needs preference pairs' }),
  start: z
    .discriminatedUnion('kind', [
      z
        .strictObject({ kind: z.literal('scratch'), model: multimodalLmSpecSchema.prefault({}) })
        .meta({ label: 'Random weights' }),
      z
        .strictObject({
          kind: z.literal('run'),
          runId: z.string().meta({ label: 'Run', help: 'continue from the last checkpoint of this run' }),
          adapter,
        })
        .meta({ label: 'An earlier run' }),
      z
        .strictObject({
          kind: z.literal('folder'),
          folder: z.string().meta({ label: 'Folder', help: 'a model folder that the lab wrote, or a LLaVA-type Hugging Face folder' }),
          adapter,
        })
        .meta({ label: 'A model folder' }),
      modelPartsSchema.meta({ label: 'An encoder and a language model' }),
      z
        .strictObject({
          kind: z.literal('transplant'),
          runId: z.string().meta({ label: 'Run', help: 'its vision encoder is put under a fresh rest' }),
          projectorLayers: z.union([z.literal(0), z.literal(1), z.literal(2)]).default(0),
        })
        .meta({ label: 'A transplanted encoder' }),
    ])
    .prefault({ kind: 'scratch' })
    .meta({ label: 'Start from' }),
  training: trainingSchema.prefault({}),
  images: runDecodingSchema,
  watch: runWatchSchema.nullable().default(null).meta({ label: 'Measure while training', help: 'the encoder is measured at checkpoints; it takes time and changes no number of the training' }),
})
export type RunRequest = z.output<typeof runRequestSchema>
