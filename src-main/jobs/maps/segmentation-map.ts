// The classes that a probe reads off one picture's patches. The probe is trained once an encoder, data and settings, and kept in the
// project under a key of all three: its numbers are those of the segmentation measurement with the same data and settings.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { z } from 'zod'
import { LabError } from '../../domain/errors.ts'
import type { AbortSignalLike, JobEvent } from '../../domain/job.ts'
import { parse } from '../../domain/parse.ts'
import type { MapItem, MapJobSettings, PatchClasses, PatchLayer } from '../../domain/patch-maps.ts'
import { countLabels, segmentationScores } from '../../engine/evaluate/measures/segmentation-scores.ts'
import { namePatches, type PatchHead } from '../../engine/evaluate/probes/patch-segmentation.ts'
import { headerLength, parseHeader, readSafetensors, writeSafetensors } from '../../engine/weights/safetensors.ts'
import { fitPatchProbe, patchLabels, scaled, type FeatureScale } from '../evaluate/patch-probe.ts'
import type { EncoderView } from '../evaluate/measured-model.ts'
import { sha256, writeWhole } from '../files.ts'
import { readSnapshot } from '../samples.ts'
import { patchFeatures, type LookedAt } from './item-maps.ts'

/** A change in how probes are trained needs a new number. */
const FORMAT = 'patch probe 1'
const HEAD = ['hidden.weight', 'hidden.bias', 'output.weight', 'output.bias'] as const

const aboutSchema = z.strictObject({
  categories: z.array(z.string()),
  means: z.array(z.number()),
  deviations: z.array(z.number()),
  scores: z.strictObject({ accuracy: z.number(), meanIou: z.number(), macroRecall: z.number() }),
  /** SHA-256 of the pictures that it has learned from. */
  trainedOn: z.array(z.string()),
  testedOn: z.int(),
})

interface PatchProbe {
  readonly about: z.output<typeof aboutSchema>
  readonly scale: FeatureScale
  readonly head: PatchHead
}

export interface ProbeIngredients {
  readonly project: string
  /** Of all that decides the encoder's features, preprocessing included. */
  readonly identity: string
  readonly probe: NonNullable<MapJobSettings['segmentation']>
}

/** Names the file of the probe that exactly these ingredients make. */
export function patchProbeKey({ identity, probe }: Omit<ProbeIngredients, 'project'>): string {
  return sha256(JSON.stringify([FORMAT, tf.getBackend(), identity, probe.snapshot, probe.settings]))
}

/** @throws LabError 'invalid-input' for data without masks, 'cancelled' between batches of pictures */
export async function* segmentationMap(looked: LookedAt, view: EncoderView, name: string, of: ProbeIngredients, signal: AbortSignalLike): AsyncGenerator<JobEvent, PatchLayer> {
  const { about, scale, head } = yield* patchProbe(view, of, signal)
  const names = ['background', ...about.categories]
  const said = namePatches(head, scaled(patchFeatures(looked).values as Float32Array, scale))
  const { truth, reason } = truthOf(looked.item, view, about.categories)
  const counts = truth && segmentationScores(countLabels(said, truth, names.length))
  const isSeen = about.trainedOn.includes(looked.item.image.sha256)
  const notes = [reason, isSeen ? 'The probe has learned from this very picture: one of the test split says more.' : null].filter((each) => each !== null)
  const classes: PatchClasses = {
    names,
    truth: truth && [...truth],
    scores: counts && { accuracy: counts.accuracy, meanIou: counts.meanIou },
    probe: { ...about.scores, trainedOn: about.trainedOn.length, testedOn: about.testedOn },
  }
  return {
    encoder: name,
    method: 'segmentation',
    target: null,
    token: null,
    ...view.grid,
    channels: 1,
    values: [...said],
    low: 0,
    high: names.length - 1,
    note: notes.length === 0 ? null : notes.join(' '),
    scores: null,
    classes,
  }
}

/** The picture's own mask on the encoder's patches; null, and why, where it says too little. */
function truthOf({ image, objects }: MapItem, view: EncoderView, categories: readonly string[]): { readonly truth: Int32Array | null; readonly reason: string | null } {
  if (objects === null) return { truth: null, reason: 'The picture has no masks in this data.' }
  if (!objects.every(({ mask }) => mask !== null)) return { truth: null, reason: 'Not every object of the picture has a mask.' }
  const unknown = [...new Set(objects.map(({ category }) => category))].filter((category) => !categories.includes(category))
  const truth = patchLabels(view, image, objects, categories, 'majority') as Int32Array
  return { truth, reason: unknown.length === 0 ? null : `${unknown.join(', ')}: not among the classes that the probe was taught, and counted as background.` }
}

async function* patchProbe(measured: EncoderView, { project, ...ingredients }: ProbeIngredients, signal: AbortSignalLike): AsyncGenerator<JobEvent, PatchProbe> {
  const file = join(project, 'cache', 'patch-probes', `${patchProbeKey(ingredients)}.safetensors`)
  const kept = await keptProbe(file)
  if (kept !== null) return kept
  const { snapshot, settings } = ingredients.probe
  const { seed, batchSize, ...segmentation } = settings
  const samples = readSnapshot(project, snapshot)
  const fitted = yield* fitPatchProbe({
    job: { snapshots: { objects: snapshot, questions: null, preferences: null, captions: null } },
    snapshot: () => samples,
    assertWanted: () => {
      if (signal.aborted) throw new LabError('cancelled', 'stopped while the segmentation probe was learning')
    },
    measured,
    settings: { seed, batchSize, segmentation: { ...segmentation, labels: 'majority' } },
  })
  const { accuracy, meanIou, macroRecall } = fitted.best
  const about = {
    categories: [...fitted.categories],
    means: [...fitted.scale.means],
    deviations: [...fitted.scale.deviations],
    scores: { accuracy, meanIou, macroRecall },
    trainedOn: fitted.train.map(({ image }) => image.sha256),
    testedOn: fitted.test.length,
  }
  const tensors = Object.fromEntries(HEAD.map((each, i) => [each, fitted.head[i]!]))
  await writeWhole(file, writeSafetensors(tensors, { probe: JSON.stringify(about) }))
  return { about, scale: fitted.scale, head: fitted.head }
}

async function keptProbe(file: string): Promise<PatchProbe | null> {
  try {
    const bytes = await readFile(file)
    const { metadata } = parseHeader(bytes.subarray(8, 8 + headerLength(bytes, bytes.length, file)), bytes.length, file)
    const about = parse(aboutSchema, JSON.parse(metadata['probe'] ?? 'null'), 'corrupt-artifact', file)
    const tensors = readSafetensors(bytes, file)
    const head = HEAD.map((each) => tensors[each]!) as unknown as PatchHead
    if (head.some((each) => each === undefined)) return null
    return { about, head, scale: { means: Float64Array.from(about.means), deviations: Float64Array.from(about.deviations) } }
  } catch {
    // None there, or one that cannot be read, which is as good as none.
    return null
  }
}
