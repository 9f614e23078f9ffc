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
  const distinct = [...first.keys()].map(halved)
  const stretches = maxDistance + 1
  for (let stretch = 0; stretch < stretches; stretch++)
    for (const bucket of Map.groupBy(distinct, ({ hash }) => stretchOf(hash, stretch, stretches)).values())
      for (let i = 0; i < bucket.length; i++)
        for (let j = i + 1; j < bucket.length; j++) {
          const [a, b] = [bucket[i]!, bucket[j]!]
          if (distanceOfHalves(a, b) > maxDistance) continue
          // Told by the first stretch in which they agree.
          if (stretchOfAgreement(a.hash ^ b.hash, stretches) === stretch) yield [first.get(a.hash)!, first.get(b.hash)!]
        }
}

/**
 * Clusters of two and more items around their best, which stands first: all of a cluster differ from it in at most
 * `maxDistance` bits, and no best is that near to another, so that the bests alone hold no near pair. Items that merely
 * hang together by others between them are not of one cluster. Whoever walks through it is told every few bests how many
 * hashes are done, and may stop there.
 * @param hashed  the best first
 */
export function* clustersAroundBest<T>(hashed: readonly Hashed<T>[], maxDistance: number): Generator<{ readonly done: number; readonly of: number }, ReadonlySet<T>[]> {
  const byHash = Map.groupBy(hashed, ([, hash]) => hash)
  const distinct = [...byHash.keys()]
  const of = distinct.length
  const [low, high] = [new Int32Array(of), new Int32Array(of)]
  distinct.forEach((hash, i) => {
    low[i] = Number(hash & 0xffffffffn)
    high[i] = Number(hash >> 32n)
  })
  const stretches = maxDistance + 1
  const buckets = Array.from({ length: stretches }, (_, stretch) => bucketsOf(distinct, stretch, stretches))
  const isTaken = new Uint8Array(of)
  const clusters: ReadonlySet<T>[] = []
  for (let best = 0; best < of; best++) {
    if (best % BESTS_A_TURN === 0 && best > 0) yield { done: best, of }
    if (isTaken[best] === 1) continue
    isTaken[best] = 1
    const items = [...byHash.get(distinct[best]!)!]
    const [bestLow, bestHigh] = [low[best]!, high[best]!]
    for (const { members, bucketOf } of buckets) {
      const bucket = members[bucketOf[best]!]!
      // Who is taken leaves the bucket, so that of very many alike each is looked at once.
      let kept = 0
      for (let at = 0; at < bucket.length; at++) {
        const other = bucket[at]!
        if (isTaken[other] === 1) continue
        if (ones(bestLow ^ low[other]!) + ones(bestHigh ^ high[other]!) <= maxDistance) {
          isTaken[other] = 1
          for (const item of byHash.get(distinct[other]!)!) items.push(item)
        } else bucket[kept++] = other
      }
      members[bucketOf[best]!] = bucket.subarray(0, kept)
    }
    if (items.length > 1) clusters.push(new Set(items.map(([item]) => item)))
  }
  return clusters
}

/** Between two of its words clustering cannot be stopped. */
const BESTS_A_TURN = 500

/** Hashes, by index, that agree in a stretch; and of each the bucket that it is in. */
function bucketsOf(hashes: readonly bigint[], stretch: number, stretches: number): { readonly members: Int32Array[]; readonly bucketOf: Int32Array } {
  const numbers = new Map<bigint, number[]>()
  hashes.forEach((hash, i) => {
    const key = stretchOf(hash, stretch, stretches)
    const held = numbers.get(key)
    if (held === undefined) numbers.set(key, [i])
    else held.push(i)
  })
  const members = [...numbers.values()].map((each) => Int32Array.from(each))
  const bucketOf = new Int32Array(hashes.length)
  members.forEach((each, number) => each.forEach((i) => (bucketOf[i] = number)))
  return { members, bucketOf }
}

/** A hash with its halves as 32-bit numbers, which compare faster. */
interface Halved {
  readonly hash: bigint
  readonly low: number
  readonly high: number
}
const halved = (hash: bigint): Halved => ({ hash, low: Number(hash & 0xffffffffn) | 0, high: Number(hash >> 32n) | 0 })
const distanceOfHalves = (a: Halved, b: Halved): number => ones(a.low ^ b.low) + ones(a.high ^ b.high)

/** The bits of one of `stretches` parts of a hash, about equally long. */
function stretchOf(hash: bigint, stretch: number, stretches: number): bigint {
  const [from, to] = [Math.floor((64 * stretch) / stretches), Math.floor((64 * (stretch + 1)) / stretches)]
  return (hash >> BigInt(from)) & ((1n << BigInt(to - from)) - 1n)
}

function stretchOfAgreement(difference: bigint, stretches: number): number {
  for (let stretch = 0; stretch < stretches; stretch++) if (stretchOf(difference, stretch, stretches) === 0n) return stretch
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
