// How sure a checkpoint is of pairs of answers: the implicit reward margin under the true image and under others, and an
// order in which each image is unlike those before it.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import type { AbortSignalLike, JobEvent, PairScoresJob } from '../../domain/job.ts'
import type { ImageCondition } from '../../domain/labelling/image-use.ts'
import { createRandom } from '../../domain/random.ts'
import type { ImageRef, Sample } from '../../domain/sample.ts'
import type { Matrix } from '../../engine/evaluate/measures/matrix.ts'
import { encodeSamples, type EncodedSample } from '../batches.ts'
import { batchesOf, byLength } from '../evaluate/bench.ts'
import { meanOverPatches, openMeasuredModel, stackRows, type MeasuredModel } from '../evaluate/measured-model.ts'
import { pairLogProbs } from '../reference-log-probs.ts'
import { anotherImage, farthestOrder, mostAlike } from './stand-in-images.ts'

/** @throws LabError 'cancelled' between batches; 'not-found', 'corrupt-artifact' for a checkpoint or an image */
export async function* runPairScoresJob(job: PairScoresJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const assertWanted = () => {
    if (signal.aborted) throw new LabError('cancelled', 'cancelled while scoring pairs')
  }
  const measured = await openMeasuredModel(job.project, job.checkpoint)
  let standIns: ReadonlyMap<ImageCondition, readonly (ImageRef | null)[]>
  let policy: ReadonlyMap<ImageCondition, ReadonlyMap<string, number>>
  try {
    const needsFeatures = job.diversity || job.images.includes('near-miss')
    const features = needsFeatures ? yield* featuresOfPairs(measured, job, assertWanted) : null
    if (job.diversity) yield diversityOf(job, features!)
    standIns = standInsOf(job, features)
    policy = yield* marginsOf(measured, job, standIns, 'margins', assertWanted)
  } finally {
    measured.dispose()
  }
  if (job.images.length === 0) return
  // The second model is opened when the first is gone: they never share the memory.
  const reference = job.reference === null ? null : await openMeasuredModel(job.project, job.reference)
  try {
    const baseline = reference === null ? null : yield* marginsOf(reference, job, standIns, 'margins of the reference', assertWanted)
    for (const condition of job.images)
      yield {
        kind: 'items',
        metric: `margin/${condition}`,
        items: job.pairs.flatMap(({ id, image }) => {
          const own = policy.get(condition)!.get(id)
          if (own === undefined) return []
          const value = job.beta * (own - (baseline?.get(condition)?.get(id) ?? 0))
          return [{ itemId: id, cluster: image?.sha256 ?? id, group: null, value, detail: null }]
        }),
      }
  } finally {
    reference?.dispose()
  }
}

/** log π(first) − log π(second) of each pair that fits, nats, by condition and pair. */
async function* marginsOf(
  measured: MeasuredModel,
  job: PairScoresJob,
  standIns: ReadonlyMap<ImageCondition, readonly (ImageRef | null)[]>,
  title: string,
  assertWanted: () => void,
): AsyncGenerator<JobEvent, ReadonlyMap<ImageCondition, ReadonlyMap<string, number>>> {
  const margins = new Map<ImageCondition, Map<string, number>>()
  if (job.images.length === 0) return margins
  const { maxPositionEmbeddings } = measured.model.spec.languageModel
  const { samples, tooLong } = encodeSamples(job.pairs.map(asSample), measured.tokenizer, measured.numImageTokens, maxPositionEmbeddings, {
    needsPairs: true,
  })
  if (tooLong.length > 0)
    yield {
      kind: 'log',
      level: 'warning',
      message: `${tooLong.length} pairs are longer than ${maxPositionEmbeddings} tokens and are left out`,
    }
  const placeOf = new Map(job.pairs.map(({ id }, i) => [id, i]))
  const of = samples.length * job.images.length
  yield { kind: 'part', name: title, of }
  let done = 0
  for (const condition of job.images) {
    const found = new Map<string, number>()
    const images = standIns.get(condition)!
    const shown: EncodedSample[] = samples.map((sample) => ({ ...sample, image: images[placeOf.get(sample.id)!]! }))
    for (const group of batchesOf(byLength(shown), job.batchSize)) {
      assertWanted()
      const [first, second] = await pairLogProbs(measured, measured, group)
      group.forEach(({ id }, i) => found.set(id, first[i]! - second[i]!))
      done += group.length
      yield { kind: 'progress', done, of }
    }
    margins.set(condition, found)
  }
  return margins
}

