// How alike are the encoder's features to language, and to those it started from? Platonic representation
// (arXiv 2405.07987): mean-pooled image features beside mean-pooled text features of the captions, alone and without the
// image. The text side is always the baseline's language model, so that only the encoder varies between checkpoints.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import type { JobEvent } from '../../domain/job.ts'
import type { ImageRef } from '../../domain/sample.ts'
import { bestMutualKnn, linearCka, mutualKnn } from '../../engine/evaluate/measures/alignment.ts'
import type { Matrix } from '../../engine/evaluate/measures/matrix.ts'
import { decoderHiddenStates, embedTokens } from '../../engine/models/language-model.ts'
import { encoderLayersUsed } from '../../engine/models/multimodal-lm.ts'
import { visionHiddenStates } from '../../engine/models/vision-encoder.ts'
import { patchesTensor } from '../batches.ts'
import { batchesOf, drawSamples, samplesOfSplit, type Bench, type Measurement } from './bench.ts'
import { stackRows, type MeasuredModel } from './measured-model.ts'

interface Captioned {
  readonly image: ImageRef
  /** null: only the change of the encoder can be measured. */
  readonly caption: string | null
}

/**
 * Yields alignment/mutual-knn (the largest over pairs of an encoder block and a language layer), alignment/cka-language
 * (the features that are selected for the projector with the last language layer) and, with a baseline, change/cka and
 * change/mutual-knn.
 */
export const measureAlignment: Measurement = async function* (bench) {
  const { measured, baseline, settings } = bench
  const { limit, neighbours: k } = settings.alignment
  const drawn = drawSamples(await captionedImages(bench), limit, settings.seed, 'alignment')
  if (drawn.length < k + 2)
    throw new LabError(
      'invalid-input',
      `alignment: expected at least ${k + 2} different test images for ${k} neighbours, found ${drawn.length}; ` +
        'lower alignment.neighbours',
    )
  const images = drawn.map(({ image }) => image)
  const captions = drawn.flatMap(({ caption }) => (caption === null ? [] : [caption]))
  const isItsOwnStart = baseline === null || baseline === measured
  const of = images.length * (isItsOwnStart ? 1 : 2) + captions.length
  let done = 0
  yield { kind: 'part', name: 'alignment', of }

  /** Layer by layer, one row an item. */
  async function* layersOf<T>(
    all: readonly T[],
    read: (group: readonly T[]) => Promise<readonly Matrix[]>,
  ): AsyncGenerator<JobEvent, readonly Matrix[]> {
    const parts: (readonly Matrix[])[] = []
    for (const group of batchesOf(all, settings.batchSize)) {
      parts.push(await read(group))
      yield { kind: 'progress', done: (done += group.length), of }
      bench.assertWanted()
    }
    return parts[0]!.map((_, layer) => stackRows(parts.map((part) => part[layer]!)))
  }

  const blocks = yield* layersOf(images, (group) => pooledBlocks(measured, group))
  const selected = blocks.at(-1)!
  if (captions.length === 0)
    yield {
      kind: 'log',
      level: 'warning',
      message: 'no captions: alignment with language is left out, only the change of the encoder is measured',
    }
  else {
    if (baseline === null)
      yield { kind: 'log', level: 'info', message: "no baseline: the checkpoint's own language model reads the captions" }
    const words = yield* layersOf(captions, async (group) => pooledText(baseline ?? measured, group))
    yield { kind: 'result', metric: 'alignment/mutual-knn', value: bestMutualKnn(blocks, words, { k }).score, n: images.length }
    yield { kind: 'result', metric: 'alignment/cka-language', value: linearCka(selected, words.at(-1)!), n: images.length }
  }
  if (baseline === null) return
  const start = isItsOwnStart ? selected : (yield* layersOf(images, (group) => pooledBlocks(baseline, group))).at(-1)!
  yield { kind: 'result', metric: 'change/cka', value: linearCka(selected, start), n: images.length }
  yield { kind: 'result', metric: 'change/mutual-knn', value: mutualKnn(selected, start, { k }), n: images.length }
}

/** Test images, each once, with the first caption of each; without a dataset of captions, the images of the questions. */
async function captionedImages(bench: Bench): Promise<readonly Captioned[]> {
  const found = new Map<string, Captioned>()
  const keep = (image: ImageRef | null, caption: string | null) => {
    if (image !== null && !found.has(image.sha256)) found.set(image.sha256, { image, caption })
  }
  if (bench.job.snapshots.captions === null)
    for (const { image } of await samplesOfSplit(bench, 'questions', 'questions', 'test')) keep(image, null)
  else
    for (const { image, content } of await samplesOfSplit(bench, 'captions', 'conversations', 'test'))
      keep(image, content.turns.find(({ from }) => from === 'assistant')?.text ?? '')
  return [...found.values()]
}

/** The output of every block that feeds the projector, averaged over patches: one matrix (B, D) a block. */
export async function pooledBlocks(measured: MeasuredModel, images: readonly ImageRef[]): Promise<readonly Matrix[]> {
  const { spec, weights } = measured.model
  const patches = await patchesTensor(measured, images)
  const pooled = tf.tidy(() =>
    visionHiddenStates(spec.visionEncoder, weights.visionEncoder, patches, encoderLayersUsed(spec))
      .slice(1)
      .map((state) => tf.mean(state, 1)),
  )
  patches.dispose()
  return readMatrices(pooled)
}

/** Every hidden state of the language model on the texts alone, averaged over their tokens: one matrix (B, D) a layer. */
export function pooledText({ model, tokenizer }: MeasuredModel, texts: readonly string[]): readonly Matrix[] {
  const { languageModel: spec } = model.spec
  const rows = texts.map((text) => tokenizer.encode(text).slice(0, spec.maxPositionEmbeddings))
  const T = Math.max(1, ...rows.map((row) => row.length))
  const ids = new Int32Array(rows.length * T).fill(tokenizer.padId)
  // An empty text has no token to average; it gets the state of one padding token.
  const weights = new Float32Array(rows.length * T)
  rows.forEach((row, r) => {
    ids.set(row, r * T)
    weights.fill(1 / Math.max(1, row.length), r * T, r * T + Math.max(1, row.length))
  })
  const pooled = tf.tidy(() => {
    const embeddings = embedTokens(model.weights.languageModel, tf.tensor2d(ids, [rows.length, T], 'int32'))
    const shares = tf.tensor3d(weights, [rows.length, T, 1])
    return decoderHiddenStates(spec, model.weights.languageModel, embeddings).map((state) => tf.sum(tf.mul(state, shares), 1))
  })
  return readMatrices(pooled)
}

/** Reads (B, D) tensors and disposes them. */
function readMatrices(tensors: tf.Tensor[]): readonly Matrix[] {
  const matrices = tensors.map((tensor): Matrix => {
    const [rows, columns] = tensor.shape as [number, number]
    return { rows, columns, values: Float32Array.from(tensor.dataSync()) }
  })
  tf.dispose(tensors)
  return matrices
}
