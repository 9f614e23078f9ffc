// Laws of scores that evaluators form themselves: an image's part of the macro recall, and a map that points nowhere.

import { expect, it } from 'vitest'
import { createRandom } from '../../../src-main/domain/random.ts'
import { addCounts, countLabels, segmentationScores } from '../../../src-main/engine/evaluate/measures/segmentation-scores.ts'
import { drawSamples } from '../../../src-main/jobs/evaluate/bench.ts'
import { scoreMap } from '../../../src-main/jobs/evaluate/localisation.ts'
import { recallShares } from '../../../src-main/jobs/evaluate/segmentation.ts'

it('the mean of the images’ parts of the macro recall is the macro recall, also where classes are rare or absent', () => {
  const random = createRandom(3)
  const perImage = Array.from({ length: 7 }, (_, image) => {
    const truth = Array.from({ length: 20 }, () => (image === 0 && random.uniform() < 0.1 ? 4 : random.integer(3)))
    return countLabels(
      truth.map((label) => (random.uniform() < 0.6 ? label : random.integer(6))),
      truth,
      6,
    )
  })
  const shares = recallShares(perImage)
  expect(shares.reduce((sum, share) => sum + share, 0) / shares.length).toBeCloseTo(
    segmentationScores(perImage.reduce(addCounts)).macroRecall,
    12,
  )
})

it('a map of zeros is scored as a flat one and said to be one', () => {
  const coverage = Float64Array.of(1, 0, 0, 0)
  const { scores, isFlat } = scoreMap(new Float64Array(4), coverage)
  expect(isFlat).toBe(true)
  expect(scores).toMatchObject({ energyRatio: 1, pointing: 0.25, auroc: 0.5, entropy: 1 })
  expect(scoreMap(Float64Array.of(1, 0, 0, 0), coverage)).toMatchObject({
    isFlat: false,
    scores: { energyRatio: 4, pointing: 1, auroc: 1, entropy: 0 },
  })
})

it('a draw keeps the data’s order, is the same for equal seed and purpose, and is everything where it may be', () => {
  const values = Array.from({ length: 100 }, (_, i) => i)
  const drawn = drawSamples(values, 10, 0, 'questions')
  expect(drawn).toHaveLength(10)
  expect([...drawn]).toEqual([...drawn].sort((a, b) => a - b))
  expect(drawSamples(values, 10, 0, 'questions')).toEqual(drawn)
  expect(drawSamples(values, 10, 1, 'questions')).not.toEqual(drawn)
  expect(drawSamples(values, 10, 0, 'preferences')).not.toEqual(drawn)
  expect(drawSamples(values, 100, 0, 'questions')).toEqual(values)
})
