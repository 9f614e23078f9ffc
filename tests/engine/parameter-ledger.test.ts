// The ledger of what a training moves: every tensor once, ranges of blocks, LoRA's layers, and settings that fit nothing.

import { describe, expect, it } from 'vitest'
import { MODULES } from '../../src-main/domain/model-spec.ts'
import { blockOf, parameterLedger, type LedgerTensor } from '../../src-main/engine/parameter-ledger.ts'
import { initialWeights } from '../../src-main/engine/weights/initial.ts'
import { faultOf } from '../support/fault-of.ts'
import { aTraining, TINY } from '../support/tiny-model.ts'

const shapes = initialWeights(TINY, 0)
const ledgerOf = (modules: Readonly<Record<string, object>> = {}) => parameterLedger(TINY, shapes, aTraining({ modules }))
const names = (ledger: readonly LedgerTensor[], part: LedgerTensor['part']) =>
  ledger.filter((tensor) => tensor.part === part).map(({ module, name }) => `${module}/${name}`)

describe('the ledger', () => {
  it('lists every tensor of the model once, trained by default', () => {
    const ledger = ledgerOf()
    expect(names(ledger, 'trained')).toEqual(MODULES.flatMap((module) => Object.keys(shapes[module]).map((name) => `${module}/${name}`)))
    expect(ledger.every(({ module, name, shape }) => shape.join() === shapes[module][name]!.shape.join())).toBe(true)
  })

  it('freezes a module, and of a range of blocks all else', () => {
    const ledger = ledgerOf({ languageModel: { train: false }, visionEncoder: { firstBlock: 1 }, projector: {} })
    expect(names(ledger, 'frozen').filter((name) => name.startsWith('languageModel/')).length).toBe(Object.keys(shapes.languageModel).length)
    const moved = names(ledger, 'trained').filter((name) => name.startsWith('visionEncoder/'))
    expect(moved.length).toBeGreaterThan(0)
    for (const name of moved) expect(blockOf(name), name).toBe(1)
    expect(names(ledgerOf({ visionEncoder: { lastBlock: 0 } }), 'trained').filter((name) => name.startsWith('visionEncoder/')).every((name) => blockOf(name) === 0)).toBe(true)
  })

  it('puts factors of the rank beside every linear layer that has a part in the loss, and trains only them', () => {
    const ledger = ledgerOf({ visionEncoder: { lora: { rank: 3 } }, projector: { lora: {} }, languageModel: { lora: { targets: 'q_proj layers\\.0\\..*down_proj' } } })
    expect(names(ledger, 'trained')).toEqual([])
    const adapted = names(ledger, 'adapted')
    // The features come from block 0 of two: block 1 gets none, and nor do embeddings.
    expect(adapted.filter((name) => name.startsWith('visionEncoder/'))).toEqual(
      ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'self_attn.out_proj', 'mlp.fc1', 'mlp.fc2'].map((layer) => `visionEncoder/encoder.layers.0.${layer}.weight`),
    )
    expect(adapted.filter((name) => name.startsWith('projector/'))).toEqual(['projector/linear_1.weight', 'projector/linear_2.weight'])
    expect(adapted.filter((name) => name.startsWith('languageModel/'))).toEqual([
      'languageModel/model.layers.0.self_attn.q_proj.weight',
      'languageModel/model.layers.0.mlp.down_proj.weight',
      'languageModel/model.layers.1.self_attn.q_proj.weight',
    ])
    const factor = (name: string) => ledger.find((tensor) => tensor.name === name)!
    expect(factor('encoder.layers.0.mlp.fc1.lora_A.weight')).toMatchObject({ shape: [3, 16], part: 'adapter' })
    expect(factor('encoder.layers.0.mlp.fc1.lora_B.weight')).toMatchObject({ shape: [32, 3], part: 'adapter' })
  })

  it('adapts the blocks of a range only', () => {
    const adapted = names(ledgerOf({ languageModel: { lora: {}, firstBlock: 1, lastBlock: 1 } }), 'adapted')
    expect(adapted.length).toBe(7)
    for (const name of adapted) expect(blockOf(name)).toBe(1)
  })

  it('refuses what fits nothing, naming the setting and what there is', () => {
    const refusals = [
      [{ languageModel: { lora: { targets: 'query' } } }, /languageModel\.lora\.targets: "query" matches none of the 14 linear layers.*model\.layers\.0\.self_attn\.q_proj/],
      [{ languageModel: { lora: { targets: '(' } } }, /lora\.targets: "\(" is no regular expression/],
      [{ visionEncoder: { firstBlock: 7 } }, /visionEncoder\.firstBlock: expected a range within blocks 0 to 1, found 7 to the last/],
      [{ visionEncoder: { lastBlock: 0, firstBlock: 1 } }, /expected a range within blocks 0 to 1, found 1 to 0/],
    ] as const
    for (const [modules, message] of refusals) {
      const fault = faultOf(() => ledgerOf(modules))
      expect(fault.code).toBe('invalid-input')
      expect(fault.message).toMatch(message)
    }
  })

  it('of a setting that contradicts itself is never asked for', () => {
    expect(() => aTraining({ modules: { projector: { train: false, lora: {} } } })).toThrow(/a frozen module has no adapters/)
  })
})
