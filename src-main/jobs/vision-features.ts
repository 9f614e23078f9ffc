// Features of a frozen vision encoder, computed once for each image and kept in the project under a key of all that decides
// them: the encoder's weights, the selected layer, the preprocessing, the engine, and the image's own SHA-256. A training
// whose encoder is frozen takes them in place of patches and does not run the encoder. Always float32, whatever the steps'
// precision, and always computed eagerly: equal to the eager step's own numbers bit for bit as far as the engine's matrix
// products do not depend on how many images are in a batch, and to a compiled step's up to rounding.

import { createHash } from 'node:crypto'
import { readdir, rm, statfs, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent } from '../domain/job.ts'
import { featureWidth, numImageFeatures, type MultimodalLmSpec } from '../domain/model-spec.ts'
import type { PreprocessSpec } from '../domain/preprocess-spec.ts'
import type { Training } from '../domain/run-config.ts'
import type { ImageRef } from '../domain/sample.ts'
import { imageFeatures } from '../engine/models/multimodal-lm.ts'
import type { Objective } from '../engine/objectives/objective.ts'
import type { NamedArrays } from '../engine/weights/initial.ts'
import { safetensorsPieces } from '../engine/weights/safetensors.ts'
import { patchesTensor, type BatchSource } from './batches.ts'
import { compiledModel } from './compile/compiled-model.ts'
import { foldersOf, makeRoom } from './feature-cache.ts'
import { sha256, writeWhole } from './files.ts'
import type { StartModel } from './start-model.ts'
import { readTensors, type FileTensor } from './weight-files.ts'

export interface VisionFeatures {
  /** I image tokens, D_vision numbers each. */
  readonly shape: readonly [number, number]
  /** (F·D_vision) of an image that they were made for. */
  of(image: ImageRef): Float32Array
}

/** What all keys together take on disk at most. */
export const FEATURE_DISK_BYTES = 8 * 2 ** 30
/** What a run keeps in memory at most; the rest is read from disk each time. */
export const FEATURE_MEMORY_BYTES = 2 ** 30
/** Of a file: what a killed process loses. */
const FILE_BYTES = 64 * 2 ** 20
/** Images a forward pass; the last one is filled up, so that there is one shape. */
const BATCH = 16
/** A change in how features are computed needs a new number. */
const FORMAT = 'vision features 2'

export function featureBytes(spec: MultimodalLmSpec): number {
  return 4 * numImageFeatures(spec) * featureWidth(spec)
}

/** Whether a training takes features: its encoder is frozen, and they fit on the disk. */
export async function takesFeatures(project: string, training: Training, { usesImages }: Objective, spec: MultimodalLmSpec, images: number): Promise<boolean> {
  if (training.modules.visionEncoder.train || !usesImages || images === 0) return false
  const { bavail, bsize } = await statfs(project)
  const kept = (await foldersOf(featuresFolder(project))).reduce((sum, { bytes }) => sum + bytes, 0)
  // Half of what is free, so that checkpoints have room; what the cache holds already counts, so that a resumed run decides alike.
  return images * featureBytes(spec) <= Math.min(FEATURE_DISK_BYTES, kept + (bavail * bsize) / 2)
}

export function featureKey({ spec, weights }: Pick<StartModel, 'spec' | 'weights'>, preprocess: PreprocessSpec): string {
  const { visionEncoder, visionFeatureLayer, visionFeatureSelectStrategy } = spec
  const settings = [FORMAT, tf.getBackend(), visionEncoder, visionFeatureLayer, visionFeatureSelectStrategy, preprocess]
  return sha256(JSON.stringify([settings, sha256OfTensors(weights.visionEncoder)]))
}

/** Of names, shapes and values, one tensor at a time. */
export function sha256OfTensors(tensors: NamedArrays): string {
  const hash = createHash('sha256')
  for (const name of Object.keys(tensors).sort()) {
    const { shape, values } = tensors[name]!
    const numbers = values instanceof Float32Array ? values : Float32Array.from(values)
    hash.update(JSON.stringify([name, shape])).update(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength))
  }
  return hash.digest('hex')
}

/**
 * The features of `images`: those on disk, and the others computed and stored, with progress.
 * @throws LabError 'cancelled' (what is stored stays)
 */
