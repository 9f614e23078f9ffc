// log π_reference of every pair's two answers, computed once by the model that training starts from and kept on disk
// under a key of everything that decides it: weights, pairs with their images, tokenizer and template, preprocessing.
// The policy of step 0 is the reference, so no second model is ever held.

import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { z } from 'zod'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent } from '../domain/job.ts'
import { parse } from '../domain/parse.ts'
import { imageFeatures, imageTokens } from '../engine/models/multimodal-lm.ts'
import { rowLogProbs } from '../engine/objectives/log-probs.ts'
import { chooseBuckets, collateSamples, patchesTensor, rowTensors, withMismatchedAnswers, type BatchSource, type EncodedSample } from './batches.ts'
import { readJson, sha256, writeWhole } from './files.ts'
import type { HeldModel } from './held-model.ts'

const cacheSchema = z.record(z.string(), z.array(z.number()).min(2))
/** Chosen and rejected, by sample; then, where they are needed, the same of mismatched answers. */
export type ReferenceLogProbs = ReadonlyMap<string, readonly number[]>

export type ReferenceSource = Pick<BatchSource, 'samples' | 'images' | 'tokenizer' | 'numImageTokens' | 'numPatches' | 'patchWidth'>

/** The cached values, or null. A cache file that cannot be read is as good as none: it is computed again. */
export async function cachedReference(project: string, key: string, samples: readonly EncodedSample[]): Promise<ReferenceLogProbs | null> {
  try {
    const values = parse(cacheSchema, await readJson(cachePath(project, key)), 'corrupt-artifact')
    const map = new Map(Object.entries(values))
    return samples.every(({ id }) => map.has(id)) ? map : null
  } catch {
    return null
  }
}

export function referenceKey(parts: {
  readonly model: string
  readonly snapshot: string
  readonly tokenizer: unknown
  readonly preprocess: unknown
  /** Of length desensitising. */
  readonly ldAlpha: number
  /** What decides whose answers stand under a prompt as mismatched ones; null: there are none. */
  readonly mismatched: { readonly maxLength: number } | null
  /** Whether `image_newline` ends an image's tokens: the same files then say something else. */
  readonly imageNewline?: boolean | undefined
}): string {
  return sha256(JSON.stringify(parts))
}

/** Computes and stores the values, yielding progress. @throws LabError 'cancelled' */
export async function* computeReference(
  project: string,
  key: string,
  held: Pick<HeldModel, 'run'>,
  source: ReferenceSource,
  { batchSize, ldAlpha = 1 }: { readonly batchSize: number; readonly ldAlpha?: number },
  signal: AbortSignalLike,
): AsyncGenerator<JobEvent, ReferenceLogProbs> {
  const { samples } = source
  yield { kind: 'part', name: 'reference log-probabilities', of: samples.length }
  const values = new Map<string, readonly number[]>()
  for (let at = 0; at < samples.length; at += batchSize) {
    const group = samples.slice(at, at + batchSize)
    const own = await pairLogProbs(held, source, group, ldAlpha)
    const mismatched = group[0]!.mismatched === undefined ? [] : await pairLogProbs(held, source, group.map(withMismatchedAnswers), ldAlpha)
    group.forEach(({ id }, i) => values.set(id, [...own, ...mismatched].map((column) => column[i]!)))
    yield { kind: 'progress', done: Math.min(at + batchSize, samples.length), of: samples.length }
    if (signal.aborted) throw new LabError('cancelled', 'cancelled while computing reference log-probabilities')
  }
  await writeWhole(cachePath(project, key), JSON.stringify(Object.fromEntries(values)))
  return values
}

/** Log-probabilities of both answers of each pair, in nats: [chosen, rejected], each as long as `group`. @param ldAlpha of length desensitising */
export async function pairLogProbs(
  held: Pick<HeldModel, 'run'>,
  source: Omit<ReferenceSource, 'samples'>,
  group: readonly EncodedSample[],
  ldAlpha = 1,
): Promise<readonly [Float32Array, Float32Array]> {
  const rows = collateSamples(source, group, 2, chooseBuckets(group).at(-1)!)
  const patches = await patchesTensor(source, group.map(({ image }) => image))
  const tensors = rowTensors(rows)
  const { result } = held.run(
    `log-probabilities ${ldAlpha}`,
    (model, inputs) => ({
      result: rowLogProbs(model, inputs as unknown as typeof tensors, imageTokens(model, imageFeatures(model, inputs['patches']!)), ldAlpha),
    }),
    { ...tensors, patches },
  ) as { readonly result: tf.Tensor1D }
  const values = result.dataSync() as Float32Array
  tf.dispose([result, patches, tensors as unknown as tf.NamedTensorMap])
  return [values.slice(0, group.length), values.slice(group.length)]
}

function cachePath(project: string, key: string): string {
  return join(project, 'cache', 'reference-log-probs', `${key}.json`)
}
