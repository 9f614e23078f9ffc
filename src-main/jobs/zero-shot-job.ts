// Zero-shot classification of a folder of images by a dual encoder (arXiv 2103.00020, section 3.1): a class is the mean of the
// embeddings of its prompts, an image goes to the class whose text describes it best. Images in folders named like classes are
// scored; others are only told.

import { stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent, ZeroShotJob } from '../domain/job.ts'
import { decodingOf, type PreprocessSpec } from '../domain/preprocess-spec.ts'
import { numPatches, patchWidth } from '../domain/vision-encoder-spec.ts'
import { dualEncoderLayout, dualEncoderSpec, imageEmbeddings, imageTextLogits, textEmbeddings, type DualEncoderSpec } from '../engine/models/dual-encoder.ts'
import { gridOf, variableInput } from '../engine/models/vision-encoder.ts'
import { preprocessImage } from '../engine/preprocess/pipeline.ts'
import type { Weights } from '../engine/shapes.ts'
import { createTextEncoderTokenizer } from '../engine/text/text-encoder-tokenizer.ts'
import { matchWeights } from '../engine/weights/match.ts'
import { readJson } from './files.ts'
import { readImage } from './images/codec.ts'
import { listImages } from './import/image-folders.ts'
import { readPreprocess } from './preprocessor-file.ts'
import { patchesOf } from './samples.ts'
import { readTokenizerFiles } from './tokenizer-files.ts'
import { readWeights } from './weight-files.ts'

/** Where the class name goes in a prompt template. */
const PLACE = '{}'

/**
 * Yields items of 'zero-shot/accuracy' (value 1 where right; null truth in `detail` for images without a class) and, where
 * there is a truth, the accuracy over all images and the mean over classes.
 * @throws LabError 'invalid-input' for a model that is no dual encoder, templates without {}, no classes or no images;
 *   'not-found', 'corrupt-artifact' naming the file; 'cancelled' between batches
 */
export async function* runZeroShotJob(job: ZeroShotJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const bad = job.templates.find((template) => !template.includes(PLACE))
  if (bad !== undefined) throw new LabError('invalid-input', `templates: expected ${PLACE} where the class name goes, found ${JSON.stringify(bad)}`)
  const spec = dualEncoderSpec((await readJson(join(job.model, 'config.json'))) as Record<string, unknown>, join(job.model, 'config.json'))
  const { weights: arrays } = matchWeights(dualEncoderLayout(spec), await readWeights(job.model), job.model)
  const preprocess = await readPreprocess(job.model)
  const files = await imagesIn(job.images)
  const folders = [...new Set(files.map(classFolder).filter((name) => name !== null))].sort()
  const classes = job.classes ?? folders.map((name) => name.replaceAll('_', ' '))
  if (classes.length < 2)
    throw new LabError('invalid-input', `classes: expected at least two, found ${classes.length}; name them, or put images into a folder for each class`)
  // A folder is a class where it has its name, as it is or with underscores for spaces.
  const indexOf = new Map(classes.flatMap((name, i) => [[name, i], [name.replaceAll(' ', '_'), i]] as const))

  const weights: Weights = Object.fromEntries(Object.entries(arrays).map(([name, { shape, values }]) => [name, tf.tensor(values, [...shape])]))
  try {
    yield { kind: 'part', name: 'class prompts', of: classes.length }
    const texts = await classEmbeddings(job, spec, weights, classes)
    try {
      yield { kind: 'part', name: 'images', of: files.length }
      const right = classes.map(() => ({ of: 0, right: 0 }))
      for (let from = 0; from < files.length; from += job.batchSize) {
        if (signal.aborted) throw new LabError('cancelled', `cancelled after ${from} of ${files.length} images`)
        const group = files.slice(from, from + job.batchSize)
        const scores = await classScores(job.images, group, spec, weights, preprocess, texts)
        yield {
          kind: 'items',
          metric: 'zero-shot/accuracy',
          items: group.map((file, i) => {
            const truth = indexOf.get(classFolder(file) ?? '') ?? null
            const row = scores[i]!
            const given = row.indexOf(Math.max(...row))
            if (truth !== null) {
              right[truth]!.of += 1
              right[truth]!.right += given === truth ? 1 : 0
            }
            const detail = { kind: 'zero-shot', expected: truth === null ? null : classes[truth]!, given: classes[given]!, probability: row[given]! }
            return { itemId: file, cluster: file, group: detail.expected, value: given === truth ? 1 : 0, detail }
          }),
        }
        yield { kind: 'progress', done: from + group.length, of: files.length }
      }
      const seen = right.filter(({ of }) => of > 0)
      const scored = seen.reduce((sum, { of }) => sum + of, 0)
      if (scored > 0) {
        yield { kind: 'result', metric: 'zero-shot/accuracy', value: seen.reduce((sum, each) => sum + each.right, 0) / scored, n: scored }
        yield { kind: 'result', metric: 'zero-shot/mean-per-class', value: seen.reduce((sum, each) => sum + each.right / each.of, 0) / seen.length, n: scored }
      }
    } finally {
      texts.dispose()
    }
  } finally {
    tf.dispose(weights as unknown as tf.NamedTensorMap)
  }
}

