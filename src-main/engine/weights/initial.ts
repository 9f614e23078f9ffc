// The weights of a model: which tensors of which shape there are, and what they are before any training.

import { featureWidth, type LanguageModelSpec, type Module, type MultimodalLmSpec } from '../../domain/model-spec.ts'
import { createRandom } from '../../domain/random.ts'
import type { VisionEncoderSpec } from '../../domain/vision-encoder-spec.ts'
import { languageModelWeights, type WeightLayout } from '../models/language/families.ts'
import { IMAGE_NEWLINE } from '../models/projector.ts'
import { familyOf } from '../models/vision/families.ts'
import { linearLayout, residualScale, type Initial, type Layout } from './layout.ts'

/** A tensor outside the engine's backend: what files hold. Row-major, in PyTorch's layout. */
export interface NamedArray {
  readonly shape: readonly number[]
  readonly values: Float32Array
}
export type NamedArrays = Readonly<Record<string, NamedArray>>

/**
 * Of language model and projector: Qwen2's 0.02 at its width of 896 is 0.6/√width. Taken as it is, 0.02 would make a
 * narrow model's signals vanish from layer to layer, and it would not begin to learn for hundreds of steps.
 */
const std = (from: number) => 0.6 / Math.sqrt(from)

/**
 * Fresh weights of the three modules: normal deviates of standard deviation 0.6/√D_in in language model and projector
 * and √(1/D_in) in the encoder (SigLIP's Lecun normal), zero biases, unit norms. Each tensor draws from its own stream of `seed`,
 * when its values are asked for: a large model is never held beside what is made of it.
 */
export function initialWeights(spec: MultimodalLmSpec, seed: number): Record<Module, NamedArrays> {
  return {
    visionEncoder: drawWeights(visionEncoderLayout(spec.visionEncoder), seed),
    projector: drawWeights(projectorLayout(spec), seed),
    languageModel: drawWeights(languageModelLayout(spec.languageModel), seed),
  }
}

export function drawWeights(layout: Layout, seed: number): NamedArrays {
  return Object.fromEntries(
    Object.entries(layout).map(([name, initial]) => [
      name,
      {
        shape: initial.shape,
        get values() {
          return drawn(seed, name, initial)
        },
      },
    ]),
  )
}

function drawn(seed: number, name: string, initial: Initial): Float32Array {
  const values = new Float32Array(initial.shape.reduce((product, size) => product * size, 1))
  if ('fill' in initial) return values.fill(initial.fill)
  const random = createRandom(seed, 'initial weights', name)
  for (let i = 0; i < values.length; i++) values[i] = initial.std * random.normal()
  return values
}

export function visionEncoderLayout(spec: VisionEncoderSpec): Layout {
  return familyOf(spec).layout(spec)
}

export function projectorLayout(spec: MultimodalLmSpec): Layout {
  const [from, to] = [featureWidth(spec), spec.languageModel.hiddenSize]
  const layers = { ...linearLayout('linear_1', from, to, std(from)), ...linearLayout('linear_2', to, to, std(to)) }
  const layout = spec.projector.bias ? layers : Object.fromEntries(Object.entries(layers).filter(([name]) => !name.endsWith('.bias')))
  return spec.imageNewline === true ? { ...layout, [IMAGE_NEWLINE]: { shape: [to], std: std(to) } } : layout
}

export function languageModelLayout(spec: LanguageModelSpec): Layout {
  const residual = residualScale(spec.numHiddenLayers)
  const initial = ({ shape, kind }: WeightLayout): Initial => {
    switch (kind) {
      case 'norm':
        return { shape, fill: 1 }
      case 'bias':
        return { shape, fill: 0 }
      case 'residual matrix':
        return { shape, std: std(shape[1]!) * residual }
      case 'matrix':
      case 'embedding':
        return { shape, std: std(shape[1]!) }
    }
  }
  return Object.fromEntries(Object.entries(languageModelWeights(spec)).map(([name, layout]) => [name, initial(layout)]))
}
