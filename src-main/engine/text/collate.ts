// From samples to the arrays of a batch, at the shapes of a bucket. Lengths are padded to a few bucket sizes, so that a
// step meets few shapes; batches are always full (rows that only fill up weigh nothing). Nothing is ever cut: a sample
// that is too long is left out and counted.

import { LabError } from '../../domain/errors.ts'
import type { Turn } from '../../domain/sample.ts'
import type { ChatTokenizer } from './tokenizer.ts'

/** One row of text as tokens; `<image>` is already numImageTokens placeholders long. */
export interface EncodedRow {
  readonly ids: readonly number[]
  readonly isAnswer: readonly boolean[]
}

/** Arrays of one batch, to become tensors. R rows of T positions with A answer positions and I image tokens. */
export interface CollatedRows {
  readonly R: number
  readonly T: number
  readonly A: number
  readonly ids: Int32Array // (R, T)
  readonly sources: Int32Array // (R·T)
  readonly isImage: Float32Array // (R·T)
  readonly imagePositions: Int32Array // (R·I)
  readonly answerPositions: Int32Array // (R·A)
  readonly answerIds: Int32Array // (R, A)
  readonly answerMask: Float32Array // (R, A)
  /** Text and image tokens of real rows. */
  readonly numTokens: number
  /** Answer tokens of each row. */
  readonly answerTokens: Int32Array // (R)
}

/** Replaces the one `<image>` placeholder by `numImageTokens` of them. @throws LabError 'invalid-input' for several */
export function expandImage(tokenizer: Pick<ChatTokenizer, 'imageId'>, row: EncodedRow, numImageTokens: number): EncodedRow {
  const at = row.ids.indexOf(tokenizer.imageId)
  if (at < 0) return row
  if (row.ids.indexOf(tokenizer.imageId, at + 1) >= 0)
    throw new LabError('invalid-input', 'expected one <image> placeholder in a conversation, found several; multi-image samples are not supported')
  const image = Array.from({ length: numImageTokens }, () => tokenizer.imageId)
  return {
    ids: [...row.ids.slice(0, at), ...image, ...row.ids.slice(at + 1)],
    isAnswer: [...row.isAnswer.slice(0, at), ...image.map(() => false), ...row.isAnswer.slice(at + 1)],
  }
}

export function encodeRow(tokenizer: ChatTokenizer, turns: readonly Turn[], numImageTokens: number): EncodedRow {
  return expandImage(tokenizer, tokenizer.encodeConversation(turns), numImageTokens)
}

/** The next bucket size: multiples of 16 up to 128, then of 32, then of 128: few shapes, little padding. */
export function bucketLength(length: number): number {
  const grain = length <= 128 ? 16 : length <= 512 ? 32 : 128
  return Math.ceil(length / grain) * grain
}

/** The same for the answer positions of a row: 4, 8, 16, 24, … */
export function bucketAnswer(length: number): number {
  return length <= 4 ? 4 : Math.ceil(length / 8) * 8
}

/**
 * Lays rows out at fixed shapes. Row r looks at image r mod B.
 * @param rows    R rows; null fills up and weighs nothing
 * @param images  B, the images of the batch
 * @param shape   T and A of the bucket; every row must fit
 */
export function collateRows(
  tokenizer: Pick<ChatTokenizer, 'padId' | 'imageId'>,
  rows: readonly (EncodedRow | null)[],
  images: number,
  numImageTokens: number,
  { T, A }: { readonly T: number; readonly A: number },
): CollatedRows {
  const R = rows.length
  const I = numImageTokens
  const ids = new Int32Array(R * T).fill(tokenizer.padId)
  const sources = Int32Array.from({ length: R * T }, (_, i) => i)
  const isImage = new Float32Array(R * T)
  const imagePositions = new Int32Array(R * I)
  const answerPositions = new Int32Array(R * A)
  const answerIds = new Int32Array(R * A)
  const answerMask = new Float32Array(R * A)
  const answerTokens = new Int32Array(R)
  let numTokens = 0
  rows.forEach((row, r) => {
    // Unused places point at the row's last position, which is never an image token: T exceeds every row by padding or text.
    imagePositions.fill(r * T + T - 1, r * I, (r + 1) * I)
    answerPositions.fill(r * T, r * A, (r + 1) * A)
    if (row === null) return
    numTokens += row.ids.length
    let image = 0
    let answer = 0
    row.ids.forEach((id, t) => {
      const at = r * T + t
      ids[at] = id
      // A model that answers by itself may say the placeholder: there it is a word like any other.
      if (id === tokenizer.imageId && !row.isAnswer[t]) {
        sources[at] = R * T + (r % images) * I + image
        isImage[at] = 1
        imagePositions[r * I + image++] = at
      }
      if (row.isAnswer[t]) {
        answerPositions[r * A + answer] = at - 1
        answerIds[r * A + answer] = id
        answerMask[r * A + answer++] = 1
      }
    })
    answerTokens[r] = answer
  })
  return { R, T, A, ids, sources, isImage, imagePositions, answerPositions, answerIds, answerMask, numTokens, answerTokens }
}
