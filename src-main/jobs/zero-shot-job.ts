// Zero-shot classification of a folder of images by a dual encoder (arXiv 2103.00020, section 3.1): a class is the mean of the
// embeddings of its prompts, an image goes to the class whose text describes it best. Images in folders named like classes are
// scored; others are only told. Images that were classified before a break are left out, of the scores too.

import { stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent, ZeroShotJob } from '../domain/job.ts'
import { zeroShotScores, type ZeroShotCell } from '../domain/zero-shot.ts'
import { openDualEncoder, requireTemplates, type HeldDualEncoder } from './dual-encoder.ts'
import { readImage } from './images/codec.ts'
import { listImages } from './import/image-folders.ts'

/**
 * Yields items of 'zero-shot/accuracy' (value 1 where right; null truth in `detail` for images without a class) and, where
 * there is a truth, the accuracy over all images and the mean over classes.
 * @throws LabError 'invalid-input' for a model that is no dual encoder, templates without {}, no classes or no images;
 *   'not-found', 'corrupt-artifact' naming the file; 'cancelled' between batches
 */
export async function* runZeroShotJob(job: ZeroShotJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  requireTemplates(job.templates)
  const encoder = await openDualEncoder(job.model)
  try {
    yield* classify(job, encoder, signal)
  } finally {
    encoder.dispose()
  }
}

async function* classify(job: ZeroShotJob, encoder: HeldDualEncoder, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const files = await imagesIn(job.images)
  const folders = [...new Set(files.map(classFolder).filter((name) => name !== null))].sort()
  const classes = job.classes ?? folders.map((name) => name.replaceAll('_', ' '))
  if (classes.length < 2)
    throw new LabError('invalid-input', `classes: expected at least two, found ${classes.length}; name them, or put images into a folder for each class`)
  // A folder is a class where it has its name, as it is or with underscores for spaces.
  const indexOf = new Map(classes.flatMap((name, i) => [[name, i], [name.replaceAll(' ', '_'), i]] as const))

  yield { kind: 'part', name: 'class prompts', of: classes.length }
  const texts = await encoder.classEmbeddings(classes, job.templates)
  try {
    yield { kind: 'part', name: 'images', of: files.length }
    const isDone = new Set(job.done)
    const left = files.filter((file) => !isDone.has(file))
    const before = files.length - left.length
    const answers: ZeroShotCell[] = []
    for (let from = 0; from < left.length; from += job.batchSize) {
      if (signal.aborted) throw new LabError('cancelled', `cancelled after ${before + from} of ${files.length} images`)
      const group = left.slice(from, from + job.batchSize)
      const pictures = await Promise.all(group.map((file) => readImage(join(job.images, file), encoder.decoding)))
      const scores = encoder.scores(pictures, texts)
      yield {
        kind: 'items',
        metric: 'zero-shot/accuracy',
        items: group.map((file, i) => {
          const truth = indexOf.get(classFolder(file) ?? '') ?? null
          const row = scores[i]!
          const given = row.indexOf(Math.max(...row))
          const detail = { kind: 'zero-shot', expected: truth === null ? null : classes[truth]!, given: classes[given]!, probability: row[given]! }
          answers.push({ ...detail, count: 1 })
          return { itemId: file, cluster: file, group: detail.expected, value: given === truth ? 1 : 0, detail }
        }),
      }
      yield { kind: 'progress', done: before + from + group.length, of: files.length }
    }
    const { accuracy, meanPerClass } = zeroShotScores(answers)
    if (accuracy !== null) {
      const { value, low, high, of } = accuracy
      yield { kind: 'result', metric: 'zero-shot/accuracy', value, n: of, interval: { low, high } }
      yield { kind: 'result', metric: 'zero-shot/mean-per-class', value: meanPerClass!, n: of }
    }
  } finally {
    texts.dispose()
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
