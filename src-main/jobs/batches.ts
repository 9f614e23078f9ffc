// Samples → batches, in an order that depends on the data and the seed and on nothing else: not on the objective (SFT and
// DPO meet the same pairs in the same order), not on when a run was interrupted. Lengths fall into a few buckets of fixed
// shape, chosen so that padding adds little; each batch is of one bucket and always full.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../domain/errors.ts'
import { createRandom } from '../domain/random.ts'
import type { Training } from '../domain/run-config.ts'
import type { ImageRef, Sample, Turn } from '../domain/sample.ts'
import type { Objective } from '../engine/objectives/objective.ts'
import { bucketAnswer, bucketLength, collateRows, encodeRow, type CollatedRows, type EncodedRow } from '../engine/text/collate.ts'
import type { ChatTokenizer } from '../engine/text/tokenizer.ts'
import type { StepBatch } from '../engine/train.ts'
import type { ImageSource } from './samples.ts'
import type { VisionFeatures } from './vision-features.ts'

/** A sample as tokens: one row for a conversation, two (chosen, rejected) for a pair, whatever the objective. */
export interface EncodedSample {
  readonly id: string
  readonly image: ImageRef | null
  readonly rows: readonly EncodedRow[]
  /** The prompt under the two answers of another sample, where the objective needs it. */
  readonly mismatched?: readonly EncodedRow[]
  /** Every answer to its question that counts as right, where the dataset lists them. */
  readonly accepted?: readonly string[]
  /** The dataset's own answer as tokens, where `rows` only hold room for answers that are yet to be drawn. */
  readonly ownAnswer?: readonly number[]
  /** The dataset's own rows, where `rows` are others: by their lengths it is dealt into batches, so that every objective meets the same order. */
  readonly ownRows?: readonly EncodedRow[]
}

export interface EncodedData {
  readonly samples: readonly EncodedSample[]
  /** Left out because a row is longer than maxLength (or would be under every other sample's answers, where they are needed). */
  readonly tooLong: readonly string[]
}

/**
 * Samples as tokens.
 * @throws LabError 'invalid-input' when nothing is left, or a sample is of another kind than the objective needs
 */
export function encodeSamples(
  samples: readonly Sample[],
  tokenizer: ChatTokenizer,
  numImageTokens: number,
  maxLength: number,
  { needsPairs = false, needsMismatched = false, usesImages = true }: Partial<Pick<Objective, 'needsPairs' | 'needsMismatched' | 'usesImages'>> = {},
): EncodedData {
  const encoded: EncodedSample[] = []
  const tooLong: string[] = []
  const encode = (turns: readonly Turn[]) => encodeRow(tokenizer, turns, numImageTokens)
  const isTooLong = (row: EncodedRow) => row.ids.length > maxLength
  for (const [index, given] of samples.entries()) {
    const sample = usesImages ? given : withoutImage(given)
    if (needsPairs && sample.content.kind !== 'preferences')
      throw new LabError('invalid-input', `the objective needs preference pairs, found ${sample.content.kind}; choose a dataset of preferences`)
    const rows = conversationsOf(sample).map(encode)
    const mismatched = needsMismatched ? mismatchedRows(samples, index, encode, isTooLong) : null
    if (rows.some(isTooLong) || (needsMismatched && mismatched === null)) tooLong.push(sample.id)
    else encoded.push({ id: sample.id, image: sample.image, rows, ...(mismatched === null ? {} : { mismatched }), ...acceptedOf(sample) })
  }
  if (needsMismatched && samples.length < 2)
    throw new LabError('invalid-input', `the objective compares answers across pairs and needs at least two pairs to train on, found ${samples.length}; import more, or choose another objective`)
  if (encoded.length === 0)
    throw new LabError(
      'invalid-input',
      samples.length === 0
        ? 'the dataset is empty; import samples into it'
        : `all ${samples.length} samples are longer than maxLength (${maxLength} tokens); raise it`,
    )
  return { samples: encoded, tooLong }
}

/**
 * The prompt of a pair under the answers of the next pair (the first again after the last) with which it is not too long;
 * null when there is none. Whose answers they are is a matter of the dataset alone, so the reference can be asked once.
 */
function mismatchedRows(
  samples: readonly Sample[],
  index: number,
  encode: (turns: readonly Turn[]) => EncodedRow,
  isTooLong: (row: EncodedRow) => boolean,
): readonly EncodedRow[] | null {
  const sample = samples[index]!
  for (let next = 1; next < samples.length; next++) {
    const { content } = samples[(index + next) % samples.length]!
    if (sample.content.kind !== 'preferences' || content.kind !== 'preferences') continue
    const { chosen, rejected } = content
    const rows = conversationsOf({ ...sample, content: { ...sample.content, chosen, rejected } }).map(encode)
    if (!rows.some(isTooLong)) return rows
  }
  return null
}

