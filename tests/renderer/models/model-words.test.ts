// What a folder holds in words, whether a field takes it, and how a token of an answer is shown.

import { describe, expect, it } from 'vitest'
import { inspectionLine, misfit, shortPath } from '../../../src-renderer/models/model-words.ts'
import { tokenText, unsureness } from '../../../src-renderer/models/token-words.ts'
import { bytesText, parametersText } from '../../../src-renderer/ui/quantity.ts'
import { anInspection } from '../../support/a-lab.ts'

describe('a model folder', () => {
  it('is told by kind, architecture, modules and size', () => {
    expect(inspectionLine({ ...anInspection('/m'), bytes: 12_400_000 })).toBe('Model of the lab (llava): projector 10; 12.4 MB')
  })

  it('fits a field that asks for what is in it, and says what else was expected', () => {
    const holds = (kind: 'checkpoint' | 'language model' | 'vision encoder' | 'adapter', faults: string[] = []) => ({ kind, faults })
    expect(misfit(holds('checkpoint'), 'model')).toBeNull()
    expect(misfit(holds('checkpoint'), 'visionEncoder')).toBeNull()
    expect(misfit(holds('language model'), 'visionEncoder')).toBe('Expected a vision encoder, found a language model. Choose another folder.')
    expect(misfit(holds('adapter'), 'model')).toContain('found an adapter')
    expect(misfit(holds('vision encoder', ['2 weights are missing']), 'visionEncoder')).toBe('2 weights are missing')
  })

  it('is short in a list', () => {
    expect(shortPath('/home/ada/models/siglip')).toBe('…/models/siglip')
    expect(shortPath('C:\\models\\siglip')).toBe('…/models/siglip')
    expect(shortPath('/models')).toBe('/models')
  })

  it('has its sizes in three digits', () => {
    expect([999, 1330, 86_000_000, 7_241_000_000].map(parametersText)).toEqual(['999', '1.33 k', '86 M', '7.24 B'])
    expect([0, 1500, 12_400_000, 2_170_000_000].map(bytesText)).toEqual(['0 kB', '1.5 kB', '12.4 MB', '2.17 GB'])
  })
})

describe('a token', () => {
  it('shows what could not be seen', () => {
    expect(['mug', ' mug', '\n', '', '\uFFFD'].map(tokenText)).toEqual(['mug', '␣mug', '⏎', '∅', '▯'])
  })

  it('is the more underlined the less likely it was, within bounds', () => {
    expect([1, 0.1, 0.001, 0].map(unsureness)).toEqual([0, 1, 1, 1])
    expect(unsureness(0.5)).toBeCloseTo(0.301, 3)
  })
})
