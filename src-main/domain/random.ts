// Seeded randomness. Everything random in the lab comes from here, so that a seed names a result.
// A stream is derived from a seed and words ("order", "init", …): adding a consumer never shifts another one's numbers.

import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

export interface Random {
  /** A number in [0, 1) with 32 random bits. */
  uniform(): number
  /** An integer in [0, n). */
  integer(n: number): number
  /** A standard normal deviate (Box–Muller). */
  normal(): number
  /** A new array in random order (Fisher–Yates). */
  shuffle<T>(values: readonly T[]): T[]
  pick<T>(values: readonly T[]): T
}

/** A stream of random numbers for `seed`; further `words` name an independent stream of the same seed. */
export function createRandom(seed: number, ...words: readonly (string | number)[]): Random {
  const generator = xoroshiro128plus(hashWords([seed, ...words]))
  // The generator's first outputs are nearly its seed itself: streams are let run until every bit has met every other.
  for (let i = 0; i < WARM_UP; i++) generator.next()
  const uniform = () => (generator.next() >>> 0) / 4294967296
  const integer = (n: number) => Math.floor(uniform() * n)
  return {
    uniform,
    integer,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    shuffle(values) {
      const shuffled = [...values]
      for (let i = shuffled.length - 1; i > 0; i--) {
        const j = integer(i + 1)
        ;[shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!]
      }
      return shuffled
    },
    pick: (values) => values[integer(values.length)]!,
  }
}

const WARM_UP = 16

/**
 * FNV-1a over the words' text, then MurmurHash3's finaliser: a 32-bit seed. FNV alone hardly spreads the last character,
 * so that streams named "…, 0" and "…, 1" would begin alike.
 */
function hashWords(words: readonly (string | number)[]): number {
  let hash = 0x811c9dc5
  for (const character of words.join('\u0000')) hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) | 0
}
