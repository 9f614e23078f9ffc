// A dataset snapshot on disk: one Sample a line, named by the SHA-256 of its bytes, and the images beside it.

import { readFile } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import { parse } from '../domain/parse.ts'
import { decodingOf, type PreprocessSpec } from '../domain/preprocess-spec.ts'
import { sampleSchema, type DatasetKind, type ImageRef, type Sample, type SampleOf } from '../domain/sample.ts'
import { gridOf } from '../domain/vision-encoder-spec.ts'
import { preprocessImage } from '../engine/preprocess/pipeline.ts'
import type { RawImage } from '../engine/preprocess/raw-image.ts'
import { sha256 } from './files.ts'
import { readImage } from './images/codec.ts'

/**
 * The samples of a snapshot, in their order.
 * @throws LabError 'not-found' when the file is missing, 'corrupt-artifact' when its bytes are not those of its name
 */
export async function readSnapshot(project: string, snapshot: string): Promise<readonly Sample[]> {
  const path = join(project, 'snapshots', `${snapshot}.jsonl`)
  const text = await readFile(path, 'utf8').catch((thrown: unknown) => {
    throw new LabError('not-found', `${path} does not exist; import the dataset again`, { path }, thrown)
  })
  const found = sha256(text)
  if (found !== snapshot) throw new LabError('corrupt-artifact', `${path}: expected SHA-256 ${snapshot}, found ${found}; import the dataset again`)
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, i) => parse(sampleSchema, JSON.parse(line), 'corrupt-artifact', `${path}:${i + 1}`))
}

/** @throws LabError 'invalid-input' when the snapshot holds other samples, or none */
export function samplesOf<K extends DatasetKind>(samples: readonly Sample[], kind: K): readonly SampleOf<K>[] {
  const found = samples.filter((sample): sample is Sample & SampleOf<K> => sample.content.kind === kind)
  if (found.length === 0)
    throw new LabError('invalid-input', `expected a dataset of ${kind}, found ${samples.length === 0 ? 'an empty one' : samples[0]!.content.kind}`)
  return found
}

/** Reads and preprocesses images, keeping what it has seen up to a limit: a training run meets each many times. */
export interface ImageSource {
  raw(image: ImageRef): Promise<RawImage>
  /** The image as patches, (P, C·patch²) in the order of a convolution's weight. */
  patches(image: ImageRef): Promise<Float32Array>
}

/** What an image source keeps at most. */
export const IMAGE_CACHE_BYTES = 1 << 30

export function createImageSource(project: string, preprocess: PreprocessSpec, patchSize: number, mostBytes = IMAGE_CACHE_BYTES): ImageSource {
  const cache = new Map<string, Float32Array>()
  let cachedBytes = 0
  const raw = (image: ImageRef) => readImage(isAbsolute(image.path) ? image.path : join(project, image.path), decodingOf(preprocess))
  return {
    raw,
    async patches(image) {
      const known = cache.get(image.sha256)
      if (known) return known
      const patches = patchesOf(preprocessImage(await raw(image), preprocess), patchSize)
      if (cachedBytes + patches.byteLength <= mostBytes) {
        cache.set(image.sha256, patches)
        cachedBytes += patches.byteLength
      }
      return patches
    },
  }
}

/** Cuts pixels (C, height, width) into whole patches (P, C·patch²), row by row. @throws LabError 'invalid-input' when there is none */
export function patchesOf(
  { data, width, height }: { readonly data: Float32Array; readonly width: number; readonly height: number },
  patchSize: number,
): Float32Array {
  const { rows, columns } = gridOf(height, width, patchSize)
  if (rows === 0 || columns === 0)
    throw new LabError('invalid-input', `an image of ${width}×${height} pixels has no patch of ${patchSize}; change the preprocessing's size`)
  const channels = data.length / (width * height)
  const patches = new Float32Array(rows * columns * channels * patchSize ** 2)
  let at = 0
  for (let top = 0; top < rows * patchSize; top += patchSize)
    for (let left = 0; left < columns * patchSize; left += patchSize)
      for (let c = 0; c < channels; c++)
        for (let y = 0; y < patchSize; y++) {
          const start = (c * height + top + y) * width + left
          patches.set(data.subarray(start, start + patchSize), at)
          at += patchSize
        }
  return patches
}
