// Weights as tensors that nobody changes: a model to be run, not trained.

import * as tf from '@tensorflow/tfjs'
import { MODULES, type Module, type MultimodalLmSpec } from '../domain/model-spec.ts'
import type { MultimodalLm } from '../engine/models/multimodal-lm.ts'
import type { Weights } from '../engine/shapes.ts'
import type { NamedTensors } from '../engine/train-step.ts'
import type { NamedArrays } from '../engine/weights/initial.ts'
import { movedTensor } from '../engine/weights/moved-tensor.ts'

/** What is computed with a model: tensors by name to tensors by name, nothing read back and nothing kept. */
export type Forward = (model: MultimodalLm, inputs: NamedTensors) => NamedTensors

export interface HeldModel {
  readonly model: MultimodalLm
  /**
   * Runs `forward`, which `name` stands for: a name is always the same computation. The caller disposes the results; inputs are
   * only read.
   */
  run(name: string, forward: Forward, inputs: NamedTensors): Record<string, tf.Tensor>
  dispose(): void
}

export interface ModelArrays {
  readonly spec: MultimodalLmSpec
  readonly weights: Readonly<Record<Module, NamedArrays>>
}

/** A model that runs eagerly. */
export function heldModel({ spec, weights: arrays }: ModelArrays): HeldModel {
  const tensorsOf = (module: Module): Weights =>
    Object.fromEntries(Object.entries(arrays[module]).map(([name, array]) => [name, movedTensor(array)]))
  const weights = Object.fromEntries(MODULES.map((module) => [module, tensorsOf(module)])) as Record<Module, Weights>
  const model = modelOf(spec, weights)
  return {
    model,
    run: (_, forward, inputs) => tf.tidy(() => ({ ...forward(model, inputs) })),
    dispose: () => tf.dispose(weights as unknown as tf.NamedTensorMap),
  }
}

/** @param weights  tensors or variables; the model only reads them */
export function modelOf(spec: MultimodalLmSpec, weights: Readonly<Record<Module, Weights>>): MultimodalLm {
  return { spec, weights, gradientCheckpointing: { visionEncoder: false, projector: false, languageModel: false } }
}
