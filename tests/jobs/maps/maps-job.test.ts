// Laws of the maps of one picture: which there are, that they agree with the maps that studies are measured by, that they are kept
// and the same when asked again, that what cannot be had is said, and that nothing is left behind.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { MapsJob } from '../../../src-main/domain/job.ts'
import { jobSchema } from '../../../src-main/domain/job.ts'
import { multimodalLmSpecSchema } from '../../../src-main/domain/model-spec.ts'
import { MAP_METHODS, mapsSchema, type Maps } from '../../../src-main/domain/patch-maps.ts'
import { siglipPreprocess } from '../../../src-main/domain/preprocess-spec.ts'
import type { SampleOf } from '../../../src-main/domain/sample.ts'
import { pairGradients, pairMaps } from '../../../src-main/engine/evaluate/gradient-maps.ts'
import { imageTokens } from '../../../src-main/engine/models/multimodal-lm.ts'
import { specToHuggingFace } from '../../../src-main/engine/preprocess/hugging-face.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { chooseBuckets, collateSamples, encodeSamples, rowTensors } from '../../../src-main/jobs/batches.ts'
import { ofPatches, openMeasuredModel } from '../../../src-main/jobs/evaluate/measured-model.ts'
import { runMapsJob } from '../../../src-main/jobs/maps/maps-job.ts'
import { readSnapshot, samplesOf } from '../../../src-main/jobs/samples.ts'
import { expectClose } from '../../support/all-close.ts'
import { faultOfPromise } from '../../support/fault-of.ts'
import { SIDE, TINY_SPEC, tinyProject, type TinyProject } from '../evaluate/tiny-project.ts'

