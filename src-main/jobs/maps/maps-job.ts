// Maps of one picture under several encoders, told as they come. What was computed is kept on disk by everything that
// decides it, encoder by encoder: a further encoder, or another look, costs only what is new.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { LabError } from '../../domain/errors.ts'
import type { AbortSignalLike, JobEvent, MapsJob } from '../../domain/job.ts'
import { parse } from '../../domain/parse.ts'
import { MAP_METHOD_WORDS, mapsSchema, patchLayerSchema, type Maps, type PatchLayer } from '../../domain/patch-maps.ts'
import { onGrid, sharedComponents } from '../../engine/evaluate/maps/shared-components.ts'
import type { Matrix } from '../../engine/evaluate/measures/matrix.ts'
import { codeIdentity } from '../compile/code-identity.ts'
import type { MeasuredModel } from '../evaluate/measured-model.ts'
import { readJson, sha256, sha256OfFile, writeWhole } from '../files.ts'
import { createEncoderShelf, type EncoderShelf } from './encoder-shelf.ts'
import { lookAt, mapsAsTheyCome, patchFeatures, type ItemMaps } from './item-maps.ts'
import type { OpenedEncoder } from './open-encoder.ts'
import { segmentationMap } from './segmentation-map.ts'

/** What is shown of a colour between black and full: the rest, outliers, is cut off by whoever draws. */
const SHOWN = [0.02, 0.98] as const

/** Whole, or in shards by their index. */
const WEIGHT_FILES = ['model.safetensors', 'model.safetensors.index.json'] as const

const keptSchema = z.strictObject({
  encoder: mapsSchema.shape.encoders.element,
  layers: z.array(patchLayerSchema),
  missing: mapsSchema.shape.missing,
  /** Of the patches, for colours; null where they were not asked for. */
  features: z.strictObject({ columns: z.int(), base64: z.base64() }).nullable(),
})
type Kept = z.output<typeof keptSchema>

/**
 * Answers `Maps`, several times: each answer holds what there is so far, the last one all.
 * @param shelf  keeps encoders loaded between looks
 * @throws LabError 'cancelled' between methods, 'invalid-input', 'not-found', 'corrupt-artifact'
 */
export async function* runMapsJob(job: MapsJob, signal: AbortSignalLike, shelf: EncoderShelf = createEncoderShelf(0)): AsyncGenerator<JobEvent> {
  const { project, item, settings, encoders } = job
  const of = encoders.length
  const kept: Kept[] = []
  try {
    yield { kind: 'part', name: 'maps', of }
    for (const [i, { name, checkpoint }] of encoders.entries()) {
      assertWanted(signal)
      const identity = await folderIdentity(checkpoint)
      const file = join(project, 'cache', 'maps', `${sha256(JSON.stringify([codeIdentity(), identity, item, settings]))}.json`)
      const known = await keptIn(file)
      if (known !== null) kept.push(renamed(known, name))
      else {
        const made = yield* newMaps(job, await shelf.open(project, checkpoint, identity), { name, identity, before: kept }, signal)
        await writeWhole(file, JSON.stringify(made))
        kept.push(made)
        yield { kind: 'part', name: 'maps', of }
      }
      yield { kind: 'progress', done: i + 1, of }
      if (i + 1 < of) yield { kind: 'answer', value: mapsOf(kept) }
    }
  } finally {
    shelf.trim()
  }
  const whole = mapsOf(kept)
  yield { kind: 'answer', value: { ...whole, layers: [...whole.layers, ...(settings.methods.includes('components') ? colours(kept) : [])] } }
}

function assertWanted(signal: AbortSignalLike): void {
  if (signal.aborted) throw new LabError('cancelled', 'stopped between maps')
}

function mapsOf(kept: readonly Kept[]): Maps {
  return {
    encoders: kept.map(({ encoder }) => encoder),
    layers: kept.flatMap(({ layers }) => layers),
    missing: kept.flatMap(({ missing }) => missing),
  }
}

interface NewMaps {
  readonly name: string
  readonly identity: string
  /** Of the encoders that came first. */
  readonly before: readonly Kept[]
}

