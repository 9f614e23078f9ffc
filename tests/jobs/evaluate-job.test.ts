// Laws of measuring a checkpoint: which numbers there are, that they follow from their items, that nothing depends on chance,
// batch size or the order of evaluators, and that measuring leaves nothing behind.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { EVALUATORS, type Evaluator } from '../../src-main/domain/evaluation.ts'
import type { EvaluateJob, ItemResult, JobEvent } from '../../src-main/domain/job.ts'
import { EVALUATION_METRICS } from '../../src-main/domain/metric.ts'
import { multimodalLmSpecSchema } from '../../src-main/domain/model-spec.ts'
import { itemDetailSchema } from '../../src-main/domain/study-results.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { runEvaluateJob } from '../../src-main/jobs/evaluate-job.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { SIDE, TINY_SPEC, tinyProject, type TinyProject } from './evaluate/tiny-project.ts'

const root = mkdtempSync(join(tmpdir(), 'pivot-lab-evaluate-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

let tiny: TinyProject
let checkpoint: string
let baseline: string
let everything: EvaluateJob
let events: readonly JobEvent[]

beforeAll(async () => {
  await openBackend()
  tiny = tinyProject(root)
  checkpoint = await tiny.checkpoint(1)
  baseline = await tiny.checkpoint(2)
  everything = tiny.evaluateJob({ checkpoint, baseline, evaluators: [...EVALUATORS] })
  events = await eventsOf(everything)
})

async function eventsOf(job: EvaluateJob, signal = { aborted: false }): Promise<JobEvent[]> {
  const found: JobEvent[] = []
  for await (const event of runEvaluateJob(job, signal)) found.push(event)
  return found
}
function resultsOf(all: readonly JobEvent[]): ReadonlyMap<string, { readonly value: number; readonly n: number }> {
  return new Map(all.flatMap((event) => (event.kind === 'result' ? [[event.metric, event] as const] : [])))
}
function itemsOf(all: readonly JobEvent[], metric: string): readonly ItemResult[] {
  return all.flatMap((event) => (event.kind === 'items' && event.metric === metric ? event.items : []))
}
const only = (evaluators: Evaluator[], fields: Partial<EvaluateJob> = {}) =>
  tiny.evaluateJob({ checkpoint, evaluators, ...fields })

it('yields every metric of a checkpoint once, under its declared name, and no other', () => {
  const declared = EVALUATION_METRICS.map(({ name }) => name).filter((name) => !name.startsWith('transplant/'))
  const yielded = events.flatMap((event) => (event.kind === 'result' ? [event.metric] : []))
  expect([...yielded].sort()).toEqual([...declared].sort())
})

it('every number is the mean of its items; only the mean IoU, which is none of any image, is not', () => {
  for (const [metric, { value, n }] of resultsOf(events)) {
    const items = itemsOf(events, metric)
    const groups = itemsOf(events, 'vqa/all').filter(({ group }) => metric === `vqa/${group}`)
    const own = items.length > 0 ? items : groups
    if (/^(alignment|change)\//.test(metric)) continue
    expect(own.length, metric).toBe(n)
    if (metric === 'segmentation/mean-iou') continue
    expect(own.reduce((sum, item) => sum + item.value, 0) / own.length, metric).toBeCloseTo(value, 9)
  }
})

it('items can be paired: each once a metric, in the cluster of its image, with details that the store can read', () => {
  const images = new Set(itemsOf(events, 'vqa/all').map(({ cluster }) => cluster))
  for (const event of events) {
    if (event.kind !== 'items') continue
    expect(new Set(event.items.map(({ itemId }) => itemId)).size, event.metric).toBe(event.items.length)
    for (const item of event.items) {
      expect(images.has(item.cluster), event.metric).toBe(true)
      if (item.detail !== null) itemDetailSchema.parse(item.detail)
    }
  }
})

it('counts its work: progress never falls, and ends at what the part announced', () => {
  let part: { name: string; of: number } | null = null
  let done = 0
  const finish = () => part !== null && expect(done, part.name).toBe(part.of)
  for (const event of events) {
    if (event.kind === 'part') {
      finish()
      ;[part, done] = [event, 0]
    } else if (event.kind === 'progress') {
      expect(event.of, part!.name).toBe(part!.of)
      expect(event.done, part!.name).toBeGreaterThanOrEqual(done)
      done = event.done
    }
  }
  finish()
})

it('the same job gives the same events, number for number', async () => {
  expect(await eventsOf(everything)).toEqual(events)
})

it('holds no tensor when it ends, nor when it is cancelled or refused', async () => {
  const before = tf.memory().numTensors
  await eventsOf(everything)
  expect(tf.memory().numTensors).toBe(before)

  for (const evaluator of EVALUATORS) {
    const signal = { aborted: false }
    const run = (async () => {
      for await (const event of runEvaluateJob(tiny.evaluateJob({ ...everything, evaluators: [evaluator] }), signal))
        if (event.kind === 'progress') signal.aborted = true
    })()
    expect((await faultOfPromise(run)).code, evaluator).toBe('cancelled')
    expect(tf.memory().numTensors, evaluator).toBe(before)
  }

  const refused = only(['probe'], { snapshots: { ...tiny.snapshots, objects: null } })
  expect((await faultOfPromise(eventsOf(refused))).code).toBe('invalid-input')
  expect(tf.memory().numTensors).toBe(before)
})

it('answers do not depend on which other questions share the batch', async () => {
  const given = (all: readonly JobEvent[]) =>
    itemsOf(all, 'vqa/all').map(({ itemId, detail }) => [itemId, (detail as { given: string }).given])
  for (const batchSize of [1, 5]) {
    const found = await eventsOf(only(['questions'], { settings: { ...everything.settings, batchSize } }))
    expect(given(found)).toEqual(given(events))
  }
})

it('measures every checkpoint on the same items, however few are drawn', async () => {
  const settings = { ...everything.settings, questions: { limit: 5, maxNewTokens: 2 }, preferences: { limit: 7 } }
  const [a, b] = [checkpoint, baseline].map((of) =>
    eventsOf(only(['questions', 'preferences', 'probe'], { checkpoint: of, settings })),
  )
  for (const metric of ['vqa/all', 'preference/accuracy', 'probe/linear']) {
    const ids = itemsOf(await a!, metric).map(({ itemId }) => itemId)
    expect(itemsOf(await b!, metric).map(({ itemId }) => itemId)).toEqual(ids)
  }
  expect(itemsOf(await a!, 'vqa/all')).toHaveLength(5)
  expect(itemsOf(await a!, 'preference/accuracy')).toHaveLength(7)
  const other = await eventsOf(only(['questions'], { settings: { ...settings, seed: 1 } }))
  expect(itemsOf(other, 'vqa/all').map(({ itemId }) => itemId)).not.toEqual(
    itemsOf(await a!, 'vqa/all').map(({ itemId }) => itemId),
  )
})

it('uses held-out samples only: nothing that is not of the test split is scored', async () => {
  const items = [...new Set(events.flatMap((event) => (event.kind === 'items' ? event.items : [])).map(({ cluster }) => cluster))]
  expect(items).toHaveLength(18)
  const none = tinyProject(join(root, 'untested'), { train: 4, validation: 0, test: 0 })
  const fault = await faultOfPromise(eventsOf(none.evaluateJob({ checkpoint })))
  expect(fault.code).toBe('invalid-input')
  expect(fault.message).toContain('"test"')
})

it('a checkpoint that is its own baseline has not changed', async () => {
  const found = resultsOf(await eventsOf(only(['alignment'], { baseline: checkpoint })))
  expect(found.get('change/cka')!.value).toBeCloseTo(1, 12)
  expect(found.get('change/mutual-knn')!.value).toBe(1)
  expect(resultsOf(events).get('change/cka')!.value).toBeLessThan(0.999)
})

it('alignment without a baseline says nothing of change, and without captions nothing of language', async () => {
  expect([...resultsOf(await eventsOf(only(['alignment']))).keys()]).toEqual(['alignment/mutual-knn', 'alignment/cka-language'])
  const silent = only(['alignment'], { baseline, snapshots: { ...tiny.snapshots, captions: null } })
  expect([...resultsOf(await eventsOf(silent)).keys()]).toEqual(['change/cka', 'change/mutual-knn'])
})

it('the text side is the baseline’s: the same encoder under another language model is aligned as well', async () => {
  const own = resultsOf(await eventsOf(only(['alignment'], { checkpoint, baseline: checkpoint })))
  const others = resultsOf(await eventsOf(only(['alignment'], { checkpoint, baseline })))
  const reversed = resultsOf(await eventsOf(only(['alignment'], { checkpoint: baseline, baseline: checkpoint })))
  const cka = 'alignment/cka-language'
  expect(others.get(cka)!.value).not.toBe(own.get(cka)!.value)
  expect(reversed.get(cka)!.value).not.toBe(own.get(cka)!.value)
})

it('SFT and chosen maps of one checkpoint score alike, since they differ by a factor; the shared DPO map does not', () => {
  for (const score of ['energy', 'pointing', 'auroc', 'entropy']) {
    const [sft, chosen, dpo] = ['sft', 'chosen', 'dpo'].map((kind) =>
      itemsOf(events, `localisation/${kind}/${score}`).map(({ value }) => value),
    )
    sft!.forEach((value, i) => expect(value).toBeCloseTo(chosen![i]!, 6))
    // The brightest patch may well be the same one.
    if (score !== 'pointing') expect(dpo).not.toEqual(chosen)
  }
})

it('the maps to look at are those of the first items, one an image token, SFT’s being the chosen one over its tokens', () => {
  const detailed = events
    .flatMap((event) => (event.kind === 'items' && event.metric.startsWith('localisation/') ? event.items : []))
    .filter(({ detail }) => detail !== null)
  expect(detailed).toHaveLength(3)
  for (const { detail } of detailed) {
    const found = itemDetailSchema.parse(detail)
    if (found.kind !== 'maps') throw new Error(`expected maps, got ${found.kind}`)
    const { sft, chosen, dpo } = found.maps
    expect([sft.rows, sft.columns, sft.values.length]).toEqual([4, 4, 16])
    const ratios = sft.values.map((value, i) => chosen.values[i]! / value)
    for (const ratio of ratios) expect(ratio).toBeCloseTo(ratios[0]!, 1)
    expect(ratios[0]!).toBeGreaterThan(1.9)
    const contrast = dpo.values.map((value, i) => value / chosen.values[i]!)
    expect(Math.max(...contrast) / Math.min(...contrast)).toBeGreaterThan(1.01)
  }
})

it('a checkpoint that is the reference of its own DPO maps has margin 0, as with no baseline at all', async () => {
  const [self, none] = await Promise.all(
    [only(['localisation'], { baseline: checkpoint }), only(['localisation'])].map((job) => eventsOf(job)),
  )
  expect(itemsOf(self!, 'localisation/dpo/energy')).toEqual(itemsOf(none!, 'localisation/dpo/energy'))
})

it('colours are read off even a fresh encoder: the probes do far better than chance', () => {
  for (const metric of ['probe/linear', 'probe/prototype', 'probe/knn'])
    expect(resultsOf(events).get(metric)!.value, metric).toBeGreaterThan(0.6)
})

it('measures an encoder with a class token by its patches: a place in the picture for every number of a map, under either strategy', async () => {
  for (const visionFeatureSelectStrategy of ['default', 'full'] as const) {
    const spec = multimodalLmSpecSchema.parse({
      ...TINY_SPEC,
      visionEncoder: { family: 'dinov2_with_registers', imageSize: SIDE, patchSize: 4, hiddenSize: 16, numHiddenLayers: 3, numAttentionHeads: 2, numRegisterTokens: 2 },
      visionFeatureSelectStrategy,
    })
    const found = await eventsOf(only(['questions', 'segmentation', 'localisation', 'probe'], { checkpoint: await tiny.checkpoint(1, spec) }))
    expect(resultsOf(found).get('segmentation/mean-iou')!.value).toBeGreaterThan(0)
    const examples = itemsOf(found, 'localisation/dpo/energy').filter(({ detail }) => detail !== null)
    expect(examples).toHaveLength(3)
    for (const { detail } of examples) {
      const { maps } = itemDetailSchema.parse(detail) as { maps: Record<string, { rows: number; columns: number; values: number[] }> }
      for (const map of Object.values(maps)) expect([map.rows, map.columns, map.values.length]).toEqual([4, 4, 16])
    }
  }
})

it('refuses to say where things are when the strategy dropped a patch of an encoder without a class token', async () => {
  const spec = multimodalLmSpecSchema.parse({ ...TINY_SPEC, visionFeatureSelectStrategy: 'default' })
  const fault = await faultOfPromise(eventsOf(only(['segmentation'], { checkpoint: await tiny.checkpoint(1, spec) })))
  expect(fault).toMatchObject({ code: 'invalid-input', message: expect.stringContaining('visionFeatureSelectStrategy') })
})
