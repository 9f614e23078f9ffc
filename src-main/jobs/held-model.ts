// Weights as tensors that nobody changes: a model to be run, not trained.

import * as tf from '@tensorflow/tfjs'
import { MODULES, type Module, type MultimodalLmSpec } from '../domain/model-spec.ts'
import type { MultimodalLm } from '../engine/models/multimodal-lm.ts'
import type { Weights } from '../engine/shapes.ts'
import type { NamedArrays } from '../engine/weights/initial.ts'

export interface HeldModel {
  readonly model: MultimodalLm
  dispose(): void
}

export function heldModel({ spec, weights: arrays }: { readonly spec: MultimodalLmSpec; readonly weights: Readonly<Record<Module, NamedArrays>> }): HeldModel {
  const tensorsOf = (module: Module): Weights =>
    Object.fromEntries(Object.entries(arrays[module]).map(([name, { shape, values }]) => [name, tf.tensor(values, [...shape])]))
  const weights = Object.fromEntries(MODULES.map((module) => [module, tensorsOf(module)])) as Record<Module, Weights>
  return {
    model: { spec, weights, gradientCheckpointing: { visionEncoder: false, projector: false, languageModel: false } },
    dispose: () => tf.dispose(weights as unknown as tf.NamedTensorMap),
  }
}
