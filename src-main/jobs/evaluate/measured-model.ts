// A checkpoint as the evaluators need it: weights as tensors, which nobody changes, and the features of images, which
// several evaluators ask for and which are computed once.

import * as tf from '@tensorflow/tfjs'
import { numImageTokens } from '../../domain/model-spec.ts'
import type { PreprocessSpec } from '../../domain/preprocess-spec.ts'
import type { ImageRef } from '../../domain/sample.ts'
import type { PatchGrid } from '../../engine/evaluate/measures/localisation.ts'
import type { Matrix } from '../../engine/evaluate/measures/matrix.ts'
import { imageFeatures, type MultimodalLm } from '../../engine/models/multimodal-lm.ts'
import type { ChatTokenizer } from '../../engine/text/tokenizer.ts'
import { readCheckpoint } from '../checkpoint.ts'
import { heldModel } from '../held-model.ts'
import { createImageSource, type ImageSource } from '../samples.ts'

export interface MeasuredModel {
  /** SHA-256 of the weights. */
  readonly identity: string
  readonly model: MultimodalLm
  readonly tokenizer: ChatTokenizer
  readonly preprocess: PreprocessSpec
  readonly images: ImageSource
  readonly numImageTokens: number
  readonly patchWidth: number
  /** Width of an image feature. */
  readonly featureWidth: number
  readonly grid: PatchGrid
  /** Features of stored images, (B, P, D); zeros where there is no image. The caller disposes. */
  features(images: readonly (ImageRef | null)[]): Promise<tf.Tensor3D>
  /** Features of pictures cut into patches (P, C·patch²), (B, P, D). The caller disposes. */
  featuresOf(patches: readonly Float32Array[]): tf.Tensor3D
  dispose(): void
}

/** Features are kept up to this; beyond it an image is encoded again when it is asked for again. */
const CACHE_BYTES = 1 << 29

/** @throws LabError 'not-found', 'corrupt-artifact' */
export async function openMeasuredModel(project: string, folder: string): Promise<MeasuredModel> {
  const { checkpoint, weights, tokenizer, preprocess } = await readCheckpoint(folder)
  const { model: spec } = checkpoint
  const { visionEncoder } = spec
  const held = heldModel({ spec, weights })
  const { model } = held
  const P = numImageTokens(visionEncoder)
  const D = visionEncoder.hiddenSize
  const patchWidth = visionEncoder.numChannels * visionEncoder.patchSize ** 2
  const side = visionEncoder.imageSize / visionEncoder.patchSize
  const images = createImageSource(project, preprocess, visionEncoder.patchSize)
  const cache = new Map<string, Float32Array>()

  const featuresOf = (patches: readonly Float32Array[]) => {
    const values = new Float32Array(patches.length * P * patchWidth)
    patches.forEach((each, i) => values.set(each, i * P * patchWidth))
    return tf.tidy(() => imageFeatures(model, tf.tensor3d(values, [patches.length, P, patchWidth])) as tf.Tensor3D)
  }
  return {
    identity: checkpoint.sha256,
    model,
    tokenizer,
    preprocess,
    images,
    numImageTokens: P,
    patchWidth,
    featureWidth: D,
    grid: { rows: side, columns: side },
    featuresOf,
    async features(refs) {
      const values = new Float32Array(refs.length * P * D)
      const missing = new Map<string, ImageRef>()
      for (const ref of refs) if (ref !== null && !cache.has(ref.sha256)) missing.set(ref.sha256, ref)
      const fresh = new Map<string, Float32Array>()
      if (missing.size > 0) {
        const patches: Float32Array[] = []
        for (const ref of missing.values()) patches.push(await images.patches(ref))
        const encoded = featuresOf(patches)
        const all = encoded.dataSync()
        encoded.dispose()
        ;[...missing.keys()].forEach((sha256, i) => fresh.set(sha256, all.slice(i * P * D, (i + 1) * P * D) as Float32Array))
        for (const [sha256, one] of fresh) if ((cache.size + 1) * one.byteLength <= CACHE_BYTES) cache.set(sha256, one)
      }
      refs.forEach((ref, i) => {
        if (ref !== null) values.set((fresh.get(ref.sha256) ?? cache.get(ref.sha256))!, i * P * D)
      })
      return tf.tensor3d(values, [refs.length, P, D])
    },
    dispose() {
      cache.clear()
      held.dispose()
    },
  }
}

/** The mean over an image's patches, as rows. @param features (B, P, D) @returns (B, D) */
export function meanOverPatches(features: tf.Tensor3D): Matrix {
  const [rows, , columns] = features.shape
  const pooled = tf.mean(features, 1)
  const values = pooled.dataSync() as Float32Array
  pooled.dispose()
  return { rows, columns, values: Float32Array.from(values) }
}

/** Matrices of equally wide rows, one under the other. */
export function stackRows(parts: readonly Matrix[]): Matrix {
  const columns = parts[0]!.columns
  const rows = parts.reduce((sum, part) => sum + part.rows, 0)
  const values = new Float32Array(rows * columns)
  let at = 0
  for (const part of parts) {
    values.set(part.values, at)
    at += part.values.length
  }
  return { rows, columns, values }
}
