// The letters that every shape comment uses, and the one check of a shape.
//
//   B batch (images or pairs)   R rows of text (one answer each; R = B, or 2·B for pairs)   T text positions
//   P image patches             I image tokens after the projector (= P)                    A answer positions of a row
//   D width   H attention heads   V vocabulary   C channels   () scalar

import type * as tf from '@tensorflow/tfjs'
import { LabError } from '../domain/errors.ts'

/** Weights by name; names are Hugging Face state-dict names, layouts are PyTorch's (a linear weight is out × in). */
export type Weights = Readonly<Record<string, tf.Tensor>>

/** @throws LabError 'invalid-input' naming the tensor, the shape expected and the shape found */
export function assertShape(name: string, tensor: { readonly shape: readonly number[] }, expected: readonly number[]): void {
  if (tensor.shape.length !== expected.length || tensor.shape.some((size, axis) => size !== expected[axis]))
    throw new LabError('invalid-input', `${name}: expected shape [${expected.join(', ')}], found [${tensor.shape.join(', ')}]`, { name })
}

/** @throws LabError 'corrupt-artifact' naming the weight that is not there */
export function weightOf(weights: Weights, name: string): tf.Tensor {
  const weight = weights[name]
  if (weight === undefined) throw new LabError('corrupt-artifact', `the weight ${name} is missing`, { name })
  return weight
}

/** The members of `weights` whose names begin with `prefix`, without it. */
export function subset(weights: Weights, prefix: string): Weights {
  const found: Record<string, Weights[string]> = {}
  for (const name in weights) if (name.startsWith(prefix)) found[name.slice(prefix.length)] = weights[name]!
  return found
}

/** A variable that nothing trains: no gradient is wanted of it, and what only that gradient would need is not kept. */
export function isFrozen(weight: tf.Tensor): boolean {
  return 'trainable' in weight && weight.trainable === false
}
