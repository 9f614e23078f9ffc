// A short training of a whole multimodal model against its reference: the same batch every step, at a constant rate and
// without clipping, by AdamW with the decay groups of transformers' Trainer.

import * as tf from '@tensorflow/tfjs'
import { MODULES, type Module, type MultimodalLmSpec } from '../../domain/model-spec.ts'
import { parse } from '../../domain/parse.ts'
import { trainingSchema } from '../../domain/run-config.ts'
import { createObjective, type Batch } from '../../engine/objectives/objective.ts'
import { createTrainStep, stepNumbers, trainableModel } from '../../engine/train-step.ts'
import type { NamedArrays } from '../../engine/weights/initial.ts'
import { splitByModule, visionEncoderTensors } from '../../engine/weights/names.ts'
import type { CaseTensors, JsonObject } from './case-files.ts'
import type { Comparison } from './comparison.ts'
import { LOGGED, WEIGHTS } from './training.ts'

const FINAL = 'training.final.'

/**
 * Every logged loss, and every weight that the case recorded after the last step: it leaves out those whose gradient is
 * rounding alone, which AdamW makes as large as any other.
 * @param settings  `steps`, `learning_rate`, `weight_decay` and, where it is not 1e-8, `adam_epsilon`
 */
export function compareMultimodalTraining(
  settings: JsonObject,
  model: { readonly spec: MultimodalLmSpec; readonly weights: Readonly<Record<Module, NamedArrays>> },
  batch: Batch,
  recorded: CaseTensors,
  comparison: Comparison,
): void {
  const training = parse(trainingSchema, {
    objective: { kind: 'sft' },
    steps: settings['steps'],
    learningRate: settings['learning_rate'],
    weightDecay: settings['weight_decay'],
    schedule: 'constant',
    warmupRatio: 0,
    maxGradientNorm: 1e9,
    adamEpsilon: settings['adam_epsilon'],
  })
  const trainable = trainableModel(model.spec, model.weights, training)
  try {
    const step = createTrainStep(trainable, createObjective(training.objective), training)
    const micro = Object.fromEntries(Object.entries(batch as unknown as Record<string, tf.Tensor>).map(([name, tensor]) => [`0/${name}`, tensor]))
    recorded.get('training.losses').values.forEach((loss, i) => {
      const scalars = Object.fromEntries(Object.entries(stepNumbers(training, i + 1)).map(([name, value]) => [name, tf.scalar(value)]))
      comparison.check('training, losses', `loss of step ${i + 1}`, step.run(micro, scalars)['loss']!, { shape: [1], values: [loss] }, LOGGED)
    })
    const final = Object.fromEntries(recorded.names.filter((name) => name.startsWith(FINAL)).map((name) => [name.slice(FINAL.length), recorded.get(name)]))
    const { modules } = splitByModule(final)
    const expected = { ...modules, visionEncoder: visionEncoderTensors(model.spec.visionEncoder, modules.visionEncoder) }
    for (const module of MODULES)
      for (const [name, values] of Object.entries(expected[module])) comparison.check('training, weights', name, trainable.variables[`${module}/${name}`]!, values, WEIGHTS)
  } finally {
    trainable.dispose()
  }
}
