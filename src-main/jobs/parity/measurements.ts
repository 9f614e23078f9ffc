// The lab's measures and statistics against scikit-learn, SciPy, NumPy and printed examples, each where the case has it.

import { createRandom } from '../../domain/random.ts'
import { cohenKappa, fleissKappa, krippendorffAlpha, type Agreement } from '../../domain/statistics/agreement.ts'
import { pairedBootstrap } from '../../domain/statistics/bootstrap.ts'
import { bradleyTerry } from '../../domain/statistics/bradley-terry.ts'
import { mcnemarExact } from '../../domain/statistics/hypothesis-tests.ts'
import { wilsonInterval } from '../../domain/statistics/intervals.ts'
import { linearCka, linearCkaByFeatures, linearCkaByGram, mutualKnn } from '../../engine/evaluate/measures/alignment.ts'
import { anls, vqaAccuracy } from '../../engine/evaluate/measures/answers.ts'
import { localisationScores } from '../../engine/evaluate/measures/localisation.ts'
import { pca, project } from '../../engine/evaluate/measures/pca.ts'
import { countLabels, segmentationScores } from '../../engine/evaluate/measures/segmentation-scores.ts'
import { accuracy } from '../../engine/evaluate/probes/labels.ts'
import { fitLogisticRegression, predict, probabilities } from '../../engine/evaluate/probes/logistic-regression.ts'
import { predictByNeighbours } from '../../engine/evaluate/probes/nearest-neighbours.ts'
import { fitPrototypes, predictByPrototypes } from '../../engine/evaluate/probes/prototypes.ts'
import type { CaseTensors, JsonObject } from './case-files.ts'
import type { Comparison, Tolerance } from './comparison.ts'
import type { ParityKind } from './parity-kind.ts'

/** Both sides in doubles: the same but for the order of sums. */
const EXACT: Tolerance = { relative: 1e-9, floor: 1 }
/** Recorded in float32, or of float32 features. */
const SINGLE: Tolerance = { relative: 2e-6, floor: 1 }
/** PCA's scores of float32 features. */
const SCORES: Tolerance = { relative: 1e-4, floor: 1 }
/** The recorded fit worked in float32 and stopped short of the optimum, by up to 3.7e-3 of probability. */
const UNCONVERGED: Tolerance = { relative: 5e-3, floor: 1 }
/** A printed value has three digits. */
const PRINTED: Tolerance = { relative: 5e-4, floor: 1 }

type Measured = (json: JsonObject, tensors: CaseTensors, comparison: Comparison) => void

export const measurementsParity: ParityKind = {
  name: 'measurements',
  recognises: ({ json }) => Object.keys(MEASURES).some((name) => name in json),
  async compare(files, comparison) {
    const tensors = await files.tensors('case.safetensors')
    for (const [name, measure] of Object.entries(MEASURES)) if (name in files.json) measure(files.json, tensors, comparison)
  },
}

