// Maps and neighbours from features on disk: two clouds stay two, a seed names a map, and nobody is his own neighbour.

import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { DataJob } from '../../src-main/domain/data-job.ts'
import { clustersAroundBest, clustersOf, hammingDistance, nearPairs } from '../../src-main/domain/hash-clusters.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import { readFeatures, writeFeatures } from '../../src-main/jobs/feature-file.ts'
import { runDataJob } from '../../src-main/jobs/run-data-job.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const D = 8
const images = Array.from({ length: 40 }, (_, i) => i.toString(16).padStart(64, '0'))

/** The first half around one direction, the second around another. */
async function twoClouds(): Promise<string> {
  const random = createRandom(5, 'clouds')
  const values = new Float32Array(images.length * D)
  images.forEach((_, i) => {
    for (let k = 0; k < D; k++) values[i * D + k] = 0.05 * random.normal() + (k === (i < 20 ? 0 : 1) ? 1 : 0)
  })
  const file = join(temporaryFolder(), 'features.safetensors')
  await writeFeatures(file, { images, features: { rows: images.length, columns: D, values } })
  return file
}

function ended<Result>(work: Generator<unknown, Result>): Result {
  for (let step = work.next(); ; step = work.next()) if (step.done === true) return step.value
}

async function answer(job: DataJob): Promise<Record<string, never>> {
  let value: unknown
  for await (const event of runDataJob(job, { aborted: false })) if (event.kind === 'answer') ({ value } = event)
  return value as Record<string, never>
}

const map = (features: string, method: 'pca' | 'umap', seed = 0) =>
  answer({ kind: 'map-features', features, images, method, seed, neighbours: 8 }) as unknown as Promise<{ x: number[]; y: number[]; explained: number }>

describe('a map', () => {
  it.each(['pca', 'umap'] as const)('by %s keeps two clouds apart, and is the same for the same seed', async (method) => {
    const features = await twoClouds()
    const { x, y, explained } = await map(features, method)
    const middle = (from: number) => [x, y].map((axis) => axis.slice(from, from + 20).reduce((sum, each) => sum + each, 0) / 20)
    const [a, b] = [middle(0), middle(20)]
    const apart = Math.hypot(a[0]! - b[0]!, a[1]! - b[1]!)
    images.forEach((_, i) => {
      const own = i < 20 ? a : b
      expect(Math.hypot(x[i]! - own[0]!, y[i]! - own[1]!)).toBeLessThan(apart / 2)
    })
    expect(explained).toBeGreaterThan(0.5)
    expect(await map(features, method)).toEqual({ x, y, explained })
    if (method === 'umap') expect((await map(features, method, 1)).x).not.toEqual(x)
  })

  it('of images without features is refused', async () => {
    const features = await twoClouds()
    const job: DataJob = { kind: 'map-features', features, images: ['f'.repeat(64)], method: 'pca', seed: 0, neighbours: 8 }
    expect((await faultOfPromise(answer(job))).code).toBe('not-found')
  })
})

describe('neighbours', () => {
  it('are of the own cloud, nearest first, and never the image itself', async () => {
    const features = await twoClouds()
    const { neighbours, similarities } = (await answer({ kind: 'feature-neighbours', features, images, of: null, neighbours: 5, file: null })) as unknown as {
      neighbours: string[][]
      similarities: number[][]
    }
    neighbours.forEach((near, i) => {
      expect(near).not.toContain(images[i])
      expect(near.every((each) => images.indexOf(each) < 20 === i < 20)).toBe(true)
      expect(similarities[i]).toEqual(similarities[i]!.toSorted((a, b) => b - a))
    })
  })
})

it('features read back as they were written', async () => {
  const { images: known, features } = await readFeatures(await twoClouds())
  expect([known, features.rows, features.columns]).toEqual([images, 40, D])
})

