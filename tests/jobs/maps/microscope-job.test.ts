// Laws of the gradient microscope: what it says is what the objectives' own gradients are, block by block; a pair of equal answers
// pulls DPO nowhere; parts add up to the whole.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { microscopeSchema, type Microscope } from '../../../src-main/domain/gradient-microscope.ts'
import { jobSchema, type MicroscopeJob } from '../../../src-main/domain/job.ts'
import { gradients } from '../../../src-main/engine/nn/gradients.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { openMeasuredModel } from '../../../src-main/jobs/evaluate/measured-model.ts'
import { lookAt, scoreOf } from '../../../src-main/jobs/maps/item-maps.ts'
import { runMicroscopeJob } from '../../../src-main/jobs/maps/microscope-job.ts'
import { readSnapshot, samplesOf } from '../../../src-main/jobs/samples.ts'
import { faultOfPromise } from '../../support/fault-of.ts'
import { tinyProject, type TinyProject } from '../evaluate/tiny-project.ts'

const root = mkdtempSync(join(tmpdir(), 'pivot-lab-microscope-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let tiny: TinyProject
let folders: readonly [string, string]
let item: MicroscopeJob['item']
beforeAll(async () => {
  await openBackend()
  tiny = tinyProject(root)
  folders = [await tiny.checkpoint(1), await tiny.checkpoint(2)]
  const { image, content } = samplesOf(await readSnapshot(root, tiny.snapshots.preferences), 'preferences')[0]!
  item = { image: image!, prompt: content.prompt, chosen: content.chosen, rejected: content.rejected, region: [], objects: null }
})

async function seen(fields: object = {}, signal = { aborted: false }): Promise<Microscope['checkpoints']> {
  const job = jobSchema.parse({ kind: 'microscope', project: root, checkpoints: [{ name: 'one', checkpoint: folders[0] }], reference: folders[1], item, beta: 0.5, ...fields })
  let value: unknown
  for await (const event of runMicroscopeJob(job as MicroscopeJob, signal)) if (event.kind === 'answer') ({ value } = event)
  return microscopeSchema.parse(value).checkpoints
}

it('sizes and cosine are those of the losses’ own gradients by the weights of the encoder, and no tensor stays', async () => {
  const before = tf.memory().numTensors
  const [found] = await seen()
  expect(tf.memory().numTensors).toBe(before)
  const measured = await openMeasuredModel(root, folders[0])
  const looked = await lookAt(measured, item)
  const x = tf.reshape(looked.patches, [1, ...looked.patches.shape])
  const score = (target: 'sft' | 'chosen' | 'rejected') => tf.reshape(scoreOf(looked, target, 'patches')(x), []) as tf.Scalar
  const reference = (() => {
    const { chosen, rejected } = found!.logProbs
    return found!.margin / 0.5 - (chosen - rejected) // −(reference's difference)
  })()
  const weights = Object.values(measured.model.weights.visionEncoder)
  const sft = gradients(() => tf.neg(score('sft')), weights).gradients
  const dpo = gradients(() => tf.softplus(tf.neg(tf.mul(0.5, tf.add(tf.sub(score('chosen'), score('rejected')), reference)))), weights).gradients
  const dot = (a: readonly tf.Tensor[], b: readonly tf.Tensor[]) => a.reduce((sum, each, i) => sum + tf.sum(tf.mul(each, b[i]!)).dataSync()[0]!, 0)
  const [s, d] = [Math.sqrt(dot(sft, sft)), Math.sqrt(dot(dpo, dpo))]
  expect(found!.visionEncoder.sft / s).toBeCloseTo(1, 4)
  expect(found!.visionEncoder.dpo / d).toBeCloseTo(1, 4)
  expect(found!.visionEncoder.cosine).toBeCloseTo(dot(sft, dpo) / (s * d), 4)
  looked.dispose()
  measured.dispose()
})

it('parts are embeddings, the blocks that feed the projector and the projector; the encoder’s add up to the whole', async () => {
  const [{ parts, visionEncoder, patches } = (await seen())[0]!] = await seen()
  expect(parts.map(({ part }) => part).sort()).toEqual(['block 1', 'block 2', 'embeddings', 'projector'])
  for (const loss of ['sft', 'dpo'] as const) {
    const sum = parts.filter(({ part }) => part !== 'projector').reduce((total, each) => total + each[loss] ** 2, 0)
    expect(Math.sqrt(sum) / visionEncoder[loss]).toBeCloseTo(1, 5)
  }
  expect([patches.sft.length, patches.dpo.length, patches.cosine.length]).toEqual([16, 16, 16])
})

it('two equal answers pull DPO nowhere; without a reference the margin is 0; several checkpoints stand in their order', async () => {
  const [same] = await seen({ item: { ...item, rejected: item.chosen } })
  expect(same!.visionEncoder.dpo).toBeLessThan(1e-6 * same!.visionEncoder.sft)
  const both = await seen({ reference: null, checkpoints: folders.map((checkpoint, i) => ({ name: `${i}`, checkpoint })) })
  expect(both.map(({ encoder, margin }) => [encoder, margin])).toEqual([['0', 0], ['1', 0]])
})

it('a question is no pair, and a stop is heeded', async () => {
  expect(await faultOfPromise(seen({ item: { ...item, rejected: null } }))).toMatchObject({ code: 'invalid-input' })
  expect(await faultOfPromise(seen({}, { aborted: true }))).toMatchObject({ code: 'cancelled' })
})
