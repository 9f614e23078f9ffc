// Gradients of a loss by every weight of a model against the recorded ones, which go by any generation of published names.

import * as tf from '@tensorflow/tfjs'
import { MODULES, type Module } from '../../domain/model-spec.ts'
import type { VisionEncoderSpec } from '../../domain/vision-encoder-spec.ts'
import { gradients } from '../../engine/nn/gradients.ts'
import type { Weights } from '../../engine/shapes.ts'
import type { NamedArray } from '../../engine/weights/initial.ts'
import { splitByModule, visionEncoderTensors } from '../../engine/weights/names.ts'
import type { CaseTensors } from './case-files.ts'
import { keyBiasTolerance, largestOf, type Comparison, type Tolerance } from './comparison.ts'

export interface GradientCheck {
  readonly comparison: Comparison
  readonly tolerance: Tolerance
  readonly recorded: CaseTensors
  /** What stands before a weight's name: `grad.`, `dpo.grad.`. */
  readonly prefix: string
  readonly weights: Readonly<Partial<Record<Module, Weights>>>
  /** Whose names the recorded ones of the vision encoder are led back to. */
  readonly visionEncoder: VisionEncoderSpec | null
}

/**
 * @param f   a function of the weights
 * @param dy  of f's value's shape; null: f is a loss
 */
export function compareWeightGradients({ comparison, tolerance, recorded, prefix, weights, visionEncoder }: GradientCheck, f: () => tf.Tensor, dy: tf.Tensor | null): void {
  const held = MODULES.flatMap((module) => Object.entries(weights[module] ?? {}).map(([name, weight]) => ({ module, name, weight })))
  const { gradients: found } = gradients(f, held.map(({ weight }) => weight), dy)
  const { expected, strays } = recordedByModule(recorded, prefix, visionEncoder)
  const largest = Math.max(0, ...Object.values(expected).flatMap((ofModule) => Object.values(ofModule).map(largestOf)))
  const group = prefix === 'grad.' ? 'gradients of the weights' : `gradients, ${prefix.replace('.grad.', '')}`
  held.forEach(({ module, name }, i) => {
    const values = expected[module][name]
    const { shape, size } = found[i]!
    // The reference records no gradient where nothing depends on a weight.
    if (values === undefined) comparison.check('weights without gradient', name, found[i]!, { shape, values: new Float32Array(size) }, tolerance)
    else comparison.check(group, prefix + name, found[i]!, values, isKeyBias(module, name) ? keyBiasTolerance(tolerance, values, largest) : tolerance)
  })
  // A recorded gradient that belongs to no weight of ours would never be compared.
  const unmatched = [...strays, ...MODULES.flatMap((module) => Object.keys(expected[module]).filter((name) => weights[module]?.[name] === undefined))]
  comparison.same('gradients without weight', unmatched[0] ?? `${prefix}*`, unmatched, [])
}

/** Of an encoder's attention; language models rotate their keys. */
function isKeyBias(module: Module, name: string): boolean {
  return module === 'visionEncoder' && /(?:k_proj|attention\.key)\.bias$/.test(name)
}

function recordedByModule(recorded: CaseTensors, prefix: string, visionEncoder: VisionEncoderSpec | null) {
  const names = recorded.names.filter((name) => name.startsWith(prefix) && name !== `${prefix}pixel_values`)
  const { modules, unknown } = splitByModule(Object.fromEntries(names.map((name) => [name.slice(prefix.length), recorded.get(name)])))
  const expected: Record<Module, Record<string, NamedArray>> = { ...modules }
  if (visionEncoder !== null) expected.visionEncoder = visionEncoderTensors(visionEncoder, modules.visionEncoder)
  return { expected, strays: unknown }
}
