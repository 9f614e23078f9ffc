// Do the gradients look where the answer is decided? Four maps of each held-out pair (SFT, chosen, rejected, DPO) at the
// visual tokens, scored against the region that decides it, boxes and masks alike. The paper shows such maps as pictures
// (arXiv 2510.16333, section 4.2); here no border is repainted and nothing is normalised or raised to a power.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import type { ItemResult } from '../../domain/job.ts'
import { partsOf, masksOf } from '../../domain/mask.ts'
import type { Box, ImageRef, Region, SampleOf } from '../../domain/sample.ts'
import type { ItemDetail, PatchMap } from '../../domain/study-results.ts'
import { seenSide } from '../../domain/vision-encoder-spec.ts'
import { pairGradients, pairMaps, type AnswerLogProbs, type PairGradients, type PairMaps } from '../../engine/evaluate/gradient-maps.ts'
import { coverageOfBoxes, coverageOfParts, localisationScores, type LocalisationScores } from '../../engine/evaluate/measures/localisation.ts'
import { imageTokens } from '../../engine/models/multimodal-lm.ts'
import type { AnswerRows } from '../../engine/objectives/log-probs.ts'
import { mapBox } from '../../engine/preprocess/pipeline.ts'
import { chooseBuckets, collateSamples, encodeSamples, rowTensors } from '../batches.ts'
import { pairLogProbs } from '../reference-log-probs.ts'
import { batchesOf, byLength, drawSamples, mean, samplesOfSplit, type Measurement } from './bench.ts'
import { mapOfPatches, type MeasuredModel } from './measured-model.ts'

export const MAP_KINDS = ['sft', 'chosen', 'rejected', 'dpo'] as const
export type MapKind = (typeof MAP_KINDS)[number]

/** The last word of each metric's name, and where the score stands. */
const SCORES = { energy: 'energyRatio', pointing: 'pointing', auroc: 'auroc', entropy: 'entropy' } as const satisfies Record<
  string,
  keyof LocalisationScores
>
type Score = keyof typeof SCORES

/** The pictures for a person to look at stand under this metric, once. */
const EXAMPLES_UNDER = 'localisation/dpo/energy'

export const measureLocalisation: Measurement = async function* (bench) {
  const { measured, baseline, settings } = bench
  const { limit, examples, beta } = settings.localisation
  const { model, tokenizer, numImageTokens } = measured
  const pairs = await samplesOfSplit(bench, 'preferences', 'preferences', 'test')
  const placed = pairs.flatMap((sample) => {
    const coverage = sample.image === null ? null : regionCoverage(measured, sample.image, sample.content.region)
    return coverage === null ? [] : [{ sample, coverage }]
  })
  if (placed.length === 0)
    throw new LabError(
      'invalid-input',
      `snapshots.preferences: none of ${pairs.length} held-out pairs has a region in its picture; leave out localisation`,
    )
  const drawn = drawSamples(placed, limit, settings.seed, 'localisation')
  const { maxPositionEmbeddings } = model.spec.languageModel
  const { samples: encoded, tooLong } = encodeSamples(
    drawn.map(({ sample }) => sample),
    tokenizer,
    numImageTokens,
    maxPositionEmbeddings,
    { needsPairs: true },
  )
  if (tooLong.length > 0)
    yield {
      kind: 'log',
      level: 'warning',
      message: `${tooLong.length} pairs are longer than ${maxPositionEmbeddings} tokens and are left out`,
    }
  if (baseline === null)
    yield { kind: 'log', level: 'info', message: 'no baseline: the DPO maps take the checkpoint itself as reference (margin 0)' }
  yield { kind: 'part', name: 'gradient maps', of: encoded.length }

  const byId = new Map(drawn.map((each) => [each.sample.id, each]))
  const shown = encoded.slice(0, examples)
  // A reference scales the DPO map of a pair, by β·σ(−margin), which no score sees: only maps that are shown need theirs.
  const references = new Map<string, AnswerLogProbs>()
  if (baseline !== null && baseline !== measured)
    for (const group of batchesOf(shown, settings.batchSize)) {
      const [chosen, rejected] = await pairLogProbs(baseline, baseline, group)
      group.forEach(({ id }, i) => references.set(id, { chosen: chosen[i]!, rejected: rejected[i]! }))
    }
  const items = new Map<string, ItemResult[]>()
  let flat = 0
  let done = 0
  for (const group of batchesOf(byLength(encoded), settings.batchSize)) {
    const features = await measured.features(group.map(({ image }) => image))
    const tokens = tf.tidy(() => imageTokens(model, features))
    const both = [...group, ...group.map(({ rows: [, rejected], ...rest }) => ({ ...rest, rows: [rejected!] }))]
    const rows = rowTensors(collateSamples(measured, both, 1, chooseBuckets(group).at(-1)!))
    const found = measured.run(
      'pair gradients',
      (of, inputs) => ({ ...pairGradients(of, inputs as unknown as AnswerRows, inputs['tokens']!) }),
      { ...rows, tokens },
    ) as unknown as PairGradients
    const maps = pairMaps(
      found,
      rows.answerMask,
      group.map(({ id }) => references.get(id) ?? null),
      beta,
    ).map((pair) => atPatches(measured, pair))
    tf.dispose([features, tokens, rows as unknown as tf.NamedTensorMap, found as unknown as tf.NamedTensorMap])
    for (const [i, pair] of maps.entries()) {
      const { sample, coverage } = byId.get(group[i]!.id)!
      for (const kind of MAP_KINDS) {
        const { scores, isFlat } = scoreMap(pair[kind], coverage)
        if (isFlat) flat++
        for (const score of Object.keys(SCORES) as Score[]) {
          const value = scores[SCORES[score]]
          if (value === null) continue
          const metric = `localisation/${kind}/${score}`
          const isExample = metric === EXAMPLES_UNDER && shown.some(({ id }) => id === sample.id)
          const item = { itemId: sample.id, cluster: sample.image!.sha256, group: sample.content.group, value }
          items.set(metric, [
            ...(items.get(metric) ?? []),
            { ...item, detail: isExample ? exampleOf(sample, pair, measured) : null },
          ])
        }
      }
    }
    done += group.length
    yield { kind: 'progress', done, of: encoded.length }
    bench.assertWanted()
  }
  if (flat > 0) yield { kind: 'log', level: 'warning', message: `${flat} maps are zero everywhere and were scored as flat ones` }
  for (const [metric, all] of items) {
    yield { kind: 'items', metric, items: all }
    yield { kind: 'result', metric, value: mean(all.map(({ value }) => value)), n: all.length }
  }
}

