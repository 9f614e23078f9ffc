// How sure a model was of a token: the softmax of its logits at temperature 1, whatever the answer was drawn with, so that
// answers drawn differently can be compared. Plain arrays: it is asked for one place at a time, of logits that were read anyway.

export interface TokenProbability {
  readonly id: number
  /** In [0, 1]. */
  readonly probability: number
}

/**
 * p_i = exp(z_i − max z) / Σ_j exp(z_j − max z).
 * @param logits  (V), finite
 * @param chosen  the token that was taken
 * @param count   how many of the most likely are told beside it
 */
export function tokenProbabilities(
  logits: Float32Array,
  chosen: number,
  count: number,
): { readonly chosen: TokenProbability; readonly likeliest: readonly TokenProbability[] } {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity)
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0)
  const of = (id: number): TokenProbability => ({ id, probability: Math.exp(logits[id]! - largest) / total })
  // One pass over the vocabulary: `count` is small, so that what is kept is shifted and never sorted. Ties: the lower id first.
  const ids: number[] = []
  logits.forEach((logit, id) => {
    if (ids.length === count && logit <= logits[ids[count - 1]!]!) return
    let place = ids.length
    while (place > 0 && logit > logits[ids[place - 1]!]!) place--
    ids.splice(place, 0, id)
    if (ids.length > count) ids.pop()
  })
  return { chosen: of(chosen), likeliest: ids.map(of) }
}
