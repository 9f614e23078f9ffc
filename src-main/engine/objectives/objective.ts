// What is minimised. Objectives differ here and nowhere else: the training loop, the optimiser, the data and the
// order are given to all alike.

import type * as tf from '@tensorflow/tfjs'
import type { ObjectiveConfig } from '../../domain/objective-config.ts'
import type { MultimodalLm } from '../models/multimodal-lm.ts'
import { captionWords } from './caption-words.ts'
import { dpo } from './dpo.ts'
import { grpo, type SampledRows } from './grpo.ts'
import { kto } from './kto.ts'
import type { AnswerRows } from './log-probs.ts'
import { orpo, referenceFree } from './reference-free.ts'
import { sft } from './sft.ts'

/** Answers, and what the reference says of them. */
export interface ComparedRows extends AnswerRows {
  /** (R): log π_reference of each answer, in nats; zeros where the objective has no reference. */
  readonly referenceLogProbs: tf.Tensor1D
}

/** The tensors of one forward pass; fixed shapes, so that a step can be recorded. */
export interface Batch extends ComparedRows {
  /** (B, P, C·patch²), or (B, I, D_vision) where the model takes features; unused by an objective that uses no images */
  readonly patches: tf.Tensor3D
  /**
   * (R): the weight of each row in the loss; zero for rows that only fill the batch. SFT weighs tokens alike, so a row
   * weighs 1 / (answer tokens of the optimiser step); DPO weighs pairs alike, so a row weighs 1 / (pairs of the step).
   */
  readonly rowWeights: tf.Tensor1D
  /** The same prompts with answers of other samples, R rows; where the objective needs them. */
  readonly mismatched?: ComparedRows
  /** What is known of answers that the model itself drew; where the objective learns from such. */
  readonly sampled?: SampledRows
}

export interface Objective {
  readonly kind: ObjectiveConfig['kind']
  /** Rows of text an image carries: 1, 2 for chosen and rejected (all chosen first, then all rejected), or a group of answers. */
  readonly rowsPerImage: number
  /** Whether rows are weighed by their answer tokens (true) or one by one. */
  readonly weighsTokens: boolean
  /** Whether a sample must be a preference pair. */
  readonly needsPairs: boolean
  /** What is computed once of every pair with the frozen reference; null: nothing, there is no reference. */
  readonly reference: { readonly ldAlpha: number } | null
  /** Whether every sample comes with its prompt under another sample's answers as well. */
  readonly needsMismatched: boolean
  /** False: samples are taken as text alone. */
  readonly usesImages: boolean
  readonly metricNames: readonly string[]
  /** Under a gradient tape: synchronous, pure, reads nothing back. Metrics are weighted like the loss, so that micro-batches add up. */
  loss(model: MultimodalLm, batch: Batch): { readonly loss: tf.Scalar; readonly metrics: Readonly<Record<string, tf.Scalar>> }
}

export function createObjective(config: ObjectiveConfig): Objective {
  switch (config.kind) {
    case 'caption-words':
      return captionWords()
    case 'text':
    case 'sft':
      return sft(config.kind)
    case 'dpo':
    case 'mpo':
      return dpo(config)
    case 'cpo':
    case 'simpo':
      return referenceFree(config)
    case 'orpo':
      return orpo(config)
    case 'kto':
      return kto(config)
    case 'grpo':
      return grpo(config)
  }
}
