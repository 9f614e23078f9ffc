// A dual encoder (CLIP, SigLIP) held to say which words describe a picture: class names become embeddings, pictures scores.

import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { LabError } from '../domain/errors.ts'
import { decodingOf, type Decoding, type PreprocessSpec } from '../domain/preprocess-spec.ts'
import { gridOf, numPatches, patchWidth } from '../domain/vision-encoder-spec.ts'
import { CLASS_PLACE } from '../domain/zero-shot.ts'
import { dualEncoderLayout, dualEncoderSpec, imageEmbeddings, imageTextLogits, textEmbeddings, type DualEncoderSpec } from '../engine/models/dual-encoder.ts'
import { variableInput } from '../engine/models/vision-encoder.ts'
import { preprocessImage } from '../engine/preprocess/pipeline.ts'
import type { RawImage } from '../engine/preprocess/raw-image.ts'
import type { Weights } from '../engine/shapes.ts'
import { createTextEncoderTokenizer } from '../engine/text/text-encoder-tokenizer.ts'
import { matchWeights } from '../engine/weights/match.ts'
import { readJson } from './files.ts'
import { readPreprocess } from './preprocessor-file.ts'
import { patchesOf } from './samples.ts'
import { readTokenizerFiles } from './tokenizer-files.ts'
import { readWeights } from './weight-files.ts'

export interface HeldDualEncoder {
  /** How image files are to be read. */
  readonly decoding: Decoding
  /** One embedding a class, (classes, E): the mean over its prompts, of length one. The caller disposes. */
  classEmbeddings(classes: readonly string[], templates: readonly string[]): Promise<tf.Tensor2D>
  /** How likely each class is for each picture: softmax over classes for CLIP, a sigmoid each for SigLIP, as either was trained. */
  scores(pictures: readonly RawImage[], texts: tf.Tensor2D): readonly (readonly number[])[]
  dispose(): void
}

/** @throws LabError 'invalid-input' for a template without a place for the class name */
export function requireTemplates(templates: readonly string[]): void {
  const bad = templates.find((template) => !template.includes(CLASS_PLACE))
  if (bad !== undefined) throw new LabError('invalid-input', `templates: expected ${CLASS_PLACE} where the class name goes, found ${JSON.stringify(bad)}`)
}

/** @throws LabError 'invalid-input' for a model that is no dual encoder; 'not-found', 'corrupt-artifact' naming the file */
export async function openDualEncoder(model: string): Promise<HeldDualEncoder> {
  const config = join(model, 'config.json')
  const spec = dualEncoderSpec((await readJson(config)) as Record<string, unknown>, config)
  const { weights: arrays } = matchWeights(dualEncoderLayout(spec), await readWeights(model), model)
  const preprocess = await readPreprocess(model)
  const weights: Weights = Object.fromEntries(Object.entries(arrays).map(([name, { shape, values }]) => [name, tf.tensor(values, [...shape])]))
  return {
    decoding: decodingOf(preprocess),
    async classEmbeddings(classes, templates) {
      const tokenizer = createTextEncoderTokenizer(await readTokenizerFiles(model), spec.family, spec.textEncoder.maxPositionEmbeddings)
      const rows = classes.map((name) =>
        tf.tidy(() => {
          const prompts = textEmbeddings(spec, weights, templates.map((template) => tokenizer.encode(template.replaceAll(CLASS_PLACE, name)))) // (templates, E)
          const mean = tf.mean(prompts, 0)
          return tf.div(mean, tf.norm(mean)) as tf.Tensor1D
        }),
      )
      const stacked = tf.stack(rows) as tf.Tensor2D
      tf.dispose(rows)
      return stacked
    },
    scores: (pictures, texts) => classScores(pictures, spec, weights, preprocess, texts),
    dispose: () => tf.dispose(weights as unknown as tf.NamedTensorMap),
  }
}

function classScores(
  raw: readonly RawImage[],
  spec: DualEncoderSpec,
  weights: Weights,
  preprocess: PreprocessSpec,
  texts: tf.Tensor2D,
): readonly (readonly number[])[] {
  const { visionEncoder } = spec
  const width = patchWidth(visionEncoder)
  const budget = preprocess.find((op) => op.op === 'resize-to-patches')
  const pictures = raw.map((each) => {
    const pixels = preprocessImage(each, preprocess)
    return { patches: patchesOf(pixels, visionEncoder.patchSize), grid: gridOf(pixels.height, pixels.width, visionEncoder.patchSize) }
  })
  const P = budget?.maxPatches ?? pictures[0]!.patches.length / width
  if (budget === undefined && P !== numPatches(visionEncoder) && pictures.some(({ patches }) => patches.length !== P * width))
    throw new LabError('invalid-input', `preprocessing: expected images of one size, found several; a resize is missing from preprocessor_config.json`)
  const values = new Float32Array(pictures.length * P * width)
  pictures.forEach(({ patches }, i) => values.set(patches, i * P * width))
  return tf.tidy(() => {
    const patches = tf.tensor3d(values, [pictures.length, P, width])
    const options = budget === undefined ? { grid: pictures[0]!.grid } : { variable: variableInput(visionEncoder, pictures.map(({ grid }) => grid), P) }
    const logits = imageTextLogits(weights, imageEmbeddings(spec, weights, patches, options), texts)
    return (spec.family === 'clip' ? tf.softmax(logits) : tf.sigmoid(logits)).arraySync() as number[][]
  })
}
