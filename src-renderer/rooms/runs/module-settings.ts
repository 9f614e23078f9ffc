// The state of a module, read from and written to a run request; and presets of freezing.

import { MODULES, type Module } from '../../../src-main/domain/model-spec.ts'
import { at, withAt } from '../../ui/schema-fields.ts'

export type ModuleState = 'trained' | 'LoRA' | 'frozen'

/** What LoRA begins with when it is chosen; main fills in the same where they are left out. */
const LORA = { rank: 8, alpha: 16, rankStabilised: false, targets: 'all-linear' }

const pathOf = (module: Module, key: string) => ['training', 'modules', module, key]

export function stateOf(request: unknown, module: Module): ModuleState {
  if (at(request, pathOf(module, 'train')) === false) return 'frozen'
  return (at(request, pathOf(module, 'lora')) ?? null) === null ? 'trained' : 'LoRA'
}

/** A copy of the request with the module in that state; settings of adapters that were there stay. */
export function withState(request: unknown, module: Module, state: ModuleState): unknown {
  const lora = state === 'LoRA' ? (at(request, pathOf(module, 'lora')) ?? LORA) : null
  return withAt(withAt(request, pathOf(module, 'train'), state !== 'frozen'), pathOf(module, 'lora'), lora)
}

const preset = (label: string, states: Readonly<Record<Module, ModuleState>>) => ({
  label,
  apply: (request: unknown): unknown => MODULES.reduce((made: unknown, module) => withState(made, module, states[module]), request),
})

export const FREEZING_PRESETS = [
  preset('Train all', { visionEncoder: 'trained', projector: 'trained', languageModel: 'trained' }),
  preset('Only the encoder', { visionEncoder: 'trained', projector: 'frozen', languageModel: 'frozen' }),
  preset('Freeze the language model', { visionEncoder: 'trained', projector: 'trained', languageModel: 'frozen' }),
  preset('LoRA on the language model', { visionEncoder: 'trained', projector: 'trained', languageModel: 'LoRA' }),
] as const