/** The texts that a sample teaches: its conversation, a question with its answer, or a prompt with either answer. */
export function conversationsOf({ content, image }: Pick<Sample, 'content' | 'image'>): readonly (readonly Turn[])[] {
  const exchange = (prompt: string, answer: string): Turn[] => [
    { from: 'human', text: withImage(prompt, image !== null) },
    { from: 'assistant', text: answer },
  ]
  switch (content.kind) {
    case 'conversations':
      return [content.turns.map((turn, i) => (i === 0 ? { ...turn, text: withImage(turn.text, image !== null) } : turn))]
    case 'preferences':
      return [exchange(content.prompt, content.chosen), exchange(content.prompt, content.rejected)]
    case 'questions':
      return [exchange(content.question, content.answer)]
    case 'objects':
      throw new LabError('invalid-input', 'a dataset of objects has no text to train on; choose conversations or preferences')
  }
}

function acceptedOf({ content }: Sample): Pick<EncodedSample, 'accepted'> {
  return content.kind === 'questions' ? { accepted: content.benchmark?.answers ?? [content.answer] } : {}
}

/** The same sample as text alone. */
function withoutImage(sample: Sample): Sample {
  const strip = (text: string) => text.replace(/<image>\n?/g, '')
  const { content } = sample
  return {
    ...sample,
    image: null,
    content: content.kind === 'conversations' ? { ...content, turns: content.turns.map((turn) => ({ ...turn, text: strip(turn.text) })) } : content,
  }
}

/** LLaVA's convention: the image stands before the text of the first turn, unless the text says where. */
export function withImage(prompt: string, hasImage: boolean): string {
  return !hasImage || prompt.includes('<image>') ? prompt : `<image>\n${prompt}`
}

/** Fixed shapes; a sample belongs to the first whose T and A hold all of its rows. */
export interface Bucket {
  readonly T: number
  readonly A: number
}

/** Share of positions that merging two buckets may waste: a further shape costs a compilation. */
const MAX_WASTE = 0.2

/** Buckets that hold every sample, shortest first. */
export function chooseBuckets(samples: readonly EncodedSample[]): readonly Bucket[] {
  const needs = samples.map(shapeOf).sort((a, b) => a.T - b.T)
  const merged: { T: number; A: number; count: number; positions: number }[] = []
  for (const { T, A } of needs) {
    const last = merged.at(-1)
    if (last && last.T === T) Object.assign(last, { A: Math.max(last.A, A), count: last.count + 1, positions: last.positions + T })
    else merged.push({ T, A, count: 1, positions: T })
  }
  // From the longest down: take the next shorter one in as long as the padding stays within bounds.
  const buckets: typeof merged = []
  for (const next of merged.reverse()) {
    const open = buckets.at(-1)
    const count = (open?.count ?? 0) + next.count
    const positions = (open?.positions ?? 0) + next.positions
    if (open && open.T * count <= positions * (1 + MAX_WASTE)) Object.assign(open, { A: Math.max(open.A, next.A), count, positions })
    else buckets.push({ ...next })
  }
  // A shorter bucket may hold longer answers than a longer one; a sample goes where both fit.
  let A = 0
  return buckets.reverse().map((bucket) => ({ T: bucket.T, A: (A = Math.max(A, bucket.A)) }))
}

export interface Bucketed {
  readonly buckets: readonly Bucket[]
  /** Samples of each bucket. */
  readonly counts: readonly number[]
  /** Of all positions of all rows, how many are padding. */
  readonly paddingShare: number
}

/** The buckets of samples, and what they cost. */
export function bucketsOf(samples: readonly EncodedSample[]): Bucketed {
  const buckets = chooseBuckets(samples)
  const counts = buckets.map(() => 0)
  let [positions, real] = [0, 0]
  for (const sample of samples) {
    const which = bucketFor(buckets, sample)
    counts[which]! += 1
    positions += buckets[which]!.T * sample.rows.length
    real += sample.rows.reduce((sum, { ids }) => sum + ids.length, 0)
  }
  return { buckets, counts, paddingShare: 1 - real / positions }
}

/** The first bucket that holds the sample's rows. */
function bucketFor(buckets: readonly Bucket[], sample: EncodedSample): number {
  const { T, A } = shapeOf(sample)
  return buckets.findIndex((bucket) => T <= bucket.T && A <= bucket.A)
}

function shapeOf({ rows }: EncodedSample): Bucket {
  return shapeOfRows(rows)
}

