// Answers, token by token, for a batch of prompts of any lengths at once. Prompts are padded on the left, so that every
// row's next token comes from the last position; what has been read is kept in a cache of fixed size, so that all steps
// after the first have one shape. Greedy by default; sampled answers draw from a seeded stream and repeat themselves.

import * as tf from '@tensorflow/tfjs'
import type { LanguageModelSpec } from '../domain/model-spec.ts'
import { createRandom } from '../domain/random.ts'
import { embedTokens, languageHead, readPrompts, readToken, type KeyValueCache } from './models/language-model.ts'
import { joinedEmbeddings, type MultimodalLm } from './models/multimodal-lm.ts'
import type { Weights } from './shapes.ts'
import { collateRows } from './text/collate.ts'
import { afterHistory, drawToken, GREEDY, likeliest, looksBack, type Sampling } from './token-choice.ts'

export interface GenerationLimits {
  /** Any of them ends an answer. */
  readonly endIds: readonly number[]
  readonly maxNewTokens: number
}

/** What generation computes, as pure functions of tensors; the caller disposes what they return. */
export interface Decoder {
  /** @param embeddings (R, T, D), padded on the left   @param starts (R) int32   @returns logits (R, V) of the next token */
  readPrompts(embeddings: tf.Tensor, starts: tf.Tensor1D, slots: number): { readonly logits: tf.Tensor2D; readonly cache: KeyValueCache }
  /** @param ids (R) int32: the tokens chosen   @param slot () int32: where they stand */
  readToken(ids: tf.Tensor1D, slot: tf.Scalar, starts: tf.Tensor1D, cache: KeyValueCache): { readonly logits: tf.Tensor2D; readonly cache: KeyValueCache }
}

export function eagerDecoder(spec: LanguageModelSpec, weights: Weights): Decoder {
  const withLogits = (read: () => { readonly hidden: tf.Tensor2D; readonly cache: KeyValueCache }) =>
    tf.tidy(() => {
      const { hidden, cache } = read()
      return { logits: languageHead(spec, weights, hidden), cache: [...cache] } as unknown as tf.TensorContainerObject
    }) as unknown as { readonly logits: tf.Tensor2D; readonly cache: KeyValueCache }
  return {
    readPrompts: (embeddings, starts, slots) => withLogits(() => readPrompts(spec, weights, embeddings, starts, slots)),
    readToken: (ids, slot, starts, cache) =>
      withLogits(() => readToken(spec, weights, embedTokens(weights, tf.reshape(ids, [-1, 1])), slot, starts, cache)),
  }
}

/**
 * Yields the next token of every row, again and again; null for a row that has ended. The end token is not yielded.
 * It holds the cache between two tokens and frees it however it ends.
 * @param embeddings  (R, T, D) of prompts padded on the left
 * @param lengths     of each prompt; what stands before its last `lengths[r]` positions is padding and is not seen
 * @param prompts     their tokens, where the sampling looks back at them; absent: it looks at the answers alone
 */
export function* generateTokens(
  decoder: Decoder,
  embeddings: tf.Tensor,
  lengths: readonly number[],
  { endIds, maxNewTokens }: GenerationLimits,
  sampling: Sampling = GREEDY,
  prompts: readonly (readonly number[])[] = [],
): Generator<readonly (number | null)[], void> {
  const [R, T] = embeddings.shape as [number, number]
  const starts = tf.tensor1d(
    lengths.map((length) => T - length),
    'int32',
  )
  const hasEnded = lengths.map(() => false)
  const choose = chooser(sampling, R, prompts)
  let state: ReturnType<Decoder['readPrompts']> | null = null
  try {
    state = decoder.readPrompts(embeddings, starts, T + maxNewTokens - 1)
    for (let read = 0; ; read++) {
      const next = choose(state.logits)
      next.forEach((id, r) => (hasEnded[r] ||= endIds.includes(id)))
      if (hasEnded.every(Boolean)) return
      yield next.map((id, r) => (hasEnded[r] ? null : id))
      if (read + 1 === maxNewTokens) return
      const [ids, slot] = [tf.tensor1d(next, 'int32'), tf.scalar(T + read, 'int32')]
      const before: ReturnType<Decoder['readPrompts']> = state
      try {
        state = decoder.readToken(ids, slot, starts, before.cache)
      } finally {
        tf.dispose([ids, slot])
      }
      tf.dispose([before.logits, ...before.cache])
    }
  } finally {
    starts.dispose()
    if (state !== null) tf.dispose([state.logits, ...state.cache])
  }
}

