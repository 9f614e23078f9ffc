// Laws of the other formats: what is written computes the checkpoint's features, whatever the family; number types round and
// nothing else; a request that cannot be met is refused before anything is written.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, describe, expect, it } from 'vitest'
import type { ExportSettings } from '../../src-main/domain/export.ts'
import { jobSchema, type ExportJob, type JobEvent } from '../../src-main/domain/job.ts'
import { multimodalLmSpecSchema, type MultimodalLmSpec } from '../../src-main/domain/model-spec.ts'
import { siglipPreprocess } from '../../src-main/domain/preprocess-spec.ts'
import { parse } from '../../src-main/domain/parse.ts'
import { visionEncoderSpecSchema } from '../../src-main/domain/vision-encoder-spec.ts'
import { specToHuggingFace } from '../../src-main/engine/preprocess/hugging-face.ts'
import { configText, visionEncoderConfig } from '../../src-main/engine/weights/hugging-face-config.ts'
import { drawWeights, visionEncoderLayout } from '../../src-main/engine/weights/initial.ts'
import { visionEncoderName } from '../../src-main/engine/weights/names.ts'
import { roundedBytes } from '../../src-main/engine/weights/rounding.ts'
import { readSafetensors, writeSafetensors } from '../../src-main/engine/weights/safetensors.ts'
import { readCheckpoint } from '../../src-main/jobs/checkpoint.ts'
import { runExportJob } from '../../src-main/jobs/export-job.ts'
import { readExportedEncoder, verifiedManifest } from '../../src-main/jobs/exported-encoder.ts'
import { readVisionEncoderFolder } from '../../src-main/jobs/model-folder.ts'
import { openOnnxRuntime } from '../../src-main/jobs/onnx-runtime.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { plainArrays } from '../support/plain-arrays.ts'
import { openNativeEngine } from './compile/native-engine.ts'
import { TINY_SPEC, tinyProject } from './evaluate/tiny-project.ts'