function shapeOfRows(rows: readonly EncodedRow[]): Bucket {
  return {
    T: bucketLength(Math.max(...rows.map((row) => row.ids.length))),
    A: bucketAnswer(Math.max(...rows.map((row) => row.isAnswer.filter(Boolean).length))),
  }
}

/** Samples as they are dealt into batches: by their own rows. */
export function asDealt(samples: readonly EncodedSample[]): readonly EncodedSample[] {
  return samples.map((sample) => (sample.ownRows === undefined ? sample : { ...sample, rows: sample.ownRows }))
}

/** The first bucket that holds all of `chosen`. */
export function bucketOfAll(buckets: readonly Bucket[], chosen: readonly EncodedSample[]): Bucket {
  return buckets[Math.max(...chosen.map((sample) => bucketFor(buckets, sample)))]!
}

/** Which samples make up the batch of a step: indices, their bucket, and the epoch begun. */
export interface Plan {
  readonly indices: readonly number[]
  readonly bucket: Bucket
  readonly epoch: number
}

/** The endless order of batches: every epoch is a fresh permutation, dealt into buckets; a bucket that is full is a batch. */
export function* batchOrder(samples: readonly EncodedSample[], buckets: readonly Bucket[], perStep: number, seed: number): Generator<Plan, never> {
  const bucketOf = samples.map((sample) => bucketFor(buckets, sample))
  const waiting = buckets.map((): number[] => [])
  let drawn = 0
  for (let epoch = 0; ; epoch++)
    for (const index of createRandom(seed, 'order', epoch).shuffle(samples.map((_, i) => i))) {
      const queue = waiting[bucketOf[index]!]!
      queue.push(index)
      drawn += 1
      if (queue.length === perStep) yield { indices: queue.splice(0), bucket: buckets[bucketOf[index]!]!, epoch: drawn / samples.length }
    }
}

export interface BatchSource {
  readonly samples: readonly EncodedSample[]
  readonly images: ImageSource
  readonly tokenizer: ChatTokenizer
  readonly numImageTokens: number
  readonly numPatches: number
  readonly patchWidth: number
  /** Of a frozen encoder: they take the place of patches. */
  readonly features?: VisionFeatures | null
  readonly objective: Objective
  readonly training: Training
  /** log π_reference of each sample's rows, then of its mismatched ones, where the objective needs them. */
  readonly reference: ReadonlyMap<string, readonly number[]> | null
}

/** The batches of steps `stepsDone` + 1, … */
export async function* stepBatches(source: BatchSource, stepsDone: number): AsyncGenerator<StepBatch> {
  const { samples, training } = source
  const buckets = chooseBuckets(samples)
  // Mismatched rows have one shape: they are few in a run, and a further shape costs a compilation.
  const mismatchedBucket = source.objective.needsMismatched ? shapeOfRows(samples.flatMap(({ mismatched }) => mismatched ?? [])) : null
  let step = 0
  for (const plan of batchOrder(samples, buckets, training.batchSize * training.gradientAccumulation, training.seed)) {
    if (++step <= stepsDone) continue
    yield await stepBatch(source, plan, mismatchedBucket)
  }
}

async function stepBatch(source: BatchSource, { indices, bucket, epoch }: Plan, mismatchedBucket: Bucket | null): Promise<StepBatch> {
  const { training, samples } = source
  const micro: { rows: CollatedRows; chosen: readonly EncodedSample[] }[] = []
  for (let i = 0; i < training.gradientAccumulation; i++) {
    const chosen = indices.slice(i * training.batchSize, (i + 1) * training.batchSize).map((index) => samples[index]!)
    micro.push({ chosen, rows: collateSamples(source, chosen, source.objective.rowsPerImage, bucket) })
  }
  const answerTokens = micro.reduce((sum, { rows }) => sum + rows.answerTokens.reduce((a, b) => a + b, 0), 0)
  const weight = 1 / (source.objective.weighsTokens ? answerTokens : indices.length)
  const tensors: Record<string, tf.Tensor> = {}
  for (const [i, { rows, chosen }] of micro.entries()) {
    const patches = await imagesTensor(source, chosen.map(({ image }) => image))
    /** What the reference says of the batch's rows, from the `first` of those that it knows of a sample. */
    const referenceLogProbs = (first: number) =>
      tf.tensor1d(
        Float32Array.from({ length: rows.R }, (_, r) => {
          const known = source.reference?.get(chosen[r % chosen.length]!.id)
          return known?.[first + Math.floor(r / chosen.length)] ?? 0
        }),
      )
    const made: Record<string, tf.Tensor> = { ...rowTensors(rows), patches, rowWeights: tf.fill([rows.R], weight), referenceLogProbs: referenceLogProbs(0) }
    if (mismatchedBucket !== null) {
      const mismatched = collateSamples(source, chosen.map(withMismatchedAnswers), source.objective.rowsPerImage, mismatchedBucket)
      const others = { ...rowTensors(mismatched), referenceLogProbs: referenceLogProbs(source.objective.rowsPerImage) }
      for (const [name, tensor] of Object.entries(others)) made[`mismatched/${name}`] = tensor
    }
    for (const [name, tensor] of Object.entries(made)) tensors[`${i}/${name}`] = tensor
  }
  return {
    tensors,
    numTokens: micro.reduce((sum, { rows }) => sum + rows.numTokens, 0),
    numPositions: micro.reduce((sum, { rows }) => sum + rows.R * rows.T, 0),
    epoch,
    samples: indices.map((index) => samples[index]!.id),
  }
}

