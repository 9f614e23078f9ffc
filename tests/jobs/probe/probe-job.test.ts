// Laws of probes on an encoder alone: features are those of the model, kept under all that decides them and under nothing else;
// every number is the mean of its items; what the data or the encoder cannot give is refused by name.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { jobSchema, type JobEvent, type ProbeJob } from '../../../src-main/domain/job.ts'
import { metricNamed } from '../../../src-main/domain/metric.ts'
import { siglipPreprocess } from '../../../src-main/domain/preprocess-spec.ts'
import { probeSettingsSchema } from '../../../src-main/domain/probe.ts'
import type { SampleOf, Split } from '../../../src-main/domain/sample.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { meanOverPatches, openMeasuredModel } from '../../../src-main/jobs/evaluate/measured-model.ts'
import { makeRoom } from '../../../src-main/jobs/feature-cache.ts'
import { labelledPictures } from '../../../src-main/jobs/probe/labelled-pictures.ts'
import { runProbeJob } from '../../../src-main/jobs/probe/probe-job.ts'
import { openProbedEncoder, pooledFeatureKey } from '../../../src-main/jobs/probe/probed-encoder.ts'
import { readSnapshot, samplesOf } from '../../../src-main/jobs/samples.ts'
import { faultOf, faultOfPromise } from '../../support/fault-of.ts'
import { TINY_SPEC, tinyProject, type TinyProject } from '../evaluate/tiny-project.ts'