async function imagesIn(folder: string): Promise<readonly string[]> {
  const found = await stat(folder).catch((thrown: unknown) => {
    throw new LabError('not-found', `${folder} does not exist; name a folder of images`, { path: folder }, thrown)
  })
  if (!found.isDirectory()) throw new LabError('invalid-input', `${folder}: expected a folder of images, found a file`)
  const files = await listImages(folder)
  if (files.length === 0) throw new LabError('invalid-input', `${folder}: expected images, found none`)
  return files
}

/** The folder that directly holds an image; null at the top. */
function classFolder(file: string): string | null {
  return file.split(sep).at(-2) ?? null
}

/** One embedding a class: the mean over its prompts, of length one. @returns (classes, E); the caller disposes */
async function classEmbeddings({ model, templates }: ZeroShotJob, spec: DualEncoderSpec, weights: Weights, classes: readonly string[]): Promise<tf.Tensor2D> {
  const tokenizer = createTextEncoderTokenizer(await readTokenizerFiles(model), spec.family, spec.textEncoder.maxPositionEmbeddings)
  const rows = classes.map((name) =>
    tf.tidy(() => {
      const prompts = textEmbeddings(spec, weights, templates.map((template) => tokenizer.encode(template.replaceAll(PLACE, name)))) // (templates, E)
      const mean = tf.mean(prompts, 0)
      return tf.div(mean, tf.norm(mean)) as tf.Tensor1D
    }),
  )
  const stacked = tf.stack(rows) as tf.Tensor2D
  tf.dispose(rows)
  return stacked
}

/** How likely each class is for each image: softmax over classes for CLIP, a sigmoid each for SigLIP, as either was trained. */
async function classScores(
  root: string,
  files: readonly string[],
  spec: DualEncoderSpec,
  weights: Weights,
  preprocess: PreprocessSpec,
  texts: tf.Tensor2D,
): Promise<readonly (readonly number[])[]> {
  const { visionEncoder } = spec
  const width = patchWidth(visionEncoder)
  const budget = preprocess.find((op) => op.op === 'resize-to-patches')
  const pictures: { readonly patches: Float32Array; readonly grid: { readonly rows: number; readonly columns: number } }[] = []
  for (const file of files) {
    const pixels = preprocessImage(await readImage(join(root, file), decodingOf(preprocess)), preprocess)
    pictures.push({ patches: patchesOf(pixels, visionEncoder.patchSize), grid: gridOf(pixels.height, pixels.width, visionEncoder.patchSize) })
  }
  const P = budget?.maxPatches ?? pictures[0]!.patches.length / width
  if (budget === undefined && P !== numPatches(visionEncoder) && pictures.some(({ patches }) => patches.length !== P * width))
    throw new LabError('invalid-input', `preprocessing: expected images of one size, found several; a resize is missing from preprocessor_config.json`)
  const values = new Float32Array(files.length * P * width)
  pictures.forEach(({ patches }, i) => values.set(patches, i * P * width))
  return tf.tidy(() => {
    const patches = tf.tensor3d(values, [files.length, P, width])
    const options = budget === undefined ? { grid: pictures[0]!.grid } : { variable: variableInput(visionEncoder, pictures.map(({ grid }) => grid), P) }
    const logits = imageTextLogits(weights, imageEmbeddings(spec, weights, patches, options), texts)
    return (spec.family === 'clip' ? tf.softmax(logits) : tf.sigmoid(logits)).arraySync() as number[][]
  })
}
