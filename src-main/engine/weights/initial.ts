// The weights of a model: which tensors of which shape there are, and what they are before any training.

import type { LanguageModelSpec, Module, MultimodalLmSpec, VisionEncoderSpec } from '../../domain/model-spec.ts'
import { createRandom } from '../../domain/random.ts'
import { languageModelWeights, type WeightLayout } from '../models/language/families.ts'
import type { Weights } from '../shapes.ts'

/** A tensor outside the engine's backend: what files hold. Row-major, in PyTorch's layout. */
export interface NamedArray {
  readonly shape: readonly number[]
  readonly values: Float32Array
}
export type NamedArrays = Readonly<Record<string, NamedArray>>

/** How a tensor begins. Normal deviates have the standard deviation given. */
type Initial = { readonly shape: readonly number[]; readonly fill: 0 | 1 } | { readonly shape: readonly number[]; readonly std: number }

/**
 * Of language model and projector: Qwen2's 0.02 at its width of 896 is 0.6/√width. Taken as it is, 0.02 would make a
 * narrow model's signals vanish from layer to layer, and it would not begin to learn for hundreds of steps.
 */
const std = (from: number) => 0.6 / Math.sqrt(from)

/** The members of `weights` whose names begin with `prefix`, without it. */
export function subset(weights: Weights, prefix: string): Weights {
  const found: Record<string, Weights[string]> = {}
  for (const name in weights) if (name.startsWith(prefix)) found[name.slice(prefix.length)] = weights[name]!
  return found
}

/**
 * Fresh weights of the three modules: normal deviates of standard deviation 0.6/√D_in in language model and projector
 * and √(1/D_in) in the encoder (SigLIP's Lecun normal), zero biases, unit norms. Each tensor draws from its own stream of `seed`.
 */
export function initialWeights(spec: MultimodalLmSpec, seed: number): Record<Module, NamedArrays> {
  const draw = (layout: Record<string, Initial>): NamedArrays =>
    Object.fromEntries(
      Object.entries(layout).map(([name, initial]) => {
        const values = new Float32Array(initial.shape.reduce((product, size) => product * size, 1))
        if ('fill' in initial) values.fill(initial.fill)
        else {
          const random = createRandom(seed, 'initial weights', name)
          for (let i = 0; i < values.length; i++) values[i] = initial.std * random.normal()
        }
        return [name, { shape: initial.shape, values }]
      }),
    )
  return {
    visionEncoder: draw(visionEncoderLayout(spec.visionEncoder)),
    projector: draw(projectorLayout(spec)),
    languageModel: draw(languageModelLayout(spec.languageModel)),
  }
}

export function visionEncoderLayout(spec: VisionEncoderSpec): Record<string, Initial> {
  const [D, inner, patch] = [spec.hiddenSize, spec.intermediateSize, spec.patchSize]
  const layout: Record<string, Initial> = {
    'embeddings.patch_embedding.weight': { shape: [D, spec.numChannels, patch, patch], std: Math.sqrt(1 / (spec.numChannels * patch * patch)) },
    'embeddings.patch_embedding.bias': { shape: [D], fill: 0 },
    'embeddings.position_embedding.weight': { shape: [(spec.imageSize / patch) ** 2, D], std: Math.sqrt(1 / D) },
  }
  for (let i = 0; i < spec.numHiddenLayers; i++) {
    const at = `encoder.layers.${i}.`
    for (const norm of ['layer_norm1', 'layer_norm2']) Object.assign(layout, normLayout(`${at}${norm}`, D))
    for (const name of ['q_proj', 'k_proj', 'v_proj']) Object.assign(layout, linearLayout(`${at}self_attn.${name}`, D, D))
    const residual = residualScale(spec.numHiddenLayers)
    Object.assign(layout, linearLayout(`${at}self_attn.out_proj`, D, D, residual / Math.sqrt(D)))
    Object.assign(layout, linearLayout(`${at}mlp.fc1`, D, inner), linearLayout(`${at}mlp.fc2`, inner, D, residual / Math.sqrt(inner)))
  }
  Object.assign(layout, normLayout('post_layernorm', D))
  if (spec.visionUseHead) {
    layout['head.probe'] = { shape: [1, 1, D], std: Math.sqrt(1 / D) }
    layout['head.attention.in_proj_weight'] = { shape: [3 * D, D], std: Math.sqrt(1 / D) }
    layout['head.attention.in_proj_bias'] = { shape: [3 * D], fill: 0 }
    Object.assign(layout, linearLayout('head.attention.out_proj', D, D), normLayout('head.layernorm', D))
    Object.assign(layout, linearLayout('head.mlp.fc1', D, inner), linearLayout('head.mlp.fc2', inner, D))
  }
  return layout
}

export function projectorLayout(spec: MultimodalLmSpec): Record<string, Initial> {
  const [from, to] = [spec.visionEncoder.hiddenSize, spec.languageModel.hiddenSize]
  return { ...linearLayout('linear_1', from, to, std(from)), ...linearLayout('linear_2', to, to, std(to)) }
}

export function languageModelLayout(spec: LanguageModelSpec): Record<string, Initial> {
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

/** What is added to the residual stream shrinks with the number of additions (GPT-2), so that its sum stays near one. */
function residualScale(layers: number): number {
  return 1 / Math.sqrt(2 * layers)
}

function linearLayout(name: string, from: number, to: number, std = Math.sqrt(1 / from)): Record<string, Initial> {
  return { [`${name}.weight`]: { shape: [to, from], std }, [`${name}.bias`]: { shape: [to], fill: 0 } }
}

function normLayout(name: string, width: number): Record<string, Initial> {
  return { [`${name}.weight`]: { shape: [width], fill: 1 }, [`${name}.bias`]: { shape: [width], fill: 0 } }
}