describe('near hashes', () => {
  it('are exactly the pairs within the distance, and hang together as a search by hand finds', () => {
    const random = createRandom(2, 'hashes')
    const word = () => (BigInt(random.integer(2 ** 32)) << 32n) | BigInt(random.integer(2 ** 32))
    const bases = Array.from({ length: 12 }, word)
    const hashes = bases.flatMap((base) => [base, base ^ (1n << BigInt(random.integer(64))), base ^ (0b10101n << BigInt(random.integer(59)))])
    const items = hashes.map((hash, i) => [i, hash] as const)
    for (const distance of [0, 1, 3, 4]) {
      const byHand = items.flatMap(([i, a]) => items.filter(([j, b]) => j > i && hammingDistance(a, b) <= distance).map(([j]) => [i, j] as const))
      const told = (pairs: Iterable<readonly [number, number]>) =>
        clustersOf(
          items.map(([i]) => i),
          pairs,
        ).map((each) => [...each].toSorted((a, b) => a - b))
      expect(told(nearPairs(items, distance))).toEqual(told(byHand))
    }
    expect([hammingDistance(0n, 0xffffffffffffffffn), hammingDistance(5n, 5n), hammingDistance(1n << 63n, 0n)]).toEqual([64, 0, 1])
  })

  it('are clustered within the limit of their best, and what is left when only bests stay has no near pair', () => {
    const random = createRandom(8, 'chains')
    // Chains: each differs from the one before in up to three bits, or is the same.
    const hashes: bigint[] = [0n]
    while (hashes.length < 300) {
      const flips = Array.from({ length: random.integer(4) }, () => 1n << BigInt(random.integer(64)))
      hashes.push(flips.reduce((hash, bit) => hash ^ bit, hashes.at(-1)!))
    }
    const items = hashes.map((hash, i) => [i, hash] as const)
    const distance = (a: number, b: number) => hammingDistance(hashes[a]!, hashes[b]!)
    for (const limit of [0, 1, 4, 9]) {
      const clusters = ended(clustersAroundBest(items, limit)).map((each) => [...each])
      const members = clusters.flat()
      expect(new Set(members).size).toBe(members.length)
      for (const [best, ...others] of clusters) for (const other of others) expect([other > best!, distance(best!, other) <= limit]).toEqual([true, true])
      const others = new Set(clusters.flatMap((each) => each.slice(1)))
      const left = items.filter(([i]) => !others.has(i))
      expect([...nearPairs(left, limit)]).toEqual([])
    }
    // Two steps of the limit are not one: the middle is with the first, the last alone.
    const chain = [['first', 0n], ['middle', 0xfn], ['last', 0xffn]] as const
    expect(ended(clustersAroundBest<string>(chain, 4)).map((each) => [...each])).toEqual([['first', 'middle']])
  })

  it('of very many alike are one cluster, and whoever waits is told how far it is and may stop', () => {
    // All 43,745 hashes that differ from one in at most three bits, the one first; and each as often as the other.
    const bits = Array.from({ length: 64 }, (_, i) => 1n << BigInt(i))
    const near = [0n, ...bits, ...bits.flatMap((a, i) => bits.slice(i + 1).flatMap((b, j) => [a | b, ...bits.slice(i + j + 2).map((c) => a | b | c)]))]
    expect(near.length).toBe(43_745)
    const alike = [...near, ...near].map((hash, i) => [i, hash] as const)
    expect(ended(clustersAroundBest(alike, 3)).map(({ size }) => size)).toEqual([2 * near.length])
    const random = createRandom(3, 'hashes')
    const unlike = Array.from({ length: 2000 }, (_, i) => [i, bits.filter(() => random.uniform() < 0.5).reduce((hash, bit) => hash | bit, 0n)] as const)
    const told = [...clustersAroundBest(unlike, 8)]
    expect(told.length).toBeGreaterThan(1)
    expect(told.map(({ done }) => done)).toEqual(told.map(({ done }) => done).toSorted((a, b) => a - b))
    for (const { done, of } of told) expect([done < of, of]).toEqual([true, 2000])
  })
})
