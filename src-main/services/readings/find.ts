// What a check finds among the samples of a filter. Facts of images and neighbours by features are there already; here
// samples are read and compared.

import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { DataCheck, FindingRow, ImageFacts } from '../../domain/data-check.ts'
import { LabError } from '../../domain/errors.ts'
import { clustersAroundBest, clustersOf, hammingDistance, nearPairs, type Hashed } from '../../domain/hash-clusters.ts'
import type { JobEvent } from '../../domain/job.ts'
import { parse } from '../../domain/parse.ts'
import type { ReadingOf, ReadingProgress } from '../../domain/reading.ts'
import { answersOfContent, categoriesOfContent } from '../../domain/sample-facts.ts'
import type { SampleFilter } from '../../domain/sample-query.ts'
import type { Content } from '../../domain/sample.ts'
import type { ExaminedSample } from '../../store/samples.ts'
import type { Store } from '../../store/store.ts'
import { createCounter } from './told.ts'

type Examined = ExaminedSample & { readonly content: Content }

const neighboursSchema = z.strictObject({
  of: z.array(z.string()),
  neighbours: z.array(z.array(z.string())),
  similarities: z.array(z.array(z.number())),
})

/** Answers that more samples share than this are told. */
const MANY_SAME_ANSWERS = 20
/** Standard deviations of the logarithm of length from its mean. */
const FAR_LENGTH = 4
const FINDINGS_A_MESSAGE = 500

/** What it finds, and on the way how far it is. */
type Finder = Generator<JobEvent, FindingRow[]>

export function* find(store: Store, reading: ReadingOf<'find'>): Generator<JobEvent, number> {
  const { check } = reading
  const findings = check === 'token-counts' ? longTexts(store, reading) : yield* finders(store, reading, yield* examined(store, reading.filter))[check]()
  for (let from = 0; from < findings.length; from += FINDINGS_A_MESSAGE) yield { kind: 'found', findings: findings.slice(from, from + FINDINGS_A_MESSAGE) }
  return findings.length
}

function* examined(store: Store, filter: SampleFilter): Generator<ReadingProgress, Examined[]> {
  const samples: Examined[] = []
  const counter = createCounter(store.sampleCounts.count(filter))
  for (const sample of store.samples.examined(filter)) {
    const told = counter.next()
    if (told !== null) yield told
    samples.push(sample)
  }
  return samples
}

function longTexts(store: Store, { filter, settings: { maxTokens }, tokenizer }: ReadingOf<'find'>): FindingRow[] {
  if (tokenizer === null) throw new LabError('internal', 'a check of token counts was asked for without a tokenizer')
  return store.tokenCounts.longer(filter, tokenizer, maxTokens).map(({ row, tokens }, i) => ({
    row,
    cluster: i,
    isBest: false,
    score: tokens,
    detail: `${tokens - maxTokens} tokens too many: ${tokens} of at most ${maxTokens}`,
  }))
}

