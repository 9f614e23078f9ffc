// Our names of weights ⇄ those in files. Inside the lab a name is local to its module (`encoder.layers.0.…`,
// `linear_1.weight`, `model.layers.0.…`); published checkpoints put several generations of prefixes before it.

import { MODULES, type Module } from '../../domain/model-spec.ts'
import type { VisionEncoderSpec } from '../../domain/vision-encoder-spec.ts'
import { IMAGE_NEWLINE } from '../models/projector.ts'
import { familyOf } from '../models/vision/families.ts'
import type { NamedArray, NamedArrays } from './initial.ts'

/** What stands before a module's names in a file, all generations; the local name follows. */
const PREFIXES: readonly (readonly [RegExp, Module, string])[] = [
  [/^(?:model\.)?vision_tower\.(?:vision_tower\.)?(?:vision_model\.)?/, 'visionEncoder', ''],
  [/^(?:model\.)?vision_model\./, 'visionEncoder', ''],
  [/^(?:vit|dinov2|dinov2_with_registers)\./, 'visionEncoder', ''],
  [/^(?:model\.)?(?:multi_modal_projector|mm_projector)\.0\./, 'projector', 'linear_1.'],
  [/^(?:model\.)?(?:multi_modal_projector|mm_projector)\.2\./, 'projector', 'linear_2.'],
  [/^(?:model\.)?(?:multi_modal_projector|mm_projector)\./, 'projector', ''],
  [/^(?:language_model\.)?(?:model\.)?(?=image_newline$)/, 'projector', ''],
  [/^(?:model\.)?language_model\.lm_head\./, 'languageModel', 'lm_head.'],
  [/^(?:model\.)?language_model\.(?:model\.)?/, 'languageModel', 'model.'],
  [/^lm_head\./, 'languageModel', 'lm_head.'],
  [/^model\./, 'languageModel', 'model.'],
  [/^(?=(?:embeddings|encoder|layers?|pre_layrnorm|post_layernorm|layernorm|pooler|head)\.)/, 'visionEncoder', ''],
]

/** The module and local name of a tensor in a file; null for a name of no known form. */
export function localName(fileName: string): { readonly module: Module; readonly name: string } | null {
  for (const [prefix, module, replacement] of PREFIXES) {
    const match = prefix.exec(fileName)
    if (match) return { module, name: replacement + fileName.slice(match[0].length) }
  }
  return null
}

/** The name of a tensor in a multimodal checkpoint, as transformers 5 saves LLaVA. */
export function multimodalName(module: Module, name: string): string {
  // It is trained with the projector, and stands beside it in the file.
  if (module === 'projector' && name === IMAGE_NEWLINE) return name
  const prefix = { visionEncoder: 'vision_tower.', projector: 'multi_modal_projector.', languageModel: 'language_model.' }[module]
  return prefix + name
}

/** The name of a tensor in an exported encoder: the form of the family's published checkpoints, which every release of transformers loads. */
export function visionEncoderName(spec: VisionEncoderSpec, name: string): string {
  return familyOf(spec).filePrefix + name
}

/** A vision encoder's tensors under the names of its family, whichever release of transformers wrote them. */
export function visionEncoderTensors(spec: VisionEncoderSpec, tensors: NamedArrays): Record<string, NamedArray> {
  const { renames, joins } = familyOf(spec)
  const named = Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [renames.reduce((each, [from, to]) => each.replace(from, to), name), tensor]),
  )
  for (const { parts, whole } of joins)
    for (const name of Object.keys(named)) {
      if (!name.includes(`${parts[0]}.`)) continue
      const [first, second] = parts.map((part) => name.replace(parts[0], part)) as [string, string]
      const [a, b] = [named[first]!, named[second]]
      if (b === undefined) continue
      named[name.replace(parts[0], whole)] = stacked(a, b)
      delete named[first]
      delete named[second]
    }
  return named
}

/** Two tensors along their first axis; their values are read when it is asked for its own. */
function stacked(a: NamedArray, b: NamedArray): NamedArray {
  return {
    shape: [a.shape[0]! + b.shape[0]!, ...a.shape.slice(1)],
    get values() {
      const [first, second] = [a.values, b.values]
      const values = new Float32Array(first.length + second.length)
      values.set(first)
      values.set(second, first.length)
      return values
    },
  }
}

/** Sorts a file's tensors by module; names of no known form are returned beside. */
export function splitByModule<Tensor>(tensors: Readonly<Record<string, Tensor>>): {
  readonly modules: Record<Module, Record<string, Tensor>>
  readonly unknown: readonly string[]
} {
  const modules = Object.fromEntries(MODULES.map((module) => [module, {}])) as Record<Module, Record<string, Tensor>>
  const unknown: string[] = []
  for (const [fileName, tensor] of Object.entries(tensors)) {
    const local = localName(fileName)
    if (local === null) unknown.push(fileName)
    else modules[local.module][local.name] = tensor
  }
  return { modules, unknown }
}
