// What can be read off the frozen encoder about one object: logistic regression, class-mean prototypes and k-NN on
// mean-pooled features of single-object crops (crops.ts). Training crops fit, validation crops choose λ and k, test crops
// are reported; the splits are the data's own.
//
// Prototypes and k-NN compare directions, so they normalise by themselves. For logistic regression the features are divided
// by one number, their root mean square deviation in training: a λ then means the same for encoders of different scale, and
// no direction is stretched. They are not standardised feature by feature, which would change what is measured.

import { LabError } from '../../domain/errors.ts'
import type { ItemResult, JobEvent } from '../../domain/job.ts'
import { SPLITS, type Split } from '../../domain/sample.ts'
import type { ItemDetail } from '../../domain/study-results.ts'
import { centreColumns, type Matrix } from '../../engine/evaluate/measures/matrix.ts'
import { accuracy, correctness } from '../../engine/evaluate/probes/labels.ts'
import { predict, sweepLambda } from '../../engine/evaluate/probes/logistic-regression.ts'
import { predictByNeighbours } from '../../engine/evaluate/probes/nearest-neighbours.ts'
import { fitPrototypes, predictByPrototypes } from '../../engine/evaluate/probes/prototypes.ts'
import { preprocessImage } from '../../engine/preprocess/pipeline.ts'
import { patchesOf } from '../samples.ts'
import { batchesOf, mean, samplesOfSplit, type Bench, type Measurement } from './bench.ts'
import { cropImage, drawCrops, fitCrops, type ObjectCrop } from './crops.ts'
import { meanOverPatches, stackRows, type MeasuredModel } from './measured-model.ts'

/**
 * Gain that is left to a fit, per crop in nats, at which it counts as solved. Going on to a hundredth of it took twice as
 * long and moved at most one answer in five hundred.
 */
const SOLVED = 1e-6

interface CropSet {
  readonly crops: readonly ObjectCrop[]
  readonly features: Matrix
  /** Places among the categories. */
  readonly labels: Int32Array
}

/** Yields probe/linear, probe/prototype and probe/knn with one item a test crop each. */
export const measureProbe: Measurement = async function* (bench) {
  const { settings } = bench
  const { perClass, lambdas, neighbours } = settings.probe
  const fit: Partial<Record<Split, readonly ObjectCrop[]>> = {}
  for (const split of SPLITS) fit[split] = fitCrops(await samplesOfSplit(bench, 'objects', 'objects', split))
  const named = SPLITS.map((split) => new Set(fit[split]!.map(({ category }) => category)))
  const categories = [...named[0]!].filter((category) => named.every((names) => names.has(category))).sort()
  if (categories.length < 2)
    throw new LabError(
      'invalid-input',
      `snapshots.objects: expected at least two categories with fit objects in every split, found ${categories.length}; ` +
        'leave out the probe',
    )
  const crops = SPLITS.map((split) => drawCrops(fit[split]!, categories, perClass[split], settings.seed, split))
  const wanted = SPLITS.map((split) => perClass[split] * categories.length)
  const shortages = SPLITS.map((split, i) => `${split} ${crops[i]!.length} of ${wanted[i]}`)
  if (crops.some((drawn, i) => drawn.length < wanted[i]!))
    yield {
      kind: 'log',
      level: 'info',
      message: `probe: fewer objects than asked for: ${shortages.join(', ')}`,
    }
  const of = crops.flat().length + lambdas.length
  yield { kind: 'part', name: 'probe', of }

  let done = 0
  const sets: CropSet[] = []
  for (const drawn of crops) {
    const parts: Matrix[] = []
    for (const group of batchesOf(drawn, settings.batchSize)) {
      parts.push(await pooledCrops(bench.measured, group))
      yield { kind: 'progress', done: (done += group.length), of }
      bench.assertWanted()
    }
    sets.push({
      crops: drawn,
      features: stackRows(parts),
      labels: Int32Array.from(drawn, ({ category }) => categories.indexOf(category)),
    })
  }
  const [train, validation, test] = sets as [CropSet, CropSet, CropSet]

  const scaled = byTheScaleOf(train.features)
  const fitted = { features: scaled(train.features), labels: train.labels }
  const chosenBy = { features: scaled(validation.features), labels: validation.labels }
  const sweep = sweepLambda(fitted, chosenBy, lambdas, { tolerance: SOLVED })
  for (let next = sweep.next(); ; next = sweep.next()) {
    if (next.done) {
      const { model, atEdge } = next.value
      const edge = atEdge ? ', at the edge of those tried: widen probe.lambdas' : ''
      yield {
        kind: 'log',
        level: atEdge ? 'warning' : 'info',
        message: `linear probe: validation chose λ ${model.lambda}${edge}`,
      }
      yield* report(bench, 'probe/linear', test, predict(model, scaled(test.features)), categories)
      break
    }
    yield { kind: 'progress', done: (done += 1), of }
    bench.assertWanted()
  }

  yield* report(
    bench,
    'probe/prototype',
    test,
    predictByPrototypes(fitPrototypes(train.features, train.labels), test.features),
    categories,
  )

  const ks = neighbours.filter((k) => k <= train.features.rows)
  if (ks.length === 0)
    throw new LabError(
      'invalid-input',
      `probe.neighbours: expected at least one of at most ${train.features.rows}, the number of training crops`,
    )
  const onValidation = predictByNeighbours(train.features, train.labels, validation.features, ks)
  const scores = [...onValidation].map(([k, predictions]) => ({ k, score: accuracy(predictions, validation.labels) }))
  // At ties the larger k, which leans on more items.
  const best = scores.reduce((held, each) => (each.score >= held.score ? each : held))
  yield { kind: 'log', level: 'info', message: `k-NN: validation chose k ${best.k}` }
  const predictions = predictByNeighbours(train.features, train.labels, test.features, [best.k]).get(best.k)!
  yield* report(bench, 'probe/knn', test, predictions, categories)
}

function* report(
  bench: Bench,
  metric: string,
  test: CropSet,
  predictions: Int32Array,
  categories: readonly string[],
): Generator<JobEvent> {
  const right = correctness(predictions, test.labels)
  const items = test.crops.map(({ id, image, category }, i): ItemResult => {
    const detail: ItemDetail = { kind: 'class', image: image.sha256, expected: category, given: categories[predictions[i]!]! }
    return { itemId: id, cluster: image.sha256, group: category, value: right[i]!, detail }
  })
  yield { kind: 'items', metric, items }
  yield { kind: 'result', metric, value: mean(items.map(({ value }) => value)), n: items.length }
  bench.assertWanted()
}

/** Mean-pooled features of crops, (B, D). */
async function pooledCrops(measured: MeasuredModel, crops: readonly ObjectCrop[]): Promise<Matrix> {
  const patches: Float32Array[] = []
  for (const { image, square } of crops) {
    const pixels = preprocessImage(cropImage(await measured.images.raw(image), square), measured.preprocess)
    patches.push(patchesOf(pixels, measured.model.spec.visionEncoder.patchSize))
  }
  const features = measured.featuresOf(patches)
  try {
    return meanOverPatches(features)
  } finally {
    features.dispose()
  }
}

/** Division by the root mean square deviation of `train` from its mean, over all features. */
function byTheScaleOf(train: Matrix): (features: Matrix) => Matrix {
  const { values } = centreColumns(train)
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)
  const factor = deviation > 0 ? 1 / deviation : 1
  return (features) => ({ ...features, values: Float64Array.from(features.values, (value) => value * factor) })
}
