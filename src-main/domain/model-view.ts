// A model folder as a person looks at it before using it, and a question to a model with the answer as it comes.

import { z } from 'zod'
import { MODULES } from './model-spec.ts'
import { failureSchema } from './run-view.ts'

/** What a folder holds. A dual encoder holds a vision encoder too; an adapter is no model: it is merged into the one that it was trained on. */
export const FOLDER_KINDS = ['checkpoint', 'multimodal model', 'vision encoder', 'dual encoder', 'language model', 'adapter'] as const

export const moduleInspectionSchema = z.strictObject({
  module: z.enum(MODULES),
  /** Family and sizes, as the spec names them. */
  spec: z.record(z.string(), z.unknown()),
  tensors: z.int(),
  parameters: z.int(),
  /** Tensors of each number type: { BF16: 290 }. */
  dtypes: z.record(z.string(), z.int()),
  missing: z.array(z.string()),
  extra: z.array(z.string()),
  /** Found with another shape than the spec asks for. */
  misshapen: z.array(z.string()),
})
export type ModuleInspection = z.output<typeof moduleInspectionSchema>

export const modelInspectionSchema = z.strictObject({
  folder: z.string(),
  kind: z.enum(FOLDER_KINDS),
  modelType: z.string(),
  files: z.array(z.string()),
  bytes: z.number(),
  modules: z.array(moduleInspectionSchema),
  /** Tensors of no known name. */
  unknown: z.array(z.string()),
  tokenizer: z
    .strictObject({
      tokens: z.int(),
      endId: z.int(),
      imageId: z.int(),
      prompt: z.string(),
      /** Every token that ends an answer. */
      endIds: z.array(z.int()),
      /** How generation_config.json would have answers chosen; null: greedily. */
      sampling: z.strictObject({ temperature: z.number(), topP: z.number(), topK: z.number(), minP: z.number(), repetitionPenalty: z.number(), noRepeatNgramSize: z.number() }).nullable(),
      /** What generation_config.json asks for and no answer of the lab follows. */
      notComputed: z.array(z.string()),
    })
    .nullable(),
  preprocess: z.array(z.string()).nullable(),
  /** What would keep the lab from using the folder; empty: it can be used. */
  faults: z.array(z.string()),
  /** What a person should know before using the folder. */
  notes: z.array(z.string()),
})
export type ModelInspection = z.output<typeof modelInspectionSchema>

/** A question to a model, about an image or without one. */
export const modelQuestionSchema = z.strictObject({
  question: z.string().min(1).max(20_000).meta({ label: 'Question' }),
  maxNewTokens: z.int().min(1).max(4096).default(128).meta({ label: 'Longest answer', help: 'tokens', unit: 'tokens' }),
  temperature: z.number().min(0).max(10).default(0).meta({ label: 'Temperature', help: '0: always the most likely token; 1: as the model weighs them' }),
  topP: z.number().min(0.01).max(1).default(1).meta({ label: 'Top-p', help: 'draw from the most likely tokens that together hold this share' }),
  topK: z.int().min(0).max(1_000_000).default(0).meta({ label: 'Top-k', help: 'draw from this many of the most likely tokens; 0: from all' }),
  minP: z.number().min(0).max(1).default(0).meta({ label: 'Min-p', help: 'leave out tokens below this share of the most likely one; 0: none' }),
  repetitionPenalty: z.number().min(0.01).max(100).default(1).meta({ label: 'Repetition penalty', help: 'above 1 makes tokens of question and answer so far less likely; 1: off' }),
  noRepeatNgramSize: z.int().min(0).max(1000).default(0).meta({ label: 'No repeated n-gram', help: 'no run of this many tokens comes twice; 0: off', unit: 'tokens' }),
  seed: z.int().min(0).default(0).meta({ label: 'Seed', help: 'the same seed draws the same answer' }),
  stops: z.array(z.string().min(1)).max(16).default([]).meta({ label: 'Stop strings', help: 'each ends the answer' }),
})
export type ModelQuestion = z.output<typeof modelQuestionSchema>

/** Why an answer ended: the model's end token, a stop string, or the limit. */
export const ANSWER_ENDS = ['end', 'stop', 'limit'] as const

/** What the answer was, once it has ended. */
export interface ModelAnswer {
  readonly text: string
  readonly tokens: number
  readonly ended: (typeof ANSWER_ENDS)[number]
}

const tokenChoiceSchema = z.strictObject({ text: z.string(), probability: z.number() })

/** One token of an answer as the model weighed it: at temperature 1, before top-p, whatever it was drawn with. */
export const answerTokenSchema = tokenChoiceSchema.extend({
  /** The most likely tokens at this place, most likely first; the chosen one may be among them. */
  alternatives: z.array(tokenChoiceSchema),
})
export type AnswerToken = z.output<typeof answerTokenSchema>

export const ANSWER_STATUSES = ['waiting', 'answering', 'finished', 'stopped', 'failed'] as const

/** One question to a model and its answer, as far as it has come. */
export const answerViewSchema = z.strictObject({
  id: z.string(),
  /** A run's id, or a model's folder. */
  model: z.string(),
  /** SHA-256 of the picture; null: a question without one. */
  image: z.string().nullable(),
  question: modelQuestionSchema,
  status: z.enum(ANSWER_STATUSES),
  /** Of an answer cut by a stop string, without it: the tokens may hold more. */
  text: z.string(),
  tokens: z.array(answerTokenSchema),
  ended: z.enum(ANSWER_ENDS).nullable(),
  failure: failureSchema.nullable(),
  createdAtMs: z.number(),
})
export type AnswerView = z.output<typeof answerViewSchema>

/** A model folder that was looked into before: it may be named again without a dialog. */
export const modelFolderSchema = z.strictObject({
  folder: z.string(),
  kind: z.enum(FOLDER_KINDS),
  modelType: z.string(),
  parameters: z.number(),
  bytes: z.number(),
  /** When it was last looked into. */
  usedAtMs: z.number(),
  /** False: it was moved or removed since. */
  isThere: z.boolean(),
})
export type ModelFolder = z.output<typeof modelFolderSchema>

/** Pictures that may be asked about, by the end of their file's name. */
export const PICTURE_EXTENSIONS = ['png', 'jpg', 'jpeg', 'webp', 'gif', 'tif', 'tiff', 'bmp', 'avif'] as const
