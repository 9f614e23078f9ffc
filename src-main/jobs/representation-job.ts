// Two encoders on the same pictures: layer by layer against each other and against language, and what moved. One model is in memory
// at a time; of its features the means over patches stay.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent, RepresentationJob } from '../domain/job.ts'
import { createRandom } from '../domain/random.ts'
import type { LayerTable, Representation } from '../domain/representation.ts'
import type { ImageRef } from '../domain/sample.ts'
import { quantileOfSorted } from '../domain/statistics/description.ts'
import { bestMutualKnn, mutualKnn, shuffledBaseline, unbiasedCka } from '../engine/evaluate/measures/alignment.ts'
import type { Matrix } from '../engine/evaluate/measures/matrix.ts'
import { changedNeighbours, ckaTable, effectiveRank, procrustes } from '../engine/evaluate/measures/representation.ts'
import { pooledBlocks, pooledText } from './evaluate/alignment.ts'
import { batchesOf, drawSamples } from './evaluate/bench.ts'
import { ofPatches, openMeasuredModel, stackRows, type MeasuredModel } from './evaluate/measured-model.ts'
import { readSnapshot } from './samples.ts'

const BATCH = 32
const MOST_CHANGED = 48

interface Seen {
  readonly layers: readonly Matrix[]
  readonly norms: Float64Array
}

/** Answers `Representation`. @throws LabError 'cancelled' between batches; 'invalid-input' for too few pictures */
export async function* runRepresentationJob(job: RepresentationJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const { limit, neighbours: k, seed, ckaBatch, shuffles } = job.settings
  const pictures = drawSamples(await picturesOf(job), limit, seed, 'representation')
  if (pictures.length < Math.max(4, k + 2))
    throw new LabError('invalid-input', `expected at least ${Math.max(4, k + 2)} different pictures for ${k} neighbours, found ${pictures.length}; lower neighbours, or choose a larger dataset`)
  const images = pictures.map(({ image }) => image)
  const captions = pictures.flatMap(({ caption }) => (caption === null ? [] : [caption]))
  const notes: string[] = []
  const hasLanguage = job.languageModel !== null && captions.length === images.length
  if (job.languageModel !== null && !hasLanguage) notes.push(`only ${captions.length} of ${images.length} pictures have a caption: alignment with language is left out`)
  const of = images.length * (hasLanguage ? 3 : 2)
  let done = 0
  yield { kind: 'part', name: 'features', of }

  async function* through<T, R>(all: readonly T[], read: (group: readonly T[]) => Promise<R>): AsyncGenerator<JobEvent, readonly R[]> {
    const parts: R[] = []
    for (const group of batchesOf(all, BATCH)) {
      if (signal.aborted) throw new LabError('cancelled', 'stopped between batches')
      parts.push(await read(group))
      yield { kind: 'progress', done: (done += group.length), of }
    }
    return parts
  }
  async function* seenBy(checkpoint: string): AsyncGenerator<JobEvent, Seen> {
    const measured = await openMeasuredModel(job.project, checkpoint)
    try {
      const parts = yield* through(images, async (group) => ({ layers: await pooledBlocks(measured, group), norms: await patchNorms(measured, group) }))
      return { layers: layersOf(parts.map(({ layers }) => layers)), norms: Float64Array.from(parts.flatMap(({ norms }) => Array.from(norms))).sort() }
    } finally {
      measured.dispose()
    }
  }
  async function* readBy(checkpoint: string): AsyncGenerator<JobEvent, readonly Matrix[]> {
    const measured = await openMeasuredModel(job.project, checkpoint)
    try {
      return layersOf(yield* through(captions, async (group) => pooledText(measured, group)))
    } finally {
      measured.dispose()
    }
  }

  const [a, b] = [yield* seenBy(job.a), yield* seenBy(job.b)]
  const language = hasLanguage ? yield* readBy(job.languageModel!) : null
  const random = createRandom(seed, 'representation')
  const tablesOf = (rows: 'a' | 'b', columns: LayerTable['columns'], x: readonly Matrix[], y: readonly Matrix[]): readonly LayerTable[] => {
    const tabled = (measure: LayerTable['measure'], values: readonly (readonly number[])[], of: (x: Matrix, y: Matrix) => number): LayerTable => {
      let best = { row: 0, column: 0, value: -Infinity }
      values.forEach((row, i) => row.forEach((value, j) => (best = value > best.value ? { row: i, column: j, value } : best)))
      return { rows, columns, measure, values: values.map((row) => [...row]), best, shuffled: shuffledBaseline(of, x[best.row]!, y[best.column]!, random, shuffles) }
    }
    return [
      tabled('cka', ckaTable(x, y, ckaBatch), (p, q) => unbiasedCka(p, q)),
      tabled('mutual-knn', bestMutualKnn(x, y, { k }).table, (p, q) => mutualKnn(p, q, { k })),
    ]
  }
  yield { kind: 'part', name: 'comparing layers', of: 1 }
  const tables = [
    ...tablesOf('a', 'b', a.layers, b.layers),
    ...tablesOf('a', 'a', a.layers, a.layers),
    ...tablesOf('b', 'b', b.layers, b.layers),
    ...(language === null ? [] : [...tablesOf('a', 'language', a.layers, language), ...tablesOf('b', 'language', b.layers, language)]),
  ]
  if (signal.aborted) throw new LabError('cancelled', 'stopped while comparing layers')
  const [last, other] = [a.layers.at(-1)!, b.layers.at(-1)!]
  const changed = changedNeighbours(last, other, k)
  const aligned = procrustes(last, other)
  const at = ({ values, columns }: Matrix, i: number): [number, number] => [values[i * columns]!, values[i * columns + 1] ?? 0]
  const named = (rows: readonly number[]) => rows.map((row) => images[row]!.sha256)
  const value: Representation = {
    images: images.length,
    tables,
    a: shapeOf(a),
    b: shapeOf(b),
    changed: changed.items
      .map((item, i) => ({ image: images[i]!.sha256, shared: item.shared, a: named(item.x), b: named(item.y) }))
      .toSorted((p, q) => p.shared - q.shared)
      .slice(0, MOST_CHANGED),
    kept: changed.kept,
    moved: images.map(({ sha256 }, i) => ({ image: sha256, before: at(aligned.x, i), after: at(aligned.y, i) })),
    residual: aligned.residual,
    explained: aligned.explained,
    notes,
  }
  yield { kind: 'progress', done: 1, of: 1 }
  yield { kind: 'answer', value }
}

