// A model folder as a person looks at it before using it, and a question to a model with the answer as it comes.

import { z } from 'zod'
import { MODULES } from './model-spec.ts'

/** What a folder holds. */
export const FOLDER_KINDS = ['checkpoint', 'multimodal model', 'vision encoder', 'language model'] as const

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
    .strictObject({ tokens: z.int(), endId: z.int(), imageId: z.int(), prompt: z.string() })
    .nullable(),
  preprocess: z.array(z.string()).nullable(),
  /** What would keep the lab from using the folder; empty: it can be used. */
  faults: z.array(z.string()),
})
export type ModelInspection = z.output<typeof modelInspectionSchema>

/** A question to a model, about an image or without one. */
export const modelQuestionSchema = z.strictObject({
  question: z.string().min(1).max(20_000).meta({ label: 'Question' }),
  maxNewTokens: z.int().min(1).max(4096).default(128).meta({ label: 'Longest answer', help: 'tokens', unit: 'tokens' }),
  temperature: z.number().min(0).max(10).default(0).meta({ label: 'Temperature', help: '0: always the most likely token; 1: as the model weighs them' }),
  topP: z.number().min(0.01).max(1).default(1).meta({ label: 'Top-p', help: 'draw from the most likely tokens that together hold this share' }),
  seed: z.int().min(0).default(0).meta({ label: 'Seed', help: 'the same seed draws the same answer' }),
  stops: z.array(z.string().min(1)).max(16).default([]).meta({ label: 'Stop strings', help: 'each ends the answer' }),
})
export type ModelQuestion = z.output<typeof modelQuestionSchema>

/** What the answer was, once it has ended. */
export interface ModelAnswer {
  readonly text: string
  readonly tokens: number
  /** Why it ended: the model's end token, a stop string, or the limit. */
  readonly ended: 'end' | 'stop' | 'limit'
}
