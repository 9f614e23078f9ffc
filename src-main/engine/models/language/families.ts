// The table of language-model families, and what follows from it for all: config.json ⇄ spec, and the weights there are.

import { LabError } from '../../../domain/errors.ts'
import {
  headWidth,
  LANGUAGE_MODEL_FAMILIES,
  languageModelSpecSchema,
  type LanguageModelFamilyName,
  type LanguageModelSpec,
} from '../../../domain/model-spec.ts'
import { parse } from '../../../domain/parse.ts'
import { withKnownActivation } from '../activation-names.ts'
import type { Json, LanguageModelFamily } from './family.ts'
import { llama } from './llama.ts'
import { qwen2 } from './qwen2.ts'
import { qwen3 } from './qwen3.ts'
import { ropeFromConfig, ropeParameters } from './rope-config.ts'

const FAMILIES = { qwen2, qwen3, llama } as const satisfies Record<LanguageModelFamilyName, LanguageModelFamily>

export function languageFamily(spec: Pick<LanguageModelSpec, 'family'>): LanguageModelFamily {
  return FAMILIES[spec.family]
}

export function languageModelConfig(spec: LanguageModelSpec): Json {
  const family = languageFamily(spec)
  return {
    architectures: [family.architecture],
    model_type: family.modelType,
    vocab_size: spec.vocabSize,
    hidden_size: spec.hiddenSize,
    intermediate_size: spec.intermediateSize,
    num_hidden_layers: spec.numHiddenLayers,
    num_attention_heads: spec.numAttentionHeads,
    num_key_value_heads: spec.numKeyValueHeads,
    rms_norm_eps: spec.rmsNormEps,
    ...ropeParameters(spec),
    tie_word_embeddings: spec.tieWordEmbeddings,
    max_position_embeddings: spec.maxPositionEmbeddings,
    hidden_act: spec.hiddenAct,
    ...family.ownFields(spec),
    ...slidingFields(spec),
    torch_dtype: 'float32',
  }
}

/**
 * Reads config.json as transformers 4 and 5 write it.
 * @throws LabError 'invalid-input' naming the field that the lab cannot follow, and for a `model_type` of no family the known ones
 */
export function languageModelSpec(given: Json): LanguageModelSpec {
  const config = withKnownActivation(given)
  const type = config['model_type']
  const name = LANGUAGE_MODEL_FAMILIES.find((each) => FAMILIES[each].modelType === type)
  if (name === undefined)
    throw new LabError(
      'invalid-input',
      `config.json: model_type: expected a language model of ${LANGUAGE_MODEL_FAMILIES.map((each) => FAMILIES[each].modelType).join(', ')}, found ${JSON.stringify(type)}; to add a family, write src-main/engine/models/language/<family>.ts and a line in families.ts there`,
    )
  const { absent } = FAMILIES[name]
  refuseWhatIsNotComputed(config)
  const heads = config['num_attention_heads'] ?? 32
  const keyValueHeads = config['num_key_value_heads'] === undefined ? (absent.numKeyValueHeads ?? heads) : (config['num_key_value_heads'] ?? heads)
  const hiddenSize = config['hidden_size'] ?? 4096
  const headDim = config['head_dim'] ?? absent.headDim
  return parse(
    languageModelSpecSchema,
    {
      family: name,
      vocabSize: config['vocab_size'] ?? absent.vocabSize,
      hiddenSize,
      intermediateSize: config['intermediate_size'] ?? absent.intermediateSize,
      numHiddenLayers: config['num_hidden_layers'] ?? 32,
      numAttentionHeads: heads,
      numKeyValueHeads: keyValueHeads,
      // A width that follows from the others is not a setting of its own.
      headDim: headDim === Number(hiddenSize) / Number(heads) ? null : headDim,
      attentionBias: config['attention_bias'] ?? false,
      mlpBias: config['mlp_bias'] ?? false,
      hiddenAct: config['hidden_act'] ?? 'silu',
      ...slidingWindow(config, FAMILIES[name]),
      rmsNormEps: config['rms_norm_eps'] ?? 1e-6,
      ...ropeFromConfig(config),
      tieWordEmbeddings: config['tie_word_embeddings'] ?? false,
      maxPositionEmbeddings: config['max_position_embeddings'] ?? absent.maxPositionEmbeddings,
    },
    'invalid-input',
    'config.json',
  )
}

