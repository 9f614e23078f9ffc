// Greedy answers: the most likely next token until the end token or the limit, for a batch of prompts of any lengths at
// once. Prompts are padded on the left, so that every row's next token comes from the last position; keys and values of
// what has been read are kept. Deliberately absent: sampling and beam search, whose answers would depend on chance.

import * as tf from '@tensorflow/tfjs'
import type { LanguageModelSpec } from '../domain/model-spec.ts'
import {
  causalMask,
  decodeWithCache,
  embedTokens,
  languageHead,
  paddingMask,
  type KeyValueCache,
} from './models/language-model.ts'
import { joinedEmbeddings, type MultimodalLm } from './models/multimodal-lm.ts'
import type { Weights } from './shapes.ts'
import { collateRows } from './text/collate.ts'

export interface GreedyLimits {
  readonly endId: number
  readonly maxNewTokens: number
}

/**
 * Answers of R prompts, as tokens without the end token.
 * @param prompts  R rows of tokens, `<image>` expanded to I placeholders; row r looks at image r
 * @param tokens   image tokens (R, I, D)
 */
export function greedyAnswers(
  model: MultimodalLm,
  prompts: readonly (readonly number[])[],
  tokens: tf.Tensor,
  ids: { readonly padId: number; readonly imageId: number },
  limits: GreedyLimits,
): number[][] {
  const [R, I] = tokens.shape as [number, number]
  const T = Math.max(...prompts.map((prompt) => prompt.length))
  const rows = prompts.map((prompt) => {
    const padded = [...new Array<number>(T - prompt.length).fill(ids.padId), ...prompt]
    return { ids: padded, isAnswer: padded.map(() => false) }
  })
  const collated = collateRows(ids, rows, R, I, { T, A: 1 })
  const embeddings = tf.tidy(() =>
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
  try {
    return greedyDecode(
      model.spec.languageModel,
      model.weights.languageModel,
      embeddings,
      prompts.map((prompt) => prompt.length),
      limits,
    )
  } finally {
    embeddings.dispose()
  }
}

/**
 * The same from embeddings of left-padded prompts.
 * @param embeddings  (R, T, D)
 * @param lengths     of each prompt; what stands before its last `lengths[r]` positions is padding and is not seen
 */
export function greedyDecode(
  spec: LanguageModelSpec,
  weights: Weights,
  embeddings: tf.Tensor,
  lengths: readonly number[],
  { endId, maxNewTokens }: GreedyLimits,
): number[][] {
  const [R, T, D] = embeddings.shape as [number, number, number]
  const answers = lengths.map((): number[] => [])
  const hasEnded = lengths.map(() => false)
  const isReal = Float32Array.from({ length: R * T }, (_, i) => ((i % T) + lengths[Math.floor(i / T)]! >= T ? 1 : 0))
  const padding = tf.tidy(() => paddingMask(tf.tensor2d(isReal, [R, T]))) // (R, 1, 1, T)

  /** Reads `width` positions after those in the cache. Positions count from each prompt's own first token. */
  const read = (input: () => tf.Tensor, width: number, past: KeyValueCache | null) =>
    tf.tidy(() => {
      const seen = past === null ? 0 : past.layers[0]!.key.shape[2]!
      const positions = Int32Array.from({ length: R * width }, (_, i) =>
        Math.max(0, seen + (i % width) - (T - lengths[Math.floor(i / width)]!)),
      )
      const keys = seen + width
      // What is read one by one has no padding after it.
      const mask = past === null ? tf.add(causalMask(T), padding) : tf.concat([padding, tf.zeros([R, 1, 1, keys - T])], 3)
      const { hidden, cache } = decodeWithCache(spec, weights, input(), tf.tensor2d(positions, [R, width], 'int32'), mask, past)
      const last = tf.reshape(tf.slice(hidden, [0, width - 1, 0], [R, 1, D]), [R, D])
      const next = tf.argMax(languageHead(spec, weights, last), -1) // (R)
      return { next, cache } as unknown as tf.TensorContainerObject
    }) as unknown as { readonly next: tf.Tensor1D; readonly cache: KeyValueCache }

  let state = read(() => embeddings, T, null)
  try {
    for (;;) {
      const next = state.next.dataSync()
      for (let r = 0; r < R; r++) {
        if (hasEnded[r]) continue
        if (next[r] === endId) hasEnded[r] = true
        else answers[r]!.push(next[r]!)
      }
      const isFull = answers.some((answer) => answer.length === maxNewTokens)
      if (isFull || hasEnded.every(Boolean)) return answers
      const before = state
      state = read(() => embedTokens(weights, tf.reshape(before.next, [R, 1])), 1, before.cache)
      tf.dispose(before as unknown as tf.TensorContainer)
    }
  } finally {
    tf.dispose([padding, state as unknown as tf.TensorContainer])
  }
}
