// Laws of the map that a segmentation probe draws: its numbers are those of the segmentation measurement; the probe is trained once for
// an encoder, data and settings, and anew for any other; what cannot be said of a picture is said so.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { jobSchema, type ItemResult, type MapsJob } from '../../../src-main/domain/job.ts'
import { mapsSchema, type PatchClasses, type PatchLayer } from '../../../src-main/domain/patch-maps.ts'
import { siglipPreprocess } from '../../../src-main/domain/preprocess-spec.ts'
import type { SampleOf } from '../../../src-main/domain/sample.ts'
import { specToHuggingFace } from '../../../src-main/engine/preprocess/hugging-face.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { runEvaluateJob } from '../../../src-main/jobs/evaluate-job.ts'
import { createEncoderShelf } from '../../../src-main/jobs/maps/encoder-shelf.ts'
import { runMapsJob } from '../../../src-main/jobs/maps/maps-job.ts'
import { patchProbeKey } from '../../../src-main/jobs/maps/segmentation-map.ts'
import { readSnapshot, samplesOf } from '../../../src-main/jobs/samples.ts'
import { faultOfPromise } from '../../support/fault-of.ts'
import { tinyProject, type TinyProject } from '../evaluate/tiny-project.ts'

const root = mkdtempSync(join(tmpdir(), 'pivot-lab-segmentation-map-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const SETTINGS = { hiddenSize: 12, epochs: 3, limit: { train: 18, test: 6 }, batchSize: 8, seed: 5 }
let tiny: TinyProject
let scenes: readonly SampleOf<'objects'>[]
let checkpoint: string

beforeAll(async () => {
  await openBackend()
  tiny = tinyProject(root)
  checkpoint = await tiny.checkpoint(1)
  scenes = samplesOf(await readSnapshot(root, tiny.snapshots.objects), 'objects')
})

const inSplit = (split: string) => scenes.filter((scene) => scene.split === split)
function aJob({ image, content }: SampleOf<'objects'>, { objects = content.objects as unknown, settings = {}, encoders = [checkpoint] } = {}): MapsJob {
  return jobSchema.parse({
    kind: 'maps',
    project: root,
    encoders: encoders.map((folder, i) => ({ name: `encoder ${i}`, checkpoint: folder })),
    item: { image, objects },
    settings: { methods: ['segmentation'], segmentation: { snapshot: tiny.snapshots.objects, settings: { ...SETTINGS, ...settings } } },
  }) as MapsJob
}
async function layersOf(job: MapsJob, shelf = createEncoderShelf(0)): Promise<readonly PatchLayer[]> {
  let value: unknown
  for await (const event of runMapsJob(job, { aborted: false }, shelf)) if (event.kind === 'answer') ({ value } = event)
  return mapsSchema.parse(value).layers
}
const classesOf = (layers: readonly PatchLayer[]): PatchClasses => layers[0]!.classes!

it('over the test pictures its numbers are those of the measurement with the same data and settings', async () => {
  const { batchSize, seed, ...segmentation } = SETTINGS
  const job = tiny.evaluateJob({ checkpoint, evaluators: ['segmentation'] })
  const measured: ItemResult[] = []
  const results: Record<string, number> = {}
  for await (const event of runEvaluateJob({ ...job, settings: { ...job.settings, batchSize, seed, segmentation: { ...segmentation, labels: 'majority' } } }, { aborted: false })) {
    if (event.kind === 'items' && event.metric === 'segmentation/mean-iou') measured.push(...event.items)
    if (event.kind === 'result') results[event.metric] = event.value
  }
  expect(measured).toHaveLength(6)
  for (const { itemId, value } of measured) {
    const classes = classesOf(await layersOf(aJob(scenes.find(({ id }) => id === itemId)!)))
    expect(classes.scores!.meanIou).toBeCloseTo(value, 6)
    expect(classes.probe.meanIou).toBeCloseTo(results['segmentation/mean-iou']!, 6)
    expect(classes.probe.macroRecall).toBeCloseTo(results['segmentation/macro-recall']!, 6)
    expect([classes.probe.trainedOn, classes.probe.testedOn]).toEqual([18, 6])
  }
})

it('accuracy is the share of patches whose class is the true one, and classes have the names of the data', async () => {
  const [layer] = await layersOf(aJob(inSplit('test')[0]!))
  const { names, truth, scores } = layer!.classes!
  expect(names).toEqual(['background', 'blue', 'green', 'red'])
  expect(truth).toHaveLength(layer!.rows * layer!.columns)
  expect(truth!.some((label) => label > 0)).toBe(true)
  expect(scores!.accuracy).toBe(truth!.filter((label, i) => label === layer!.values[i]).length / truth!.length)
})

it('it learns once for an encoder, data and settings, and anew for any other; the same from the cache to the last patch', async () => {
  const folder = join(root, 'cache', 'patch-probes')
  const scene = inSplit('test')[1]!
  const first = await layersOf(aJob(scene))
  const before = readdirSync(folder)
  rmSync(join(root, 'cache', 'maps'), { recursive: true })
  expect(await layersOf(aJob(scene))).toEqual(first)
  expect(readdirSync(folder)).toEqual(before)
  await layersOf(aJob(scene, { settings: { epochs: 2 } }))
  await layersOf(aJob(scene, { encoders: [await tiny.checkpoint(2)] }))
  expect(readdirSync(folder)).toHaveLength(before.length + 2)
  const probe = aJob(scene).settings.segmentation!
  const keys = [
    patchProbeKey({ identity: 'a', probe }),
    patchProbeKey({ identity: 'b', probe }),
    patchProbeKey({ identity: 'a', probe: { ...probe, snapshot: 'c' } }),
    ...Object.entries({ hiddenSize: 1, epochs: 1, batchSize: 1, seed: 1, limit: { train: 1, test: 1 } }).map(([name, value]) => patchProbeKey({ identity: 'a', probe: { ...probe, settings: { ...probe.settings, [name]: value } } })),
  ]
  expect(new Set(keys).size).toBe(keys.length)
})

it('a damaged probe is trained again', async () => {
  const folder = join(root, 'cache', 'patch-probes')
  const scene = inSplit('test')[2]!
  const first = await layersOf(aJob(scene))
  for (const name of readdirSync(folder)) writeFileSync(join(folder, name), readFileSync(join(folder, name)).subarray(0, 100))
  rmSync(join(root, 'cache', 'maps'), { recursive: true })
  expect(await layersOf(aJob(scene))).toEqual(first)
})

it('without masks there is a map and no score; a picture that the probe has learned from is told to be one', async () => {
  const bare = (await layersOf(aJob(inSplit('test')[3]!, { objects: null })))[0]!
  expect([bare.classes!.truth, bare.classes!.scores]).toEqual([null, null])
  expect(bare.note).toMatch(/no masks in this data/)
  const learned = (await layersOf(aJob(inSplit('train')[0]!)))[0]!
  expect(learned.note).toMatch(/learned from this very picture/)
  expect((await layersOf(aJob(inSplit('test')[3]!)))[0]!.note).toBe(null)
  const unknown = (await layersOf(aJob(inSplit('test')[4]!, { objects: inSplit('test')[4]!.content.objects.map((each) => ({ ...each, category: 'violet' })) })))[0]!
  expect(unknown.note).toMatch(/violet: not among the classes/)
})

it('without data it is told what is missing, and data without masks are refused', async () => {
  const job = aJob(inSplit('test')[0]!)
  let value: unknown
  for await (const event of runMapsJob({ ...job, settings: { ...job.settings, segmentation: null } }, { aborted: false })) if (event.kind === 'answer') ({ value } = event)
  expect(mapsSchema.parse(value).missing.map(({ reason }) => reason).join()).toMatch(/name a dataset with masks/)
  const ofQuestions = { ...job, settings: { ...job.settings, segmentation: { ...job.settings.segmentation!, snapshot: tiny.snapshots.questions } } }
  expect(await faultOfPromise(layersOf(ofQuestions))).toMatchObject({ code: 'invalid-input', message: expect.stringContaining('objects') })
})

it('a vision encoder alone has a probe too', async () => {
  const [reference, alone] = [join(import.meta.dirname, '../parity/cases/vit'), join(root, 'alone')]
  mkdirSync(alone)
  for (const file of ['config.json', 'model.safetensors']) cpSync(join(reference, file), join(alone, file))
  const { image_size: side } = JSON.parse(readFileSync(join(alone, 'config.json'), 'utf8')) as { image_size: number }
  writeFileSync(join(alone, 'preprocessor_config.json'), JSON.stringify(specToHuggingFace(siglipPreprocess(side))))
  const layers = await layersOf(aJob(inSplit('test')[0]!, { encoders: [checkpoint, alone] }))
  expect(layers.map(({ encoder }) => encoder)).toEqual(['encoder 0', 'encoder 1'])
  expect(layers[1]!.classes!.truth).toHaveLength(layers[1]!.rows * layers[1]!.columns)
})

it('no tensor stays, also when it is stopped while the probe learns', async () => {
  const before = tf.memory().numTensors
  const signal = { aborted: false }
  const stopped = (async () => {
    for await (const event of runMapsJob(aJob(inSplit('test')[0]!, { settings: { seed: 99 } }), signal)) if (event.kind === 'progress' && event.done > 23) signal.aborted = true
  })()
  expect(await faultOfPromise(stopped)).toMatchObject({ code: 'cancelled' })
  expect(tf.memory().numTensors).toBe(before)
  await layersOf(aJob(inSplit('test')[0]!, { settings: { seed: 98 } }))
  expect(tf.memory().numTensors).toBe(before)
})

it('a shelf keeps an encoder for the next picture, opens one that was written anew, and holds no more than it may', async () => {
  const before = tf.memory().numTensors
  const shelf = createEncoderShelf(1 << 24)
  const [one, other] = [await tiny.checkpoint(3), await tiny.checkpoint(4)]
  const first = await shelf.open(root, one, 'as it was')
  expect(await shelf.open(root, one, 'as it was')).toBe(first)
  expect(await shelf.open(root, one, 'written anew')).not.toBe(first)
  shelf.trim()
  expect(tf.memory().numTensors).toBeGreaterThan(before)
  shelf.clear()
  expect(tf.memory().numTensors).toBe(before)
  const small = createEncoderShelf(1)
  await small.open(root, one, 'one')
  const held = tf.memory().numTensors
  await small.open(root, other, 'other')
  expect(tf.memory().numTensors).toBe(held)
  small.trim()
  expect(tf.memory().numTensors).toBe(before)
})