function finders(store: Store, { settings, neighbours }: ReadingOf<'find'>, examined: readonly Examined[]): Readonly<Record<Exclude<DataCheck, 'token-counts'>, () => Finder>> {
  return {
    *'exact-duplicates'() {
      const facts = store.findings.facts()
      const groups = new Map<string, Examined[]>()
      for (const sample of examined) {
        // The same pixels in another file are the same image.
        const image = sample.sha256 === null ? '' : (facts.get(sample.sha256)?.pixelHash ?? sample.sha256)
        const key = `${image}\n${JSON.stringify(sample.content)}`
        const group = groups.get(key)
        if (group === undefined) groups.set(key, [sample])
        else group.push(sample)
      }
      return clustered([...groups.values()].filter((each) => each.length > 1), 'the same image and the same words')
    },
    *'near-duplicates'() {
      const samples = examined.filter(({ sha256 }) => sha256 !== null)
      const facts = store.findings.facts()
      const clusters = yield* told(clustersAroundBest(hashesOf(facts, imagesOf(samples.toSorted(betterFirst))), settings.maxDistance))
      return clustered(
        samplesOf(clusters, samples),
        `hash at most ${settings.maxDistance} of 64 bits from the best’s`,
        ({ sha256 }, best) => distanceOf(facts, sha256, best.sha256),
      )
    },
    *leakage() {
      const samples = examined.filter(({ sha256 }) => sha256 !== null)
      const facts = store.findings.facts()
      const all = [...imagesOf(samples)]
      const hashes = hashesOf(facts, all)
      // Whatever is near must share a cluster here, or a leak would go unseen: chains are wanted.
      const near = clustersOf(
        hashes.map(([image]) => image),
        nearPairs(hashes, settings.maxDistance),
      )
      const isIn = new Set(near.flatMap((each) => [...each]))
      // One image alone leaks too, when different datasets put it on both sides.
      const clusters = [...near, ...all.filter((image) => !isIn.has(image)).map((image) => new Set([image]))]
      const leaking = samplesOf(clusters, samples).filter((each) => each.some(({ split }) => split === 'train') && each.some(({ split }) => split !== 'train'))
      // What is measured on is what must go: samples trained on are called best and stay.
      return leaking.flatMap((each, cluster) =>
        each.map(({ row, split, datasetId }) => ({
          row,
          cluster,
          isBest: split === 'train',
          score: null,
          detail: `${split} in “${store.datasets.find(datasetId)!.name}”, with ${each.length - 1} others on ${new Set(each.map((one) => one.split)).size} splits`,
        })),
      )
    },
    *images() {
      const facts = store.findings.facts()
      const found: FindingRow[] = []
      for (const sample of examined) {
        if (sample.sha256 === null) continue
        const seen = facts.get(sample.sha256)
        const faults = [
          seen?.fault ?? null,
          Math.min(sample.width, sample.height) < settings.minSide ? `tiny: ${sample.width} × ${sample.height} pixels` : null,
          seen?.contrast !== null && seen !== undefined && seen.contrast < settings.minContrast ? 'one colour' : null,
        ].filter((fault) => fault !== null)
        if (faults.length > 0)
          found.push({ row: sample.row, cluster: found.length, isBest: false, score: seen?.contrast ?? null, detail: faults.join('; ') })
      }
      return found
    },
    *texts() {
      const samples = examined
      const byAnswer = Map.groupBy(
        samples.filter(({ content }) => content.kind !== 'objects'),
        ({ content }) => answersOfContent(content).join('\n').trim().toLowerCase(),
      )
      const lengths = samples.map(({ content }) => Math.log1p(answersOfContent(content).join('').length))
      const mean = lengths.reduce((sum, each) => sum + each, 0) / Math.max(1, lengths.length)
      const deviation = Math.sqrt(lengths.reduce((sum, each) => sum + (each - mean) ** 2, 0) / Math.max(1, lengths.length))
      const found: FindingRow[] = []
      samples.forEach(({ row, content }, i) => {
        if (content.kind === 'objects') return
        const answer = answersOfContent(content).join('\n').trim().toLowerCase()
        const shared = byAnswer.get(answer)!.length
        const distance = deviation === 0 ? 0 : (lengths[i]! - mean) / deviation
        const details = [
          /[\p{L}\p{N}]/u.test(answer) ? null : 'an answer without a word',
          Math.abs(distance) > FAR_LENGTH ? `an answer of unusual length, ${distance.toFixed(1)} standard deviations` : null,
          shared > MANY_SAME_ANSWERS && content.kind !== 'questions' ? `${shared} samples answer the same` : null,
        ].filter((detail) => detail !== null)
        if (details.length > 0) found.push({ row, cluster: found.length, isBest: false, score: distance, detail: details.join('; ') })
      })
      return found
    },
    *'feature-duplicates'() {
      const near = neighboursIn(neighbours)
      const samples = examined.filter(({ sha256 }) => sha256 !== null)
      const links = near.of.flatMap((image, i) =>
        near.neighbours[i]!.flatMap((other, rank) =>
          near.similarities[i]![rank]! >= settings.minSimilarity ? [[image, other] as const] : [],
        ),
      )
      const clusters = clustersOf([...new Set(near.of)], links)
      return clustered(
        samplesOf(clusters, samples),
        `cosine of features at least ${settings.minSimilarity}`,
      )
    },
    *'label-outliers'() {
      const near = neighboursIn(neighbours)
      const samples = examined.filter(({ sha256 }) => sha256 !== null)
      const labels = new Map<string, string>()
      for (const { sha256, content } of samples) {
        const categories = categoriesOfContent(content)
        // An image with several labels is no outlier of any.
        if (sha256 !== null && categories.length === 1) labels.set(sha256, categories[0]!)
      }
      const found: FindingRow[] = []
      const shares = new Map<string, { share: number; other: string }>()
      near.of.forEach((image, i) => {
        const own = labels.get(image)
        const votes = near.neighbours[i]!.flatMap((each) => labels.get(each) ?? [])
        if (own === undefined || votes.length === 0) return
        const counts = [...Map.groupBy(votes, (each) => each)].sort(([a, x], [b, y]) => y.length - x.length || (a < b ? -1 : 1))
        const [other, of] = counts[0]!
        if (other !== own && of.length > votes.length / 2) shares.set(image, { share: of.length / votes.length, other })
      })
      for (const { row, sha256 } of samples) {
        const outlier = sha256 === null ? undefined : shares.get(sha256)
        if (outlier === undefined) continue
        const { share, other } = outlier
        const detail = `labelled ${labels.get(sha256!)}, ${Math.round(100 * share)} % of its neighbours are ${other}`
        found.push({ row, cluster: found.length, isBest: false, score: share, detail })
      }
      return found
    },
  }
}

