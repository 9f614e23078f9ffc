// Laws of an export: the features of the checkpoint bit for bit, nothing half-written, no export taken for what it is not.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { beforeAll, expect, it } from 'vitest'
import { jobSchema, type ExportJob, type JobEvent } from '../../src-main/domain/job.ts'
import { imageFeatures } from '../../src-main/engine/models/multimodal-lm.ts'
import { readSafetensors } from '../../src-main/engine/weights/safetensors.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { runCheckExportJob } from '../../src-main/jobs/check-export-job.ts'
import { readCheckpoint, writeCheckpoint } from '../../src-main/jobs/checkpoint.ts'
import { openMeasuredModel } from '../../src-main/jobs/evaluate/measured-model.ts'
import { runExportJob } from '../../src-main/jobs/export-job.ts'
import { exportedFeatures, readExportedEncoder } from '../../src-main/jobs/exported-encoder.ts'
import { sha256OfFile } from '../../src-main/jobs/files.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { TINY_SPEC, tinyProject, type TinyProject } from './evaluate/tiny-project.ts'
import { plainModules } from '../support/plain-arrays.ts'

beforeAll(() => openBackend())

async function runExport(
  fields: Partial<ExportJob> & { readonly checkpoint: string; readonly folder: string },
): Promise<JobEvent[]> {
  const job = jobSchema.parse({ kind: 'export', project: fields.folder, ...fields }) as ExportJob
  const events: JobEvent[] = []
  for await (const event of runExportJob(job, { aborted: false })) events.push(event)
  return events
}
function aProject(): { readonly tiny: TinyProject; readonly folder: string } {
  const root = temporaryFolder()
  return { tiny: tinyProject(root, { train: 1, validation: 0, test: 1 }), folder: join(root, 'exports', 'encoder') }
}

it('an export gives the features of its checkpoint, bit for bit, from the blocks that feed the projector alone', async () => {
  const { tiny, folder } = aProject()
  for (const visionFeatureLayer of [-1, -2, -3]) {
    const checkpoint = await tiny.checkpoint(3, { ...TINY_SPEC, visionFeatureLayer })
    const before = tf.memory().numTensors
    await runExport({ checkpoint, folder })
    expect(tf.memory().numTensors).toBe(before)

    const exported = await readExportedEncoder(folder)
    expect(exported.spec.numHiddenLayers).toBe(TINY_SPEC.visionEncoder.numHiddenLayers + 1 + visionFeatureLayer)
    expect(exported.manifest.checkpoint.sha256).toBe((await readCheckpoint(checkpoint)).checkpoint.sha256)
    const measured = await openMeasuredModel(tiny.project, checkpoint)
    const patches = tf.randomUniform([3, 16, 48], -1, 1, 'float32', 5)
    expect(exportedFeatures(exported, patches).dataSync()).toEqual(imageFeatures(measured.model, patches).dataSync())
    measured.dispose()
  }
})

it('is a Hugging Face folder: config, SigLIP’s names of weights, preprocessing, a card that names no path', async () => {
  const { tiny, folder } = aProject()
  await runExport({ checkpoint: await tiny.checkpoint(1), folder })
  expect(readdirSync(folder).sort()).toEqual([
    'README.md',
    'config.json',
    'manifest.json',
    'model.safetensors',
    'preprocessor_config.json',
  ])
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>
  expect(config).toMatchObject({
    model_type: 'siglip_vision_model',
    architectures: ['SiglipVisionModel'],
    num_hidden_layers: 2,
    vision_use_head: false,
  })
  const names = Object.keys(readSafetensors(readFileSync(join(folder, 'model.safetensors'))))
  expect(names.every((name) => name.startsWith('vision_model.'))).toBe(true)
  expect(names).toContain('vision_model.encoder.layers.1.mlp.fc2.bias')
  expect(names.some((name) => name.includes('layers.2.') || name.includes('head.'))).toBe(false)
  const card = readFileSync(join(folder, 'README.md'), 'utf8')
  expect(card).toContain('hidden_states[-1]')
  expect(card).not.toContain(tiny.project)
})

it('equal checkpoints give equal bytes', async () => {
  const { tiny, folder } = aProject()
  const checkpoint = await tiny.checkpoint(1)
  await runExport({ checkpoint, folder })
  const first = await sha256OfFile(join(folder, 'manifest.json'))
  await runExport({ checkpoint, folder })
  expect(await sha256OfFile(join(folder, 'manifest.json'))).toBe(first)
})

