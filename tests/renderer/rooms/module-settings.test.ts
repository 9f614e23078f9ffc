// The table of modules writes what the form's fields would, and presets of freezing say what they do.

import { describe, expect, it } from 'vitest'
import { runRequestSchema } from '../../../src-main/domain/run-view.ts'
import { FREEZING_PRESETS, stateOf, withState } from '../../../src-renderer/rooms/runs/module-settings.ts'

const request: unknown = runRequestSchema.parse({ name: 'a run', dataset: 'pairs' })

describe('the state of a module', () => {
  it('read is what was written, and what is written main accepts', () => {
    for (const state of ['trained', 'LoRA', 'frozen'] as const) {
      const changed = withState(request, 'languageModel', state)
      expect(stateOf(changed, 'languageModel')).toBe(state)
      expect(stateOf(changed, 'visionEncoder')).toBe('trained')
      expect(runRequestSchema.parse(changed)).toEqual(changed)
    }
  })

  it('chosen again keeps the adapters’ settings; left, they are gone', () => {
    const lora = { rank: 4, alpha: 8, rankStabilised: true, targets: 'q_proj' }
    const adapted = runRequestSchema.parse({ name: 'a run', dataset: 'pairs', training: { modules: { projector: { lora } } } })
    expect(withState(adapted, 'projector', 'LoRA')).toEqual(adapted)
    expect(withState(adapted, 'projector', 'trained')).toEqual(request)
  })
})

it('presets set all three modules', () => {
  const states = (label: string) => {
    const changed = FREEZING_PRESETS.find((preset) => preset.label === label)!.apply(request)
    return (['visionEncoder', 'projector', 'languageModel'] as const).map((module) => stateOf(changed, module))
  }
  expect(states('Train all')).toEqual(['trained', 'trained', 'trained'])
  expect(states('Only the encoder')).toEqual(['trained', 'frozen', 'frozen'])
  expect(states('Freeze the language model')).toEqual(['trained', 'trained', 'frozen'])
  expect(states('LoRA on the language model')).toEqual(['trained', 'trained', 'LoRA'])
})
