// Which 64-bit hashes are near to each other, and which things hang together by such pairs. Near pairs are found without
// comparing all with all: two hashes that differ in k bits agree in at least one of k + 1 stretches (pigeonhole).

export type Hashed<T> = readonly [item: T, hash: bigint]

/** Bits in which two 64-bit values differ. */
export function hammingDistance(a: bigint, b: bigint): number {
  const difference = a ^ b
  return ones(Number(difference & 0xffffffffn)) + ones(Number(difference >> 32n))
}

function ones(word: number): number {
  let bits = word | 0
  bits -= (bits >>> 1) & 0x55555555
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333)
  return (((bits + (bits >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24
}

/** All pairs whose hashes differ in at most `maxDistance` bits, each once. */
export function* nearPairs<T>(hashed: readonly Hashed<T>[], maxDistance: number): Generator<readonly [T, T]> {
  // Equal hashes are one: a thousand black images are a chain of 999 pairs and not half a million.
  const first = new Map<bigint, T>()
  for (const [item, hash] of hashed) {
    const held = first.get(hash)
    if (held === undefined) first.set(hash, item)
    else yield [held, item]
  }
  if (maxDistance === 0) return
  const distinct = [...first.keys()].map((hash) => ({ hash, low: Number(hash & 0xffffffffn) | 0, high: Number(hash >> 32n) | 0 }))
  const stretches = maxDistance + 1
  for (let stretch = 0; stretch < stretches; stretch++) {
    const [from, to] = [Math.floor((64 * stretch) / stretches), Math.floor((64 * (stretch + 1)) / stretches)]
    const key = (hash: bigint) => (hash >> BigInt(from)) & ((1n << BigInt(to - from)) - 1n)
    for (const bucket of Map.groupBy(distinct, ({ hash }) => key(hash)).values())
      for (let i = 0; i < bucket.length; i++)
        for (let j = i + 1; j < bucket.length; j++) {
          const [a, b] = [bucket[i]!, bucket[j]!]
          if (ones(a.low ^ b.low) + ones(a.high ^ b.high) > maxDistance) continue
          // Told by the first stretch in which they agree.
          if (stretchOfAgreement(a.hash ^ b.hash, stretches) === stretch) yield [first.get(a.hash)!, first.get(b.hash)!]
        }
  }
}

function stretchOfAgreement(difference: bigint, stretches: number): number {
  for (let stretch = 0; stretch < stretches; stretch++) {
    const [from, to] = [Math.floor((64 * stretch) / stretches), Math.floor((64 * (stretch + 1)) / stretches)]
    if (((difference >> BigInt(from)) & ((1n << BigInt(to - from)) - 1n)) === 0n) return stretch
  }
  return -1
}

/** Sets of two and more items that hang together by the pairs, in the order of `items`. */
export function clustersOf<T>(items: readonly T[], pairs: Iterable<readonly [T, T]>): ReadonlySet<T>[] {
  const parent = new Map(items.map((item) => [item, item]))
  const root = (item: T): T => {
    let at = item
    while (parent.get(at) !== at) {
      const above = parent.get(parent.get(at)!)!
      parent.set(at, above)
      at = above
    }
    return at
  }
  for (const [a, b] of pairs) if (parent.has(a) && parent.has(b)) parent.set(root(a), root(b))
  return [...Map.groupBy(items, root).values()].filter((each) => each.length > 1).map((each) => new Set(each))
}
