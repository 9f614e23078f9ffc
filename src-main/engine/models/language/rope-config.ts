// Rotary positions in config.json, in every spelling: transformers 4 keeps `rope_theta` beside `rope_scaling` (whose kind is
// `rope_type`, before that `type`); transformers 5 puts both into `rope_parameters`.

import { LabError } from '../../../domain/errors.ts'
import type { LanguageModelSpec, RopeScaling } from '../../../domain/model-spec.ts'
import type { Json } from './family.ts'

/** Base of the rotation when config.json names none. */
const DEFAULT_THETA = 10000

/** @returns `ropeTheta` and `ropeScaling`, to be checked with the rest of the spec; @throws LabError 'invalid-input' for a kind of no known formula */
export function ropeFromConfig(config: Json): { readonly ropeTheta: unknown; readonly ropeScaling: unknown } {
  const parameters = (config['rope_parameters'] ?? config['rope_scaling'] ?? {}) as Json
  const kind = parameters['rope_type'] ?? parameters['type'] ?? 'default'
  const ropeTheta = parameters['rope_theta'] ?? config['rope_theta'] ?? DEFAULT_THETA
  const { factor } = parameters
  const originalMaxPositionEmbeddings =
    parameters['original_max_position_embeddings'] ?? config['original_max_position_embeddings'] ?? config['max_position_embeddings']
  switch (kind) {
    case 'default':
      return { ropeTheta, ropeScaling: { kind } }
    case 'linear':
      return { ropeTheta, ropeScaling: { kind, factor } }
    case 'dynamic':
      return { ropeTheta, ropeScaling: { kind, factor, originalMaxPositionEmbeddings } }
    case 'llama3':
      return {
        ropeTheta,
        ropeScaling: {
          kind,
          factor,
          lowFreqFactor: parameters['low_freq_factor'],
          highFreqFactor: parameters['high_freq_factor'],
          originalMaxPositionEmbeddings,
        },
      }
    case 'yarn':
      return {
        ropeTheta,
        ropeScaling: {
          kind,
          factor: factor ?? Number(config['max_position_embeddings']) / Number(originalMaxPositionEmbeddings),
          originalMaxPositionEmbeddings,
          attentionFactor: parameters['attention_factor'] ?? null,
          betaFast: parameters['beta_fast'] ?? 32,
          betaSlow: parameters['beta_slow'] ?? 1,
          mscale: parameters['mscale'] ?? null,
          mscaleAllDim: parameters['mscale_all_dim'] ?? null,
          truncate: parameters['truncate'] ?? true,
        },
      }
    default:
      throw new LabError(
        'invalid-input',
        `config.json: rope_parameters.rope_type: expected default, linear, dynamic, yarn or llama3, found ${JSON.stringify(kind)}`,
        { field: 'rope_parameters' },
      )
  }
}

/** The same as written: in both spellings, so that every release reads it. */
export function ropeParameters({ ropeTheta, ropeScaling }: Pick<LanguageModelSpec, 'ropeTheta' | 'ropeScaling'>): Json {
  const scaling = scalingFields(ropeScaling)
  return {
    rope_theta: ropeTheta,
    ...(ropeScaling.kind === 'default' ? {} : { rope_scaling: scaling }),
    rope_parameters: { rope_theta: ropeTheta, ...scaling },
  }
}

function scalingFields(scaling: RopeScaling): Json {
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  const { kind, ...settings } = scaling
  return { rope_type: kind, ...Object.fromEntries(Object.entries(settings).flatMap(([name, value]) => (value === null ? [] : [[snake(name), value]]))) }
}
