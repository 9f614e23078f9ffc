// The segmentation probe on one encoder: what it learns from, how its features are scaled, and the MLP that comes out
// (arXiv 2510.16333, appendix E.5). As in the published script the epoch of best macro recall is taken, for every encoder alike.
// Three things differ from it, because a study here has hundreds of images and takes hundreds of steps where the script takes
// thousands: batches are smaller, the learning rate is ten times as large, and features are standardised by the mean and spread of
// the training patches. Most of a feature is common to all patches, and a probe at its defaults would still be learning that
// when it ends: it named every patch background.

import { LabError } from '../../domain/errors.ts'
import type { Evaluation } from '../../domain/evaluation.ts'
import type { JobEvent } from '../../domain/job.ts'
import type { PreprocessSpec } from '../../domain/preprocess-spec.ts'
import type { AnnotatedObject, ImageRef, SampleOf } from '../../domain/sample.ts'
import { columnMeans } from '../../engine/evaluate/measures/matrix.ts'
import { majorityLabels, unionLabels } from '../../engine/evaluate/probes/patch-labels.ts'
import { trainPatchProbe, type PatchProbeResult, type PatchSet } from '../../engine/evaluate/probes/patch-segmentation.ts'
import { batchesOf, drawSamples, samplesOfSplit, type SampleBench } from './bench.ts'
import { labelMap, preprocessLabels } from './label-maps.ts'
import { ofPatches, type EncoderView } from './measured-model.ts'

const BATCH = 16
const PEAK_RATE = 1e-2

export interface Annotated extends SampleOf<'objects'> {
  readonly image: ImageRef
}

/** A bench whose encoder may stand alone. */
export type SegmentationBench = SampleBench & { readonly measured: EncoderView; readonly settings: Pick<Evaluation, 'seed' | 'batchSize' | 'segmentation'> }

/** Of the training patches: what every feature is scaled by, (D) each. */
export interface FeatureScale {
  readonly means: Float64Array
  readonly deviations: Float64Array
}

export interface FittedPatchProbe extends PatchProbeResult {
  /** Class i + 1 of the probe; class 0 is background. */
  readonly categories: readonly string[]
  readonly scale: FeatureScale
  readonly train: readonly Annotated[]
  /** In the order of `perImage`. */
  readonly test: readonly Annotated[]
}

/** @throws LabError 'invalid-input' for data without masks, 'cancelled' between batches and steps, 'loss-not-finite' */
export async function* fitPatchProbe(bench: SegmentationBench): AsyncGenerator<JobEvent, FittedPatchProbe> {
  const { measured, settings } = bench
  const { limit, hiddenSize, epochs, labels } = settings.segmentation
  const [train, test] = [await annotated(bench, 'train', limit.train), await annotated(bench, 'test', limit.test)]
  const categories = [...new Set([...train, ...test].flatMap(({ content }) => content.objects.map(({ category }) => category)))].sort()
  const classes = categories.length + 1
  const of = train.length + test.length + epochs
  yield { kind: 'part', name: 'segmentation', of }

  let done = 0
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
      group.forEach(({ image, content }, i) => truth.set(patchLabels(measured, image, content.objects, categories, labels), (at + i) * perImage))
      at += group.length
      yield { kind: 'progress', done: (done += group.length), of }
      bench.assertWanted()
    }
    sets.push({ images: samples.length, patches, width: measured.featureWidth, features, labels: truth })
  }

  const scale = scaleOf(sets[0]!)
  const [fitted, scored] = sets.map((set): PatchSet => ({ ...set, features: scaled(set.features, scale) })) as [PatchSet, PatchSet]
  const schedule = { batchSize: BATCH, learningRate: PEAK_RATE, minLearningRate: PEAK_RATE / 10 }
  const probe = trainPatchProbe(fitted, scored, { labels, classes, seed: settings.seed, hiddenSize, epochs, ...schedule })
  try {
    for (let next = probe.next(); ; next = probe.next()) {
      if (next.done) return { ...next.value, categories, scale, train, test }
      if (next.value.kind === 'epoch') yield { kind: 'progress', done: (done += 1), of }
      bench.assertWanted()
    }
  } finally {
    // Stopped half-way it would keep its weights.
    probe.return(null as never)
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

/** By which every feature has mean 0 and standard deviation 1 over these patches; a feature that never changes is left at its size. */
function scaleOf({ width, features }: PatchSet): FeatureScale {
  const means = columnMeans({ rows: features.length / width, columns: width, values: features })
  const squares = new Float64Array(width)
  features.forEach((value, i) => (squares[i % width]! += (value - means[i % width]!) ** 2))
  return { means, deviations: squares.map((sum) => Math.sqrt((sum * width) / features.length) || 1) }
}

/** @param features  (n, D) */
export function scaled(features: Float32Array, { means, deviations }: FeatureScale): Float32Array {
  const width = means.length
  return features.map((value, i) => (value - means[i % width]!) / deviations[i % width]!)
}

/** The classes of a picture's patches, as the encoder sees it: (P), of union labels (P, C). */
export function patchLabels(
  { preprocess, seenSide: side, grid }: { readonly preprocess: PreprocessSpec } & Pick<EncoderView, 'seenSide' | 'grid'>,
  image: ImageRef,
  objects: readonly AnnotatedObject[],
  categories: readonly string[],
  labels: 'union' | 'majority',
): Int32Array | Uint8Array {
  const map = preprocessLabels(labelMap(image, { kind: 'objects', objects: [...objects] }, categories), image, preprocess, side)
  const reduce = labels === 'union' ? unionLabels : majorityLabels
  return reduce(map, { width: side, height: side }, grid, categories.length + 1)
}
