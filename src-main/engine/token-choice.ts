// How a token is chosen from logits: what transformers' processors and warpers do, in their order. Repetition penalty and barred
// n-grams change greedy answers too; temperature, top-k, top-p and min-p shape what is drawn from.

/** How the next token is chosen. */
export interface Sampling {
  /** Logits are divided by it; 0: always the most likely token. */
  readonly temperature: number
  /** Tokens are drawn from the smallest set that holds this share of the probability (nucleus sampling, arXiv 1904.09751). */
  readonly topP: number
  readonly seed: number
  /** Tokens are drawn from this many of the likeliest, before top-p; 0 or absent: from all (arXiv 1805.04833). */
  readonly topK?: number
  /** After top-p, tokens below this share of the likeliest one's probability are left out; 0 or absent: none (arXiv 2407.01082). */
  readonly minP?: number
  /** Tokens of prompt and answer so far become this much less likely; 1 or absent: no less (CTRL, arXiv 1909.05858). */
  readonly repetitionPenalty?: number
  /** No run of this many tokens comes twice in prompt and answer; 0 or absent: any may. */
  readonly noRepeatNgramSize?: number
}
export const GREEDY: Sampling = { temperature: 0, topP: 1, seed: 0 }

/** Whether what was said before has a part in the choice. */
export function looksBack({ repetitionPenalty = 1, noRepeatNgramSize = 0 }: Pick<Sampling, 'repetitionPenalty' | 'noRepeatNgramSize'>): boolean {
  return repetitionPenalty !== 1 || noRepeatNgramSize > 0
}

/**
 * Logits under repetition penalty and without what would complete an n-gram a second time.
 * @param logits (V)   @param said  ids of prompt and answer so far
 */
export function afterHistory(logits: Float32Array, said: readonly number[], { repetitionPenalty = 1, noRepeatNgramSize: n = 0 }: Pick<Sampling, 'repetitionPenalty' | 'noRepeatNgramSize'>): Float32Array {
  const changed = logits.slice()
  if (repetitionPenalty !== 1)
    for (const id of new Set(said)) changed[id] = changed[id]! < 0 ? changed[id]! * repetitionPenalty : changed[id]! / repetitionPenalty
  if (n > 0) {
    const start = said.length - (n - 1)
    for (let at = 0; start > 0 && at + n <= said.length; at++)
      if (said.slice(at, at + n - 1).every((id, i) => id === said[start + i])) changed[said[at + n - 1]!] = -Infinity
  }
  return changed
}

/** The most likely token (ties: the lower id). @param logits (V) */
export function likeliest(logits: Float32Array): number {
  let best = 0
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id
  return best
}

/**
 * The token at `uniform` ∈ [0, 1) of what may be drawn, tokens by falling probability (ties: the lower id first). Only the tokens
 * down to the drawn one, and those of the nucleus, are put in order: of a large vocabulary these are few.
 * @param logits (V)
 */
export function drawToken(logits: Float32Array, temperature: number, topP: number, uniform: number, { topK = 0, minP = 0 }: Pick<Sampling, 'topK' | 'minP'> = {}): number {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity)
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - largest) / temperature))
  if (topK > 0 && topK < weights.length) keepLargest(weights, topK)
  const total = weights.reduce((a, b) => a + b, 0)
  // All tokens below this share together hold less than 1 − topP, so none of them is in the nucleus.
  const ordered = largestFirst(weights, ((1 - topP) * total) / logits.length)
  const isWhole = topP >= 1 && minP === 0
  const nucleus: number[] = []
  let [mass, kept] = [0, isWhole ? total : 0]
  if (!isWhole)
    for (const id of ordered) {
      // The likeliest token's weight is 1.
      if (weights[id]! < minP) break
      nucleus.push(id)
      kept = mass += weights[id]!
      if (topP < 1 && mass >= topP * total) break
    }
  let [left, last] = [uniform * kept, 0]
  for (const id of isWhole ? ordered : nucleus) {
    last = id
    left -= weights[id]!
    if (left < 0) break
  }
  return last
}

/** All but the `count` largest weights become 0; those that tie with the last of them stay, as in the reference. */
function keepLargest(weights: Float64Array, count: number): void {
  const least = Float64Array.from(weights).sort()[weights.length - count]!
  for (let id = 0; id < weights.length; id++) if (weights[id]! < least) weights[id] = 0
}

/** The ids of all weights above 0 and from `floor` on, the largest first (ties: the lower id first): a heap, put in order as far as it is read. */
function* largestFirst(weights: Float64Array, floor: number): Generator<number, void> {
  const heap: number[] = []
  weights.forEach((weight, id) => weight > 0 && weight >= floor && heap.push(id))
  const isBefore = (a: number, b: number) => weights[a]! > weights[b]! || (weights[a] === weights[b] && a < b)
  const sink = (from: number) => {
    const id = heap[from]!
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1
      if (child >= heap.length || !isBefore(heap[child]!, id)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = id
  }
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) sink(at)
  while (heap.length > 0) {
    yield heap[0]!
    const end = heap.pop()!
    if (heap.length === 0) return
    heap[0] = end
    sink(0)
  }
}
