// What can be read off each frozen patch, in numbers: macro recall and mean IoU of the probe that names the class of a patch.

import type { ItemResult, JobEvent } from '../../domain/job.ts'
import type { ClassCounts } from '../../engine/evaluate/measures/segmentation-scores.ts'
import { fitPatchProbe, type SegmentationBench } from './patch-probe.ts'

/** Yields segmentation/macro-recall and segmentation/mean-iou with one item a test image each. */
export async function* measureSegmentation(bench: SegmentationBench): AsyncGenerator<JobEvent> {
  const { best, bestEpoch, perImage, test } = yield* fitPatchProbe(bench)
  yield {
    kind: 'log',
    level: 'info',
    message: `segmentation: ${best.classes} classes, best after epoch ${bestEpoch} of ${bench.settings.segmentation.epochs}`,
  }
  const item = (value: number, i: number): ItemResult => {
    const { id, image } = test[i]!
    return { itemId: id, cluster: image.sha256, group: null, value, detail: null }
  }
  yield { kind: 'items', metric: 'segmentation/macro-recall', items: recallShares(perImage).map(item) }
  yield { kind: 'result', metric: 'segmentation/macro-recall', value: best.macroRecall, n: test.length }
  const counted = ({ truePositives, falsePositives, falseNegatives }: ClassCounts) => ({ stratum: '', terms: [...truePositives, ...falsePositives, ...falseNegatives] })
  yield { kind: 'items', metric: 'segmentation/mean-iou', items: perImage.map((counts, i) => ({ ...item(meanIouOf(counts), i), terms: counted(counts) })) }
  yield { kind: 'result', metric: 'segmentation/mean-iou', value: best.meanIou, n: test.length }
}

/**
 * Each image's part of the macro recall, so that differences can be paired image by image: with N_c the true patches of
 * class c over all n images and C the classes that occur, n/C · Σ_c TP_c(image)/N_c. Their mean is the macro recall.
 */
export function recallShares(perImage: readonly ClassCounts[]): readonly number[] {
  const classes = perImage[0]!.truePositives.length
  const truth = Array.from({ length: classes }, (_, c) =>
    perImage.reduce((sum, { truePositives, falseNegatives }) => sum + truePositives[c]! + falseNegatives[c]!, 0),
  )
  const occurring = truth.filter((count) => count > 0).length
  return perImage.map(({ truePositives }) => {
    const recalled = truth.reduce((sum, count, c) => (count === 0 ? sum : sum + truePositives[c]! / count), 0)
    return (perImage.length * recalled) / occurring
  })
}

/** IoU averaged over the classes seen in one image. Its mean over images is not the mean IoU over all patches. */
export function meanIouOf({ truePositives, falsePositives, falseNegatives }: ClassCounts): number {
  let [sum, seen] = [0, 0]
  truePositives.forEach((hits, c) => {
    const union = hits + falsePositives[c]! + falseNegatives[c]!
    if (union === 0) return
    sum += hits / union
    seen++
  })
  return seen === 0 ? 0 : sum / seen
}
