// Checks of data: each looks for one kind of fault among the samples of a filter and stores what it finds, so that a
// finding is a filter that can be looked at, tagged, excluded and undone.

import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { z } from 'zod'
import type { Selection } from '../domain/curation.ts'
import { CHECK_LABELS, type DataCheck, type FindingRow, type FindingSummary } from '../domain/data-check.ts'
import type { CheckRequest, DataTaskResult, MapRequest } from '../domain/data-task.ts'
import { LabError } from '../domain/errors.ts'
import type { MapColour, MapPoints, MapValues, SimilarImage } from '../domain/feature-map.ts'
import type { Job } from '../domain/job.ts'
import type { SampleFilter } from '../domain/sample-query.ts'
import { tokenReadingSchema } from '../domain/token-count.ts'
import { answerOf } from './answer-of.ts'
import type { DataTaskService, TaskWork } from './data-tasks.ts'
import { examineImages } from './image-facts.ts'
import type { Parts } from './parts.ts'
import { createReader } from './read.ts'

const similarSchema = z.strictObject({
  of: z.array(z.string()),
  neighbours: z.array(z.array(z.string())),
  similarities: z.array(z.array(z.number())),
})
const placesSchema = z.strictObject({ x: z.array(z.number()), y: z.array(z.number()), explained: z.number() })

/** Checks that compare what an encoder sees. */
/** Checks that compare images as files and pixels. */
const OF_IMAGES: readonly DataCheck[] = ['exact-duplicates', 'near-duplicates', 'leakage', 'images']
const OF_FEATURES: readonly DataCheck[] = ['feature-duplicates', 'label-outliers']

/** Points of a map in one transaction: main must answer in between. */
const POINTS_AT_ONCE = 2000

export type DataCheckService = ReturnType<typeof createDataCheckService>

