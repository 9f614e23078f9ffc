// The preprocessing of a model folder: preprocessor_config.json, or the image processor in processor_config.json, where later
// releases of transformers keep it.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import { squareSized, type PreprocessSpec } from '../domain/preprocess-spec.ts'
import type { VisionEncoderSpec } from '../domain/vision-encoder-spec.ts'
import { specFromHuggingFace } from '../engine/preprocess/hugging-face.ts'
import { readJson } from './files.ts'

/** @throws LabError 'not-found' when neither file is there, 'invalid-input' naming file and key */
export async function readPreprocess(folder: string): Promise<PreprocessSpec> {
  const [own, joint] = [join(folder, 'preprocessor_config.json'), join(folder, 'processor_config.json')]
  if (existsSync(own)) return specFromHuggingFace(await readJson(own), own)
  const inner = existsSync(joint) ? ((await readJson(joint)) as { image_processor?: unknown }).image_processor : undefined
  if (inner === undefined)
    throw new LabError('not-found', `${own} does not exist; an encoder without its preprocessing is unusable: copy it from the model's original folder`, { path: own })
  return specFromHuggingFace(inner, `${joint}: image_processor`)
}

/** The preprocessing of a model whose images must be squares of one size. */
export async function readSquarePreprocess(folder: string, { imageSize }: Pick<VisionEncoderSpec, 'imageSize'>): Promise<PreprocessSpec> {
  return squareSized(await readPreprocess(folder), imageSize)
}