const root = mkdtempSync(join(tmpdir(), 'pivot-lab-probe-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let tiny: TinyProject
let checkpoint: string
beforeAll(async () => {
  await openBackend()
  tiny = tinyProject(root)
  checkpoint = await tiny.checkpoint(1)
})

type Of<K> = Extract<JobEvent, { kind: K }>
async function probed(settings: object, signal = { aborted: false }) {
  const job = jobSchema.parse({ kind: 'probe', project: root, checkpoint, snapshot: tiny.snapshots.objects, settings: { neighbours: [1, 5], draws: 3, shots: [1, 2, 1000], ...settings } }) as ProbeJob
  const events: JobEvent[] = []
  for await (const event of runProbeJob(job, signal)) events.push(event)
  const ofKind = <K extends JobEvent['kind']>(kind: K) => events.filter((event) => event.kind === kind) as Of<K>[]
  return { results: ofKind('result'), items: ofKind('items'), logs: ofKind('log'), progress: ofKind('progress') }
}
const keys = () => readdirSync(join(root, 'cache', 'pooled-features'))

describe('a probe', () => {
  it('yields numbers that are means of their items, under names that have words', async () => {
    const { results, items, logs } = await probed({ probes: ['linear', 'prototype', 'knn', 'few-shot'] })
    expect(results.map(({ metric }) => metric)).toEqual([
      'probe/linear', 'probe/prototype', 'probe/knn', 'probe/knn/k=1', 'probe/knn/k=5',
      'probe/few-shot/linear/n=1', 'probe/few-shot/prototype/n=1', 'probe/few-shot/linear/n=2', 'probe/few-shot/prototype/n=2',
    ])
    for (const { metric, value, n } of results) {
      const of = items.find((each) => each.metric === metric)!.items
      expect(of.length).toBe(n)
      expect(value).toBeCloseTo(of.reduce((sum, item) => sum + item.value, 0) / n, 9)
      expect(metricNamed(metric)).toMatchObject({ unit: 'share', better: 'higher', meaning: expect.stringMatching(/.+/) })
    }
    expect(logs.map(({ message }) => message).join()).toContain('1000 pictures a class')
  })

  it('is the same again, to the bit, from the features that were kept', async () => {
    const [first, again] = [await probed({}), await probed({})]
    expect(again.results).toEqual(first.results)
    // Nothing is left to compute: the first word about features is that all are done.
    expect(again.progress[0]!.done).toBe(again.progress[0]!.of)
  })

  it('layer by layer names each block, and the last asked for is what a single layer gives', async () => {
    const { results } = await probed({ probes: ['prototype'], layers: 'every' })
    expect(results.map(({ metric }) => metric)).toEqual([0, 1, 2, 3].map((layer) => `probe/prototype/layer=${layer}`))
    const { results: one } = await probed({ probes: ['prototype'], layers: [3] })
    expect(one[0]).toEqual(results[3])
    expect(metricNamed('probe/few-shot/linear/n=1/layer=2').label).toBe('Few-shot, linear probe, 1 picture a class, layer 2')
  })

  it('of patches scores segmentation as a study does', async () => {
    const { results } = await probed({ probes: ['segmentation'], segmentation: { hiddenSize: 8, epochs: 1, labels: 'union' } })
    expect(results.map(({ metric }) => metric)).toEqual(['segmentation/macro-recall', 'segmentation/mean-iou'])
  })

  it('asks for a pooling that the encoder has', async () => {
    expect((await faultOfPromise(probed({ pooling: 'class' }))).message).toContain('no class token')
    expect((await faultOfPromise(probed({ pooling: 'attention' }))).message).toContain('pooling')
    expect((await faultOfPromise(probed({ layers: [9] }))).message).toContain('0 to 3')
  })

  it('that is stopped throws, and says that features are kept', async () => {
    expect(await faultOfPromise(probed({}, { aborted: true }))).toMatchObject({ code: 'cancelled' })
  })
})

describe('features', () => {
  it('are the mean over patches of what the model sees, of whole pictures', async () => {
    const images = samplesOf(await readSnapshot(root, tiny.snapshots.objects), 'objects').map(({ image }) => image!).slice(0, 3)
    const [encoder, model] = [await openProbedEncoder(root, checkpoint), await openMeasuredModel(root, checkpoint)]
    const pooled = encoder.pooled(images.map((image) => ({ image, square: null })), [encoder.selectedLayer], 'mean', { batchSize: 2, assertWanted: () => {} })
    let next = await pooled.next()
    while (!next.done) next = await pooled.next()
    const states = await model.features(images)
    const expected = meanOverPatches(states)
    states.dispose()
    next.value[0]!.values.forEach((value, i) => expect(value).toBeCloseTo(expected.values[i]!, 5))
    encoder.dispose()
    model.dispose()
  })

  it('have a key that changes with every ingredient, and with nothing else', () => {
    const ingredients = { weights: 'w', spec: TINY_SPEC.visionEncoder, preprocess: siglipPreprocess(16), layer: 2, pooling: 'mean' } as const
    const all = [
      ingredients,
      { ...ingredients, weights: 'v' },
      { ...ingredients, spec: { ...ingredients.spec, numAttentionHeads: 4 } as typeof ingredients.spec },
      { ...ingredients, preprocess: siglipPreprocess(17) },
      { ...ingredients, layer: 3 },
      { ...ingredients, pooling: 'class' as const },
    ].map(pooledFeatureKey)
    expect(new Set(all).size).toBe(all.length)
    expect(pooledFeatureKey({ ...ingredients, preprocess: structuredClone(ingredients.preprocess) })).toBe(all[0])
  })

  it('of other weights are other features: nothing of one encoder is taken for another', async () => {
    const before = keys().length
    checkpoint = await tiny.checkpoint(2)
    await probed({ probes: ['prototype'] })
    expect(keys().length).toBe(before + 1)
    checkpoint = await tiny.checkpoint(1)
    await probed({ probes: ['prototype'] })
    expect(keys().length).toBe(before + 1)
  })

  it('that cannot be read are computed again', async () => {
    const { results } = await probed({ probes: ['prototype'] })
    for (const key of keys()) for (const file of readdirSync(join(root, 'cache', 'pooled-features', key))) writeFileSync(join(root, 'cache', 'pooled-features', key, file), 'no tensors')
    const again = await probed({ probes: ['prototype'] })
    expect(again.results).toEqual(results)
    expect(again.progress[0]!.done).toBe(0)
  })
})

describe('room for features', () => {
  const cache = join(root, 'room')
  const add = (name: string, bytes: number, usedMs: number) => {
    mkdirSync(join(cache, name), { recursive: true })
    writeFileSync(join(cache, name, 'features.safetensors'), new Uint8Array(bytes))
    utimesSync(join(cache, name), new Date(usedMs), new Date(usedMs))
  }

  it('is made of what was longest unused, never of its own or of what was used of late; whether it sufficed is told', async () => {
    const now = Date.now()
    for (const [name, usedMs] of [['oldest', now - 5e8], ['own', now - 4e8], ['old', now - 3e8], ['fresh', now]] as const) add(name, 100, usedMs)
    expect(await makeRoom(cache, join(cache, 'own'), 50, 400)).toBe(true)
    expect(readdirSync(cache).sort()).toEqual(['fresh', 'old', 'own'])
    expect(await makeRoom(cache, join(cache, 'own'), 250, 400)).toBe(false)
    expect(readdirSync(cache).sort()).toEqual(['fresh', 'own'])
  })
})

describe('labelled pictures', () => {
  const settings = probeSettingsSchema.parse({})
  const image = { sha256: 'a'.repeat(64), path: 'p.png', width: 20, height: 10 }
  const whole = (category: string, split: Split, i: number): SampleOf<'objects'> => ({
    id: `${category} ${split} ${i}`,
    split,
    source: null,
    image: { ...image, sha256: `${i}`.padStart(64, category === 'cat' ? 'a' : 'b') },
    content: { kind: 'objects', objects: [{ category, box: [0, 0, 20, 10], mask: null }] },
  })
  const folder = (splits: readonly Split[], classes: readonly string[] = ['cat', 'dog']) => splits.flatMap((split) => classes.flatMap((category) => Array.from({ length: 10 }, (_, i) => whole(category, split, i))))

  it('are whole where a class fills each, and a fifth of training is set aside where nothing is', () => {
    const { splits, notes } = labelledPictures(folder(['train', 'test']), settings)
    expect(splits.train.every(({ picture }) => picture.square === null)).toBe(true)
    expect([splits.train.length, splits.validation.length, splits.test.length]).toEqual([16, 4, 20])
    expect(new Set([...splits.train, ...splits.validation].map(({ label }) => label.id)).size).toBe(20)
    expect(notes.join()).toContain('4 of 20')
  })

  it('of one class only, or without a test split, are refused with what was found', () => {
    expect(faultOf(() => labelledPictures(folder(['train', 'test'], ['cat']), settings)).message).toContain('only "cat"')
    expect(faultOf(() => labelledPictures(folder(['train']), settings)).message).toContain('0 in test')
  })

  it('are limited class by class, the same ones for every encoder', () => {
    const limited = probeSettingsSchema.parse({ limit: { train: 6, validation: null, test: 3 } })
    const [one, two] = [labelledPictures(folder(['train', 'test']), limited), labelledPictures(folder(['train', 'test']), limited)]
    expect(one.splits).toEqual(two.splits)
    expect(one.splits.train.map(({ label }) => label.category).toSorted()).toEqual(['cat', 'cat', 'cat', 'dog', 'dog', 'dog'])
    expect(one.splits.test).toHaveLength(3)
  })
})
