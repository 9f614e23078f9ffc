import { describe, expect, it } from 'vitest'
import {
  addCounts,
  countLabels,
  countMultiLabels,
  noCounts,
  segmentationScores,
} from '../../../../src-main/engine/evaluate/measures/segmentation-scores.ts'
import { refusal } from '../../../support/refusal.ts'

describe('one label a patch', () => {
  it('truth 0 0 1 1 1, said 0 1 1 1 2: recall (½ + ⅔)/2, IoU over three classes', () => {
    const scores = segmentationScores(countLabels([0, 1, 1, 1, 2], [0, 0, 1, 1, 1], 4))
    expect(scores.macroRecall).toBeCloseTo((1 / 2 + 2 / 3) / 2, 14)
    expect(scores.macroPrecision).toBeCloseTo((1 + 2 / 3) / 2, 14)
    expect(scores.macroF1).toBeCloseTo((2 / 3 + 2 / 3) / 2, 14)
    // Class 2 is only in the prediction: it counts for IoU with 0, and not for recall. Class 3 is nowhere.
    expect(scores.meanIou).toBeCloseTo((1 / 2 + 2 / 4 + 0) / 3, 14)
    expect(scores.accuracy).toBeCloseTo(3 / 5, 14)
    expect(scores.classes).toBe(2)
  })

  it('a class that is never predicted has precision 0, not NaN', () => {
    expect(segmentationScores(countLabels([0, 0], [0, 1], 2))).toMatchObject({ macroPrecision: 0.25, macroRecall: 0.5 })
  })

  it('one class alone, all right, is 1 everywhere', () => {
    expect(segmentationScores(countLabels([1, 1], [1, 1], 3))).toEqual({
      macroRecall: 1,
      macroPrecision: 1,
      macroF1: 1,
      meanIou: 1,
      accuracy: 1,
      classes: 1,
    })
  })

  it('ignored patches are not counted', () => {
    expect(countLabels([0, 1, 5], [0, 0, -1], 2).decisions).toBe(2)
  })

  it('counts of parts add up to counts of the whole', () => {
    const whole = countLabels([0, 1, 1, 0], [0, 1, 0, 1], 2)
    expect(addCounts(addCounts(noCounts(2), countLabels([0, 1], [0, 1], 2)), countLabels([1, 0], [0, 1], 2))).toEqual(whole)
  })

  it('refuses labels outside the classes, other lengths, no labelled patch', () => {
    for (const call of [
      () => countLabels([2], [0], 2),
      () => countLabels([0], [0.5], 2),
      () => countLabels([0], [0, 1], 2),
      () => segmentationScores(noCounts(3)),
    ])
      expect(refusal(call)).toBe('invalid-input')
  })
})

describe('several labels a patch', () => {
  it('two patches, three classes: recall 1, ½ over the two that occur; accuracy over all decisions', () => {
    const truth = [1, 1, 0, /* */ 0, 1, 0]
    const said = [1, 1, 1, /* */ 0, 0, 0]
    const scores = segmentationScores(countMultiLabels(said, truth, 3))
    expect(scores).toMatchObject({ macroRecall: 0.75, macroPrecision: 1, classes: 2 })
    expect(scores.accuracy).toBeCloseTo(4 / 6, 14)
    expect(scores.meanIou).toBeCloseTo((1 + 1 / 2 + 0) / 3, 14)
  })

  it('with exactly one label a patch recall is that of single labels', () => {
    const oneHot = (labels: readonly number[]) => labels.flatMap((label) => [0, 1, 2].map((c) => (c === label ? 1 : 0)))
    const [said, truth] = [
      [0, 1, 2, 1, 0],
      [0, 2, 2, 1, 1],
    ]
    const single = segmentationScores(countLabels(said, truth, 3))
    const several = segmentationScores(countMultiLabels(oneHot(said), oneHot(truth), 3))
    expect(several.macroRecall).toBe(single.macroRecall)
    expect(several.meanIou).toBe(single.meanIou)
  })

  it('refuses decisions that are not patches × classes', () => {
    expect(refusal(() => countMultiLabels([1, 0], [1, 0], 3))).toBe('invalid-input')
  })
})
