// What SFT and DPO would each do to an encoder on one pair: the size of either gradient block by block and patch by patch, and the
// angle between them. With g_c and g_r the gradients of log π(chosen) and log π(rejected), n the chosen answer's tokens and m the
// margin, SFT's gradient is −g_c/n and DPO's −β·σ(−m)·(g_c − g_r): three inner products of g_c and g_r say everything.

import * as tf from '@tensorflow/tfjs'
import { gradientsOfReached } from '../../nn/gradients.ts'

/** Of one part: sizes of the two gradients, and the cosine of the angle between them; 0 where one of them vanishes. */
export interface TwoGradients {
  readonly sft: number
  readonly dpo: number
  readonly cosine: number
}

/** g_c·g_c, g_r·g_r and g_c·g_r of a part. */
export type Products = readonly [number, number, number]

/** @param pull β·σ(−m) */
export function twoGradients([cc, rr, cr]: Products, tokens: number, pull: number): TwoGradients {
  const difference = Math.max(0, cc + rr - 2 * cr)
  const [chosen, contrast] = [Math.sqrt(cc), Math.sqrt(difference)]
  const cosine = chosen * contrast === 0 ? 0 : (cc - cr) / (chosen * contrast)
  return { sft: chosen / tokens, dpo: pull * contrast, cosine: Math.min(1, Math.max(-1, cosine)) }
}

/** β·σ(−margin). */
export const pullOf = (beta: number, margin: number): number => beta / (1 + Math.exp(margin))

/**
 * The products of both answers' gradients by each of `xs`; null for one that neither reaches.
 * @param chosen,rejected  the answers' log-probabilities, scalars
 */
export function gradientProducts(chosen: () => tf.Tensor, rejected: () => tf.Tensor, xs: readonly tf.Tensor[]): readonly (Products | null)[] {
  const [ofChosen, ofRejected] = [chosen, rejected].map((f) => {
    const { value, gradients } = gradientsOfReached(f, xs)
    value.dispose()
    return gradients
  }) as [(tf.Tensor | undefined)[], (tf.Tensor | undefined)[]]
  const products = xs.map((_, i): Products | null => {
    const [c, r] = [ofChosen[i], ofRejected[i]]
    if (c === undefined || r === undefined) return null
    return tf.tidy(() => tf.stack([tf.sum(tf.mul(c, c)), tf.sum(tf.mul(r, r)), tf.sum(tf.mul(c, r))]).dataSync()) as unknown as Products
  })
  tf.dispose([...ofChosen, ...ofRejected].filter((each) => each !== undefined))
  return products
}

/** The same token by token. @param x (1, I, D) @returns I products */
export function tokenProducts(chosen: () => tf.Tensor, rejected: () => tf.Tensor, x: tf.Tensor): readonly Products[] {
  const I = x.shape[1]!
  const values = tf.tidy(() => {
    const [c, r] = [chosen, rejected].map((f) => gradientsOfReached(f, [x]).gradients[0] ?? tf.zerosLike(x)) as [tf.Tensor, tf.Tensor]
    return tf.stack([[c, c], [r, r], [c, r]].map(([p, q]) => tf.sum(tf.mul(p!, q!), -1))).dataSync() // (3, 1, I)
  })
  return Array.from({ length: I }, (_, i) => [values[i]!, values[I + i]!, values[2 * I + i]!])
}
