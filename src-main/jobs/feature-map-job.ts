// Features of many images laid out flat, and who is near to whom. Features come from a file that an engine's job wrote;
// here they are plain numbers: no engine is opened.

import { UMAP } from 'umap-js'
import type { DataJobOf } from '../domain/data-job.ts'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent } from '../domain/job.ts'
import { createRandom } from '../domain/random.ts'
import { normaliseRows, takeRows, type Matrix } from '../engine/evaluate/measures/matrix.ts'
import { nearestNeighbours } from '../engine/evaluate/measures/neighbours.ts'
import { pca, project } from '../engine/evaluate/measures/pca.ts'
import { readFeatures } from './feature-file.ts'
import { writeWhole } from './files.ts'

/** UMAP begins from this many principal components: beyond them is mostly noise, and distances cost by dimension. */
const COMPONENTS_BEFORE_UMAP = 50

/** Answers { x, y, explained }: one place an image, and the share of variance of the first two components. */
export async function* runMapFeaturesJob(job: DataJobOf<'map-features'>, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const features = await rowsOf(job.features, job.images)
  const count = Math.min(COMPONENTS_BEFORE_UMAP, features.rows - 1, features.columns)
  if (features.rows < 3) throw new LabError('invalid-input', `a map needs at least 3 images, found ${features.rows}; choose more samples`)
  const model = pca(features, Math.max(2, count))
  const flat = project(model, features)
  const explained = model.explainedVarianceRatio[0]! + model.explainedVarianceRatio[1]!
  const at = (i: number, k: number) => flat.values[i * flat.columns + k]!
  const rows = Array.from({ length: flat.rows }, (_, i) => i)
  // UMAP's graph needs more points than neighbours.
  const neighbours = Math.min(job.neighbours, features.rows - 1)
  if (job.method === 'pca' || neighbours < 2) {
    yield { kind: 'answer', value: { x: rows.map((i) => at(i, 0)), y: rows.map((i) => at(i, 1)), explained } }
    return
  }
  const random = createRandom(job.seed, 'umap')
  const umap = new UMAP({ nComponents: 2, nNeighbors: neighbours, minDist: 0.1, random: random.uniform })
  const epochs = umap.initializeFit(rows.map((i) => Array.from(flat.values.subarray(i * flat.columns, (i + 1) * flat.columns))))
  yield { kind: 'part', name: 'laying out', of: epochs }
  for (let epoch = 1; epoch <= epochs; epoch++) {
    umap.step()
    if (signal.aborted) throw new LabError('cancelled', 'stopped while laying out the map')
    if (epoch % 10 === 0) yield { kind: 'progress', done: epoch, of: epochs }
  }
  const places = umap.getEmbedding()
  yield { kind: 'answer', value: { x: places.map(([x]) => x!), y: places.map(([, y]) => y!), explained } }
}

/** Answers { of, neighbours, similarities }: for each image asked about its nearest others by cosine, nearest first. */
export async function* runFeatureNeighboursJob(
  job: DataJobOf<'feature-neighbours'>,
  signal: AbortSignalLike,
): AsyncGenerator<JobEvent> {
  const features = normaliseRows(await rowsOf(job.features, job.images))
  const places = new Map(job.images.map((sha256, i) => [sha256, i]))
  const of = job.of ?? job.images
  const k = Math.min(job.neighbours, features.rows - 1)
  const found: string[][] = []
  const similarities: number[][] = []
  yield { kind: 'part', name: 'comparing features', of: of.length }
  // One more than asked, because an image is its own nearest and is left out.
  const size = 256
  for (let from = 0; from < of.length; from += size) {
    if (signal.aborted) throw new LabError('cancelled', 'stopped while comparing features')
    const rows = of.slice(from, from + size).map((sha256) => {
      const row = places.get(sha256)
      if (row === undefined) throw new LabError('not-found', `image ${sha256} has no features here; make the map again`, { sha256 })
      return row
    })
    if (k > 0) {
      const near = nearestNeighbours(takeRows(features, rows), features, Math.min(k + 1, features.rows))
      rows.forEach((row, i) => {
        const ranks = Array.from({ length: near.k }, (_, rank) => i * near.k + rank).filter((at) => near.indices[at] !== row).slice(0, k)
        found.push(ranks.map((at) => job.images[near.indices[at]!]!))
        similarities.push(ranks.map((at) => near.similarities[at]!))
      })
    } else
      for (const _ of rows) {
        found.push([])
        similarities.push([])
      }
    yield { kind: 'progress', done: Math.min(from + size, of.length), of: of.length }
  }
  const value = { of, neighbours: found, similarities }
  if (job.file !== null) await writeWhole(job.file, Buffer.from(JSON.stringify(value)))
  yield { kind: 'answer', value: job.file === null ? value : null }
}

/** The features of these images, in their order. */
async function rowsOf(file: string, images: readonly string[]): Promise<Matrix> {
  const { images: known, features } = await readFeatures(file)
  const places = new Map(known.map((sha256, i) => [sha256, i]))
  const rows = images.map((sha256) => {
    const row = places.get(sha256)
    if (row === undefined) throw new LabError('not-found', `${file}: no features of image ${sha256}; compute them again`, { sha256 })
    return row
  })
  return takeRows(features, rows)
}
