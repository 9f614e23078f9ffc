import { expect, it } from 'vitest'
import { armId, nextColour } from '../../../src-main/domain/encoder.ts'
import { studyMarks } from '../../../src-renderer/lab/use-study-marks.ts'

const first = [0, 1, 2].map((colour, at) => ({ id: armId('one', (['stage-1', 'sft', 'dpo'] as const)[at]!), colour }))

it('shows a study’s arms by the marks that they have among all encoders', () => {
  const known = [...first, { id: armId('two', 'stage-1'), colour: 9 }, { id: armId('two', 'sft'), colour: 10 }, { id: armId('two', 'dpo'), colour: 20 }]
  expect(studyMarks('one', known)).toEqual({ 'stage-1': 0, sft: 1, dpo: 2 })
  expect(studyMarks('two', known)).toEqual({ 'stage-1': 9, sft: 10, dpo: 20 })
})

it('shows an arm without a checkpoint by the mark that it will be given', () => {
  const known = [...first, { id: armId('two', 'stage-1'), colour: 9 }]
  expect(studyMarks('two', known)).toEqual({ 'stage-1': 9, sft: nextColour('sft', new Set([0, 1, 2, 9])), dpo: 11 })
  expect(studyMarks('one', [])).toEqual({ 'stage-1': 0, sft: 1, dpo: 2 })
})
