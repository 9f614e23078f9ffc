// Probes one frozen encoder on a dataset of labelled pictures: classification from pooled features, layer by layer where that is
// wanted, and the classes of patches. Results carry the names that a study's own probes have; data and settings tell them apart.

import { isAbsolute, join } from 'node:path'
import { LabError } from '../../domain/errors.ts'
import type { AbortSignalLike, ItemResult, JobEvent, ProbeJob } from '../../domain/job.ts'
import type { Decoding } from '../../domain/preprocess-spec.ts'
import { SPLITS, type Sample } from '../../domain/sample.ts'
import type { ItemDetail } from '../../domain/study-results.ts'
import type { RawImage } from '../../engine/preprocess/raw-image.ts'
import { openDualEncoder, requireTemplates } from '../dual-encoder.ts'
import { batchesOf } from '../evaluate/bench.ts'
import { probeClasses, ticksOf, type LabelledSet } from '../evaluate/classification.ts'
import { cropImage } from '../evaluate/crops.ts'
import { measureSegmentation } from '../evaluate/segmentation.ts'
import { readImage } from '../images/codec.ts'
import { readSnapshot, samplesOf } from '../samples.ts'
import { labelledPictures } from './labelled-pictures.ts'
import { openProbedEncoder, type Pictured, type ProbedEncoder } from './probed-encoder.ts'

/** Segmentation looks at every image of its splits. */
const ALL = Number.MAX_SAFE_INTEGER

/** @throws LabError 'cancelled' between batches and fits; 'invalid-input' naming what data or encoder lack */
export async function* runProbeJob(job: ProbeJob, signal: AbortSignalLike, { keepsFeatures = true } = {}): AsyncGenerator<JobEvent> {
  const assertWanted = () => {
    if (signal.aborted) throw new LabError('cancelled', 'cancelled while probing; features that were computed are kept')
  }
  const samples = await readSnapshot(job.project, job.snapshot)
  const encoder = await openProbedEncoder(job.project, job.checkpoint, { keepsFeatures })
  try {
    for (const message of encoder.notes) yield { kind: 'log', level: 'info', message }
    if (job.settings.probes.some((probe) => probe !== 'segmentation' && probe !== 'zero-shot')) yield* classify(job, encoder, samples, assertWanted)
    if (job.settings.probes.includes('zero-shot')) yield* byWords(job, samples, assertWanted)
    if (job.settings.probes.includes('segmentation')) yield* segment(job, encoder, samples, assertWanted)
  } finally {
    encoder.dispose()
  }
}

async function* classify({ settings }: ProbeJob, encoder: ProbedEncoder, samples: readonly Sample[], assertWanted: () => void): AsyncGenerator<JobEvent> {
  const { categories, splits, notes } = labelledPictures(samplesOf(samples, 'objects'), settings)
  for (const message of notes) yield { kind: 'log', level: 'info', message }
  const layers = layersOf(settings.layers, encoder)
  const pictures = SPLITS.flatMap((split) => splits[split].map(({ picture }) => picture))
  yield { kind: 'part', name: 'features', of: pictures.length }
  const pooled = encoder.pooled(pictures, layers, settings.pooling, { batchSize: settings.batchSize, assertWanted })
  let next = await pooled.next()
  for (; !next.done; next = await pooled.next()) yield { kind: 'progress', done: next.value, of: pictures.length }
  const features = [...next.value]

  const of = layers.length * ticksOf(settings)
  yield { kind: 'part', name: 'probes', of }
  let done = 0
  for (const [l, layer] of layers.entries()) {
    assertWanted()
    const all = features[l]!
    let at = 0
    const [train, validation, test] = SPLITS.map((split): LabelledSet => {
      const labels = splits[split]
      const rows = { rows: labels.length, columns: all.columns, values: all.values.subarray(at * all.columns, (at + labels.length) * all.columns) }
      at += labels.length
      return { pictures: labels.map(({ label }) => label), features: rows, labels: Int32Array.from(labels, ({ label }) => categories.indexOf(label.category)) }
    }) as [LabelledSet, LabelledSet, LabelledSet]
    const suffix = settings.layers === 'selected' ? '' : `/layer=${layer}`
    yield* probeClasses({ train, validation, test, categories }, { ...settings, everyNeighbour: true, suffix }, () => {
      assertWanted()
      return { kind: 'progress', done: (done += 1), of }
    })
  }
}

/** The test pictures by the names of their classes alone: the folder must hold a dual encoder. */
async function* byWords({ project, checkpoint, settings }: ProbeJob, samples: readonly Sample[], assertWanted: () => void): AsyncGenerator<JobEvent> {
  requireTemplates(settings.templates)
  const { categories, splits } = labelledPictures(samplesOf(samples, 'objects'), settings)
  const encoder = await openDualEncoder(checkpoint)
  try {
    const texts = await encoder.classEmbeddings(categories.map((name) => name.replaceAll('_', ' ')), settings.templates)
    try {
      const items: ItemResult[] = []
      yield { kind: 'part', name: 'zero-shot', of: splits.test.length }
      for (const group of batchesOf(splits.test, settings.batchSize)) {
        assertWanted()
        const pictures = await Promise.all(group.map(({ picture: { image, square } }) => pictureOf(project, image.path, encoder.decoding, square)))
        encoder.scores(pictures, texts).forEach((row, i) => {
          const { id, image, category } = group[i]!.label
          const given = categories[row.indexOf(Math.max(...row))]!
          items.push({ itemId: id, cluster: image, group: category, value: given === category ? 1 : 0, detail: { kind: 'class', image, expected: category, given } satisfies ItemDetail })
        })
        yield { kind: 'progress', done: items.length, of: splits.test.length }
      }
      yield { kind: 'items', metric: 'zero-shot/accuracy', items }
      yield { kind: 'result', metric: 'zero-shot/accuracy', value: items.reduce((sum, { value }) => sum + value, 0) / items.length, n: items.length }
    } finally {
      texts.dispose()
    }
  } finally {
    encoder.dispose()
  }
}

async function pictureOf(project: string, path: string, decoding: Decoding, square: Pictured['square']): Promise<RawImage> {
  const raw = await readImage(isAbsolute(path) ? path : join(project, path), decoding)
  return square === null ? raw : cropImage(raw, square)
}

function layersOf(asked: ProbeJob['settings']['layers'], { selectedLayer, spec }: ProbedEncoder): readonly number[] {
  if (asked === 'selected') return [selectedLayer]
  return asked === 'every' ? Array.from({ length: spec.numHiddenLayers + 1 }, (_, layer) => layer) : [...new Set(asked)]
}

function segment({ settings, snapshot }: ProbeJob, encoder: ProbedEncoder, samples: readonly Sample[], assertWanted: () => void): AsyncGenerator<JobEvent> {
  const { limit, segmentation, seed, batchSize } = settings
  return measureSegmentation({
    job: { snapshots: { objects: snapshot, questions: null, preferences: null, captions: null } },
    snapshot: () => Promise.resolve(samples),
    assertWanted,
    measured: encoder,
    settings: { seed, batchSize, segmentation: { ...segmentation, limit: { train: limit.train ?? ALL, test: limit.test ?? ALL } } },
  })
}
