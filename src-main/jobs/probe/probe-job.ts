// Probes one frozen encoder on a dataset of labelled pictures: classification from pooled features, layer by layer where that is
// wanted, and the classes of patches. Results carry the names that a study's own probes have; data and settings tell them apart.

import { LabError } from '../../domain/errors.ts'
import type { AbortSignalLike, JobEvent, ProbeJob } from '../../domain/job.ts'
import { SPLITS, type Sample } from '../../domain/sample.ts'
import { probeClasses, ticksOf, type LabelledSet } from '../evaluate/classification.ts'
import { measureSegmentation } from '../evaluate/segmentation.ts'
import { readSnapshot, samplesOf } from '../samples.ts'
import { labelledPictures } from './labelled-pictures.ts'
import { openProbedEncoder, type ProbedEncoder } from './probed-encoder.ts'

/** Segmentation looks at every image of its splits. */
const ALL = Number.MAX_SAFE_INTEGER

/** @throws LabError 'cancelled' between batches and fits; 'invalid-input' naming what data or encoder lack */
export async function* runProbeJob(job: ProbeJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const assertWanted = () => {
    if (signal.aborted) throw new LabError('cancelled', 'cancelled while probing; features that were computed are kept')
  }
  const samples = await readSnapshot(job.project, job.snapshot)
  const encoder = await openProbedEncoder(job.project, job.checkpoint)
  try {
    for (const message of encoder.notes) yield { kind: 'log', level: 'info', message }
    if (job.settings.probes.some((probe) => probe !== 'segmentation')) yield* classify(job, encoder, samples, assertWanted)
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