/** The image that each pair is shown under each condition. A blank image is zeros after normalisation: mid-grey. */
function standInsOf(job: PairScoresJob, features: Matrix | null): ReadonlyMap<ImageCondition, readonly (ImageRef | null)[]> {
  const own = job.pairs.map(({ image }) => image)
  const of: Readonly<Record<ImageCondition, () => readonly (ImageRef | null)[]>> = {
    true: () => own,
    blank: () => own.map(() => null),
    shuffled: () => anotherImage(own, createRandom(job.seed, 'shuffled-images')),
    'near-miss': () => {
      const distinct = distinctImages(job)
      const place = new Map(distinct.map((image, i) => [image.sha256, i]))
      const near = distinct.length < 2 ? [] : mostAlike(features!)
      return own.map((image) => (image === null ? null : (distinct[near[place.get(image.sha256)!] ?? -1] ?? null)))
    },
  }
  return new Map(job.images.map((condition) => [condition, of[condition]()]))
}

/** Mean features of each distinct image, (n, D). */
async function* featuresOfPairs(measured: MeasuredModel, job: PairScoresJob, assertWanted: () => void): AsyncGenerator<JobEvent, Matrix> {
  const images = distinctImages(job)
  if (images.length === 0)
    throw new LabError('invalid-input', 'none of the pairs has an image: there is nothing whose likeness could be told. Choose another order.')
  yield { kind: 'part', name: 'features', of: images.length }
  const parts: Matrix[] = []
  for (const group of batchesOf(images, job.batchSize)) {
    assertWanted()
    const features = await measured.features(group)
    parts.push(meanOverPatches(features))
    tf.dispose(features)
    yield { kind: 'progress', done: parts.reduce((sum, part) => sum + part.rows, 0), of: images.length }
  }
  return stackRows(parts)
}

/** Pairs of an image that came earlier follow when every image has been met. */
function diversityOf(job: PairScoresJob, features: Matrix): JobEvent {
  const images = distinctImages(job)
  const order = farthestOrder(features, createRandom(job.seed, 'diversity').integer(images.length))
  const rankOf = new Map(order.map(({ row, distance }, rank) => [images[row]!.sha256, { rank, distance }]))
  const met = new Map<string, number>()
  return {
    kind: 'items',
    metric: 'diversity/rank',
    items: job.pairs.map(({ id, image }) => {
      const place = image === null ? undefined : rankOf.get(image.sha256)
      const cluster = image?.sha256 ?? ''
      const times = met.get(cluster) ?? 0
      met.set(cluster, times + 1)
      return {
        itemId: id,
        cluster: cluster || id,
        group: null,
        value: times * images.length + (place?.rank ?? images.length),
        detail: times === 0 ? (place?.distance ?? 0) : 0,
      }
    }),
  }
}

function distinctImages({ pairs }: PairScoresJob): readonly ImageRef[] {
  return [...new Map(pairs.flatMap(({ image }) => (image === null ? [] : [[image.sha256, image] as const]))).values()]
}

function asSample({ id, image, prompt, first, second }: PairScoresJob['pairs'][number]): Sample {
  const content = { kind: 'preferences', prompt, chosen: first, rejected: second, group: null, category: null, region: [] } as const
  return { id, split: 'train', source: null, image, content: { ...content, region: [] } }
}
