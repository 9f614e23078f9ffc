// Adapters in PEFT's layout: what PEFT wrote and merged itself, and our own files back again.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { MODULES, type Module } from '../../../src-main/domain/model-spec.ts'
import { initialFactor } from '../../../src-main/engine/adapters.ts'
import type { NamedArray, NamedArrays } from '../../../src-main/engine/weights/initial.ts'
import { localName } from '../../../src-main/engine/weights/names.ts'
import { toPeft, withAdapter } from '../../../src-main/engine/weights/peft.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { expectClose } from '../../support/all-close.ts'
import { faultOf } from '../../support/fault-of.ts'
import { aTraining, livelyWeights } from '../../support/tiny-model.ts'

beforeAll(() => openBackend('native'))

interface Recorded {
  readonly config: Record<string, unknown>
  readonly tensors: Record<string, { readonly shape: number[]; readonly values: number[] }>
  readonly base: Recorded['tensors']
  readonly merged: Recorded['tensors']
}
const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'peft.json'), 'utf8')) as Recorded
const arrays = (tensors: Recorded['tensors']): NamedArrays =>
  Object.fromEntries(Object.entries(tensors).map(([name, { shape, values }]) => [name, { shape, values: Float32Array.from(values) }]))
function byModule(tensors: NamedArrays): Record<Module, Record<string, NamedArray>> {
  const modules = Object.fromEntries(MODULES.map((module) => [module, {}])) as Record<Module, Record<string, NamedArray>>
  for (const [name, tensor] of Object.entries(tensors)) modules[localName(name)!.module][localName(name)!.name] = tensor
  return modules
}
const adapter = () => ({ config: recorded.config, tensors: arrays(recorded.tensors) })

describe('an adapter that PEFT wrote', () => {
  it('merges into what PEFT merged: patterns of rank and α, rsLoRA, and modules saved whole', () => {
    const expected = byModule(arrays(recorded.merged))
    const found = withAdapter(byModule(arrays(recorded.base)), adapter(), 'golden')
    for (const module of MODULES)
      for (const [name, { values }] of Object.entries(expected[module])) expectClose(found[module][name]!.values, values, 1e-6, `${module}/${name}`)
  })

  it('is refused where it does not fit: another model, half of it, another kind', () => {
    const base = byModule(arrays(recorded.base))
    const [name] = Object.keys(recorded.tensors).filter((each) => each.endsWith('q_proj.lora_B.weight'))
    const { [name!]: _, ...half } = arrays(recorded.tensors)
    expect(faultOf(() => withAdapter({ ...base, languageModel: {} }, adapter(), 'golden')).message).toMatch(/golden: the adapter is for languageModel\/model\.layers\.0\..*which this model does not have/)
    expect(faultOf(() => withAdapter(base, { ...adapter(), tensors: half }, 'golden')).message).toMatch(/lora_B\.weight is not; copy the adapter again/)
    expect(faultOf(() => withAdapter(livelyWeights(1), adapter(), 'golden')).message).toMatch(/expected shape \[16, \d+\], found/)
    expect(faultOf(() => withAdapter(base, { ...adapter(), config: { ...recorded.config, use_dora: true } }, 'golden')).code).toBe('corrupt-artifact')
  })
})

describe('our own adapters', () => {
  const lora = (overrides: object = {}) => ({ lora: { rank: 2, alpha: 3, ...overrides } })
  const factors = (layers: Partial<Record<Module, readonly [string, number, number, number]>>): Record<Module, NamedArrays> =>
    Object.fromEntries(
      MODULES.map((module) => {
        const [layer, out, from, rank] = layers[module] ?? []
        if (layer === undefined) return [module, {}]
        const A = initialFactor(5, module, `${layer}.lora_A.weight`, [rank!, from!])
        return [module, { [`${layer}.lora_A.weight`]: A, [`${layer}.lora_B.weight`]: { shape: [out!, rank!], values: new Float32Array(out! * rank!).fill(0.5) } }]
      }),
    ) as unknown as Record<Module, NamedArrays>

  it('written and read merge at their own scales, whatever each module has', () => {
    const held = livelyWeights(1)
    const layers = { visionEncoder: ['encoder.layers.0.mlp.fc1', 32, 16, 3], languageModel: ['model.layers.1.self_attn.q_proj', 16, 16, 2] } as const
    for (const [vision, scale] of [
      [lora({ rank: 3 }), 3 / 3],
      [lora({ rank: 3, alpha: 6, rankStabilised: true }), 6 / Math.sqrt(3)],
    ] as const) {
      const files = toPeft(factors(layers), {}, aTraining({ modules: { visionEncoder: vision, languageModel: lora() } }), '/base')!
      expect(Object.keys(files.tensors).sort()).toEqual([
        'base_model.model.model.language_model.layers.1.self_attn.q_proj.lora_A.weight',
        'base_model.model.model.language_model.layers.1.self_attn.q_proj.lora_B.weight',
        'base_model.model.model.vision_tower.encoder.layers.0.mlp.fc1.lora_A.weight',
        'base_model.model.model.vision_tower.encoder.layers.0.mlp.fc1.lora_B.weight',
      ])
      expect(files.config).toMatchObject({
        base_model_name_or_path: '/base',
        target_modules: ['model.vision_tower.encoder.layers.0.mlp.fc1', 'model.language_model.layers.1.self_attn.q_proj'],
      })
      const found = withAdapter(held, files, 'ours')
      const A = factors(layers).visionEncoder['encoder.layers.0.mlp.fc1.lora_A.weight']!.values
      const expected = held.visionEncoder['encoder.layers.0.mlp.fc1.weight']!.values.map((value, i) => value + scale * 0.5 * (A[i % 16]! + A[16 + (i % 16)]! + A[32 + (i % 16)]!))
      expectClose(found.visionEncoder['encoder.layers.0.mlp.fc1.weight']!.values, expected, 1e-6)
      expect(found.projector).toEqual(held.projector)
    }
  })

  it('are none where nothing is adapted', () => {
    expect(toPeft(factors({}), { projector: livelyWeights(1).projector }, aTraining(), null)).toBeNull()
  })

  it('begin as PEFT begins them: A uniform within ±1/√D_in, B zero', () => {
    const { values } = initialFactor(1, 'projector', 'linear_1.lora_A.weight', [64, 100])
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(0.1)
    expect(Math.max(...values)).toBeGreaterThan(0.095)
    // A uniform deviate of ±b has the variance b²/3.
    const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length
    // Five standard errors: b²·√((1/5 − 1/9)/n).
    expect(Math.abs(variance - 0.01 / 3)).toBeLessThan(5 * 0.01 * Math.sqrt((1 / 5 - 1 / 9) / values.length))
    expect(initialFactor(1, 'projector', 'linear_1.lora_B.weight', [10, 4]).values).toEqual(new Float32Array(40))
  })
})