/** The maps of one encoder, told method by method. */
async function* newMaps({ project, item, settings }: MapsJob, { kind, measured }: OpenedEncoder, { name, identity, before }: NewMaps, signal: AbortSignalLike): AsyncGenerator<JobEvent, Kept> {
  const isAlone = kind === 'encoder'
  // Without an answer nothing of the model but its encoder is asked.
  const looked = await lookAt(measured as MeasuredModel, isAlone ? { ...item, prompt: null, chosen: null, rejected: null } : item)
  const needsAnswer = ({ method }: Maps['missing'][number]) => MAP_METHOD_WORDS[method].needs === 'an answer'
  const reason = 'this folder holds a vision encoder alone: no language model says an answer'
  const keptOf = ({ encoder, layers, missing }: ItemMaps): Kept => ({
    encoder,
    layers: [...layers],
    missing: missing.map((each) => (isAlone && needsAnswer(each) ? { ...each, reason } : each)),
    features: null,
  })
  try {
    const found = mapsAsTheyCome(looked, name, settings)
    let next = found.next()
    for (; !next.done; next = found.next()) {
      yield { kind: 'answer', value: mapsOf([...before, keptOf(next.value)]) }
      assertWanted(signal)
    }
    const made = keptOf(next.value)
    if (settings.methods.includes('segmentation')) {
      if (settings.segmentation === null) made.missing.push({ encoder: name, method: 'segmentation', reason: 'no data are chosen that the probe could learn from: name a dataset with masks' })
      else made.layers.push(yield* segmentationMap(looked, measured, name, { project, identity, probe: settings.segmentation }, signal))
    }
    if (!settings.methods.includes('components')) return made
    const features = patchFeatures(looked)
    return { ...made, features: { columns: features.columns, base64: toBase64(Float32Array.from(features.values)) } }
  } finally {
    looked.dispose()
  }
}

/** One colour layer an encoder, fitted on the grid of the first. */
function colours(kept: readonly Kept[]): readonly PatchLayer[] {
  const [first] = kept
  const features = kept.map(({ encoder, features }): Matrix => ({
    rows: encoder.rows * encoder.columns,
    columns: features!.columns,
    values: fromBase64(features!.base64),
  }))
  const { scores, explained } = sharedComponents(features.map((each, i) => onGrid(each, kept[i]!.encoder, first!.encoder)))
  const all = Float64Array.from(scores.flatMap(({ values }) => Array.from(values))).sort()
  const at = (share: number) => all[Math.min(all.length - 1, Math.floor(share * all.length))]!
  const [low, high] = [at(SHOWN[0]), at(SHOWN[1])]
  const share = (100 * explained.reduce((a, b) => a + b, 0)).toFixed(0)
  return scores.map(({ values }, i) => ({
    encoder: kept[i]!.encoder.encoder,
    method: 'components',
    target: null,
    token: null,
    rows: first!.encoder.rows,
    columns: first!.encoder.columns,
    channels: 3,
    values: Array.from(values, (value) => Number(value.toPrecision(6))),
    low,
    high: high > low ? high : low + 1,
    note: `three components hold ${share} % of the variance of ${kept.length === 1 ? 'the patches' : `the patches of ${kept.length} encoders`}`,
    scores: null,
    classes: null,
  }))
}

function toBase64(values: Float32Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64')
}

function fromBase64(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64')
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}

async function keptIn(file: string): Promise<Kept | null> {
  if (!existsSync(file)) return null
  try {
    return parse(keptSchema, await readJson(file), 'corrupt-artifact', file)
  } catch {
    // A cache that cannot be read is as good as none.
    return null
  }
}

function renamed({ encoder, layers, missing, features }: Kept, name: string): Kept {
  return {
    encoder: { ...encoder, encoder: name },
    layers: layers.map((each) => ({ ...each, encoder: name })),
    missing: missing.map((each) => ({ ...each, encoder: name })),
    features,
  }
}

/**
 * Names what decides a model's maps without loading it: weights by the hash that lies beside them, the small files by their bytes.
 * @throws LabError 'not-found' for a folder that is gone or holds no weights
 */
export async function folderIdentity(folder: string): Promise<string> {
  if (!WEIGHT_FILES.some((name) => existsSync(join(folder, name))))
    throw new LabError(
      'not-found',
      `${folder}: expected a checkpoint (${WEIGHT_FILES.join(' or ')}), found ${existsSync(folder) ? 'a folder without weights' : 'no folder: it was moved or deleted'}. Put it back, train it again, or take this encoder out of the comparison.`,
      { path: folder },
    )
  const record = join(folder, 'lab.json')
  const weights = existsSync(record)
    ? parse(z.object({ sha256: z.string() }), await readJson(record), 'corrupt-artifact', record).sha256
    : await sha256OfFile(WEIGHT_FILES.map((name) => join(folder, name)).find((file) => existsSync(file))!)
  const small = ['config.json', 'preprocessor_config.json', 'tokenizer.json', 'tokenizer_config.json']
  const hashes = await Promise.all(small.map((name) => sha256OfFile(join(folder, name)).catch(() => 'none')))
  return [weights, ...hashes].join('-')
}
