// AdamW (arXiv 1711.05101) as PyTorch computes it, on weights held as variables. Every number that changes from step to
// step comes in as a tensor, and nothing is read back: a step can be recorded and compiled.

import * as tf from '@tensorflow/tfjs'
import type { Module } from '../../domain/model-spec.ts'
import { graphOperators } from '../compile/graph-operators.ts'

export interface AdamWSettings {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
}

/** A weight that is trained, with its moments. */
export interface Trained {
  readonly module: Module
  readonly weight: tf.Variable
  readonly first: tf.Variable
  readonly second: tf.Variable
  /** Biases and norms are not decayed, as TRL and Hugging Face do. */
  readonly decays: boolean
}

/** The numbers of one step; each a scalar () tensor. */
export interface StepScalars {
  readonly learningRates: Readonly<Record<Module, tf.Scalar>>
  /** 1 − β₁^t and 1 − β₂^t, t counted from 1. */
  readonly correction1: tf.Scalar
  readonly correction2: tf.Scalar
}

/**
 * One update of every trained weight:
 *
 *   m ← β₁·m + (1 − β₁)·g      v ← β₂·v + (1 − β₂)·g²
 *   w ← w·(1 − η·λ) − η / (1 − β₁^t) · m / (√(v / (1 − β₂^t)) + ε)
 *
 * @param gradients  of each weight in the order of `trained`
 * @param scale      () multiplied onto every gradient: the clipping coefficient
 * @param healthy    () bool; where false, weights and moments stay exactly as they are, whatever the gradients hold
 */
export function adamWUpdate(
  trained: readonly Trained[],
  gradients: readonly tf.Tensor[],
  settings: AdamWSettings,
  scalars: StepScalars,
  scale: tf.Scalar,
  healthy: tf.Scalar,
): void {
  const gate = tf.cast(healthy, 'float32') // 1 or 0
  const [new1, new2] = [tf.mul(gate, 1 - settings.beta1), tf.mul(gate, 1 - settings.beta2)]
  const root2 = tf.sqrt(scalars.correction2)
  const epsilon = tf.mul(root2, settings.epsilon)
  // √(v/c₂) + ε = (√v + ε·√c₂)/√c₂: the corrections move onto the rate, one number in place of a tensor.
  const rates = mapModules(scalars.learningRates, (rate) => tf.div(tf.mul(tf.mul(rate, gate), root2), scalars.correction1))
  const decays = mapModules(scalars.learningRates, (rate) => tf.mul(tf.mul(rate, gate), settings.weightDecay))
  const decayOf = ({ module, decays: isDecayed }: Trained) => (isDecayed && settings.weightDecay > 0 ? decays[module] : null)
  const graph = graphOperators()
  if (graph !== undefined) {
    const numbers = { scale: tf.where(healthy, scale, tf.zerosLike(scale)), beta1: tf.sub(1, new1), beta2: tf.sub(1, new2), epsilon }
    trained.forEach((each, i) => graph.updateByAdam({ ...each, ...numbers, gradient: gradients[i]!, rate: rates[each.module], decay: decayOf(each) }))
    return
  }
  trained.forEach((each, i) =>
    tf.tidy(() => {
      const { weight, first, second } = each
      const raw = gradients[i]!
      // Zero times NaN is NaN, so an unhealthy gradient is replaced, not scaled.
      const g = tf.where(healthy, tf.mul(raw, scale), tf.zerosLike(raw))
      const m = tf.add(first, tf.mul(tf.sub(g, first), new1))
      const v = tf.add(second, tf.mul(tf.sub(tf.square(g), second), new2))
      const change = tf.mul(tf.div(m, tf.add(tf.sqrt(v), epsilon)), rates[each.module])
      const decay = decayOf(each)
      const kept = decay === null ? weight : tf.mul(weight, tf.sub(1, decay))
      weight.assign(tf.sub(kept, change))
      first.assign(m)
      second.assign(v)
    }),
  )
}

/** √Σ‖g‖² over all gradients. @returns () */
export function globalNorm(gradients: readonly tf.Tensor[]): tf.Scalar {
  // Not addN: where memory is short TensorFlow's optimiser turns it into operators that XLA does not have.
  return tf.sqrt(tf.sum(tf.stack(gradients.map((gradient) => tf.sum(tf.square(gradient)))))) as tf.Scalar
}

/** min(1, max / (norm + 1e-6)), PyTorch's clip_grad_norm_. @returns () */
export function clipCoefficient(norm: tf.Scalar, max: number): tf.Scalar {
  return tf.minimum(1, tf.div(max, tf.add(norm, 1e-6))) as tf.Scalar
}

function mapModules(of: Readonly<Record<Module, tf.Scalar>>, f: (rate: tf.Scalar) => tf.Tensor): Record<Module, tf.Tensor> {
  return Object.fromEntries(Object.entries(of).map(([module, rate]) => [module, f(rate)])) as Record<Module, tf.Tensor>
}
