// A vision encoder alone, ready to be probed: from a folder that holds it alone, in a dual encoder or in a multimodal model. Its
// features of images, or of squares cut out of them, are kept in the project under a key of all that decides them: weights,
// preprocessing, layer, pooling, engine; and in the file under the image's own hash. What is there is not computed again.

import { readdir, rm, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import { multimodalLmSpecSchema, type MultimodalLmSpec } from '../../domain/model-spec.ts'
import { preprocessSpecSchema, type PreprocessSpec } from '../../domain/preprocess-spec.ts'
import type { Pooling } from '../../domain/probe.ts'
import type { ImageRef } from '../../domain/sample.ts'
import { numPatches, patchGrid, patchWidth, seenSide, type VisionEncoderSpec } from '../../domain/vision-encoder-spec.ts'
import type { Matrix } from '../../engine/evaluate/measures/matrix.ts'
import { pooledStates } from '../../engine/evaluate/pooled-states.ts'
import { encoderLayersUsed } from '../../engine/models/multimodal-lm.ts'
import { patchStates, visionHiddenStates } from '../../engine/models/vision-encoder.ts'
import { preprocessImage } from '../../engine/preprocess/pipeline.ts'
import { multimodalLmSpec } from '../../engine/weights/hugging-face-config.ts'
import { compiledModel } from '../compile/compiled-model.ts'
import type { EncoderView } from '../evaluate/measured-model.ts'
import { cropImage, type ObjectCrop } from '../evaluate/crops.ts'
import { makeRoom } from '../feature-cache.ts'
import { readFeatures, writeFeatures } from '../feature-file.ts'
import { sha256 } from '../files.ts'
import { isMultimodalFolder, readConfig, readVisionEncoderFolder } from '../model-folder.ts'
import { createImageSource, patchesOf } from '../samples.ts'
import { sha256OfTensors } from '../vision-features.ts'

/** A picture, or a square of one. */
export interface Pictured {
  readonly image: ImageRef
  /** null: the whole picture. */
  readonly square: ObjectCrop['square'] | null
}

export interface ProbedEncoder extends EncoderView {
  readonly spec: VisionEncoderSpec
  /** The block whose output the model uses. */
  readonly selectedLayer: number
  readonly notes: readonly string[]
  /**
   * Pooled features, (n, D) for each layer, in the order of the pictures. Yields how many are done.
   * @throws LabError 'cancelled' (what was computed is kept)
   */
  pooled(pictures: readonly Pictured[], layers: readonly number[], pooling: Pooling, options: PooledOptions): AsyncGenerator<number, readonly Matrix[]>
  dispose(): void
}

export interface PooledOptions {
  readonly batchSize: number
  readonly assertWanted: () => void
}

/** What pooled features of all keys together take on disk at most. */
export const POOLED_DISK_BYTES = 4 * 2 ** 30
/** Pictures a file: what a killed process loses at most. */
const PER_FILE = 4096
/** A change in how features are computed needs a new number. */
const FORMAT = 'pooled features 1'

export interface FeatureIngredients {
  readonly weights: string
  readonly spec: VisionEncoderSpec
  readonly preprocess: PreprocessSpec
  readonly layer: number
  readonly pooling: Pooling
}

/** Names the folder of features that exactly these ingredients make. */
export function pooledFeatureKey({ weights, spec, preprocess, layer, pooling }: FeatureIngredients): string {
  return sha256(JSON.stringify([FORMAT, tf.getBackend(), weights, spec, preprocessSpecSchema.parse(preprocess), layer, pooling]))
}

/** @throws LabError 'not-found', 'corrupt-artifact', 'invalid-input' naming what the lab cannot read */
export async function openProbedEncoder(project: string, folder: string, { mostBytes = POOLED_DISK_BYTES, keepsFeatures = true } = {}): Promise<ProbedEncoder> {
  const { spec, weights, preprocess, notes } = await readVisionEncoderFolder(folder)
  const whole = (await isMultimodalFolder(folder)) ? multimodalLmSpec(await readConfig(folder)) : null
  const selectedLayer = whole === null ? spec.numHiddenLayers : encoderLayersUsed(whole)
  const model: MultimodalLmSpec = whole ?? multimodalLmSpecSchema.parse({ visionEncoder: spec, visionFeatureLayer: -1 })
  const held = compiledModel({ spec: model, weights: { visionEncoder: weights, projector: {}, languageModel: {} } })
  const images = createImageSource(project, preprocess, spec.patchSize)
  const identity = sha256OfTensors(weights)
  const [P, width] = [numPatches(spec), patchWidth(spec)]
  const root = join(project, 'cache', 'pooled-features')

  async function patchesFor({ image, square }: Pictured): Promise<Float32Array> {
    // Not through the source's own cache: each picture is met once, and fifty thousand would crowd memory.
    const raw = await images.raw(image)
    return patchesOf(preprocessImage(square === null ? raw : cropImage(raw, square), preprocess), spec.patchSize)
  }

  async function batchTensor(pictures: readonly Pictured[], size: number): Promise<tf.Tensor3D> {
    const values = new Float32Array(size * P * width)
    for (const [i, each] of pictures.entries()) {
      const patches = await patchesFor(each)
      if (patches.length !== P * width)
        throw new LabError('invalid-input', `preprocessing: expected ${P} patches an image, found ${patches.length / width}; a resize to ${spec.imageSize} is missing from preprocessor_config.json`)
      values.set(patches, i * P * width)
    }
    return tf.tensor3d(values, [size, P, width])
  }

  return {
    spec,
    selectedLayer,
    notes,
    preprocess,
    seenSide: seenSide(spec),
    numImageFeatures: P,
    numPatches: P,
    featureWidth: spec.hiddenSize,
    grid: patchGrid(spec),
    async features(refs) {
      const patches = await batchTensor(refs.map((image) => ({ image: image!, square: null })), refs.length)
      try {
        return held.run(`patches of layer ${selectedLayer}`, (of, inputs) => {
          const states = visionHiddenStates(spec, of.weights.visionEncoder, inputs['patches']!, selectedLayer)
          return { features: patchStates(spec, states[selectedLayer]!) }
        }, { patches })['features'] as tf.Tensor3D
      } finally {
        patches.dispose()
      }
    },
    async *pooled(pictures, layers, pooling, { batchSize, assertWanted }) {
      const folders = layers.map((layer) => join(root, pooledFeatureKey({ weights: identity, spec, preprocess, layer, pooling })))
      const stored: Map<string, Float32Array>[] = []
      for (const each of folders) stored.push(await readFolder(each))
      const names = pictures.map(nameOf)
      const missing = [...new Map(pictures.map((each, i) => [names[i]!, each]))].filter(([name]) => stored.some((known) => !known.has(name)))
      const isKept: boolean[] = []
      for (const each of folders) isKept.push(keepsFeatures && (await makeRoom(root, each, missing.length * spec.hiddenSize * 4, mostBytes)))
      yield pictures.length - missing.length
      for (let from = 0; from < missing.length; from += PER_FILE) {
        const group = missing.slice(from, from + PER_FILE)
        const made = layers.map((): Float32Array[] => [])
        for (let at = 0; at < group.length; at += batchSize) {
          assertWanted()
          const batch = group.slice(at, at + batchSize)
          // One shape, so that one graph serves all.
          const patches = await batchTensor(batch.map(([, each]) => each), batchSize)
          const states = held.run(`pooled ${pooling} ${layers.join()}`, (of, inputs) =>
            Object.fromEntries(pooledStates(spec, of.weights.visionEncoder, inputs['patches']!, layers, pooling).map((state, l) => [String(l), state])), { patches })
          layers.forEach((_, l) => {
            const values = states[String(l)]!.dataSync() as Float32Array
            const D = values.length / batchSize
            batch.forEach((_, i) => made[l]!.push(values.slice(i * D, (i + 1) * D)))
          })
          tf.dispose([patches, ...Object.values(states)])
          yield pictures.length - missing.length + from + at + batch.length
        }
        for (const [l, each] of folders.entries()) {
          const named = group.map(([name]) => name)
          if (isKept[l]) await writeFeatures(join(each, `${sha256(named.join())}.safetensors`), { images: named, features: stacked(made[l]!) })
          named.forEach((name, i) => stored[l]!.set(name, made[l]![i]!))
        }
      }
      return stored.map((known) => stacked(names.map((name) => known.get(name)!)))
    },
    dispose: () => held.dispose(),
  }
}

function nameOf({ image, square }: Pictured): string {
  return square === null ? image.sha256 : `${image.sha256}:${square.left}:${square.top}:${square.side}`
}

function stacked(rows: readonly Float32Array[]): Matrix {
  const D = rows[0]!.length
  const values = new Float32Array(rows.length * D)
  rows.forEach((row, i) => values.set(row, i * D))
  return { rows: rows.length, columns: D, values }
}

/** Features by picture. A file that cannot be read is deleted: its pictures are computed again. */
async function readFolder(folder: string): Promise<Map<string, Float32Array>> {
  const found = new Map<string, Float32Array>()
  const names = await readdir(folder).catch(() => [])
  for (const name of names.filter((each) => each.endsWith('.safetensors'))) {
    const path = join(folder, name)
    try {
      const { images, features } = await readFeatures(path)
      images.forEach((picture, i) => found.set(picture, (features.values as Float32Array).subarray(i * features.columns, (i + 1) * features.columns)))
    } catch {
      await rm(path, { force: true })
    }
  }
  const at = new Date()
  if (names.length > 0) await utimes(folder, at, at)
  return found
}