export function createDataCheckService(parts: Parts, tasks: DataTaskService) {
  const { store, project, runner, dataRunner, queue, announce } = parts
  const read = createReader(parts)

  tasks.define('check', (request) => ({
    title: `check for ${CHECK_LABELS[request.check].label.toLowerCase()}`,
    work: (work) => check(request, work),
  }))
  tasks.define('map', (request) => ({ title: `map of images (${request.method})`, work: (work) => map(request, work) }))

  async function check(request: CheckRequest, work: TaskWork): Promise<DataTaskResult> {
    const { check: kind, filter, settings } = request
    if (OF_IMAGES.includes(kind)) await examineImages(parts, filter, work, kind === 'images')
    const tokenizer = kind === 'token-counts' ? await countTokens(filter, requireCheckpoint(settings.checkpoint), work) : null
    const neighbours = OF_FEATURES.includes(kind) ? await neighbourhood(filter, requireCheckpoint(settings.checkpoint), settings.neighbours, work) : null
    store.findings.clear(work.taskId)
    let part = 'reading samples'
    try {
      await read({ kind: 'find', check: kind, filter, settings, neighbours, tokenizer }, z.int(), work.signal, (event) => {
        if (event.kind === 'part') part = event.name
        if (event.kind === 'progress') work.progress(part, event.done, event.of)
        if (event.kind === 'found') store.findings.insert(work.taskId, event.findings)
      })
    } finally {
      if (neighbours !== null) await rm(neighbours, { force: true })
    }
    announce({ name: 'dataset.changed', value: { datasetId: request.filter.datasetId } })
    return { kind: 'check', samples: store.sampleCounts.count(request.filter), ...store.findings.counts(work.taskId), tokenizer }
  }

  /** Counts the tokens of samples that the checkpoint's tokenizer has not counted; names the tokenizer. */
  async function countTokens(filter: SampleFilter, checkpoint: string, work: TaskWork): Promise<string> {
    const { tokenizer } = await read({ kind: 'tokens', filter, checkpoint }, tokenReadingSchema, work.signal, (event) => {
      if (event.kind === 'progress') work.progress('counting tokens', event.done, event.of)
      if (event.kind !== 'counted') return
      if (event.rows.length === 0) store.tokenCounts.putTokenizer(event.tokenizer, checkpoint, event.limit)
      store.tokenCounts.insert(event.tokenizer, event.rows, event.tokens)
    })
    return tokenizer
  }

  /** Features of the filter's images in a file, computed where they are missing; of at least `least`. It waits its turn for the engine. */
  async function featuresOf(filter: SampleFilter, checkpoint: string, work: TaskWork, least: number): Promise<{ readonly features: string; readonly images: readonly string[] }> {
    await mkdir(join(project, 'cache'), { recursive: true })
    const list = join(project, 'cache', `images-${work.taskId}.jsonl`)
    let features: string | null = null
    try {
      const images = await read({ kind: 'list-images', filter, file: list }, z.array(z.string()), work.signal)
      if (images.length < least)
        throw new LabError('invalid-input', `features are compared between at least ${least} images, found ${images.length}; choose more samples`)
      await queue.add(async () => {
        const job: Job = { kind: 'image-features', project, checkpoint, images: list }
        for await (const event of runner(job, work.signal, { backend: store.settings.get().backend })) {
          if (event.kind === 'progress') work.progress('features of images', event.done, event.of)
          if (event.kind === 'artifact') features = event.path
        }
      })
      if (features === null) throw new LabError('internal', 'features of images: the job ended without a file')
      return { features, images }
    } finally {
      await rm(list, { force: true })
    }
  }

  /** A file with the nearest of each of the filter's images. */
  async function neighbourhood(filter: SampleFilter, checkpoint: string, neighbours: number, work: TaskWork): Promise<string> {
    const { features, images } = await featuresOf(filter, checkpoint, work, 2)
    const file = join(project, 'cache', `neighbours-${work.taskId}.json`)
    const job: Job = { kind: 'feature-neighbours', features, images: [...images], of: null, neighbours, file }
    for await (const event of dataRunner(job, work.signal)) if (event.kind === 'progress') work.progress('comparing features', event.done, event.of)
    return file
  }

  async function map(request: MapRequest, work: TaskWork): Promise<DataTaskResult> {
    const { features, images } = await featuresOf(request.filter, request.checkpoint, work, 3)
    const { method, seed, neighbours } = request
    const job: Job = { kind: 'map-features', features, images: [...images], method, seed, neighbours }
    const places = await answerOf(dataRunner(job, work.signal), placesSchema, 'map of images', (event) => {
      if (event.kind === 'progress') work.progress('laying out', event.done, event.of)
    })
    for (let from = 0; from < images.length; from += POINTS_AT_ONCE) {
      const to = from + POINTS_AT_ONCE
      store.mapPoints.insert(work.taskId, images.slice(from, to), places.x.slice(from, to), places.y.slice(from, to))
      await nextTurn()
    }
    return { kind: 'map', images: images.length, explained: places.explained, features: relative(project, features) }
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
      const { request, result } = tasks.get(taskId)
      if (request.kind !== 'map') throw new LabError('invalid-input', `"${taskId}" is no map; choose one of lab tasks`, { taskId })
      const images = store.mapPoints.images(taskId)
      const work: TaskWork = { taskId, signal: new AbortController().signal, progress: () => {}, piece: () => {} }
      // The map's own features, so that nobody waits for the engine behind a training.
      const kept = result?.kind === 'map' && result.features !== null ? join(project, result.features) : null
      const features = kept !== null && existsSync(kept) ? kept : (await featuresOf(request.filter, request.checkpoint, work, 2)).features
      const job: Job = { kind: 'feature-neighbours', features, images: [...images], of: [sha256], neighbours: limit, file: null }
      const near = await answerOf(dataRunner(job, work.signal), similarSchema, 'similar images')
      const rowOf = store.mapPoints.rowsOf(taskId, near.neighbours[0]!)
      return near.neighbours[0]!.flatMap((image, rank) => {
        const row = rowOf.get(image)
        return row === undefined ? [] : [{ sha256: image, similarity: near.similarities[0]![rank]!, row }]
      })
    },
    hasThumbnail: (sha256: string): boolean => store.findings.hasThumbnail(sha256),
  }
}

function requireCheckpoint(checkpoint: string | null): string {
  if (checkpoint === null)
    throw new LabError('invalid-input', 'checkpoint: this check asks a model, for its features or its tokenizer; choose a run or a model folder')
  return checkpoint
}