const root = mkdtempSync(join(tmpdir(), 'pivot-lab-maps-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

let tiny: TinyProject
let pair: SampleOf<'preferences'>
let checkpoints: readonly string[]

beforeAll(async () => {
  await openBackend()
  tiny = tinyProject(root)
  const withClassToken = multimodalLmSpecSchema.parse({
    ...TINY_SPEC,
    visionEncoder: { family: 'clip', imageSize: SIDE, patchSize: 8, hiddenSize: 24, intermediateSize: 32, numHiddenLayers: 2, numAttentionHeads: 2 },
    visionFeatureSelectStrategy: 'full',
  })
  checkpoints = [await tiny.checkpoint(1), await tiny.checkpoint(2), await tiny.checkpoint(3, withClassToken)]
  pair = samplesOf(await readSnapshot(root, tiny.snapshots.preferences), 'preferences').find(({ split }) => split === 'test')!
})

const UNLEARNED = MAP_METHODS.filter((method) => method !== 'segmentation')
const everything = { methods: UNLEARNED, everyToken: true, at: { x: 0.1, y: 0.9 } }
function aJob(item: object = {}, settings: object = everything, encoders: readonly string[] = checkpoints): MapsJob {
  const { prompt, chosen, rejected, region } = pair.content
  return jobSchema.parse({
    kind: 'maps',
    project: root,
    encoders: encoders.map((checkpoint, i) => ({ name: `encoder ${i}`, checkpoint })),
    item: { image: pair.image, prompt, chosen, rejected, region, ...item },
    settings,
  }) as MapsJob
}

async function mapsOf(job: MapsJob, signal = { aborted: false }): Promise<Maps> {
  let value: unknown
  for await (const event of runMapsJob(job, signal)) if (event.kind === 'answer') ({ value } = event)
  return mapsSchema.parse(value)
}

describe('maps of a pair', () => {
  it('there is every map of every encoder, on its own grid; nothing is missing and no tensor stays', async () => {
    const before = tf.memory().numTensors
    const maps = await mapsOf(aJob())
    expect(tf.memory().numTensors).toBe(before)
    expect(maps.missing).toEqual([])
    for (const { encoder, rows, columns, tokens, frame } of maps.encoders) {
      const own = maps.layers.filter((layer) => layer.encoder === encoder)
      expect(new Set(own.map(({ method }) => method))).toEqual(new Set(UNLEARNED))
      expect(own.filter(({ method }) => method === 'gradient').map(({ target }) => target)).toEqual(['sft', 'chosen', 'rejected', 'contrast', ...tokens.map(() => 'token')])
      for (const { method, values, channels, low, high } of own) {
        expect(values).toHaveLength(channels * (method === 'components' ? 16 : rows * columns))
        if (channels === 1) expect([low, high]).toEqual([Math.min(...values), Math.max(...values)])
      }
      expect(frame).toEqual([0, 0, pair.image!.width, pair.image!.height])
      expect(tokens.at(-1)).toBe('⏎')
    }
  })

  it('gradients are those that studies are scored by, the contrast up to its positive factor', async () => {
    const maps = await mapsOf(aJob())
    const measured = await openMeasuredModel(root, checkpoints[2]!)
    const { samples } = encodeSamples([pair], measured.tokenizer, measured.numImageTokens, 512)
    const rows = rowTensors(collateSamples(measured, [...samples, { ...samples[0]!, rows: [samples[0]!.rows[1]!] }], 1, chooseBuckets(samples).at(-1)!))
    const features = await measured.features([pair.image])
    const [expected] = pairMaps(pairGradients(measured.model, rows, imageTokens(measured.model, features)), rows.answerMask, [null], 0.1)
    for (const target of ['sft', 'chosen', 'rejected', 'contrast'] as const) {
      const { values } = maps.layers.find((layer) => layer.encoder === 'encoder 2' && layer.method === 'gradient' && layer.target === target)!
      // A pair that is its own reference has margin 0, so DPO's factor is β/2.
      const theirs = ofPatches(measured, target === 'contrast' ? expected!.dpo.map((value) => value / 0.05) : expected![target])
      expectClose(values.map((value) => value / values[0]!), theirs.map((value) => value / theirs[0]!), 1e-4)
      expect(values[0]! / theirs[0]!).toBeCloseTo(1, 3)
    }
    measured.dispose()
  })

  it('integrated gradients add up to what the picture adds, and the tokens’ log-probabilities to the answer’s', async () => {
    const { layers } = await mapsOf(aJob({}, { methods: ['integrated-gradients'], target: 'chosen' }))
    for (const { note, values } of layers) {
      const [sum, whole] = /adds up to (\S+) of (\S+) nats/.exec(note!)!.slice(1).map(Number) as [number, number]
      expect(values.reduce((a, b) => a + b, 0)).toBeCloseTo(sum, 3)
      expect(Math.abs(sum - whole)).toBeLessThanOrEqual(0.02 * Math.abs(whole) + 0.01 * values.reduce((a, b) => a + Math.abs(b), 0) + 0.001)
    }
  })

  it('what was computed is found again, under whatever name, and is the same to the last digit', async () => {
    const first = await mapsOf(aJob({}, everything, [checkpoints[0]!]))
    const files = readdirSync(join(root, 'cache', 'maps'))
    const again = await mapsOf({ ...aJob({}, everything, [checkpoints[0]!]), encoders: [{ name: 'another name', checkpoint: checkpoints[0]! }] })
    expect(readdirSync(join(root, 'cache', 'maps'))).toEqual(files)
    expect(again.layers.map(({ values }) => values)).toEqual(first.layers.map(({ values }) => values))
    expect(new Set(again.layers.map(({ encoder }) => encoder))).toEqual(new Set(['another name']))
    await mapsOf(aJob({ chosen: 'It is not.' }, everything, [checkpoints[0]!]))
    expect(readdirSync(join(root, 'cache', 'maps'))).toHaveLength(files.length + 1)
  })

  it('scores stand beside maps of an item with a region, and not without one', async () => {
    const scored = await mapsOf(aJob({}, { methods: ['gradient', 'components'] }))
    expect(scored.layers.filter(({ scores }) => scores !== null).every(({ method }) => method === 'gradient')).toBe(true)
    expect(scored.layers.some(({ scores }) => scores !== null)).toBe(true)
    expect((await mapsOf(aJob({ region: [] }, { methods: ['gradient'] }))).layers.every(({ scores }) => scores === null)).toBe(true)
  })
})

describe('what cannot be had is said', () => {
  it('without an answer there are the maps that need none, and a reason for the others', async () => {
    const { layers, missing } = await mapsOf(aJob({ prompt: null, chosen: null, rejected: null }, everything, [checkpoints[0]!]))
    expect(missing.map(({ method }) => method).sort()).toEqual(['grad-cam', 'gradient', 'integrated-gradients', 'occlusion'])
    expect(layers.map(({ method }) => method).sort()).toEqual(['attention', 'components', 'patch-norm', 'rollout', 'similarity'])
  })

  it('a vision encoder alone has the maps that need no answer, beside a model that has all', async () => {
    const [reference, alone] = [join(import.meta.dirname, '../parity/cases/vit'), join(root, 'alone')]
    mkdirSync(alone)
    for (const file of ['config.json', 'model.safetensors']) cpSync(join(reference, file), join(alone, file))
    const { image_size: side } = JSON.parse(readFileSync(join(alone, 'config.json'), 'utf8')) as { image_size: number }
    writeFileSync(join(alone, 'preprocessor_config.json'), JSON.stringify(specToHuggingFace(siglipPreprocess(side))))
    const { layers, missing, encoders } = await mapsOf(aJob({}, everything, [checkpoints[0]!, alone]))
    const own = layers.filter(({ encoder }) => encoder === 'encoder 1').map(({ method }) => method)
    expect(own.sort()).toEqual(['attention', 'components', 'patch-norm', 'rollout', 'similarity'])
    expect(encoders).toHaveLength(2)
    expect(missing.every(({ encoder, reason }) => encoder === 'encoder 1' && reason.includes('vision encoder alone'))).toBe(true)
  })

  it('a contrast needs two answers, a similarity a patch, and a token must be one of the answer', async () => {
    const { missing } = await mapsOf(aJob({ rejected: null }, { methods: ['occlusion', 'similarity'], target: 'contrast' }, [checkpoints[0]!]))
    expect(missing.map(({ reason }) => reason).sort().join()).toMatch(/click one.*two answers/)
    expect(await faultOfPromise(mapsOf(aJob({}, { methods: ['occlusion'], target: 'token', token: 99 }, [checkpoints[0]!])))).toMatchObject({ code: 'invalid-input', message: expect.stringContaining('tokens, found 99') })
  })

  it('each answer on the way holds what came before it, quick maps first, and the last one all', async () => {
    const answers: Maps[] = []
    for await (const event of runMapsJob(aJob({ chosen: 'Streamed.' }), { aborted: false })) if (event.kind === 'answer') answers.push(mapsSchema.parse(event.value))
    expect(answers.length).toBeGreaterThan(checkpoints.length * 5)
    answers.slice(1).forEach(({ layers }, i) => expect(layers.slice(0, answers[i]!.layers.length)).toEqual(answers[i]!.layers))
    expect(answers[0]!.layers.map(({ method }) => method)).toEqual(['patch-norm'])
    expect(answers.at(-1)).toEqual(await mapsOf(aJob({ chosen: 'Streamed.' })))
  })

  it('a checkpoint that was deleted, or its weights, is named with what to do', async () => {
    const folder = join(root, 'gone')
    const fault = () => faultOfPromise(mapsOf(aJob({}, everything, [checkpoints[0]!, folder])))
    expect(await fault()).toMatchObject({ code: 'not-found', message: expect.stringMatching(/gone: expected a checkpoint .*found no folder: it was moved or deleted\. Put it back/) })
    cpSync(checkpoints[1]!, folder, { recursive: true })
    rmSync(join(folder, 'model.safetensors'))
    expect(await fault()).toMatchObject({ code: 'not-found', message: expect.stringMatching(/gone: .*found a folder without weights/) })
  })

  it('stops where it is told to, and keeps nothing of the encoder it was at', async () => {
    const before = tf.memory().numTensors
    const job = aJob({ chosen: 'Something else.' })
    expect(await faultOfPromise(mapsOf(job, { aborted: true }))).toMatchObject({ code: 'cancelled' })
    expect(tf.memory().numTensors).toBe(before)
  })
})
