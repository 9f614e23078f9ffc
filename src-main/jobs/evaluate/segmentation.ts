// What can be read off each frozen patch: a two-layer MLP that names the class of a patch (arXiv 2510.16333, appendix E.5).
// As in the published script the epoch of best macro recall is reported, for every encoder alike. Three things differ from
// it, because a study here has hundreds of images and takes hundreds of steps where the script takes thousands: batches
// are smaller, the learning rate is ten times as large, and features are standardised by the mean and spread of the
// training patches. Most of a feature is common to all patches, and a probe at its defaults would still be learning that
// when it ends: it named every patch background.

import { LabError } from '../../domain/errors.ts'
import type { Evaluation, ItemResult, JobEvent } from '../../domain/job.ts'
import type { ImageRef, SampleOf } from '../../domain/sample.ts'
import { columnMeans } from '../../engine/evaluate/measures/matrix.ts'
import type { ClassCounts } from '../../engine/evaluate/measures/segmentation-scores.ts'
import { majorityLabels, unionLabels } from '../../engine/evaluate/probes/patch-labels.ts'
import { trainPatchProbe, type PatchSet } from '../../engine/evaluate/probes/patch-segmentation.ts'
import { batchesOf, drawSamples, samplesOfSplit, type SampleBench } from './bench.ts'
import { labelMap, preprocessLabels } from './label-maps.ts'
import { ofPatches, type EncoderView } from './measured-model.ts'

const BATCH = 16
const PEAK_RATE = 1e-2

interface Annotated extends SampleOf<'objects'> {
  readonly image: ImageRef
}

/** A bench whose encoder may stand alone. */
export type SegmentationBench = SampleBench & { readonly measured: EncoderView; readonly settings: Pick<Evaluation, 'seed' | 'batchSize' | 'segmentation'> }

/** Yields segmentation/macro-recall and segmentation/mean-iou with one item a test image each. */
export async function* measureSegmentation(bench: SegmentationBench): AsyncGenerator<JobEvent> {
  const { measured, settings } = bench
  const { limit, hiddenSize, epochs, labels } = settings.segmentation
  const [train, test] = [await annotated(bench, 'train', limit.train), await annotated(bench, 'test', limit.test)]
  const categories = [
    ...new Set([...train, ...test].flatMap(({ content }) => content.objects.map(({ category }) => category))),
  ].sort()
  const classes = categories.length + 1
  yield { kind: 'part', name: 'segmentation', of: train.length + test.length + epochs }

  let done = 0
  const of = train.length + test.length + epochs
  const sets: PatchSet[] = []
  for (const samples of [train, test]) {
    const patches = measured.numPatches
    const features = new Float32Array(samples.length * patches * measured.featureWidth)
    const perImage = patches * (labels === 'union' ? classes : 1)
    const truth = labels === 'union' ? new Uint8Array(samples.length * perImage) : new Int32Array(samples.length * perImage)
    let at = 0
    for (const group of batchesOf(samples, settings.batchSize)) {
      const encoded = await measured.features(group.map(({ image }) => image))
      features.set(ofPatches(measured, encoded.dataSync() as Float32Array, measured.featureWidth), at * patches * measured.featureWidth)
      encoded.dispose()
      group.forEach((sample, i) => truth.set(patchLabels(bench, sample, categories), (at + i) * perImage))
      at += group.length
      yield { kind: 'progress', done: (done += group.length), of }
      bench.assertWanted()
    }
    sets.push({ images: samples.length, patches, width: measured.featureWidth, features, labels: truth })
  }

  const [fitted, scored] = standardised(sets[0]!, sets[1]!)
  const schedule = { batchSize: BATCH, learningRate: PEAK_RATE, minLearningRate: PEAK_RATE / 10 }
  const probe = trainPatchProbe(fitted, scored, { labels, classes, seed: settings.seed, hiddenSize, epochs, ...schedule })
  for (let next = probe.next(); ; next = probe.next()) {
    if (next.done) {
      const { best, bestEpoch, perImage } = next.value
      yield {
        kind: 'log',
        level: 'info',
        message: `segmentation: ${best.classes} classes, best after epoch ${bestEpoch} of ${epochs}`,
      }
      const item = (value: number, i: number): ItemResult => {
        const { id, image } = test[i]!
        return { itemId: id, cluster: image.sha256, group: null, value, detail: null }
      }
      yield { kind: 'items', metric: 'segmentation/macro-recall', items: recallShares(perImage).map(item) }
      yield { kind: 'result', metric: 'segmentation/macro-recall', value: best.macroRecall, n: test.length }
      yield { kind: 'items', metric: 'segmentation/mean-iou', items: perImage.map(meanIouOf).map(item) }
      yield { kind: 'result', metric: 'segmentation/mean-iou', value: best.meanIou, n: test.length }
      return
    }
    if (next.value.kind === 'epoch') yield { kind: 'progress', done: (done += 1), of }
    bench.assertWanted()
  }
}

/** Images whose every object has a mask. */
async function annotated(bench: SegmentationBench, split: 'train' | 'test', limit: number): Promise<readonly Annotated[]> {
  const all = await samplesOfSplit(bench, 'objects', 'objects', split)
  const whole = all.filter(
    (sample): sample is Annotated => sample.image !== null && sample.content.objects.every(({ mask }) => mask !== null),
  )
  if (whole.length === 0)
    throw new LabError(
      'invalid-input',
      `snapshots.objects: none of ${all.length} images of the split "${split}" has a mask for every object; ` +
        'leave out segmentation',
    )
  return drawSamples(whole, limit, bench.settings.seed, `segmentation ${split}`)
}

/** Both sets with every feature at mean 0 and standard deviation 1 over the training patches. */
function standardised(train: PatchSet, test: PatchSet): readonly [PatchSet, PatchSet] {
  const { width } = train
  const means = columnMeans({ rows: train.features.length / width, columns: width, values: train.features })
  const squares = new Float64Array(width)
  train.features.forEach((value, i) => (squares[i % width]! += (value - means[i % width]!) ** 2))
  const deviations = squares.map((sum) => Math.sqrt((sum * width) / train.features.length) || 1)
  const apply = (set: PatchSet): PatchSet => ({
    ...set,
    features: set.features.map((value, i) => (value - means[i % width]!) / deviations[i % width]!),
  })
  return [apply(train), apply(test)]
}

function patchLabels(
  { measured, settings }: SegmentationBench,
  { image, content }: Annotated,
  categories: readonly string[],
): Int32Array | Uint8Array {
  const side = measured.imageSize
  const map = preprocessLabels(labelMap(image, content, categories), image, measured.preprocess)
  const reduce = settings.segmentation.labels === 'union' ? unionLabels : majorityLabels
  return reduce(map, { width: side, height: side }, measured.grid, categories.length + 1)
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
function meanIouOf({ truePositives, falsePositives, falseNegatives }: ClassCounts): number {
  let [sum, seen] = [0, 0]
  truePositives.forEach((hits, c) => {
    const union = hits + falsePositives[c]! + falseNegatives[c]!
    if (union === 0) return
    sum += hits / union
    seen++
  })
  return seen === 0 ? 0 : sum / seen
}