/** How far the comparing of hashes is. */
function* told<Result>(comparing: Generator<{ readonly done: number; readonly of: number }, Result>): Generator<JobEvent, Result> {
  let isTold = false
  for (let step = comparing.next(); ; step = comparing.next()) {
    if (step.done === true) return step.value
    if (!isTold) yield { kind: 'part', name: 'comparing images', of: step.value.of }
    isTold = true
    yield { kind: 'progress', ...step.value }
  }
}

function neighboursIn(file: string | null): z.output<typeof neighboursSchema> {
  if (file === null) throw new LabError('internal', 'a check on features was asked for without them')
  return parse(neighboursSchema, JSON.parse(readFileSync(file, 'utf8')), 'internal', 'neighbours of images')
}

/** The samples of each cluster's images, in order. */
function samplesOf(clusters: readonly ReadonlySet<string>[], samples: readonly Examined[]): Examined[][] {
  const byImage = Map.groupBy(samples, ({ sha256 }) => sha256!)
  return clusters.map((images) => [...images].flatMap((image) => byImage.get(image) ?? []).sort((a, b) => a.row - b.row))
}

const imagesOf = (samples: readonly Examined[]): ReadonlySet<string> => new Set(samples.map(({ sha256 }) => sha256!))

/** Perceptual hashes of the images that have one, in their order. */
function hashesOf(facts: ReadonlyMap<string, ImageFacts>, images: Iterable<string>): Hashed<string>[] {
  return [...images].flatMap((sha256) => {
    const hash = facts.get(sha256)?.perceptualHash
    return hash === null || hash === undefined ? [] : [[sha256, BigInt(`0x${hash}`)] as const]
  })
}

function distanceOf(facts: ReadonlyMap<string, ImageFacts>, a: string | null, b: string | null): number | null {
  const [x, y] = [a === null ? null : facts.get(a)?.perceptualHash, b === null ? null : facts.get(b)?.perceptualHash]
  return x === null || y === null || x === undefined || y === undefined ? null : hammingDistance(BigInt(`0x${x}`), BigInt(`0x${y}`))
}

/** Best of a cluster: most pixels, then first imported. */
const betterFirst = (a: Examined, b: Examined): number => b.pixels - a.pixels || a.row - b.row

function clustered(
  clusters: readonly (readonly Examined[])[],
  detail: string,
  score: (sample: Examined, best: Examined) => number | null = () => null,
): FindingRow[] {
  return clusters
    .filter((each) => each.length > 1)
    .toSorted((a, b) => a[0]!.row - b[0]!.row)
    .flatMap((each, cluster) => {
      const best = each.reduce((held, one) => (betterFirst(one, held) < 0 ? one : held))
      return each.map((one) => ({ row: one.row, cluster, isBest: one === best, score: score(one, best), detail }))
    })
}
