// What is in a model folder, said in one line, and whether it is what a field asks for.

import type { ModelInspection, ModelFolder } from '../../src-main/domain/model-view.ts'
import { bytesText, parametersText } from '../ui/quantity.ts'

/** What a field wants of a folder. */
export type WantedModel = 'model' | 'visionEncoder' | 'languageModel' | 'adapter'

const KINDS: Readonly<Record<WantedModel, readonly ModelInspection['kind'][]>> = {
  model: ['checkpoint', 'multimodal model'],
  visionEncoder: ['vision encoder', 'dual encoder', 'multimodal model', 'checkpoint'],
  languageModel: ['language model', 'multimodal model', 'checkpoint'],
  adapter: ['adapter'],
}

const NAMES: Readonly<Record<WantedModel, string>> = {
  model: 'a multimodal model',
  visionEncoder: 'a vision encoder',
  languageModel: 'a language model',
  adapter: 'a LoRA adapter in PEFT’s layout',
}

const MODULES = { visionEncoder: 'encoder', projector: 'projector', languageModel: 'language model' } as const

export function fits(kind: ModelFolder['kind'], wanted: WantedModel): boolean {
  return KINDS[wanted].includes(kind)
}

/** "checkpoint of a llava: encoder siglip 1.3 M, projector 82 k, language model qwen2 1.7 M; 12.4 MB". */
export function inspectionLine({ kind, modelType, modules, bytes }: ModelInspection): string {
  const each = modules.map(({ module, spec, parameters }) =>
    [MODULES[module], typeof spec['family'] === 'string' ? spec['family'] : null, parametersText(parameters)].filter(Boolean).join(' '),
  )
  return `${kind === 'checkpoint' ? 'Model of the lab' : `${kind[0]!.toUpperCase()}${kind.slice(1)}`} (${modelType})${each.length === 0 ? '' : `: ${each.join(', ')}`}; ${bytesText(bytes)}`
}

/** Why the folder cannot be used where `wanted` is asked for; null: it can. */
export function misfit(inspection: Pick<ModelInspection, 'kind' | 'faults'>, wanted: WantedModel): string | null {
  if (!fits(inspection.kind, wanted)) return `Expected ${NAMES[wanted]}, found ${/^[aeiou]/.test(inspection.kind) ? 'an' : 'a'} ${inspection.kind}. Choose another folder.`
  return inspection.faults[0] ?? null
}

/** The last two parts of a path: enough to tell folders apart in a list. */
export function shortPath(path: string): string {
  const parts = path.split(/[\\/]/).filter(Boolean)
  return parts.length <= 2 ? path : `…/${parts.slice(-2).join('/')}`
}
