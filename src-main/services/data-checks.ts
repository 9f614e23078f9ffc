// Checks of data: each looks for one kind of fault among the samples of a filter and stores what it finds, so that a
// finding is a filter that can be looked at, tagged, excluded and undone.

import { z } from 'zod'
import type { Selection } from '../domain/curation.ts'
import { CHECK_LABELS, type FindingRow, type FindingSummary, type ImageFacts } from '../domain/data-check.ts'
import type { CheckRequest, DataTaskResult, MapRequest } from '../domain/data-task.ts'
import { LabError } from '../domain/errors.ts'
import type { MapColour, MapPoints, MapValues, SimilarImage } from '../domain/feature-map.ts'
import { clustersOf, hammingDistance, nearPairs } from '../domain/hash-clusters.ts'
import type { Job } from '../domain/job.ts'
import { categoriesOfContent } from '../domain/sample-facts.ts'
import type { SampleFilter } from '../domain/sample-query.ts'
import type { Content, ImageRef } from '../domain/sample.ts'
import type { ExaminedSample } from '../store/samples.ts'
import { answerOf } from './answer-of.ts'
import { answersOf } from './curation.ts'
import type { DataTaskService, TaskWork } from './data-tasks.ts'
import { examineImages } from './image-facts.ts'
import type { Parts } from './parts.ts'

type Examined = ExaminedSample & { readonly content: Content }

const neighboursSchema = z.strictObject({
  of: z.array(z.string()),
  neighbours: z.array(z.array(z.string())),
  similarities: z.array(z.array(z.number())),
})
const placesSchema = z.strictObject({ x: z.array(z.number()), y: z.array(z.number()), explained: z.number() })

/** Answers that more samples share than this are told. */
const MANY_SAME_ANSWERS = 20
/** Standard deviations of the logarithm of length from its mean. */
const FAR_LENGTH = 4

export type DataCheckService = ReturnType<typeof createDataCheckService>