/** The maps without what pulls at class token and registers: those have no place in the picture. */
function atPatches(measured: MeasuredModel, pair: PairMaps): PairMaps {
  const [sft, chosen, rejected, dpo] = [pair.sft, pair.chosen, pair.rejected, pair.dpo].map((map) => mapOfPatches(measured, map)) as [Float64Array, Float64Array, Float64Array, Float64Array]
  return { ...pair, sft, chosen, rejected, dpo }
}

/**
 * Share of each patch that the region covers, (P), exact for boxes and masks; null where none of it lies in the picture that
 * the encoder sees.
 * @throws LabError 'invalid-input' when a mask is not of the image's size
 */
export function regionCoverage(
  { preprocess, grid, model }: Pick<MeasuredModel, 'preprocess' | 'grid' | 'model'>,
  image: ImageRef,
  region: Region,
): Float64Array | null {
  for (const { size } of masksOf(region))
    if (size[0] !== image.height || size[1] !== image.width)
      throw new LabError('invalid-input', `region: a mask has ${size[1]}×${size[0]} pixels, its image ${image.width}×${image.height}; import it again`)
  const seen = (boxes: readonly Box[]) =>
    boxes.flatMap((box) => {
      const mapped = mapBox(preprocess, image.width, image.height, box)
      return mapped === null ? [] : [{ x: mapped[0], y: mapped[1], width: mapped[2], height: mapped[3] }]
    })
  const side = seenSide(model.spec.visionEncoder)
  const picture = { width: side, height: side }
  const { boxes, rest } = partsOf(region)
  const ofRest = coverageOfParts(seen(rest), picture, grid)
  const coverage = coverageOfBoxes(seen(boxes), picture, grid).map((share, patch) => Math.min(1, share + ofRest[patch]!))
  return coverage.some((share) => share > 0) ? coverage : null
}

/** A map of zeros points nowhere: it gets the scores of a flat map, and is counted. AUROC is null where no patch lies outside. */
export function scoreMap(
  map: Float64Array,
  coverage: Float64Array,
): { readonly scores: LocalisationScores; readonly isFlat: boolean } {
  const scores = localisationScores(map, coverage)
  if (scores !== null) return { scores, isFlat: false }
  return { scores: localisationScores(new Float64Array(map.length).fill(1), coverage)!, isFlat: true }
}

function exampleOf({ image, content }: SampleOf<'preferences'>, pair: PairMaps, { grid }: MeasuredModel): ItemDetail {
  const map = (values: Float64Array): PatchMap => ({
    ...grid,
    values: Array.from(values, (value) => Number(value.toPrecision(4))),
  })
  return {
    kind: 'maps',
    image: image!.sha256,
    prompt: content.prompt,
    chosen: content.chosen,
    rejected: content.rejected,
    region: content.region,
    maps: { sft: map(pair.sft), chosen: map(pair.chosen), rejected: map(pair.rejected), dpo: map(pair.dpo) },
  }
}
