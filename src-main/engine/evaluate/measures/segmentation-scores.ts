// Scores of patch labels, counted over patches as github.com/iancovert/patch-seg does: per class, then averaged over the
// classes that occur. One difference: a class that is never predicted has precision 0 here, where patch-seg divides 0 by 0.

import { LabError } from '../../../domain/errors.ts'

/** Counts per class over all patches seen, (C) each; they add up over batches. */
export interface ClassCounts {
  readonly truePositives: Float64Array
  readonly falsePositives: Float64Array
  readonly falseNegatives: Float64Array
  /** Decisions made: patches for one label a patch, patches × C for several. */
  readonly decisions: number
  readonly correct: number
}

export interface SegmentationScores {
  /** Mean of TP/(TP + FN) over the classes that occur in the truth. */
  readonly macroRecall: number
  /** Mean of TP/(TP + FP) over the same classes. */
  readonly macroPrecision: number
  /** Mean of 2·TP/(2·TP + FP + FN) over the same classes. */
  readonly macroF1: number
  /** Mean of TP/(TP + FP + FN) over the classes that occur in the truth or in the prediction. */
  readonly meanIou: number
  /** Share of correct decisions. */
  readonly accuracy: number
  /** How many classes occur in the truth. */
  readonly classes: number
}

export function noCounts(classes: number): ClassCounts {
  return {
    truePositives: new Float64Array(classes),
    falsePositives: new Float64Array(classes),
    falseNegatives: new Float64Array(classes),
    decisions: 0,
    correct: 0,
  }
}

/**
 * Counts of one label a patch (majority labels, cross-entropy).
 * @param prediction  class of each patch, (n); truth (n)
 * @param ignore      a truth label whose patches are not counted, −1 by default
 */
export function countLabels(prediction: ArrayLike<number>, truth: ArrayLike<number>, classes: number, ignore = -1): ClassCounts {
  if (prediction.length !== truth.length)
    throw new LabError('invalid-input', `expected one prediction a patch, got ${prediction.length} for ${truth.length} patches`)
  const counts = noCounts(classes)
  let [decisions, correct] = [0, 0]
  for (let i = 0; i < truth.length; i++) {
    const [said, is] = [prediction[i]!, truth[i]!]
    if (is === ignore) continue
    for (const [name, label] of [
      ['prediction', said],
      ['truth', is],
    ] as const)
      if (!Number.isInteger(label) || label < 0 || label >= classes)
        throw new LabError('invalid-input', `${name}[${i}]: expected a class of 0 … ${classes - 1}, got ${label}`)
    decisions++
    if (said === is) {
      correct++
      counts.truePositives[is]!++
    } else {
      counts.falseNegatives[is]!++
      counts.falsePositives[said]!++
    }
  }
  return { ...counts, decisions, correct }
}

/**
 * Counts of several labels a patch (union labels, binary cross-entropy).
 * @param prediction  0 or 1, (n, C); truth (n, C)
 */
export function countMultiLabels(prediction: ArrayLike<number>, truth: ArrayLike<number>, classes: number): ClassCounts {
  if (prediction.length !== truth.length || truth.length % classes !== 0)
    throw new LabError(
      'invalid-input',
      `expected patches × ${classes} decisions in both, got ${prediction.length} and ${truth.length}`,
    )
  const counts = noCounts(classes)
  let correct = 0
  for (let i = 0; i < truth.length; i++) {
    const [said, is, label] = [prediction[i]! > 0, truth[i]! > 0, i % classes]
    if (said === is) correct++
    if (said && is) counts.truePositives[label]!++
    else if (said) counts.falsePositives[label]!++
    else if (is) counts.falseNegatives[label]!++
  }
  return { ...counts, decisions: truth.length, correct }
}

export function addCounts(a: ClassCounts, b: ClassCounts): ClassCounts {
  if (a.truePositives.length !== b.truePositives.length)
    throw new LabError(
      'internal',
      `expected counts of as many classes, got ${a.truePositives.length} and ${b.truePositives.length}`,
    )
  const plus = (left: Float64Array, right: Float64Array) => left.map((value, i) => value + right[i]!)
  return {
    truePositives: plus(a.truePositives, b.truePositives),
    falsePositives: plus(a.falsePositives, b.falsePositives),
    falseNegatives: plus(a.falseNegatives, b.falseNegatives),
    decisions: a.decisions + b.decisions,
    correct: a.correct + b.correct,
  }
}

/** @throws LabError 'invalid-input' when no class occurs in the truth */
export function segmentationScores(counts: ClassCounts): SegmentationScores {
  const { truePositives, falsePositives, falseNegatives } = counts
  let [recall, precision, f1, classes, iou, seen] = [0, 0, 0, 0, 0, 0]
  for (let c = 0; c < truePositives.length; c++) {
    const [hits, wrong, missed] = [truePositives[c]!, falsePositives[c]!, falseNegatives[c]!]
    if (hits + wrong + missed === 0) continue
    seen++
    iou += hits / (hits + wrong + missed)
    if (hits + missed === 0) continue
    classes++
    recall += hits / (hits + missed)
    precision += hits + wrong === 0 ? 0 : hits / (hits + wrong)
    f1 += (2 * hits) / (2 * hits + wrong + missed)
  }
  if (classes === 0)
    throw new LabError('invalid-input', 'segmentation: no class occurs in the truth, so there is nothing to recall')
  return {
    macroRecall: recall / classes,
    macroPrecision: precision / classes,
    macroF1: f1 / classes,
    meanIou: iou / seen,
    accuracy: counts.correct / counts.decisions,
    classes,
  }
}
