// Which parameters a training moves: every tensor of the model once, with its part in the training. It is made from names,
// shapes and settings alone, so that a dry run and the training itself cannot disagree.

import { LabError } from '../domain/errors.ts'
import { MODULES, type Module, type MultimodalLmSpec } from '../domain/model-spec.ts'
import type { Lora, ModuleTraining, Training } from '../domain/run-config.ts'
import { encoderLayersUsed } from './models/multimodal-lm.ts'
import { adapterNames } from './nn/low-rank.ts'

/** `adapted`: frozen under an adapter. `adapter`: a factor of one, trained. */
export type Part = 'trained' | 'frozen' | 'adapted' | 'adapter'

export interface LedgerTensor {
  readonly module: Module
  /** Local to the module. */
  readonly name: string
  readonly shape: readonly number[]
  readonly part: Part
}

/** Shapes by module and name: what a file's header says. */
export type Shapes = Readonly<Record<Module, Readonly<Record<string, { readonly shape: readonly number[] }>>>>

/**
 * Every tensor in the order of `shapes`, an adapted weight followed by its factors.
 * @throws LabError 'invalid-input' naming the setting that fits nothing in this model
 */
export function parameterLedger(spec: MultimodalLmSpec, shapes: Shapes, { modules }: Pick<Training, 'modules'>): readonly LedgerTensor[] {
  return MODULES.flatMap((module) => {
    const settings: ModuleTraining = modules[module]
    const names = Object.keys(shapes[module])
    const blocks = blocksOf(module, names, settings)
    const isInRange = (name: string) => blocks === null || blocks(name)
    const adapted = settings.lora === null ? null : adaptedLayers(spec, module, shapes[module], settings.lora, isInRange)
    return names.flatMap((name): LedgerTensor[] => {
      const { shape } = shapes[module][name]!
      const tensor = (part: Part): LedgerTensor => ({ module, name, shape, part })
      if (!settings.train) return [tensor('frozen')]
      if (adapted === null) return [tensor(isInRange(name) ? 'trained' : 'frozen')]
      const layer = name.replace(/\.weight$/, '')
      if (!name.endsWith('.weight') || !adapted.has(layer)) return [tensor('frozen')]
      const [out, from] = shape as [number, number]
      const { A, B } = adapterNames(layer)
      const { rank } = settings.lora!
      return [
        tensor('adapted'),
        { module, name: A, shape: [rank, from], part: 'adapter' },
        { module, name: B, shape: [out, rank], part: 'adapter' },
      ]
    })
  })
}

/** The number of a weight's transformer block; null: it stands outside the blocks. */
export function blockOf(name: string): number | null {
  const match = /(?:^|\.)(?:layers?|blocks|h)\.(\d+)\./.exec(name)
  return match === null ? null : Number(match[1])
}

/** Whether a weight is in the range of blocks that is trained; null: no range was asked for. */
function blocksOf(module: Module, names: readonly string[], { train, firstBlock = null, lastBlock = null }: ModuleTraining): ((name: string) => boolean) | null {
  if (!train || (firstBlock === null && lastBlock === null)) return null
  const [first, last] = [firstBlock ?? 0, lastBlock ?? Infinity]
  const isInRange = (name: string) => {
    const block = blockOf(name)
    return block !== null && block >= first && block <= last
  }
  if (names.some(isInRange)) return isInRange
  const count = new Set(names.map(blockOf).filter((block) => block !== null)).size
  throw invalid(
    module,
    firstBlock === null ? 'lastBlock' : 'firstBlock',
    `expected a range within blocks 0 to ${count - 1}, found ${first} to ${lastBlock ?? 'the last'}; change firstBlock or lastBlock`,
  )
}

/**
 * The linear layers that get an adapter. Left out, whatever is asked for: embeddings and the language model's head (PEFT's
 * all-linear leaves them too), and layers of the vision encoder that no image token comes from.
 */
function adaptedLayers(
  spec: MultimodalLmSpec,
  module: Module,
  shapes: Shapes[Module],
  { targets }: Lora,
  isInRange: (name: string) => boolean,
): ReadonlySet<string> {
  const used = module === 'visionEncoder' ? encoderLayersUsed(spec) : Infinity
  const layers = Object.entries(shapes)
    .filter(([name, { shape }]) => name.endsWith('.weight') && shape.length === 2 && !/embed|norm|lm_head/.test(name) && isInRange(name))
    .filter(([name]) => module !== 'visionEncoder' || (blockOf(name) ?? Infinity) < used)
    .map(([name]) => name.slice(0, -'.weight'.length))
  if (targets.trim() === 'all-linear') return new Set(layers)
  const expressions = targets.trim().split(/\s+/).map((text) => {
    try {
      return new RegExp(`^(?:.*\\.)?(?:${text})$`)
    } catch (thrown) {
      throw invalid(module, 'lora.targets', `"${text}" is no regular expression (${(thrown as Error).message}); write all-linear, or names such as q_proj v_proj`)
    }
  })
  const chosen = layers.filter((layer) => expressions.some((expression) => expression.test(layer)))
  if (chosen.length === 0)
    throw invalid(
      module,
      'lora.targets',
      `"${targets}" matches none of the ${layers.length} linear layers there are (${layers.slice(0, 4).join(', ')}${layers.length > 4 ? ', …' : ''}); an expression matches the end of a layer's name`,
    )
  return new Set(chosen)
}

function invalid(module: Module, setting: string, what: string): LabError {
  return new LabError('invalid-input', `modules.${module}.${setting}: ${what}`, {
    path: ['training', 'modules', module, ...setting.split('.')],
  })
}
