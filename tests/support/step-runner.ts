// Runs optimiser steps on batches that a test has made, and gives the numbers that they log.

import * as tf from '@tensorflow/tfjs'
import { expect } from 'vitest'
import type { Training } from '../../src-main/domain/run-config.ts'
import { createObjective, type Batch } from '../../src-main/engine/objectives/objective.ts'
import { createTrainStep, stepNumbers, type NamedTensors, type TrainableModel } from '../../src-main/engine/train-step.ts'

/** Runs step number `step` on micro-batches and gives the numbers it logs. */
export function runner(trainable: TrainableModel, training: Training) {
  const step = createTrainStep(trainable, createObjective(training.objective), training)
  return (number: number, ...batches: Batch[]): Record<string, number> => {
    const scalars = Object.fromEntries(
      Object.entries(stepNumbers(training, number)).map(([name, value]) => [name, tf.scalar(value)]),
    )
    const outputs = step.run(named(...batches), scalars)
    expect(Object.keys(outputs).sort()).toEqual([...step.outputs].sort())
    const numbers = Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, value.dataSync()[0]!]))
    tf.dispose([outputs, scalars])
    return numbers
  }
}

/** Micro-batches under the names that a step knows them by. */
export function named(...batches: Batch[]): NamedTensors {
  return Object.fromEntries(batches.flatMap((batch, i) => flat(batch, `${i}/`)))
}

function flat(tensors: object, prefix: string): (readonly [string, tf.Tensor])[] {
  return Object.entries(tensors).flatMap(([name, each]) =>
    each instanceof tf.Tensor ? [[`${prefix}${name}`, each] as const] : flat(each as object, `${prefix}${name}/`),
  )
}
