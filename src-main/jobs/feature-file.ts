// Features of images on disk: one safetensors file an encoder and preprocessing, with the images' hashes in its metadata.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import type { Matrix } from '../engine/evaluate/measures/matrix.ts'
import { parseHeader, readSafetensors, headerLength, writeSafetensors } from '../engine/weights/safetensors.ts'
import { writeWhole } from './files.ts'

export interface FeatureFile {
  /** SHA-256 of each image, in the order of the rows. */
  readonly images: readonly string[]
  readonly features: Matrix
}

/** `identity` names weights and preprocessing: features of another encoder never meet. */
export function featureFilePath(project: string, identity: string): string {
  return join(project, 'cache', 'features', `${identity}.safetensors`)
}

/** @throws LabError 'not-found', 'corrupt-artifact' */
export async function readFeatures(file: string): Promise<FeatureFile> {
  const bytes = await readFile(file).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') throw new LabError('not-found', `${file}: no features here; compute them again`, { file })
    throw thrown
  })
  const length = headerLength(bytes, bytes.length, file)
  const { metadata } = parseHeader(bytes.subarray(8, 8 + length), bytes.length, file)
  const tensor = readSafetensors(bytes, file)['features']
  const images = metadata['images']?.split(' ').filter(Boolean) ?? []
  if (tensor === undefined || tensor.shape.length !== 2 || tensor.shape[0] !== images.length)
    throw new LabError('corrupt-artifact', `${file}: expected features of ${images.length} images; delete the file and compute them again`, {
      file,
    })
  return { images, features: { rows: tensor.shape[0], columns: tensor.shape[1]!, values: tensor.values } }
}

export async function writeFeatures(file: string, { images, features }: FeatureFile): Promise<void> {
  const tensor = { shape: [features.rows, features.columns], values: Float32Array.from(features.values) }
  await writeWhole(file, writeSafetensors({ features: tensor }, { images: images.join(' ') }))
}
