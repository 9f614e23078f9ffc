// What can be read off the frozen encoder about one object: logistic regression, class-mean prototypes and k-NN on
// mean-pooled features of single-object crops (crops.ts); the splits are the data's own.

import { LabError } from '../../domain/errors.ts'
import { SPLITS, type Split } from '../../domain/sample.ts'
import type { Matrix } from '../../engine/evaluate/measures/matrix.ts'
import { preprocessImage } from '../../engine/preprocess/pipeline.ts'
import { patchesOf } from '../samples.ts'
import { batchesOf, samplesOfSplit, type Measurement } from './bench.ts'
import { probeClasses, type LabelledSet } from './classification.ts'
import { cropImage, drawCrops, fitCrops, type ObjectCrop } from './crops.ts'
import { meanOverPatches, stackRows, type MeasuredModel } from './measured-model.ts'

const PROBED = { probes: ['linear', 'prototype', 'knn'], everyNeighbour: false, shots: [], draws: 2, suffix: '' } as const

/** Yields probe/linear, probe/prototype and probe/knn with one item a test crop each. */
export const measureProbe: Measurement = async function* (bench) {
  const { settings } = bench
  const { perClass, lambdas } = settings.probe
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
  const sets: LabelledSet[] = []
  for (const drawn of crops) {
    const parts: Matrix[] = []
    for (const group of batchesOf(drawn, settings.batchSize)) {
      parts.push(await pooledCrops(bench.measured, group))
      yield { kind: 'progress', done: (done += group.length), of }
      bench.assertWanted()
    }
    sets.push({
      pictures: drawn.map(({ id, image, category }) => ({ id, image: image.sha256, category })),
      features: stackRows(parts),
      labels: Int32Array.from(drawn, ({ category }) => categories.indexOf(category)),
    })
  }
  const [train, validation, test] = sets as [LabelledSet, LabelledSet, LabelledSet]
  yield* probeClasses({ train, validation, test, categories }, { ...settings.probe, ...PROBED, seed: settings.seed }, () => {
    bench.assertWanted()
    return { kind: 'progress', done: (done += 1), of }
  })
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
