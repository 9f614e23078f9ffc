// Features of images under a model's encoder, mean over patches. What is known of the same weights and preprocessing is
// kept, so a second look at a grown dataset costs only what is new.

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, ImageFeaturesJob, JobEvent } from '../domain/job.ts'
import { parse } from '../domain/parse.ts'
import { imageRefSchema, type ImageRef } from '../domain/sample.ts'
import type { Matrix } from '../engine/evaluate/measures/matrix.ts'
import { meanOverPatches, openMeasuredModel, stackRows } from './evaluate/measured-model.ts'
import { featureFilePath, readFeatures, writeFeatures, type FeatureFile } from './feature-file.ts'
import { sha256 } from './files.ts'

const BATCH = 32

/** Yields an artifact 'features' whose path is the file. @throws LabError 'cancelled' between batches; what was computed is kept */
export async function* runImageFeaturesJob(job: ImageFeaturesJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const model = await openMeasuredModel(job.project, job.checkpoint)
  try {
    const identity = `${model.identity.slice(0, 24)}-${sha256(JSON.stringify(model.preprocess)).slice(0, 12)}`
    const file = featureFilePath(job.project, identity)
    const nothing: FeatureFile = { images: [], features: { rows: 0, columns: model.featureWidth, values: new Float32Array() } }
    // A cache that cannot be read is as good as none: its features are computed again.
    const known = existsSync(file) ? await readFeatures(file).catch(() => nothing) : nothing
    const has = new Set(known.images)
    const images = (await readFile(job.images, 'utf8'))
      .split('\n')
      .filter(Boolean)
      .map((line) => parse(imageRefSchema, JSON.parse(line), 'internal', job.images))
    const missing = images.filter(({ sha256: image }) => !has.has(image))
    yield { kind: 'part', name: 'features of images', of: missing.length }
    const parts: Matrix[] = []
    const fresh: string[] = []
    const keep = () =>
      fresh.length === 0
        ? Promise.resolve()
        : writeFeatures(file, { images: [...known.images, ...fresh], features: stackRows([known.features, ...parts]) })
    for (let from = 0; from < missing.length; from += BATCH) {
      if (signal.aborted) {
        await keep()
        throw new LabError('cancelled', 'stopped while computing features; what there is, is kept')
      }
      const group: readonly ImageRef[] = missing.slice(from, from + BATCH)
      const features = await model.features(group)
      parts.push(meanOverPatches(features))
      features.dispose()
      fresh.push(...group.map(({ sha256: image }) => image))
      yield { kind: 'progress', done: fresh.length, of: missing.length }
    }
    await keep()
    yield { kind: 'artifact', name: 'features', path: file }
  } finally {
    model.dispose()
  }
}
