// What a family of language models has of its own. All of them are one decoder (models/language-model.ts); a family says
// which layers carry biases, whether queries and keys are normed, and how its config.json is read and written.
// To add one: a file here, its name in LANGUAGE_MODEL_FAMILIES (domain/model-spec.ts), a line in families.ts.

import type { LanguageModelSpec } from '../../../domain/model-spec.ts'

export type Json = Readonly<Record<string, unknown>>

export interface LanguageModelFamily {
  /** `model_type` in config.json. */
  readonly modelType: string
  /** `architectures[0]` in config.json. */
  readonly architecture: string
  /** What a field that config.json leaves out means to transformers, which leaves out of nested configs what is at its default. */
  readonly absent: {
    readonly vocabSize: number
    readonly intermediateSize: number
    /** null: as many as query heads. */
    readonly numKeyValueHeads: number | null
    /** null: hiddenSize / numAttentionHeads. */
    readonly headDim: number | null
    readonly maxPositionEmbeddings: number
  }
  /** Which linear layers carry a bias. */
  biases(spec: LanguageModelSpec): { readonly queryKeyValue: boolean; readonly output: boolean; readonly mlp: boolean }
  /** Whether `use_sliding_window` means something to it. */
  readonly hasWindows: boolean
  /** RMSNorm over each head of queries and keys before they are rotated. */
  readonly normsQueriesAndKeys: boolean
  /** Fields of config.json that only this family has. */
  ownFields(spec: LanguageModelSpec): Json
}
