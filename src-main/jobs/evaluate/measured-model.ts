// A checkpoint as the evaluators need it: weights as tensors, which nobody changes, and the features of images, which
// several evaluators ask for and which are computed once.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import { featureWidth, numImageFeatures, numImageTokens } from '../../domain/model-spec.ts'
import type { PreprocessSpec } from '../../domain/preprocess-spec.ts'
import type { ImageRef } from '../../domain/sample.ts'
import { numPatches, patchGrid, patchWidth, seenSide } from '../../domain/vision-encoder-spec.ts'
import type { PatchGrid } from '../../engine/evaluate/measures/localisation.ts'
import type { Matrix } from '../../engine/evaluate/measures/matrix.ts'
import { imageFeatures } from '../../engine/models/multimodal-lm.ts'
import type { ChatTokenizer } from '../../engine/text/tokenizer.ts'
import { readCheckpoint } from '../checkpoint.ts'
import { compiledModel } from '../compile/compiled-model.ts'
import type { HeldModel } from '../held-model.ts'
import { createImageSource, IMAGE_CACHE_BYTES, type ImageSource } from '../samples.ts'

/** What a probe of patches needs to know of an encoder, alone or in a model. */
export interface EncoderView {
  readonly preprocess: PreprocessSpec
  /** Side of what the patches of the square input cover, pixels. */
  readonly seenSide: number
  readonly numImageFeatures: number
  readonly numPatches: number
  /** Width of an image feature. */
  readonly featureWidth: number
  readonly grid: PatchGrid
  /** Features of stored images, (B, F, D). The caller disposes. */
  features(images: readonly (ImageRef | null)[]): Promise<tf.Tensor3D>
}

export interface MeasuredModel extends HeldModel, EncoderView {
  /** SHA-256 of the weights. */
  readonly identity: string
  readonly tokenizer: ChatTokenizer
  readonly preprocess: PreprocessSpec
  readonly images: ImageSource
  readonly numImageTokens: number
  readonly numImageFeatures: number
  readonly numPatches: number
  readonly patchWidth: number
  /** Width of an image feature. */
  readonly featureWidth: number
  readonly grid: PatchGrid
  /** Features of stored images as the projector sees them, (B, F, D); zeros where there is no image. The caller disposes. */
  features(images: readonly (ImageRef | null)[]): Promise<tf.Tensor3D>
  /** Features of pictures cut into patches (P, C·patch²), (B, F, D). The caller disposes. */
  featuresOf(patches: readonly Float32Array[]): tf.Tensor3D
  /** What could not be compiled, and why; each once. */
  readonly warnings: readonly string[]
}

/** What is kept in memory, bytes; beyond it a picture is read, or encoded, again when it is asked for again. */
export interface KeptInMemory {
  readonly features: number
  readonly pictures: number
}
const KEPT: KeptInMemory = { features: 1 << 29, pictures: IMAGE_CACHE_BYTES }

/** @throws LabError 'not-found', 'corrupt-artifact' */
export async function openMeasuredModel(project: string, folder: string, kept = KEPT): Promise<MeasuredModel> {
  const { checkpoint, weights, tokenizer, preprocess } = await readCheckpoint(folder)
  const { model: spec } = checkpoint
  const { visionEncoder } = spec
  const warnings: string[] = []
  const held = compiledModel({ spec, weights }, { warn: (message) => warnings.push(message) })
  const { model, run } = held
  const F = numImageFeatures(spec)
  const P = numPatches(visionEncoder)
  const D = featureWidth(spec)
  const ofPatch = patchWidth(visionEncoder)
  const images = createImageSource(project, preprocess, visionEncoder.patchSize, kept.pictures)
  const cache = new Map<string, Float32Array>()

  const featuresOf = (patches: readonly Float32Array[]) => {
    const values = new Float32Array(patches.length * P * ofPatch)
    patches.forEach((each, i) => values.set(each, i * P * ofPatch))
    const given = tf.tensor3d(values, [patches.length, P, ofPatch])
    try {
      return run('image features', (of, inputs) => ({ features: imageFeatures(of, inputs['patches']!) }), { patches: given })['features'] as tf.Tensor3D
    } finally {
      given.dispose()
    }
  }
  return {
    identity: checkpoint.sha256,
    model,
    run,
    warnings,
    tokenizer,
    preprocess,
    images,
    numImageTokens: numImageTokens(spec),
    numImageFeatures: F,
    numPatches: P,
    patchWidth: ofPatch,
    featureWidth: D,
    grid: patchGrid(visionEncoder),
    seenSide: seenSide(visionEncoder),
    featuresOf,
    async features(refs) {
      const values = new Float32Array(refs.length * F * D)
      const missing = new Map<string, ImageRef>()
      for (const ref of refs) if (ref !== null && !cache.has(ref.sha256)) missing.set(ref.sha256, ref)
      const fresh = new Map<string, Float32Array>()
      if (missing.size > 0) {
        const patches: Float32Array[] = []
        for (const ref of missing.values()) patches.push(await images.patches(ref))
        const encoded = featuresOf(patches)
        const all = encoded.dataSync()
        encoded.dispose()
        ;[...missing.keys()].forEach((sha256, i) => fresh.set(sha256, all.slice(i * F * D, (i + 1) * F * D) as Float32Array))
        for (const [sha256, one] of fresh) if ((cache.size + 1) * one.byteLength <= kept.features) cache.set(sha256, one)
      }
      refs.forEach((ref, i) => {
        if (ref !== null) values.set((fresh.get(ref.sha256) ?? cache.get(ref.sha256))!, i * F * D)
      })
      return tf.tensor3d(values, [refs.length, F, D])
    },
    dispose() {
      cache.clear()
      held.dispose()
    },
  }
}

/** Of a map over one image's tokens, (I): what stands for patches, without `image_newline` at its end. Errors as of `ofPatches`. */
export function mapOfPatches(measured: Pick<MeasuredModel, 'numImageFeatures' | 'numPatches'>, perToken: Float64Array): Float64Array {
  return ofPatches(measured, perToken.slice(0, measured.numImageFeatures))
}

/**
 * The features, or numbers of them, that stand for patches: the last P, class token and registers before them.
 * @param perFeature (…, F, …) laid out with `width` numbers a feature   @returns the same of P tokens
 * @throws LabError 'invalid-input' when the strategy 'default' dropped a patch for want of a class token
 */
export function ofPatches<Values extends Float32Array | Float64Array>({ numImageFeatures, numPatches }: Pick<MeasuredModel, 'numImageFeatures' | 'numPatches'>, perFeature: Values, width = 1): Values {
  if (numImageFeatures === numPatches) return perFeature
  if (numImageFeatures < numPatches)
    throw new LabError(
      'invalid-input',
      `visionFeatureSelectStrategy: expected "full", found "default", which drops the first of ${numPatches} patches of an encoder without a class token; what lies where in the picture cannot be measured`,
    )
  const [from, to] = [numImageFeatures * width, numPatches * width]
  const images = perFeature.length / from
  const kept = perFeature.slice(0, images * to) as Values
  for (let i = 0; i < images; i++) kept.set(perFeature.subarray((i + 1) * from - to, (i + 1) * from), i * to)
  return kept
}

/** The mean over an image's tokens, as rows. @param features (B, F, D) @returns (B, D) */
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
