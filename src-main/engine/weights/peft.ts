// Adapters in PEFT's layout: adapter_config.json and the tensors of adapter_model.safetensors, which PEFT loads onto the
// base model with `PeftModel.from_pretrained`. A module that was trained as a whole beside them is one of PEFT's
// `modules_to_save`. Values in, values out; files are elsewhere.

import { z } from 'zod'
import { LabError } from '../../domain/errors.ts'
import { MODULES, type Module } from '../../domain/model-spec.ts'
import { parse } from '../../domain/parse.ts'
import type { Training } from '../../domain/run-config.ts'
import { adapterScale, mergedWeight } from '../adapters.ts'
import { adapterNames } from '../nn/low-rank.ts'
import type { NamedArray, NamedArrays } from './initial.ts'
import { localName } from './names.ts'

/** What PEFT puts before a name of the model that it wraps. */
const WRAPPED = 'base_model.model.'

/** Where transformers keeps each module inside LlavaForConditionalGeneration. */
const PATHS: Readonly<Record<Module, string>> = {
  visionEncoder: 'model.vision_tower',
  projector: 'model.multi_modal_projector',
  languageModel: 'model.language_model',
}

/** The name inside LlavaForConditionalGeneration: its language model is Qwen2Model, whose own names lack `model.`. */
function transformersName(module: Module, name: string): string {
  return `${PATHS[module]}.${module === 'languageModel' ? name.replace(/^model\./, '') : name}`
}

export interface AdapterFiles {
  readonly config: unknown
  readonly tensors: NamedArrays
}

/**
 * @param factors  A and B of every adapted layer, by module
 * @param whole    the weights of modules trained as a whole, in part or in full
 * @param base     the folder of the model under the adapters; null: there is none on disk
 * @returns null when no module has adapters
 */
export function toPeft(
  factors: Readonly<Record<Module, NamedArrays>>,
  whole: Readonly<Partial<Record<Module, NamedArrays>>>,
  { modules }: Pick<Training, 'modules'>,
  base: string | null,
): AdapterFiles | null {
  const adapted = MODULES.filter((module) => Object.keys(factors[module]).length > 0)
  const [first] = adapted
  if (first === undefined) return null
  const settings = adapted.map((module) => [module, modules[module].lora!] as const)
  const shared = modules[first].lora!
  // The file knows one kind of scale: where modules differ in it, each α is given as what α/rank comes to.
  const sameKind = settings.every(([, lora]) => lora.rankStabilised === shared.rankStabilised)
  const alphaOf = (lora: typeof shared) => (sameKind ? lora.alpha : adapterScale(lora) * lora.rank)
  const pattern = (value: (lora: typeof shared) => number) =>
    Object.fromEntries(
      settings.filter(([, lora]) => value(lora) !== value(shared)).map(([module, lora]) => [`${PATHS[module].replaceAll('.', '\\.')}\\..*`, value(lora)]),
    )
  const named = (module: Module, arrays: NamedArrays) =>
    Object.entries(arrays).map(([name, tensor]): [string, NamedArray] => [WRAPPED + transformersName(module, name), tensor])
  const layers = adapted.flatMap((module) =>
    Object.keys(factors[module]).flatMap((name) => (name.endsWith('.lora_A.weight') ? [transformersName(module, name.slice(0, -'.lora_A.weight'.length))] : [])),
  )
  const saved = MODULES.filter((module) => whole[module] !== undefined)
  return {
    config: {
      peft_type: 'LORA',
      task_type: null,
      base_model_name_or_path: base,
      inference_mode: true,
      r: shared.rank,
      lora_alpha: alphaOf(shared),
      use_rslora: sameKind && shared.rankStabilised,
      lora_dropout: 0,
      target_modules: layers,
      rank_pattern: pattern(({ rank }) => rank),
      alpha_pattern: pattern(alphaOf),
      modules_to_save: saved.length === 0 ? null : saved.map((module) => PATHS[module]),
      bias: 'none',
      fan_in_fan_out: false,
      use_dora: false,
      init_lora_weights: true,
    },
    tensors: Object.fromEntries([...adapted.flatMap((module) => named(module, factors[module])), ...saved.flatMap((module) => named(module, whole[module]!))]),
  }
}

const configSchema = z.object({
  peft_type: z.literal('LORA'),
  lora_alpha: z.number(),
  use_rslora: z.boolean().default(false),
  alpha_pattern: z.record(z.string(), z.number()).default({}),
  // What the lab would compute otherwise than PEFT is refused.
  use_dora: z.literal(false).default(false),
  lora_bias: z.literal(false).default(false),
  fan_in_fan_out: z.literal(false).default(false),
  bias: z.literal('none').default('none'),
})

/**
 * The model with an adapter merged into it: W + s·B·A for every layer of the adapter, and its `modules_to_save` put in.
 * @param file  for messages
 * @throws LabError 'corrupt-artifact' for an adapter of another kind or with a factor missing, 'invalid-input' naming the
 *   layer that this model does not have in this shape
 */
export function withAdapter(
  weights: Readonly<Record<Module, NamedArrays>>,
  { config, tensors }: AdapterFiles,
  file: string,
): Record<Module, NamedArrays> {
  const { lora_alpha: alpha, use_rslora: rankStabilised, alpha_pattern: alphas } = parse(configSchema, config, 'corrupt-artifact', file)
  const result = Object.fromEntries(MODULES.map((module) => [module, { ...weights[module] }])) as Record<Module, Record<string, NamedArray>>
  for (const [fileName, tensor] of Object.entries(tensors)) {
    const local = localName(fileName.startsWith(WRAPPED) ? fileName.slice(WRAPPED.length) : fileName)
    if (local === null) throw new LabError('corrupt-artifact', `${file}: the tensor ${fileName} has no name of a known form; expected ${WRAPPED}…`)
    const { module, name } = local
    if (name.endsWith('.lora_B.weight')) continue
    const layer = name.replace(/\.lora_A\.weight$/, '')
    const isWhole = layer === name
    const target = isWhole ? name : `${layer}.weight`
    const base = weights[module][target]
    if (base === undefined) throw new LabError('invalid-input', `${file}: the adapter is for ${module}/${target}, which this model does not have; choose the model that it was trained on`)
    if (isWhole) {
      assertFits(file, target, tensor.shape, base.shape)
      result[module][target] = tensor
      continue
    }
    const B = tensors[fileName.replace(/\.lora_A\.weight$/, '.lora_B.weight')]
    if (B === undefined) throw new LabError('corrupt-artifact', `${file}: ${fileName} is there and ${adapterNames(layer).B} is not; copy the adapter again`)
    const rank = tensor.shape[0]!
    assertFits(file, `${layer}: B·A`, [B.shape[0]!, tensor.shape[1]!], base.shape)
    const path = fileName.slice(WRAPPED.length).replace(/\.lora_A\.weight$/, '')
    const own = Object.entries(alphas).find(([pattern]) => new RegExp(`^(?:.*\\.)?(?:${pattern})$`).test(path))?.[1]
    result[module][target] = mergedWeight({ base, A: tensor, B, scale: adapterScale({ rank, alpha: own ?? alpha, rankStabilised }) })
  }
  return result
}

function assertFits(file: string, name: string, found: readonly number[], expected: readonly number[]): void {
  if (found.join() !== expected.join())
    throw new LabError('invalid-input', `${file}: ${name}: expected shape [${expected.join(', ')}], found [${found.join(', ')}]; choose the model that the adapter was trained on`)
}
