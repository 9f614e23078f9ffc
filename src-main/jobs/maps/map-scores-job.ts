// Do an encoder's maps lie on the regions that decide? Every method's map of each item of a set, scored against boxes or masks;
// means with intervals over pictures (items about one picture are drawn together). Which items are drawn does not depend on the
// encoder, so that scores of several can be paired.

import { LabError } from '../../domain/errors.ts'
import type { AbortSignalLike, ItemResult, JobEvent, MapScoresJob } from '../../domain/job.ts'
import { MAP_SCORES, mapJobSettingsSchema, mapMetric, type MapItem, type PatchLayer } from '../../domain/patch-maps.ts'
import { createRandom } from '../../domain/random.ts'
import type { Sample } from '../../domain/sample.ts'
import { bootstrapMean } from '../../domain/statistics/bootstrap.ts'
import { seenSide } from '../../domain/vision-encoder-spec.ts'
import { coverageOfMask } from '../../engine/evaluate/measures/localisation.ts'
import { drawSamples, mean } from '../evaluate/bench.ts'
import { labelMap, preprocessLabels } from '../evaluate/label-maps.ts'
import { regionCoverage } from '../evaluate/localisation.ts'
import { openMeasuredModel, type MeasuredModel } from '../evaluate/measured-model.ts'
import { readSnapshot } from '../samples.ts'
import { itemMaps, lookAt } from './item-maps.ts'

const SCORE_NAMES = { energy: 'energyRatio', pointing: 'pointing', auroc: 'auroc', entropy: 'entropy' } as const

interface Placed {
  readonly sample: Sample
  readonly item: MapItem
  /** Share of each patch that the region covers, (P). */
  readonly coverage: Float64Array
}

/** @throws LabError 'cancelled' between items; 'invalid-input' when no item has a region that the encoder sees */
export async function* runMapScoresJob(job: MapScoresJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const { split, limit, seed, methods, target } = job.settings
  const samples = (await readSnapshot(job.project, job.snapshot)).filter((sample) => sample.split === split)
  const measured = await openMeasuredModel(job.project, job.checkpoint)
  try {
    const placed = samples.flatMap((sample) => placedIn(measured, sample))
    if (placed.length === 0)
      throw new LabError(
        'invalid-input',
        `none of ${samples.length} samples of the split "${split}" has a box or mask in the picture that the encoder sees; choose data with regions, or another split`,
      )
    const drawn = drawSamples(placed, limit, seed, 'map scores')
    yield { kind: 'part', name: 'maps', of: drawn.length }
    const items = new Map<string, ItemResult[]>()
    const settings = mapJobSettingsSchema.parse({ methods, target })
    const reasons = new Set<string>()
    for (const [i, { sample, item, coverage }] of drawn.entries()) {
      if (signal.aborted) throw new LabError('cancelled', `stopped after ${i} items`)
      const looked = await lookAt(measured, item, coverage)
      try {
        const { layers, missing } = itemMaps(looked, '', settings)
        for (const { method, reason } of missing) reasons.add(`${method}: ${reason}`)
        for (const layer of layers) collect(items, layer, sample)
      } finally {
        looked.dispose()
      }
      yield { kind: 'progress', done: i + 1, of: drawn.length }
    }
    for (const reason of reasons) yield { kind: 'log', level: 'info', message: `left out, ${reason}` }
    for (const [metric, all] of items) {
      yield { kind: 'items', metric, items: all }
      const values = all.map(({ value }) => value)
      const clusters = all.map(({ cluster }) => cluster)
      const result = { kind: 'result', metric, value: mean(values), n: all.length } as const
      if (new Set(clusters).size < 2) yield result
      else {
        const { interval } = bootstrapMean(values, { random: createRandom(seed, 'map scores', metric), clusters })
        yield { ...result, interval: { low: interval.low, high: interval.high } }
      }
    }
  } finally {
    measured.dispose()
  }
}

function collect(items: Map<string, ItemResult[]>, { method, target, scores }: PatchLayer, { id, image, content }: Sample): void {
  const group = content.kind === 'preferences' || content.kind === 'questions' ? content.group : null
  for (const score of MAP_SCORES) {
    const value = scores?.[SCORE_NAMES[score]] ?? null
    if (value === null) continue
    const metric = mapMetric(method, target, score)
    items.set(metric, [...(items.get(metric) ?? []), { itemId: id, cluster: image!.sha256, group, value, detail: null }])
  }
}

/** The sample as an item with a region; none where it has no picture or no region in it. */
function placedIn(measured: MeasuredModel, sample: Sample): readonly Placed[] {
  const { image, content } = sample
  if (image === null || content.kind === 'conversations') return []
  const coverage = content.kind === 'objects' ? objectCoverage(measured, sample) : regionCoverage(measured, image, content.region)
  if (coverage === null) return []
  const words =
    content.kind === 'preferences'
      ? { prompt: content.prompt, chosen: content.chosen, rejected: content.rejected }
      : content.kind === 'questions'
        ? { prompt: content.question, chosen: content.answer, rejected: null }
        : { prompt: null, chosen: null, rejected: null }
  return [{ sample, coverage, item: { image, ...words, region: [], objects: null } }]
}

/** All objects together, by their masks where every one has a mask, else by their boxes. */
function objectCoverage(measured: MeasuredModel, { image, content }: Sample): Float64Array | null {
  if (image === null || content.kind !== 'objects' || content.objects.length === 0) return null
  if (!content.objects.every(({ mask }) => mask !== null)) return regionCoverage(measured, image, content.objects.map(({ box }) => box))
  const side = seenSide(measured.model.spec.visionEncoder)
  const labels = preprocessLabels(labelMap(image, content, [...new Set(content.objects.map(({ category }) => category))]), image, measured.preprocess, side)
  const coverage = coverageOfMask(labels, { width: side, height: side }, measured.grid)
  return coverage.some((share) => share > 0) ? coverage : null
}