/** Every field that would change what is computed, and that the decoder does not follow. */
function refuseWhatIsNotComputed(config: Json): void {
  const refuse = (field: string, expected: string) => {
    throw new LabError('invalid-input', `config.json: ${field}: expected ${expected}, found ${JSON.stringify(config[field])}`, { field })
  }
  const kinds = config['layer_types']
  if (Array.isArray(kinds) && typeof config['num_hidden_layers'] === 'number' && kinds.length !== config['num_hidden_layers'])
    refuse('layer_types', `one for each of the ${config['num_hidden_layers']} layers`)
  if (Array.isArray(kinds) && kinds.some((kind, i) => !['full_attention', 'sliding_attention'].includes(kind as string) || (kind === 'full_attention' && kinds[i - 1] === 'sliding_attention')))
    refuse('layer_types', 'full_attention in the lower layers and sliding_attention in those above (no other order is computed)')
  if (Number(config['partial_rotary_factor'] ?? 1) !== 1) refuse('partial_rotary_factor', '1 (rotary positions over the whole head)')
}

/** Which layers see a window alone: `layer_types` says so, or the fields that it is made from (transformers, Qwen2Config). */
function slidingWindow(config: Json, { hasWindows }: LanguageModelFamily): { readonly slidingWindow: unknown; readonly maxWindowLayers: unknown } {
  const none = { slidingWindow: null, maxWindowLayers: 0 }
  const kinds = config['layer_types']
  if (Array.isArray(kinds)) {
    const full = kinds.filter((kind) => kind === 'full_attention').length
    return full === kinds.length ? none : { slidingWindow: config['sliding_window'] ?? 4096, maxWindowLayers: full }
  }
  if (!hasWindows || config['use_sliding_window'] !== true || config['sliding_window'] === null) return none
  return { slidingWindow: config['sliding_window'] ?? 4096, maxWindowLayers: config['max_window_layers'] ?? 28 }
}

function slidingFields({ slidingWindow: window, maxWindowLayers, numHiddenLayers }: LanguageModelSpec): Json {
  if (window === null) return {}
  const layer_types = Array.from({ length: numHiddenLayers }, (_, i) => (i < maxWindowLayers ? 'full_attention' : 'sliding_attention'))
  return { use_sliding_window: true, sliding_window: window, max_window_layers: maxWindowLayers, layer_types }
}

/** Every weight with its shape; `kind` says how a fresh one begins. Linear weights are out × in. */
export interface WeightLayout {
  readonly shape: readonly number[]
  readonly kind: 'embedding' | 'matrix' | 'residual matrix' | 'norm' | 'bias'
}

export function languageModelWeights(spec: LanguageModelSpec): Record<string, WeightLayout> {
  const family = languageFamily(spec)
  const biases = family.biases(spec)
  const D = spec.hiddenSize
  const d = headWidth(spec)
  const [queries, keyValues, inner] = [d * spec.numAttentionHeads, d * spec.numKeyValueHeads, spec.intermediateSize]
  const weights: Record<string, WeightLayout> = { 'model.embed_tokens.weight': { shape: [spec.vocabSize, D], kind: 'embedding' } }
  const norm = (name: string, width: number) => (weights[`${name}.weight`] = { shape: [width], kind: 'norm' })
  const linear = (name: string, to: number, from: number, hasBias: boolean, kind: WeightLayout['kind'] = 'matrix') => {
    weights[`${name}.weight`] = { shape: [to, from], kind }
    if (hasBias) weights[`${name}.bias`] = { shape: [to], kind: 'bias' }
  }
  for (let i = 0; i < spec.numHiddenLayers; i++) {
    const at = `model.layers.${i}.`
    norm(`${at}input_layernorm`, D)
    norm(`${at}post_attention_layernorm`, D)
    linear(`${at}self_attn.q_proj`, queries, D, biases.queryKeyValue)
    linear(`${at}self_attn.k_proj`, keyValues, D, biases.queryKeyValue)
    linear(`${at}self_attn.v_proj`, keyValues, D, biases.queryKeyValue)
    linear(`${at}self_attn.o_proj`, D, queries, biases.output, 'residual matrix')
    if (family.normsQueriesAndKeys) for (const name of ['q_norm', 'k_norm']) norm(`${at}self_attn.${name}`, d)
    linear(`${at}mlp.gate_proj`, inner, D, biases.mlp)
    linear(`${at}mlp.up_proj`, inner, D, biases.mlp)
    linear(`${at}mlp.down_proj`, D, inner, biases.mlp, 'residual matrix')
  }
  norm('model.norm', D)
  if (!spec.tieWordEmbeddings) weights['lm_head.weight'] = { shape: [spec.vocabSize, D], kind: 'matrix' }
  return weights
}