/** The sample with the mismatched answers in place of its own. */
export function withMismatchedAnswers(sample: EncodedSample): EncodedSample {
  return { ...sample, rows: sample.mismatched ?? [] }
}

/** All first rows (chosen), then, where two are wanted, all second rows (rejected). */
export function collateSamples(
  { tokenizer, numImageTokens }: Pick<BatchSource, 'tokenizer' | 'numImageTokens'>,
  samples: readonly (EncodedSample | null)[],
  rowsPerImage: number,
  bucket: Bucket,
): CollatedRows {
  const rows = Array.from({ length: rowsPerImage }, (_, which) => samples.map((sample) => sample?.rows[which] ?? null)).flat()
  return collateRows(tokenizer, rows, samples.length, numImageTokens, bucket)
}

/** The tensors of collated rows, as TextRows and Batch name them. The caller disposes. */
export function rowTensors(rows: CollatedRows) {
  const { R, T, A } = rows
  return {
    ids: tf.tensor2d(rows.ids, [R, T], 'int32'),
    sources: tf.tensor1d(rows.sources, 'int32'),
    isImage: tf.tensor2d(rows.isImage, [R * T, 1]),
    imagePositions: tf.tensor1d(rows.imagePositions, 'int32'),
    answerPositions: tf.tensor1d(rows.answerPositions, 'int32'),
    answerIds: tf.tensor2d(rows.answerIds, [R, A], 'int32'),
    answerMask: tf.tensor2d(rows.answerMask, [R, A]),
  }
}

/** What a step takes in of a batch of images: features (B, I, D_vision) where the source has them, else patches. The caller disposes. */
export async function imagesTensor(source: Pick<BatchSource, 'images' | 'numPatches' | 'patchWidth' | 'features'>, refs: readonly (ImageRef | null)[]): Promise<tf.Tensor3D> {
  const { features } = source
  if (!features) return patchesTensor(source, refs)
  const [I, D] = features.shape
  const values = new Float32Array(refs.length * I * D)
  for (const [i, ref] of refs.entries()) if (ref !== null) values.set(features.of(ref), i * I * D)
  return tf.tensor3d(values, [refs.length, I, D])
}

/** The images of the first `steps` batches, each once. */
export function imagesMet(samples: readonly EncodedSample[], { batchSize, gradientAccumulation, seed, steps }: Pick<Training, 'batchSize' | 'gradientAccumulation' | 'seed' | 'steps'>): readonly ImageRef[] {
  const met = new Map<string, ImageRef>()
  const dealt = asDealt(samples)
  let step = 0
  for (const { indices, epoch } of batchOrder(dealt, chooseBuckets(dealt), batchSize * gradientAccumulation, seed)) {
    for (const index of indices) {
      const { image } = samples[index]!
      if (image !== null) met.set(image.sha256, image)
    }
    // A bucket's leftovers wait for the next epoch, at longest for as many as a batch has samples: by then all have been met.
    if (++step >= steps || epoch > 2 + batchSize * gradientAccumulation) break
  }
  return [...met.values()]
}

/** Patches of a batch of images, (B, P, C·patch²); zeros where a sample has no image. The caller disposes. */
export async function patchesTensor(
  { images, numPatches, patchWidth }: Pick<BatchSource, 'images' | 'numPatches' | 'patchWidth'>,
  refs: readonly (ImageRef | null)[],
): Promise<tf.Tensor3D> {
  const size = numPatches * patchWidth
  const values = new Float32Array(refs.length * size)
  for (const [i, ref] of refs.entries()) if (ref !== null) values.set(await images.patches(ref), i * size)
  return tf.tensor3d(values, [refs.length, numPatches, patchWidth])
}