export function createDataCheckService(parts: Parts, tasks: DataTaskService) {
  const { store, project, runner, dataRunner, queue, announce } = parts

  tasks.define('check', (request) => ({
    title: `check for ${CHECK_LABELS[request.check].label.toLowerCase()}`,
    work: (work) => check(request, work),
  }))
  tasks.define('map', (request) => ({ title: `map of images (${request.method})`, work: (work) => map(request, work) }))

  async function check(request: CheckRequest, work: TaskWork): Promise<DataTaskResult> {
    const findings = await FINDERS[request.check](request, work)
    store.findings.replace(work.taskId, findings)
    announce({ name: 'dataset.changed', value: { datasetId: request.filter.datasetId } })
    return { kind: 'check', samples: store.sampleCounts.count(request.filter), ...store.findings.counts(work.taskId) }
  }

  const FINDERS: Readonly<Record<CheckRequest['check'], (request: CheckRequest, work: TaskWork) => Promise<FindingRow[]>>> = {
    async 'exact-duplicates'({ filter }, work) {
      const facts = await factsOf(store.samples.images(filter), work)
      const groups = new Map<string, Examined[]>()
      for (const sample of store.samples.examined(filter)) {
        // The same pixels in another file are the same image.
        const image = sample.sha256 === null ? '' : (facts.get(sample.sha256)?.pixelHash ?? sample.sha256)
        const key = `${image}\n${JSON.stringify(sample.content)}`
        groups.set(key, [...(groups.get(key) ?? []), sample])
      }
      return clustered([...groups.values()].filter((each) => each.length > 1), 'the same image and the same words')
    },
    async 'near-duplicates'({ filter, settings }, work) {
      const samples = [...store.samples.examined(filter)].filter(({ sha256 }) => sha256 !== null)
      const facts = await factsOf(store.samples.images(filter), work)
      const clusters = similarImages(facts, imagesOf(samples), settings.maxDistance)
      return clustered(
        clusters.map((images) => samples.filter(({ sha256 }) => images.has(sha256!))),
        `hashes differ in at most ${settings.maxDistance} of 64 bits`,
        ({ sha256 }, best) => distanceOf(facts, sha256, best.sha256),
      )
    },
    async leakage({ filter, settings }, work) {
      const samples = [...store.samples.examined(filter)].filter(({ sha256 }) => sha256 !== null)
      const facts = await factsOf(store.samples.images(filter), work)
      const all = [...imagesOf(samples)]
      const near = similarImages(facts, new Set(all), settings.maxDistance)
      const isIn = new Set(near.flatMap((each) => [...each]))
      // One image alone leaks too, when different datasets put it on both sides.
      const clusters = [...near, ...all.filter((image) => !isIn.has(image)).map((image) => new Set([image]))]
      const leaking = clusters
        .map((images) => samples.filter(({ sha256 }) => images.has(sha256!)))
        .filter((each) => each.some(({ split }) => split === 'train') && each.some(({ split }) => split !== 'train'))
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
    async images({ filter, settings }, work) {
      const facts = await factsOf(store.samples.images(filter), work, true)
      const found: FindingRow[] = []
      for (const sample of store.samples.examined(filter)) {
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
    async texts({ filter }) {
      const samples = [...store.samples.examined(filter)]
      const byAnswer = Map.groupBy(
        samples.filter(({ content }) => content.kind !== 'objects'),
        ({ content }) => answersOf(content).join('\n').trim().toLowerCase(),
      )
      const lengths = samples.map(({ content }) => Math.log1p(answersOf(content).join('').length))
      const mean = lengths.reduce((sum, each) => sum + each, 0) / Math.max(1, lengths.length)
      const deviation = Math.sqrt(lengths.reduce((sum, each) => sum + (each - mean) ** 2, 0) / Math.max(1, lengths.length))
      const found: FindingRow[] = []
      samples.forEach(({ row, content }, i) => {
        if (content.kind === 'objects') return
        const answer = answersOf(content).join('\n').trim().toLowerCase()
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
    async 'feature-duplicates'({ filter, settings }, work) {
      const { near, samples } = await neighbourhood(filter, requireCheckpoint(settings.checkpoint), settings.neighbours, work)
      const links = near.of.flatMap((image, i) =>
        near.neighbours[i]!.flatMap((other, rank) =>
          near.similarities[i]![rank]! >= settings.minSimilarity ? [[image, other] as const] : [],
        ),
      )
      const clusters = clustersOf([...new Set(near.of)], links)
      return clustered(
        clusters.map((images) => samples.filter(({ sha256 }) => images.has(sha256!))),
        `cosine of features at least ${settings.minSimilarity}`,
      )
    },
    async 'label-outliers'({ filter, settings }, work) {
      const { near, samples } = await neighbourhood(filter, requireCheckpoint(settings.checkpoint), settings.neighbours, work)
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

  const factsOf = (images: readonly ImageRef[], work: TaskWork, again = false) => examineImages(parts, images, work, again)

  /** Features of the filter's images in a file, computed where they are missing. It waits its turn for the engine. */
  async function featuresOf(images: readonly ImageRef[], checkpoint: string, work: TaskWork): Promise<string> {
    let file: string | null = null
    await queue.add(async () => {
      const job: Job = { kind: 'image-features', project, checkpoint, images: [...images] }
      for await (const event of runner(job, work.signal, { backend: store.settings.get().backend })) {
        if (event.kind === 'progress') work.progress('features of images', event.done, event.of)
        if (event.kind === 'artifact') file = event.path
      }
    })
    if (file === null) throw new LabError('internal', 'features of images: the job ended without a file')
    return file
  }

  async function neighbourhood(filter: SampleFilter, checkpoint: string, neighbours: number, work: TaskWork) {
    const images = store.samples.images(filter)
    if (images.length < 2) throw new LabError('invalid-input', `this check needs at least 2 images, found ${images.length}; choose more samples`)
    const features = await featuresOf(images, checkpoint, work)
    const job = { kind: 'feature-neighbours', features, images: images.map(({ sha256 }) => sha256), of: null, neighbours } as const
    const near = await answerOf(dataRunner(job, work.signal), neighboursSchema, 'neighbours of images', (event) => {
      if (event.kind === 'progress') work.progress('comparing features', event.done, event.of)
    })
    return { near, samples: [...store.samples.examined(filter)].filter(({ sha256 }) => sha256 !== null) }
  }

  async function map(request: MapRequest, work: TaskWork): Promise<DataTaskResult> {
    const images = store.samples.images(request.filter)
    const features = await featuresOf(images, request.checkpoint, work)
    const { method, seed, neighbours } = request
    const hashes = images.map(({ sha256 }) => sha256)
    const job = { kind: 'map-features', features, images: hashes, method, seed, neighbours } as const
    const places = await answerOf(dataRunner(job, work.signal), placesSchema, 'map of images', (event) => {
      if (event.kind === 'progress') work.progress('laying out', event.done, event.of)
    })
    store.mapPoints.insert(work.taskId, hashes, places.x, places.y)
    return { kind: 'map', images: images.length, explained: places.explained }
  }

  return {
    start: (request: Omit<CheckRequest, 'kind'>): { readonly taskId: string } => tasks.start({ kind: 'check', ...request }),
    startMap: (request: Omit<MapRequest, 'kind'>): { readonly taskId: string } => tasks.start({ kind: 'map', ...request }),
    /** Clusters of a check after `after`, for looking at side by side. */
    clusters: (taskId: string, after: number, limit: number): readonly (readonly FindingRow[])[] => {
      tasks.get(taskId)
      return store.findings.clusters(taskId, after, limit)
    },
    /** What a check found, as numbers. */
    summary(taskId: string): FindingSummary {
      tasks.get(taskId)
      return store.findings.summary(taskId)
    },
    /** What a map's points are coloured by. */
    colours(taskId: string, colour: MapColour): MapValues {
      tasks.get(taskId)
      return store.mapPoints.values(taskId, colour)
    },
    /** Points of a map, by row, whose images the selected samples are about. */
    marked(taskId: string, selection: Selection): readonly number[] {
      tasks.get(taskId)
      return store.mapPoints.marked(taskId, selection)
    },
    points(taskId: string): MapPoints {
      tasks.get(taskId)
      return store.mapPoints.points(taskId)
    },
    /** The images most like one, under the encoder of a map that holds it. */
    async similar(taskId: string, sha256: string, limit: number): Promise<readonly SimilarImage[]> {
      const { request } = tasks.get(taskId)
      if (request.kind !== 'map') throw new LabError('invalid-input', `"${taskId}" is no map; choose one of lab tasks`, { taskId })
      const { images, rows } = store.mapPoints.points(taskId)
      const work: TaskWork = { taskId, signal: new AbortController().signal, progress: () => {} }
      const refs = images.map((image) => store.datasets.findImage(image)!)
      const features = await featuresOf(refs, request.checkpoint, work)
      const job: Job = { kind: 'feature-neighbours', features, images: [...images], of: [sha256], neighbours: limit }
      const near = await answerOf(dataRunner(job, work.signal), neighboursSchema, 'similar images')
      const rowOf = new Map(images.map((image, i) => [image, rows[i]!]))
      return near.neighbours[0]!.map((image, rank) => ({
        sha256: image,
        similarity: near.similarities[0]![rank]!,
        row: rowOf.get(image)!,
      }))
    },
    hasThumbnail: (sha256: string): boolean => store.findings.hasThumbnail(sha256),
  }
}

function requireCheckpoint(checkpoint: string | null): string {
  if (checkpoint === null)
    throw new LabError('invalid-input', 'checkpoint: this check looks at features; choose a run or a model folder whose encoder computes them')
  return checkpoint
}

const imagesOf = (samples: readonly Examined[]): ReadonlySet<string> => new Set(samples.map(({ sha256 }) => sha256!))

/** Clusters of two and more images whose difference hashes are near, among those asked about. */
function similarImages(facts: ReadonlyMap<string, ImageFacts>, among: ReadonlySet<string>, maxDistance: number): ReadonlySet<string>[] {
  const hashes = [...among].flatMap((sha256) => {
    const hash = facts.get(sha256)?.differenceHash
    return hash === null || hash === undefined ? [] : [[sha256, BigInt(`0x${hash}`)] as const]
  })
  return clustersOf(
    hashes.map(([sha256]) => sha256),
    nearPairs(hashes, maxDistance),
  )
}

function distanceOf(facts: ReadonlyMap<string, ImageFacts>, a: string | null, b: string | null): number | null {
  const [x, y] = [a === null ? null : facts.get(a)?.differenceHash, b === null ? null : facts.get(b)?.differenceHash]
  return x === null || y === null || x === undefined || y === undefined ? null : hammingDistance(BigInt(`0x${x}`), BigInt(`0x${y}`))
}

/** Best of a cluster: most pixels, then first imported. */
function clustered(
  clusters: readonly (readonly Examined[])[],
  detail: string,
  score: (sample: Examined, best: Examined) => number | null = () => null,
): FindingRow[] {
  return clusters
    .filter((each) => each.length > 1)
    .toSorted((a, b) => a[0]!.row - b[0]!.row)
    .flatMap((each, cluster) => {
      const best = each.reduce((held, one) => (one.pixels > held.pixels ? one : held))
      return each.map((one) => ({ row: one.row, cluster, isBest: one === best, score: score(one, best), detail }))
    })
}