/**
 * Embeddings of R prompts padded on the left, with image tokens in their places: what `generateTokens` begins with.
 * @param prompts  R rows of tokens, `<image>` expanded to I placeholders; row r looks at image r
 * @param tokens   image tokens (R, I, D)
 * @param width    T, at least the longest prompt's: batches of one width are of one shape
 * @returns (R, T, D); the caller disposes
 */
export function promptEmbeddings(
  model: MultimodalLm,
  prompts: readonly (readonly number[])[],
  tokens: tf.Tensor,
  ids: { readonly padId: number; readonly imageId: number },
  width = Math.max(...prompts.map((prompt) => prompt.length)),
): tf.Tensor {
  const [R, I] = tokens.shape as [number, number]
  const T = width
  const rows = prompts.map((prompt) => {
    const padded = [...new Array<number>(T - prompt.length).fill(ids.padId), ...prompt]
    return { ids: padded, isAnswer: padded.map(() => false) }
  })
  const collated = collateRows(ids, rows, R, I, { T, A: 1 })
  return tf.tidy(() =>
    joinedEmbeddings(
      model,
      {
        ids: tf.tensor2d(collated.ids, [R, T], 'int32'),
        sources: tf.tensor1d(collated.sources, 'int32'),
        isImage: tf.tensor2d(collated.isImage, [R * T, 1]),
        imagePositions: tf.tensor1d(collated.imagePositions, 'int32'),
        answerPositions: tf.tensor1d(collated.answerPositions, 'int32'),
      },
      tokens,
    ),
  )
}

/** Greedy answers of R prompts, as tokens without the end token. Parameters as of `promptEmbeddings`. */
export function greedyAnswers(
  model: MultimodalLm,
  prompts: readonly (readonly number[])[],
  tokens: tf.Tensor,
  ids: { readonly padId: number; readonly imageId: number },
  limits: GenerationLimits,
  decoder: Decoder = eagerDecoder(model.spec.languageModel, model.weights.languageModel),
): number[][] {
  const embeddings = promptEmbeddings(model, prompts, tokens, ids)
  try {
    return collectAnswers(
      generateTokens(
        decoder,
        embeddings,
        prompts.map((prompt) => prompt.length),
        limits,
      ),
      prompts.length,
    )
  } finally {
    embeddings.dispose()
  }
}

/** All tokens of each row, once generation has ended. */
export function collectAnswers(steps: Iterable<readonly (number | null)[]>, rows: number): number[][] {
  const answers = Array.from({ length: rows }, (): number[] => [])
  for (const step of steps) step.forEach((id, r) => id !== null && answers[r]!.push(id))
  return answers
}

/** From logits (R, V) to one token a row. Each row draws from its own stream, so that a batch answers as its rows alone do. */
function chooser(sampling: Sampling, rows: number, prompts: readonly (readonly number[])[]): (logits: tf.Tensor2D) => number[] {
  const { temperature, topP, seed } = sampling
  if (temperature === 0 && !looksBack(sampling))
    return (logits) => {
      const ids = tf.argMax(logits, -1)
      const chosen = [...ids.dataSync()]
      ids.dispose()
      return chosen
    }
  const streams = Array.from({ length: rows }, (_, r) => createRandom(seed, r, 'sampling'))
  const said = Array.from({ length: rows }, (_, r) => [...(prompts[r] ?? [])])
  return (logits) => {
    const V = logits.shape[1]
    const values = logits.dataSync() as Float32Array
    return streams.map((random, r) => {
      const given = values.subarray(r * V, (r + 1) * V)
      const row = looksBack(sampling) ? afterHistory(given, said[r]!, sampling) : given
      const id = temperature === 0 ? likeliest(row) : drawToken(row, temperature, topP, random.uniform(), sampling)
      said[r]!.push(id)
      return id
    })
  }
}