export async function* visionFeatures(
  project: string,
  { spec, weights }: Pick<StartModel, 'spec' | 'weights'>,
  preprocess: PreprocessSpec,
  source: Pick<BatchSource, 'images' | 'numPatches' | 'patchWidth'>,
  images: readonly ImageRef[],
  signal: AbortSignalLike,
): AsyncGenerator<JobEvent, VisionFeatures> {
  const shape = [numImageFeatures(spec), featureWidth(spec)] as const
  const folder = join(featuresFolder(project), featureKey({ spec, weights }, preprocess))
  const stored = await readFolder(folder, shape)
  const missing = images.filter(({ sha256: name }) => !stored.has(name))
  const size = featureBytes(spec)
  await makeRoom(featuresFolder(project), folder, missing.length * size, FEATURE_DISK_BYTES)
  if (missing.length > 0) {
    yield { kind: 'part', name: 'vision features', of: missing.length }
    const perFile = Math.max(BATCH, Math.floor(FILE_BYTES / size / BATCH) * BATCH)
    // Eagerly throughout: a graph may round differently, and where it would begin depends on what was there already, so that
    // a run that is continued after its features were lost would not be the same run.
    const held = compiledModel({ spec, weights: { visionEncoder: weights.visionEncoder, projector: {}, languageModel: {} } }, { eagerRuns: Infinity })
    try {
      for (let from = 0; from < missing.length; from += perFile) {
        const group = missing.slice(from, from + perFile)
        const made: Record<string, NamedArrays[string]> = {}
        for (let at = 0; at < group.length; at += BATCH) {
          const refs = Array.from({ length: BATCH }, (_, i) => group[at + i] ?? null)
          const patches = await patchesTensor(source, refs)
          const { features } = held.run('image features', (model, inputs) => ({ features: imageFeatures(model, inputs['patches']!) }), { patches })
          const values = features!.dataSync() as Float32Array
          tf.dispose([patches, features!])
          refs.forEach((ref, i) => {
            if (ref !== null) made[ref.sha256] = { shape, values: values.slice((i * size) / 4, ((i + 1) * size) / 4) }
          })
          yield { kind: 'progress', done: Math.min(from + at + BATCH, missing.length), of: missing.length }
          if (signal.aborted) throw new LabError('cancelled', 'cancelled while computing vision features')
        }
        const path = join(folder, `${sha256(Object.keys(made).sort().join())}.safetensors`)
        await writeWhole(path, safetensorsPieces(made))
        for (const [name, tensor] of Object.entries(readTensors(path))) stored.set(name, tensor)
      }
    } finally {
      held.dispose()
    }
  }
  yield {
    kind: 'log',
    level: 'info',
    message: `the vision encoder is frozen, so steps take its features and do not run it: ${missing.length} images computed, ${images.length - missing.length} found in the project's cache (${Math.ceil(size / 1024)} KiB each)`,
  }
  const kept = new Map<string, Float32Array>()
  return {
    shape,
    of({ sha256: name }) {
      const known = kept.get(name)
      if (known !== undefined) return known
      const tensor = stored.get(name)
      if (tensor === undefined) throw new LabError('internal', `image ${name}: no vision features were made for it`)
      const values = Float32Array.from(tensor.values)
      if ((kept.size + 1) * size <= FEATURE_MEMORY_BYTES) kept.set(name, values)
      return values
    },
  }
}

/** Images by SHA-256. A file that cannot be read is deleted: its images are computed again. */
async function readFolder(folder: string, shape: readonly number[]): Promise<Map<string, FileTensor>> {
  const found = new Map<string, FileTensor>()
  const names = await readdir(folder).catch(() => [])
  for (const name of names.filter((each) => each.endsWith('.safetensors'))) {
    const path = join(folder, name)
    try {
      for (const [image, tensor] of Object.entries(readTensors(path))) if (tensor.shape.join() === shape.join()) found.set(image, tensor)
    } catch {
      await rm(path, { force: true })
    }
  }
  const at = new Date()
  if (names.length > 0) await utimes(folder, at, at)
  return found
}

function featuresFolder(project: string): string {
  return join(project, 'cache', 'vision-features')
}
