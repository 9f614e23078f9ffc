// Where in the image does a loss pull? Gradient maps at the visual tokens (the projector's output), as in the released code
// of arXiv 2510.16333 (section 4.2, appendix E.4): s_t = Σ_d |∂L/∂a_{t,d}|, one number an image token, nothing else done to
// it. All items of a batch are independent, and so are the two answers of a pair when each row has its own copy of the
// tokens: one backward pass gives every gradient, and the losses' own gradients follow from them in closed form.

import * as tf from '@tensorflow/tfjs'
import type { MultimodalLm } from '../models/multimodal-lm.ts'
import { gradients } from '../nn/gradients.ts'
import { rowLogProbs, type AnswerRows } from '../objectives/log-probs.ts'

/** Maps of one pair, (I) each. */
export interface PairMaps {
  /** Of the mean negative log-likelihood of the chosen answer's tokens. */
  readonly sft: Float64Array
  readonly chosen: Float64Array
  readonly rejected: Float64Array
  /** Of the DPO loss with image tokens shared by both answers. */
  readonly dpo: Float64Array
  readonly logProbs: AnswerLogProbs
}

/** Summed over each answer's tokens, in nats. */
export interface AnswerLogProbs {
  readonly chosen: number
  readonly rejected: number
}

/** What the maps of B pairs are made of; nothing of it is read back, so it can be compiled. */
export interface PairGradients {
  /** log π of all chosen answers, then of all rejected ones, (2·B). */
  readonly logProbs: tf.Tensor1D
  /** Σ_d |g| of g_c, g_r and g_c − g_r, (3, B, I). */
  readonly magnitudes: tf.Tensor3D
}

/**
 * The caller disposes.
 * @param rows    2·B rows over 2·B images: all chosen, then all rejected
 * @param tokens  image tokens of the B images, (B, I, D)
 */
export function pairGradients(model: MultimodalLm, rows: AnswerRows, tokens: tf.Tensor): PairGradients {
  const [B, I] = tokens.shape as [number, number]
  const [logProbs, magnitudes] = tf.tidy(() => {
    const held = tf.concat([tokens, tokens], 0) // (2·B, I, D)
    // Without a dy of its own the gradient is that of the sum over rows: each row's own, as no row sees another.
    const { value, gradients: found } = gradients(() => rowLogProbs(model, rows, held), [held])
    const grad = found[0]!
    const chosen = tf.slice(grad, [0, 0, 0], [B, I, -1])
    const rejected = tf.slice(grad, [B, 0, 0], [B, I, -1])
    const magnitude = (gradient: tf.Tensor) => tf.sum(tf.abs(gradient), -1) // (B, I)
    return [value, tf.stack([magnitude(chosen), magnitude(rejected), magnitude(tf.sub(chosen, rejected))])]
  }) as [tf.Tensor1D, tf.Tensor3D]
  return { logProbs, magnitudes }
}

/**
 * The four maps of each of B pairs. With g_c and g_r the gradients of log π(chosen) and log π(rejected), n the chosen
 * answer's tokens and m = β·[(log π_c − log πref_c) − (log π_r − log πref_r)]:
 *
 *   SFT: −g_c/n      DPO: −β·σ(−m)·(g_c − g_r)
 *
 * What both answers pull at alike cancels in the second. At equal weights SFT's and the chosen map differ by a factor only.
 * @param answerMask  of the rows, (2·B, A)
 * @param references  log π_reference of each pair's answers, constant; null: the model is its own reference (m = 0)
 */
export function pairMaps(
  { logProbs, magnitudes }: PairGradients,
  answerMask: tf.Tensor2D,
  references: readonly (AnswerLogProbs | null)[],
  beta: number,
): readonly PairMaps[] {
  const [, B, I] = magnitudes.shape
  const [logs, values] = [logProbs.dataSync(), magnitudes.dataSync()]
  const counts = tf.tidy(() => tf.sum(answerMask, -1).dataSync())
  return Array.from({ length: B }, (_, i) => {
    const map = (which: number) => Float64Array.from(values.subarray((which * B + i) * I, (which * B + i + 1) * I))
    const own = { chosen: logs[i]!, rejected: logs[B + i]! }
    // A pair that is its own reference has margin 0.
    const reference = references[i] ?? own
    const margin = beta * (own.chosen - reference.chosen - (own.rejected - reference.rejected))
    const pull = beta / (1 + Math.exp(margin)) // β·σ(−m), in double: it must not vanish where a margin is large
    const chosen = map(0)
    return {
      sft: chosen.map((value) => value / counts[i]!),
      chosen,
      rejected: map(1),
      dpo: map(2).map((value) => value * pull),
      logProbs: own,
    }
  })
}
