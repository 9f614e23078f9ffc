// Closed forms on maps small enough to add up by hand.

import { describe, expect, it } from 'vitest'
import {
  auroc,
  brightestIou,
  coverageOfBoxes,
  coverageOfMask,
  gini,
  localisationScores,
  normalisedEntropy,
  patchesInside,
  pointingGame,
} from '../../../../src-main/engine/evaluate/measures/localisation.ts'
import { refusal } from '../../../support/refusal.ts'

const grid = { rows: 2, columns: 2 }
const image = { width: 10, height: 10 }

describe('localisation scores', () => {
  it('a map on the region: all energy inside, four times its share, hit, sharp', () => {
    expect(localisationScores([0, 0, 0, 5], [0, 0, 0, 1])).toEqual({
      energyInside: 1,
      energyRatio: 4,
      pointing: 1,
      auroc: 1,
      iou: 1,
      entropy: 0,
      gini: 0.75,
    })
  })

  it('a flat map is chance everywhere, whatever its size', () => {
    for (const height of [1e-30, 1, 1e30]) {
      const scores = localisationScores([height, height, height, height], [1, 0, 0, 0])!
      expect(scores).toMatchObject({ energyInside: 0.25, energyRatio: 1, pointing: 0.25, auroc: 0.5 })
      expect(scores.entropy).toBeCloseTo(1, 12)
      expect(scores.gini).toBeCloseTo(0, 12)
    }
  })

  it('a half-covered patch counts half: (1·1 + 3·½)/8', () => {
    expect(localisationScores([1, 3, 4, 0], [1, 0.5, 0, 0])!.energyInside).toBeCloseTo(2.5 / 8, 14)
  })

  it('a map without energy has no place', () => {
    expect(localisationScores([0, 0], [1, 0])).toBeNull()
  })

  it('where the region is everything there is no outside to rank against', () => {
    expect(localisationScores([1, 2], [1, 1])).toMatchObject({ auroc: null, energyInside: 1, energyRatio: 1, pointing: 1 })
  })

  it('refuses NaN, negative values, other grids, empty regions', () => {
    for (const call of [
      () => localisationScores([NaN, 1], [1, 0]),
      () => localisationScores([-1, 1], [1, 0]),
      () => localisationScores([1], [1, 0]),
      () => localisationScores([1, 1], [0, 0]),
      () => localisationScores([1, 1], [2, 0]),
      () => localisationScores([], []),
    ])
      expect(refusal(call)).toBe('invalid-input')
  })
})

describe('parts', () => {
  it('AUROC agrees with scikit-learn on ties, and turns with the labels', () => {
    const scores = [0.1, 0.4, 0.35, 0.8, 0.4, 0.4]
    expect(auroc(scores, [0, 0, 1, 1, 0, 1])).toBeCloseTo(2 / 3, 14)
    expect(auroc(scores, [1, 1, 0, 0, 1, 0])).toBeCloseTo(1 / 3, 14)
    expect([auroc([1, 2], [0, 0]), auroc([1, 2], [1, 1])]).toEqual([null, null])
  })

  it('the pointing game shares a tie instead of favouring the top left', () => {
    expect(pointingGame([3, 1, 3, 3], [true, true, false, true])).toBeCloseTo(2 / 3, 14)
  })

  it('IoU of the brightest: 1 of 2 found is 1/3', () => {
    expect(brightestIou([9, 8, 1, 0], [true, false, true, false])).toBeCloseTo(1 / 3, 14)
  })

  it('entropy of (½, ½, 0, 0) is log 2/log 4; Gini of one patch in n is 1 − 1/n', () => {
    expect(normalisedEntropy([2, 2, 0, 0])).toBeCloseTo(0.5, 14)
    expect(normalisedEntropy([3])).toBe(1)
    expect(gini([0, 0, 0, 0, 1])).toBeCloseTo(0.8, 14)
  })
})

describe('regions on the patch grid', () => {
  it('one box: 4 × 6 pixels from (3, 2) cover (2·3, 2·3, 2·3, 2·3)/25', () => {
    expect([...coverageOfBoxes([{ x: 3, y: 2, width: 4, height: 6 }], image, grid)]).toEqual(
      [0.24, 0.24, 0.24, 0.24].map((each) => expect.closeTo(each, 12)),
    )
  })

  it('overlapping boxes count once, and boxes over the edge are cut', () => {
    const left = { x: 0, y: 0, width: 3, height: 5 }
    const shifted = { x: 1, y: 0, width: 3, height: 5 }
    expect(coverageOfBoxes([left, shifted, left], image, grid)[0]).toBeCloseTo(0.8, 12)
    expect([...coverageOfBoxes([{ x: -5, y: -5, width: 100, height: 100 }], image, grid)]).toEqual([1, 1, 1, 1])
    expect([...coverageOfBoxes([], image, grid)]).toEqual([0, 0, 0, 0])
  })

  it('disjoint boxes in one patch add up', () => {
    expect(
      coverageOfBoxes(
        [
          { x: 0, y: 0, width: 1, height: 5 },
          { x: 2, y: 1, width: 2, height: 2 },
        ],
        image,
        grid,
      )[0],
    ).toBeCloseTo((5 + 4) / 25, 12)
  })

  it('a mask and the box it draws agree', () => {
    const mask = Array.from({ length: 100 }, (_, i) => (i % 10 >= 3 && i % 10 < 7 && i >= 20 && i < 80 ? 1 : 0))
    expect([...coverageOfMask(mask, image, grid)]).toEqual(
      [...coverageOfBoxes([{ x: 3, y: 2, width: 4, height: 6 }], image, grid)].map((each) => expect.closeTo(each, 12)),
    )
  })

  it('half covered is inside; a region too small for that is where it covers most', () => {
    expect(patchesInside([0.5, 0.49, 1, 0])).toEqual([true, false, true, false])
    expect(patchesInside([0.1, 0.02, 0, 0.1])).toEqual([true, false, false, true])
  })

  it('refuses a mask of another size and boxes of NaN', () => {
    expect(refusal(() => coverageOfMask([1], image, grid))).toBe('invalid-input')
    expect(refusal(() => coverageOfMask([1], { width: 1, height: 1 }, grid))).toBe('invalid-input')
    expect(refusal(() => coverageOfBoxes([{ x: NaN, y: 0, width: 1, height: 1 }], image, grid))).toBe('invalid-input')
  })
})