function shapeOf({ layers, norms }: Seen): Representation['a'] {
  const [least, first, median, third, most] = [0, 0.25, 0.5, 0.75, 1].map((share) => quantileOfSorted(norms, share)) as [number, number, number, number, number]
  const limit = third + 3 * (third - first)
  return {
    effectiveRank: layers.map(effectiveRank),
    width: layers.at(-1)!.columns,
    patchNorms: [least, first, median, third, most],
    outliers: norms.filter((norm) => norm > limit).length / norms.length,
  }
}

/** Lengths of the patches' features as the projector takes them. */
async function patchNorms(measured: MeasuredModel, images: readonly ImageRef[]): Promise<Float32Array> {
  const features = await measured.features(images)
  const norms = tf.tidy(() => tf.norm(features, 2, -1).dataSync()) as Float32Array
  features.dispose()
  return ofPatches(measured, norms)
}

const layersOf = (parts: readonly (readonly Matrix[])[]): readonly Matrix[] => parts[0]!.map((_, layer) => stackRows(parts.map((part) => part[layer]!)))

/** Each picture of the split once, with its first caption where the dataset has such. */
async function picturesOf({ project, snapshot, split }: RepresentationJob): Promise<readonly { readonly image: ImageRef; readonly caption: string | null }[]> {
  const found = new Map<string, { readonly image: ImageRef; readonly caption: string | null }>()
  for (const sample of await readSnapshot(project, snapshot)) {
    if (sample.split !== split || sample.image === null || found.has(sample.image.sha256)) continue
    const caption = sample.content.kind === 'conversations' ? (sample.content.turns.find(({ from }) => from === 'assistant')?.text ?? null) : null
    found.set(sample.image.sha256, { image: sample.image, caption })
  }
  return [...found.values()]
}