it('a changed, lost or foreign file is found when the export is read', async () => {
  const { tiny, folder } = aProject()
  await runExport({ checkpoint: await tiny.checkpoint(1), folder })
  const weights = readFileSync(join(folder, 'model.safetensors'))
  const changed = Buffer.from(weights)
  changed[changed.length - 1] = changed.at(-1)! ^ 1
  writeFileSync(join(folder, 'model.safetensors'), changed)
  const fault = await faultOfPromise(readExportedEncoder(folder))
  expect(fault.code).toBe('corrupt-artifact')
  expect(fault.message).toContain('model.safetensors')

  writeFileSync(join(folder, 'model.safetensors'), weights)
  await readExportedEncoder(folder)
  rmSync(join(folder, 'config.json'))
  expect((await faultOfPromise(readExportedEncoder(folder))).code).toBe('corrupt-artifact')
  rmSync(join(folder, 'manifest.json'))
  expect((await faultOfPromise(readExportedEncoder(folder))).code).toBe('not-found')
})

it('is told by its manifest’s hash, and can be checked from the disk alone: one file changed is named', async () => {
  const { tiny, folder } = aProject()
  const events = await runExport({ checkpoint: await tiny.checkpoint(1), folder })
  const sha256 = await sha256OfFile(join(folder, 'manifest.json'))
  expect(events.at(-1)).toMatchObject({ kind: 'artifact', path: folder, sha256 })
  const check = async () => {
    const events: JobEvent[] = []
    for await (const event of runCheckExportJob({ kind: 'check-export', folder })) events.push(event)
    return events
  }
  expect(await check()).toMatchObject([{ value: { folder, sha256, kind: 'vision-encoder', files: readdirSync(folder).length } }])
  writeFileSync(join(folder, 'README.md'), 'another card')
  expect((await faultOfPromise(check())).message).toContain('README.md: expected SHA-256')
})

it('never replaces a folder that is no export, and refuses a checkpoint whose weights are not its own', async () => {
  const { tiny, folder } = aProject()
  const checkpoint = await tiny.checkpoint(1)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'thesis.txt'), 'years of work')
  expect((await faultOfPromise(runExport({ checkpoint, folder }))).code).toBe('conflict')
  expect(readFileSync(join(folder, 'thesis.txt'), 'utf8')).toBe('years of work')

  const weights = readFileSync(join(checkpoint, 'model.safetensors'))
  weights[weights.length - 1] = weights.at(-1)! ^ 1
  writeFileSync(join(checkpoint, 'model.safetensors'), weights)
  const elsewhere = join(tiny.project, 'elsewhere')
  expect((await faultOfPromise(runExport({ checkpoint, folder: elsewhere }))).code).toBe('corrupt-artifact')
  expect(existsSync(elsewhere)).toBe(false)
})

it('leaves nothing behind when it fails half-way', async () => {
  const { tiny, folder } = aProject()
  const { weights, tokenizerFiles, preprocess, checkpoint } = await readCheckpoint(await tiny.checkpoint(1))
  const { 'post_layernorm.bias': _, ...incomplete } = weights.visionEncoder
  const { formatVersion: __, sha256: ___, ...describe } = checkpoint
  const broken = join(tiny.project, 'broken')
  await writeCheckpoint(broken, {
    weights: { ...weights, visionEncoder: incomplete },
    moments: null,
    tokenizerFiles,
    preprocess,
    describe,
  })
  const fault = await faultOfPromise(runExport({ checkpoint: broken, folder }))
  expect(fault.code).toBe('corrupt-artifact')
  expect(fault.message).toContain('post_layernorm.bias')
  expect(readdirSync(join(folder, '..'))).toEqual([])
})

it('the whole model is copied without the optimiser’s moments and is a checkpoint itself', async () => {
  const { tiny, folder } = aProject()
  const checkpoint = await tiny.checkpoint(4)
  writeFileSync(join(checkpoint, 'optimizer.safetensors'), 'moments')
  const events = await runExport({ checkpoint, folder, part: 'multimodal-lm' })
  expect(events.at(-1)).toMatchObject({ kind: 'artifact', name: 'multimodal-lm', path: folder })
  expect(readdirSync(folder)).not.toContain('optimizer.safetensors')
  const [copy, original] = [await readCheckpoint(folder), await readCheckpoint(checkpoint)]
  expect(plainModules(copy.weights)).toEqual(plainModules(original.weights))
  expect(copy.checkpoint).toEqual(original.checkpoint)
  expect((await faultOfPromise(readExportedEncoder(folder))).code).toBe('invalid-input')
})

it('a published model is exported whole, each weight bit for bit, whatever its folder lacks of a checkpoint', async () => {
  const { tiny, folder } = aProject()
  const published = await tiny.checkpoint(4)
  const expected = plainModules((await readCheckpoint(published)).weights)
  for (const name of ['lab.json', 'generation_config.json']) rmSync(join(published, name), { force: true })
  await runExport({ checkpoint: published, folder, part: 'multimodal-lm' })
  const { weights, checkpoint } = await readCheckpoint(folder)
  expect(plainModules(weights)).toEqual(expected)
  expect(checkpoint.step).toBe(0)
  expect(readdirSync(folder).sort()).toContain('lab.json')
  expect(readdirSync(folder)).not.toContain('published')
})