const native = await openNativeEngine()
const runtime = openOnnxRuntime()
const root = mkdtempSync(join(tmpdir(), 'pivot-lab-exports-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const tiny = tinyProject(root, { train: 1, validation: 0, test: 1 })

const SIZES = { imageSize: 16, patchSize: 4, hiddenSize: 16, numHiddenLayers: 3, numAttentionHeads: 2 }
const FAMILIES: Readonly<Record<string, object>> = {
  siglip: { family: 'siglip' },
  clip: { family: 'clip', intermediateSize: 24 },
  dinov2: { family: 'dinov2' },
  'dinov2 with SwiGLU': { family: 'dinov2', useSwigluFfn: true },
  dinov2_with_registers: { family: 'dinov2_with_registers', numRegisterTokens: 2 },
  vit: { family: 'vit', intermediateSize: 24 },
}

function specOf(name: string): MultimodalLmSpec {
  return multimodalLmSpecSchema.parse({ ...TINY_SPEC, visionEncoder: { ...SIZES, ...FAMILIES[name] } })
}

let count = 0
async function exported(checkpoint: string, settings: Partial<ExportSettings>, folder = join(root, `export-${++count}`)): Promise<{ readonly folder: string; readonly events: JobEvent[] }> {
  const job = jobSchema.parse({ kind: 'export', project: root, checkpoint, folder, ...settings }) as ExportJob
  const events: JobEvent[] = []
  for await (const event of runExportJob(job, { aborted: false })) events.push(event)
  return { folder, events }
}

describe.runIf(native)('an encoder as a graph', () => {
  for (const family of Object.keys(FAMILIES))
    it(`${family}: gives the features of its checkpoint in ONNX and in TensorFlow.js, projector layers included`, async () => {
      const checkpoint = await tiny.checkpoint(3, specOf(family))
      const before = tf.memory().numTensors
      for (const format of ['onnx', 'tfjs'] as const) {
        const { folder } = await exported(checkpoint, { format, projectorLayers: format === 'onnx' ? 2 : 1 })
        const { verification, settings } = await verifiedManifest(folder)
        expect(settings).toMatchObject({ format, dtype: 'float32' })
        if (format === 'onnx' && runtime === null) expect(verification!.by).toBeNull()
        else {
          expect(verification!.batches).toEqual([1, 4])
          // TensorFlow.js runs on the same kernels, ONNX Runtime on its own.
          if (format === 'onnx') expect(verification!.difference).toBeGreaterThan(0)
          expect(verification!.difference).toBeLessThan(2e-6)
        }
      }
      expect(tf.memory().numTensors).toBe(before)
    })

  it('has its files, its weights by Hugging Face’s names, and its preprocessing within', async () => {
    const { folder, events } = await exported(await tiny.checkpoint(1), { format: 'onnx' })
    expect(readdirSync(folder).sort()).toEqual(['README.md', 'manifest.json', 'model.onnx', 'preprocessor_config.json'])
    const model = readFileSync(join(folder, 'model.onnx')).toString('latin1')
    for (const name of ['vision_model.encoder.layers.1.mlp.fc2.bias', 'pixel_values', 'SiglipImageProcessor']) expect(model).toContain(name)
    expect(model).not.toContain('layers.2.')
    const words = events.flatMap((event) => (event.kind === 'log' ? [event.message] : []))
    expect(words).toEqual([runtime === null ? expect.stringContaining('not verified') : expect.stringMatching(/verified by onnxruntime .* differ by .*e-\d \(relative; 0.0001/)])
    const card = readFileSync(join(folder, 'README.md'), 'utf8')
    for (const text of ['model.onnx', 'pixel_values', 'Licence of these weights', words[0]!]) expect(card).toContain(text)

    const tfjs = await exported(await tiny.checkpoint(1), { format: 'tfjs', dtype: 'float16' })
    expect(readdirSync(tfjs.folder).sort()).toEqual(['README.md', 'group1-shard1of1.bin', 'manifest.json', 'model.json', 'preprocessor_config.json'])
  })

  for (const [name, layer, poolsTo] of [
    ['siglip', { family: 'siglip', visionUseHead: true }, 16],
    ['vit', { family: 'vit', intermediateSize: 24, poolerOutputSize: 6 }, 6],
    ['clip', { family: 'clip', intermediateSize: 24 }, 16],
    ['vit_mae', { family: 'vit_mae', intermediateSize: 24 }, null],
  ] as const)
    it(`${name} as it was published, without a model around it: also gives what it norms and pools`, async () => {
      const spec = parse(visionEncoderSpecSchema, { ...SIZES, ...layer })
      const source = join(root, `published-${name}`)
      mkdirSync(source)
      const named = Object.fromEntries(Object.entries(drawWeights(visionEncoderLayout(spec), 4)).map(([each, tensor]) => [visionEncoderName(spec, each), tensor]))
      writeFileSync(join(source, 'model.safetensors'), writeSafetensors(named))
      writeFileSync(join(source, 'config.json'), configText(visionEncoderConfig(spec)))
      writeFileSync(join(source, 'preprocessor_config.json'), JSON.stringify(specToHuggingFace(siglipPreprocess(spec.imageSize))))

      const hf = await exported(source, { format: 'hf' })
      expect(await readVisionEncoderFolder(hf.folder).then(({ weights }) => plainArrays(weights))).toEqual(plainArrays((await readVisionEncoderFolder(source)).weights))
      for (const format of ['onnx', 'tfjs'] as const) {
        const { folder } = await exported(source, { format })
        const { verification } = await verifiedManifest(folder)
        if (verification!.by !== null) expect(verification!.difference).toBeLessThan(2e-6)
        if (format === 'tfjs') {
          const { signature } = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8')) as { signature: { outputs: Record<string, unknown> } }
          expect(Object.keys(signature.outputs).sort()).toEqual(['features', 'last_hidden_state', ...(poolsTo === null ? [] : ['pooler_output'])])
        }
        expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain('`last_hidden_state`')
      }
      const fault = await faultOfPromise(exported(source, { part: 'multimodal-lm' }))
      expect([fault.code, fault.message]).toEqual(['invalid-input', expect.stringContaining('is a vision encoder alone')])
    })

  it('with weights in two bytes differs by their rounding and no more', async () => {
    const checkpoint = await tiny.checkpoint(2)
    for (const [settings, limit] of [[{ format: 'tfjs', dtype: 'float16' }, 2e-3], ...(runtime === null ? [] : [[{ format: 'onnx', dtype: 'bfloat16' }, 2e-2] as const])] as const) {
      const { verification } = await verifiedManifest((await exported(checkpoint, settings)).folder)
      expect(verification!.difference).toBeGreaterThan(1e-5)
      expect(verification!.difference).toBeLessThan(limit)
    }
  })
})

describe('number types', () => {
  for (const [dtype, name] of [['float16', 'F16'], ['bfloat16', 'BF16']] as const)
    it(`${dtype}: every weight is the checkpoint’s, rounded to nearest even, and reads back as itself`, async () => {
      const checkpoint = await tiny.checkpoint(5)
      const { visionEncoder } = (await readCheckpoint(checkpoint)).weights
      const { folder } = await exported(checkpoint, { dtype, projectorLayers: 1 })
      const { weights, projector, manifest } = await readExportedEncoder(folder)
      expect(Object.keys(projector).sort()).toEqual(['linear_1.bias', 'linear_1.weight'])
      for (const [key, { values }] of Object.entries(weights)) expect(roundedBytes(values, dtype)).toEqual(roundedBytes(visionEncoder[key]!.values, dtype))
      expect(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))).toMatchObject({ torch_dtype: dtype })
      expect(readFileSync(join(folder, 'model.safetensors')).includes(`"dtype":"${name}"`)).toBe(true)
      expect(manifest.verification!.difference).toBeGreaterThan(0)

      const whole = await exported(checkpoint, { dtype, part: 'multimodal-lm' })
      const copy = await readCheckpoint(whole.folder)
      const original = await readCheckpoint(checkpoint)
      for (const [key, { values }] of Object.entries(copy.weights.languageModel))
        expect(roundedBytes(values, dtype)).toEqual(roundedBytes(original.weights.languageModel[key]!.values, dtype))
      expect(JSON.parse(readFileSync(join(whole.folder, 'config.json'), 'utf8'))).toMatchObject({ torch_dtype: dtype, vision_config: { torch_dtype: dtype }, text_config: { torch_dtype: dtype } })
    })
})

describe('names of timm and open_clip', () => {
  it('hold the same numbers, queries, keys and values in one matrix', async () => {
    const checkpoint = await tiny.checkpoint(6, specOf('clip'))
    const { visionEncoder } = (await readCheckpoint(checkpoint)).weights
    const timm = readSafetensors(readFileSync(join((await exported(checkpoint, { format: 'timm' })).folder, 'model.safetensors')))
    const openClip = readSafetensors(readFileSync(join((await exported(checkpoint, { format: 'open_clip' })).folder, 'open_clip_model.safetensors')))
    const joined = ['q', 'k', 'v'].flatMap((part) => [...visionEncoder[`encoder.layers.1.self_attn.${part}_proj.weight`]!.values])
    expect([...timm['blocks.1.attn.qkv.weight']!.values]).toEqual(joined)
    expect([...openClip['visual.transformer.resblocks.1.attn.in_proj_weight']!.values]).toEqual(joined)
    expect(timm['pos_embed']!.shape).toEqual([1, 17, 16])
    expect(Object.keys(timm).some((name) => name.startsWith('blocks.2.'))).toBe(false)
  })

  it('are refused where the library has no such encoder', async () => {
    const checkpoint = await tiny.checkpoint(6)
    expect((await faultOfPromise(exported(checkpoint, { format: 'open_clip' }))).message).toContain('choose the format timm')
    const wide = multimodalLmSpecSchema.parse({ ...TINY_SPEC, visionEncoder: { family: 'siglip', ...SIZES, layerNormEps: 1e-3 } })
    expect((await faultOfPromise(exported(await tiny.checkpoint(6, wide), { format: 'timm' }))).message).toMatch(/layerNormEps: timm's .* found 0.001/)
  })
})

describe('what cannot be written', () => {
  it('is refused before a file exists: settings that do not go together, foreign folders, paths through a file', async () => {
    const checkpoint = await tiny.checkpoint(1)
    const target = join(root, 'never')
    for (const [settings, word] of [
      [{ part: 'multimodal-lm', format: 'onnx' }, 'format'],
      [{ part: 'multimodal-lm', projectorLayers: 1 }, 'projectorLayers'],
      [{ format: 'tfjs', dtype: 'bfloat16' }, 'dtype'],
      [{ format: 'timm', projectorLayers: 2 }, 'projectorLayers'],
    ] as const) {
      const fault = await faultOfPromise(exported(checkpoint, settings, target))
      expect([fault.code, fault.message.split(':')[0]]).toEqual(['invalid-input', word])
    }
    mkdirSync(join(root, 'foreign'))
    writeFileSync(join(root, 'foreign', 'notes.txt'), 'mine')
    expect((await faultOfPromise(exported(checkpoint, {}, join(root, 'foreign')))).code).toBe('conflict')
    expect((await faultOfPromise(exported(checkpoint, {}, join(root, 'foreign', 'notes.txt', 'inner')))).message).toContain('found a file or a path through one')
    expect(existsSync(target)).toBe(false)
  })

  it('another format is no encoder that the lab reads', async () => {
    const { folder } = await exported(await tiny.checkpoint(1), { format: 'timm' })
    expect((await faultOfPromise(readExportedEncoder(folder))).message).toContain('found timm')
  })
})