const MEASURES: Readonly<Record<string, Measured>> = {
  logistic_regression(json, tensors, comparison) {
    const { train, trainLabels, test, testLabels } = splits(tensors)
    for (const { C, test_accuracy } of (json['logistic_regression'] as { cases: { C: number; test_accuracy: number }[] }).cases) {
      const model = fitLogisticRegression(train, trainLabels, 1 / C)
      number(comparison, 'logistic regression', `accuracy at C ${C}`, accuracy(predict(model, test), testLabels), test_accuracy)
      // Python writes 1.0 and 1e-05 where JavaScript writes 1 and 0.00001.
      const named = tensors.names.find((name) => Number(/^logistic\.C(.+)\.probabilities$/.exec(name)?.[1]) === C)
      const recorded = tensors.get(named ?? `logistic.C${C}.probabilities`)
      comparison.check('logistic regression, probabilities', `C ${C}`, probabilities(model, test).values, recorded, UNCONVERGED)
    }
  },
  knn(json, tensors, comparison) {
    const { train, trainLabels, test, testLabels } = splits(tensors)
    const { cases } = json['knn'] as { cases: { k: number; accuracy: number }[] }
    const predictions = predictByNeighbours(train, trainLabels, test, cases.map(({ k }) => k))
    for (const { k, accuracy: expected } of cases) {
      number(comparison, 'k-NN', `accuracy at k ${k}`, accuracy(predictions.get(k)!, testLabels), expected)
      comparison.same('k-NN, predictions', `k ${k}`, [...predictions.get(k)!], [...tensors.get(`knn.k${k}.predictions`).values])
    }
  },
  prototype(json, tensors, comparison) {
    const { train, trainLabels, test, testLabels } = splits(tensors)
    const found = accuracy(predictByPrototypes(fitPrototypes(train, trainLabels), test), testLabels)
    number(comparison, 'prototypes', 'accuracy', found, (json['prototype'] as { accuracy: number }).accuracy)
  },
  linear_cka(json, tensors, comparison) {
    const [a, b] = [matrix(tensors, 'cka.A'), matrix(tensors, 'cka.B')]
    for (const cka of [linearCka, linearCkaByFeatures, linearCkaByGram]) number(comparison, 'linear CKA', cka.name, cka(a, b), json['linear_cka'] as number, SINGLE)
  },
  mutual_knn_k10(json, tensors, comparison) {
    const found = mutualKnn(matrix(tensors, 'cka.A'), matrix(tensors, 'cka.B'), { k: 10, prepare: 'normalise' })
    number(comparison, 'mutual k-NN', 'k 10', found, json['mutual_knn_k10'] as number)
  },
  pca_explained_variance_ratio(json, tensors, comparison) {
    const expected = json['pca_explained_variance_ratio'] as readonly number[]
    const model = pca(matrix(tensors, 'train.features'), expected.length)
    expected.forEach((ratio, k) => number(comparison, 'PCA, explained variance', `component ${k}`, model.explainedVarianceRatio[k]!, ratio, SINGLE))
    const scores = project(model, matrix(tensors, 'test.features')).values
    const reference = tensors.get('pca.scores_up_to_sign').values
    for (let k = 0; k < expected.length; k++) {
      const column = (values: ArrayLike<number>) => Array.from({ length: values.length / expected.length }, (_, i) => values[i * expected.length + k]!)
      const [found, wanted] = [column(scores), column(reference)]
      const sign = Math.sign(found.reduce((sum, value, i) => sum + value * wanted[i]!, 0))
      comparison.check('PCA, scores', `component ${k}`, found.map((value) => value * sign), { shape: [wanted.length], values: wanted }, SCORES)
    }
  },
  paired(json, tensors, comparison) {
    const expected = json['paired'] as {
      readonly mcnemar_exact_p: number
      readonly a_only: number
      readonly b_only: number
      readonly difference: number
      readonly paired_bootstrap_95: readonly [number, number]
      readonly bootstrap_tolerance: number
      readonly wilson_95_of_a: readonly [number, number]
    }
    const [a, b] = [tensors.get('paired.a').values, tensors.get('paired.b').values]
    const mcnemar = mcnemarExact(a, b)
    comparison.same('McNemar', 'discordant pairs', [mcnemar.aOnly, mcnemar.bOnly], [expected.a_only, expected.b_only])
    number(comparison, 'McNemar', 'p', mcnemar.p, expected.mcnemar_exact_p)
    const bootstrap = pairedBootstrap(a, b, { random: createRandom(0) })
    number(comparison, 'paired difference', 'difference', bootstrap.difference, expected.difference)
    const drawn = { relative: expected.bootstrap_tolerance, floor: 1 }
    const { low, high } = bootstrap.interval
    comparison.check('paired bootstrap', 'interval', [low, high], { shape: [2], values: expected.paired_bootstrap_95 }, drawn)
    const wilson = wilsonInterval(Array.from(a).filter((each) => each === 1).length, a.length)
    comparison.check('Wilson interval', 'interval', [wilson.low, wilson.high], { shape: [2], values: expected.wilson_95_of_a }, EXACT)
  },
  cohen_kappa(json, tensors, comparison) {
    const found = cohenKappa(tensors.get('annotator.1').values, tensors.get('annotator.2').values)
    number(comparison, "Cohen's kappa", 'kappa', valueOf(found), json['cohen_kappa'] as number)
  },
  fleiss_kappa_textbook(json, _tensors, comparison) {
    const { table, kappa } = json['fleiss_kappa_textbook'] as { table: number[][]; kappa: number }
    number(comparison, "Fleiss' kappa", 'kappa', valueOf(fleissKappa(table)), kappa)
  },
  krippendorff_alpha_nominal_textbook(json, _tensors, comparison) {
    const { ratings, alpha } = json['krippendorff_alpha_nominal_textbook'] as { ratings: (number | null)[][]; alpha: number }
    number(comparison, "Krippendorff's alpha", 'alpha', valueOf(krippendorffAlpha(ratings)), alpha, PRINTED)
  },
  bradley_terry(json, _tensors, comparison) {
    const { winner_loser, log_strength_centred, tolerance } = json['bradley_terry'] as { winner_loser: [number, number][]; log_strength_centred: number[]; tolerance: number }
    const { logStrengths } = bradleyTerry(log_strength_centred.length, winner_loser.map(([winner, loser]) => ({ winner, loser })))
    comparison.check('Bradley–Terry', 'log strengths', logStrengths, { shape: [log_strength_centred.length], values: log_strength_centred }, { relative: tolerance, floor: 1 })
  },
  segmentation(json, tensors, comparison) {
    const expected = json['segmentation'] as { macro_recall: number; mean_iou: number; pixel_accuracy: number }
    const [prediction, truth] = [tensors.get('segmentation.prediction').values, tensors.get('segmentation.truth').values]
    const classes = prediction.reduce((most, label, i) => Math.max(most, label, truth[i]!), 0) + 1
    const scores = segmentationScores(countLabels(prediction, truth, classes))
    number(comparison, 'segmentation', 'macro recall', scores.macroRecall ?? NaN, expected.macro_recall)
    number(comparison, 'segmentation', 'mean IoU', scores.meanIou ?? NaN, expected.mean_iou)
    number(comparison, 'segmentation', 'pixel accuracy', scores.accuracy ?? NaN, expected.pixel_accuracy)
  },
  localisation(json, tensors, comparison) {
    const expected = json['localisation'] as Readonly<Record<string, number>>
    const scores = localisationScores(tensors.get('map').values, tensors.get('map.mask').values)
    for (const [name, found] of [
      ['energy_inside', scores?.energyInside],
      ['energy_ratio_to_area', scores?.energyRatio],
      ['pointing_hit', scores?.pointing],
      ['normalised_entropy', scores?.entropy],
      ['gini', scores?.gini],
      ['auroc_map_as_score_of_mask', scores?.auroc],
    ] as const)
      number(comparison, 'localisation', name, found ?? NaN, expected[name]!, SINGLE)
  },
  anls: (json, _tensors, comparison) => answers(comparison, 'ANLS', json['anls'] as readonly Scored[], anls),
  vqa_accuracy: (json, _tensors, comparison) => answers(comparison, 'VQA accuracy', json['vqa_accuracy'] as readonly Scored[], vqaAccuracy),
}

interface Scored {
  readonly prediction: string
  readonly answers: readonly string[]
  readonly score: number
}

function answers(comparison: Comparison, group: string, all: readonly Scored[], score: (prediction: string, golds: readonly string[]) => number): void {
  for (const each of all) number(comparison, group, JSON.stringify(each.prediction), score(each.prediction, each.answers), each.score)
}

function number(comparison: Comparison, group: string, name: string, found: number, expected: number, tolerance = EXACT): void {
  comparison.check(group, name, [found], { shape: [1], values: [expected] }, tolerance)
}

/** NaN, which agrees with nothing, where the measure is undefined. */
function valueOf(agreement: Agreement): number {
  return 'value' in agreement ? agreement.value : NaN
}

function matrix(tensors: CaseTensors, name: string) {
  const { shape, values } = tensors.get(name)
  return { rows: shape[0]!, columns: shape[1]!, values }
}

function splits(tensors: CaseTensors) {
  const labels = (name: string) => Int32Array.from(tensors.get(name).values)
  return { train: matrix(tensors, 'train.features'), trainLabels: labels('train.labels'), test: matrix(tensors, 'test.features'), testLabels: labels('test.labels') }
}
