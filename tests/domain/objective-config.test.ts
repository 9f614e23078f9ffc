// What objectives are called in a sentence, what they are trained on, and how an estimate of label noise enters them.

import { describe, expect, it } from 'vitest'
import { datasetKindsFor, objectiveSchema, PREFERENCE_OBJECTIVES, unusualName, withLabelNoise } from '../../src-main/domain/objective-config.ts'
import { faultOf } from '../support/fault-of.ts'

type Settings = Readonly<Record<string, unknown>>
const objective = (settings: Settings) => objectiveSchema.parse(settings)

describe('label noise', () => {
  it('becomes the smoothing of the losses that read it, and nothing else changes', () => {
    for (const settings of [{ kind: 'dpo' }, { kind: 'dpo', lossType: 'robust', beta: 0.3 }, { kind: 'mpo' }, { kind: 'simpo' }, { kind: 'cpo' }]) {
      const before = objective(settings)
      expect(withLabelNoise(before, 0.2)).toEqual({ ...before, labelSmoothing: 0.2 })
    }
  })

  it('is refused where no loss reads it, and where the labels say nothing', () => {
    for (const settings of [{ kind: 'dpo', lossType: 'ipo' }, { kind: 'kto' }, { kind: 'sft' }])
      expect(faultOf(() => withLabelNoise(objective(settings), 0.2)).code).toBe('invalid-input')
    for (const share of [-0.1, 0.5, 1, Number.NaN]) expect(faultOf(() => withLabelNoise(objective({ kind: 'dpo' }), share)).message).toContain('0.5')
  })
})

it('what is not plain SFT or DPO has a name', () => {
  const names = [{ kind: 'sft' }, { kind: 'dpo' }, { kind: 'dpo', lossType: 'ipo' }, { kind: 'mpo' }, { kind: 'simpo' }, { kind: 'kto' }].map((settings) => unusualName(objective(settings)))
  expect(names).toEqual([null, null, 'DPO with the loss ipo', 'MPO (0.8 sigmoid + 0.2 bco_pair + 1 sft)', 'SimPO', 'KTO'])
})

it('objectives of pairs train on pairs alone, GRPO on questions too', () => {
  for (const kind of PREFERENCE_OBJECTIVES) expect(datasetKindsFor(kind)).toEqual(['preferences'])
  expect(datasetKindsFor('sft')).toEqual(['conversations', 'preferences'])
  expect(datasetKindsFor('grpo')).toContain('questions')
})
