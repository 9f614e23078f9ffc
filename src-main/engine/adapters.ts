// LoRA's adapters (arXiv 2106.09685) as values: how they begin, and what they amount to in one weight. Dropout is absent:
// the arms of a study would draw it differently.

import * as tf from '@tensorflow/tfjs'
import { MODULES, type Module, type MultimodalLmSpec } from '../domain/model-spec.ts'
import { createRandom } from '../domain/random.ts'
import type { Lora, Training } from '../domain/run-config.ts'
import { mergedValues } from './nn/low-rank.ts'
import { parameterLedger, type Shapes } from './parameter-ledger.ts'
import type { NamedArray, NamedArrays } from './weights/initial.ts'

/** α/r, or with rsLoRA (arXiv 2312.03732) α/√r. */
export function adapterScale({ rank, alpha, rankStabilised }: Pick<Lora, 'rank' | 'alpha' | 'rankStabilised'>): number {
  return alpha / (rankStabilised ? Math.sqrt(rank) : rank)
}

/**
 * A factor as PEFT begins it: A uniform in ±1/√D_in (Kaiming's with a = √5), B zero, so that step 0 is the base model.
 * Each tensor draws from its own stream of `seed`.
 */
export function initialFactor(seed: number, module: Module, name: string, shape: readonly number[]): NamedArray {
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1))
  if (name.endsWith('.lora_A.weight')) {
    const bound = 1 / Math.sqrt(shape[1]!)
    const random = createRandom(seed, 'adapter', module, name)
    for (let i = 0; i < values.length; i++) values[i] = bound * (2 * random.uniform() - 1)
  }
  return { shape, values }
}

/**
 * Every factor with which a training of this model begins, by module and name.
 * @throws LabError 'invalid-input' naming the setting that fits nothing in this model
 */
export function initialFactors(spec: MultimodalLmSpec, shapes: Shapes, training: Pick<Training, 'modules' | 'seed'>): Readonly<Record<Module, NamedArrays>> {
  const factors = Object.fromEntries(MODULES.map((module) => [module, {}])) as Record<Module, Record<string, NamedArray>>
  for (const { module, name, shape, part } of parameterLedger(spec, shapes, training))
    if (part === 'adapter') factors[module][name] = initialFactor(training.seed, module, name, shape)
  return factors
}

/** An adapted layer: what it was, the factors, and their scale. */
export interface AdaptedWeight {
  readonly base: NamedArray
  readonly A: NamedArray
  readonly B: NamedArray
  readonly scale: number
}

/** W + s·B·A as an array of its own. */
export function mergedWeight({ base, A, B, scale }: AdaptedWeight): NamedArray {
  const [W, a, b] = [base, A, B].map(({ shape, values }) => tf.tensor(values, [...shape])) as [tf.Tensor, tf.Tensor, tf.Tensor]
  try {
    return { shape: base.shape, values: mergedValues(W, a, b, scale) }
  } finally {
    tf.dispose([W, a, b])
  }
}
