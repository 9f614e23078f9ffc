// Measures against NumPy, scikit-learn and the published scripts, as recorded in the reference case.

import { expect, it } from 'vitest'
import {
  linearCka,
  linearCkaByFeatures,
  linearCkaByGram,
  mutualKnn,
} from '../../../../src-main/engine/evaluate/measures/alignment.ts'
import { anls, vqaAccuracy } from '../../../../src-main/engine/evaluate/measures/answers.ts'
import { localisationScores } from '../../../../src-main/engine/evaluate/measures/localisation.ts'
import { pca, project } from '../../../../src-main/engine/evaluate/measures/pca.ts'
import { countLabels, segmentationScores } from '../../../../src-main/engine/evaluate/measures/segmentation-scores.ts'
import { describeParity, type ParityTensor } from '../../../support/read-parity.ts'

interface Scored {
  prediction: string
  answers: string[]
  score: number
}
interface Expected {
  linear_cka: number
  mutual_knn_k10: number
  pca_explained_variance_ratio: number[]
  segmentation: { macro_recall: number; mean_iou: number; pixel_accuracy: number }
  localisation: {
    energy_inside: number
    energy_ratio_to_area: number
    pointing_hit: number
    normalised_entropy: number
    gini: number
    auroc_map_as_score_of_mask: number
  }
  anls: Scored[]
  vqa_accuracy: Scored[]
}

const matrixOf = ({ shape, values }: ParityTensor) => ({ rows: shape[0]!, columns: shape[1]!, values: values as Float32Array })

describeParity('measurements', (read) => {
  it('linear CKA, in both forms, and mutual k-NN of normalised features', () => {
    const { json, tensor } = read()
    const [a, b] = [matrixOf(tensor('cka.A')), matrixOf(tensor('cka.B'))]
    for (const cka of [linearCka, linearCkaByFeatures, linearCkaByGram])
      expect(cka(a, b)).toBeCloseTo((json as Expected).linear_cka, 6)
    expect(mutualKnn(a, b, { k: 10, prepare: 'normalise' })).toBeCloseTo((json as Expected).mutual_knn_k10, 9)
  })

  it('PCA: explained variance of the training features, scores of the test features up to sign', () => {
    const { json, tensor } = read()
    const expected = (json as Expected).pca_explained_variance_ratio
    const model = pca(matrixOf(tensor('train.features')), expected.length)
    expected.forEach((ratio, k) => expect(model.explainedVarianceRatio[k]).toBeCloseTo(ratio, 6))
    const scores = project(model, matrixOf(tensor('test.features')))
    const reference = tensor('pca.scores_up_to_sign').values
    for (let k = 0; k < expected.length; k++) {
      let [same, flipped] = [0, 0]
      for (let i = k; i < reference.length; i += expected.length) {
        same = Math.max(same, Math.abs(scores.values[i]! - reference[i]!))
        flipped = Math.max(flipped, Math.abs(scores.values[i]! + reference[i]!))
      }
      expect(Math.min(same, flipped)).toBeLessThan(1e-4)
    }
  })

  it('segmentation scores', () => {
    const { json, tensor } = read()
    const expected = (json as Expected).segmentation
    const [prediction, truth] = [tensor('segmentation.prediction').values, tensor('segmentation.truth').values]
    const scores = segmentationScores(countLabels(prediction, truth, Math.max(...prediction, ...truth) + 1))
    expect(scores.macroRecall).toBeCloseTo(expected.macro_recall, 10)
    expect(scores.meanIou).toBeCloseTo(expected.mean_iou, 10)
    expect(scores.accuracy).toBeCloseTo(expected.pixel_accuracy, 10)
  })

  it('localisation scores', () => {
    const { json, tensor } = read()
    const expected = (json as Expected).localisation
    const scores = localisationScores(tensor('map').values, tensor('map.mask').values)!
    expect(scores.energyInside).toBeCloseTo(expected.energy_inside, 6)
    expect(scores.energyRatio).toBeCloseTo(expected.energy_ratio_to_area, 6)
    expect(scores.pointing).toBe(expected.pointing_hit)
    expect(scores.entropy).toBeCloseTo(expected.normalised_entropy, 6)
    expect(scores.gini).toBeCloseTo(expected.gini, 6)
    expect(scores.auroc).toBeCloseTo(expected.auroc_map_as_score_of_mask, 10)
  })

  it('ANLS and VQA accuracy', () => {
    const expected = read().json as Expected
    for (const { prediction, answers, score } of expected.anls) expect(anls(prediction, answers)).toBeCloseTo(score, 12)
    for (const { prediction, answers, score } of expected.vqa_accuracy)
      expect(vqaAccuracy(prediction, answers)).toBeCloseTo(score, 12)
  })
})
