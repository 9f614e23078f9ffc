// Writes a checkpoint's encoder for other programs (Hugging Face, ONNX, TensorFlow.js, timm, open_clip), or the whole model
// without the optimiser's moments. What was written is read back and compared before the folder gets its name: it appears
// whole and proven, or not at all. Where nothing here can run what was written, the export says so.

import { existsSync } from 'node:fs'
import { copyFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { LabError } from '../domain/errors.ts'
import { exportFault, verificationWords, type ExportDtype, type ExportSettings, type Verification } from '../domain/export.ts'
import type { AbortSignalLike, ExportJob, JobEvent } from '../domain/job.ts'
import { featureLayers, multimodalLmSpecSchema } from '../domain/model-spec.ts'
import { parse } from '../domain/parse.ts'
import { numPatches, patchWidth } from '../domain/vision-encoder-spec.ts'
import { encoderGraph } from '../engine/export/encoder-forward.ts'
import { openClipEncoder, timmEncoder } from '../engine/export/renamed-encoders.ts'
import { imageFeatures } from '../engine/models/multimodal-lm.ts'
import { specToHuggingFace } from '../engine/preprocess/hugging-face.ts'
import type { TokenizerFiles } from '../engine/text/tokenizer.ts'
import { configText, visionEncoderConfig } from '../engine/weights/hugging-face-config.ts'
import { visionEncoderLayout, type NamedArrays } from '../engine/weights/initial.ts'
import { visionEncoderName } from '../engine/weights/names.ts'
import { roundedBytes } from '../engine/weights/rounding.ts'
import { safetensorsPieces } from '../engine/weights/safetensors.ts'
import { readCheckpoint, verifyCheckpoint, writeCheckpoint, type LoadedCheckpoint } from './checkpoint.ts'
import {
  exportedFeatures,
  exportedSpec,
  MANIFEST,
  manifestSchema,
  PROJECTOR_FILE,
  readEncoder,
} from './exported-encoder.ts'
import { relativeDifference, samplePixels, TOLERANCES, writeOnnxExport, writeTfjsExport } from './exported-graph.ts'
import { makeFolder, readJson, sha256OfFile, writeFolderWhole, writeWhole } from './files.ts'
import { modelCard } from './model-card.ts'
import { isMultimodalFolder, readVisionEncoderFolder } from './model-folder.ts'
import { readTensors } from './weight-files.ts'

/** What a checkpoint holds beside the optimiser's moments, its weights and what describes them. */
const COMPANION_FILES = ['tokenizer.json', 'tokenizer_config.json', 'preprocessor_config.json'] as const
/** Beside them where there is one: older checkpoints have none. */
const GENERATION = 'generation_config.json'
const WEIGHTS = 'model.safetensors'

/**
 * @throws LabError 'conflict' when the folder holds something that is no export, 'invalid-input' for a format that cannot hold
 *   this encoder or a folder that cannot be written, 'out-of-disk', 'corrupt-artifact' when the checkpoint is not what it
 *   says or the export does not read back as it, 'cancelled'
 */
export async function* runExportJob(job: ExportJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const settings = settingsOf(job)
  const fault = exportFault(settings)
  if (fault !== null) throw new LabError('invalid-input', fault)
  await refuseForeign(job.folder)
  yield { kind: 'part', name: `exporting the ${job.part} as ${job.format}`, of: 3 }
  await verifyCheckpoint(job.checkpoint)
  const loaded = await exportSource(job.checkpoint)
  if (loaded.isWhole && (job.part !== 'vision-encoder' || job.projectorLayers > 0))
    throw new LabError('invalid-input', `${job.checkpoint} is a vision encoder alone: expected part vision-encoder and projectorLayers 0, found ${job.part} and ${job.projectorLayers}; choose these, or a folder that holds the whole model`)
  yield { kind: 'progress', done: 1, of: 3 }
  const stopIfAsked = () => {
    if (signal.aborted) throw new LabError('cancelled', 'cancelled before anything was written')
  }
  stopIfAsked()
  let verification: Verification | undefined
  await writeFolderWhole(job.folder, async (folder) => {
    verification = await fill(folder, loaded, job)
    stopIfAsked()
  })
  yield { kind: 'progress', done: 3, of: 3 }
  yield { kind: 'log', level: verification!.by === null ? 'warning' : 'info', message: verificationWords(verification!) }
  yield { kind: 'artifact', name: job.part, path: job.folder, sha256: await sha256OfFile(join(job.folder, MANIFEST)) }
}

/** What is exported: of a multimodal model the part that feeds its projector, or an encoder as it was published. */
interface ExportSource extends Pick<LoadedCheckpoint, 'folder' | 'checkpoint' | 'weights' | 'preprocess'> {
  readonly isWhole: boolean
  /** Absent where an encoder stands alone. */
  readonly tokenizerFiles?: TokenizerFiles
}

async function exportSource(folder: string): Promise<ExportSource> {
  if (existsSync(join(folder, 'lab.json')) || !existsSync(join(folder, 'config.json')) || (await isMultimodalFolder(folder))) return { ...(await readCheckpoint(folder)), isWhole: false }
  const { spec, weights, preprocess, sha256 } = await readVisionEncoderFolder(folder)
  // As if a projector saw every token of its last block: nothing of it is left out.
  const model = parse(multimodalLmSpecSchema, { visionEncoder: spec, visionFeatureLayer: -1, visionFeatureSelectStrategy: 'full' })
  const checkpoint = { formatVersion: 1 as const, step: 0, model, config: null, sha256, execution: null, numTokens: 0 }
  return { folder, checkpoint, weights: { visionEncoder: weights, projector: {}, languageModel: {} }, preprocess, isWhole: true }
}

/** The shape of the encoder that is written. */
function writtenSpec({ checkpoint, isWhole }: ExportSource) {
  return isWhole ? checkpoint.model.visionEncoder : exportedSpec(checkpoint.model)
}

function settingsOf({ part, format, dtype, projectorLayers }: ExportJob): ExportSettings {
  return { part, format, dtype, projectorLayers }
}

/** Everything that is to be in the folder; the manifest last. */
async function fill(folder: string, loaded: ExportSource, job: ExportJob): Promise<Verification> {
  const settings = settingsOf(job)
  const verification = await (job.part === 'multimodal-lm' ? fillModel(folder, loaded, job.dtype) : fillEncoder(folder, loaded, settings))
  await writeWhole(join(folder, 'README.md'), modelCard(loaded.checkpoint, settings, verification, job.record, loaded.isWhole))
  const names = (await readdir(folder)).sort()
  const files = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await sha256OfFile(join(folder, name))] as const)))
  const { sha256, step } = loaded.checkpoint
  const manifest = { formatVersion: 1, kind: job.part, checkpoint: { sha256, step }, settings, verification, files }
  await writeJson(join(folder, MANIFEST), parse(manifestSchema, manifest, 'internal'))
  return verification
}

async function fillEncoder(folder: string, loaded: ExportSource, settings: ExportSettings): Promise<Verification> {
  const { dtype, format, projectorLayers } = settings
  const { checkpoint, preprocess } = loaded
  const spec = writtenSpec(loaded)
  const weights = encoderWeights(loaded)
  const projector = projectorWeights(loaded, projectorLayers)
  await writeJson(join(folder, 'preprocessor_config.json'), specToHuggingFace(preprocess))
  switch (format) {
    case 'hf': {
      if (projectorLayers > 0 && featureLayers(checkpoint.model).length > 1)
        throw new LabError('invalid-input', `projectorLayers: expected 0 for the format hf, found ${projectorLayers}: this projector sees ${featureLayers(checkpoint.model).length} hidden states beside each other, which a folder of the encoder alone does not put together. Export as onnx, or the whole model`)
      const tensors = Object.fromEntries(Object.entries(weights).map(([name, tensor]) => [visionEncoderName(spec, name), tensor]))
      await writeTensors(join(folder, WEIGHTS), tensors, dtype)
      await writeWhole(join(folder, 'config.json'), configText(withDtype(visionEncoderConfig(spec), dtype)))
      if (projectorLayers > 0) await writeTensors(join(folder, PROJECTOR_FILE), projector, dtype)
      return compareFeatures(folder, loaded, settings)
    }
    case 'timm':
    case 'open_clip': {
      const { config, tensors } = (format === 'timm' ? timmEncoder : openClipEncoder)(spec, weights, preprocess)
      await writeTensors(join(folder, format === 'timm' ? WEIGHTS : 'open_clip_model.safetensors'), tensors, dtype)
      await writeJson(join(folder, format === 'timm' ? 'config.json' : 'open_clip_config.json'), config)
      // Renamed numbers, compared as they were written; no other program runs them here.
      return { by: 'reading the weights back', batches: [], difference: 0, tolerance: 0 }
    }
    case 'onnx':
    case 'tfjs': {
      const encoder = encoderGraph({ spec: checkpoint.model, visionEncoder: loaded.weights.visionEncoder, projector, projectorLayers, isWhole: loaded.isWhole })
      try {
        const { numChannels, imageSize } = checkpoint.model.visionEncoder
        const options = {
          dtype,
          imageShape: [numChannels, imageSize, imageSize] as const,
          metadata: {
            preprocessor_config: JSON.stringify(specToHuggingFace(preprocess)),
            outputs: 'features (batch, tokens, width): the last block, what a projector sees; projected: after its first linear layers; last_hidden_state and pooler_output: as transformers',
            checkpoint_sha256: checkpoint.sha256,
            checkpoint_step: String(checkpoint.step),
          },
        }
        return await (format === 'onnx' ? writeOnnxExport : writeTfjsExport)(folder, encoder, options)
      } finally {
        encoder.dispose()
      }
    }
  }
}

/** The weights of the blocks that feed the projector. @throws LabError 'corrupt-artifact' naming what is missing */
function encoderWeights(loaded: ExportSource): NamedArrays {
  return Object.fromEntries(
    Object.keys(visionEncoderLayout(writtenSpec(loaded))).map((name) => {
      const tensor = loaded.weights.visionEncoder[name]
      if (tensor === undefined)
        throw new LabError('corrupt-artifact', `${loaded.folder}: the weight ${name} of the vision encoder is missing`)
      return [name, tensor]
    }),
  )
}

function projectorWeights({ weights }: ExportSource, layers: 0 | 1 | 2): NamedArrays {
  const linears = ['linear_1.', 'linear_2.'].slice(0, layers)
  return Object.fromEntries(Object.entries(weights.projector).filter(([name]) => linears.some((linear) => name.startsWith(linear))))
}

/** The whole model: a checkpoint as it is, a published folder as the checkpoint that a run would begin from. */
async function fillModel(folder: string, loaded: ExportSource, dtype: ExportDtype): Promise<Verification> {
  const { checkpoint, weights, preprocess, tokenizerFiles } = loaded
  if (existsSync(join(loaded.folder, 'lab.json'))) return writeModelFolder(folder, loaded, dtype)
  const begun = join(folder, 'published')
  const { formatVersion: _, sha256: __, ...describe } = checkpoint
  await writeCheckpoint(begun, { weights, moments: null, tokenizerFiles: tokenizerFiles!, preprocess, describe })
  const verification = await writeModelFolder(folder, { folder: begun }, dtype)
  await rm(begun, { recursive: true })
  return verification
}

/** The whole model; in float32 the file is copied, and stays the checkpoint that it was. */
export async function writeModelFolder(folder: string, loaded: Pick<LoadedCheckpoint, 'folder'>, dtype: ExportDtype = 'float32'): Promise<Verification> {
  const from = (name: string) => join(loaded.folder, name)
  await makeFolder(folder)
  for (const name of [...COMPANION_FILES, ...(existsSync(from(GENERATION)) ? [GENERATION] : [])]) await copyFile(from(name), join(folder, name))
  if (dtype === 'float32') {
    for (const name of [WEIGHTS, 'config.json', 'lab.json']) {
      await copyFile(from(name), join(folder, name))
      if ((await sha256OfFile(join(folder, name))) !== (await sha256OfFile(from(name))))
        throw new LabError('corrupt-artifact', `${name} was not copied as it is; look at the disk, then export again`)
    }
    await verifyCheckpoint(folder)
    return { by: 'comparing the files', batches: [], difference: 0, tolerance: 0 }
  }
  await writeTensors(join(folder, WEIGHTS), readTensors(from(WEIGHTS)), dtype)
  await writeWhole(join(folder, 'config.json'), configText(withDtype((await readJson(from('config.json'))) as Json, dtype)))
  const lab = (await readJson(from('lab.json'))) as Json
  await writeJson(join(folder, 'lab.json'), { ...lab, sha256: await sha256OfFile(join(folder, WEIGHTS)) })
  await verifyCheckpoint(folder)
  return { by: 'reading the weights back', batches: [], difference: 0, tolerance: 0 }
}

type Json = Readonly<Record<string, unknown>>

/** A config, and those within it, under another number type. */
function withDtype(config: Json, dtype: ExportDtype): Json {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => {
      if (key === 'torch_dtype') return [key, dtype]
      return [key, /^(text|vision)_config$/.test(key) ? withDtype(value as Json, dtype) : value]
    }),
  )
}

/** Writes a safetensors file and reads it back. @throws LabError 'corrupt-artifact' naming the tensor that came back otherwise */
async function writeTensors(path: string, tensors: NamedArrays, dtype: ExportDtype): Promise<void> {
  await writeWhole(path, safetensorsPieces(tensors, dtype))
  const found = readTensors(path)
  for (const [name, { values }] of Object.entries(tensors)) {
    const [written, again] = [roundedBytes(values, dtype), roundedBytes(found[name]!.values, dtype)]
    if (Buffer.compare(written, again) !== 0)
      throw new LabError('corrupt-artifact', `${path}: the tensor ${name} does not read back as it was written; look at the disk, then export again`)
  }
}

/** Images of the comparison. */
const SAMPLE_IMAGES = 2

/**
 * @throws LabError 'corrupt-artifact' unless the folder gives the checkpoint's features, in float32 bit for bit, and its
 *   preprocessing
 */
async function compareFeatures(folder: string, { checkpoint, weights, preprocess }: ExportSource, { dtype, projectorLayers }: ExportSettings): Promise<Verification> {
  const { visionEncoder: spec } = checkpoint.model
  const pixels = samplePixels([SAMPLE_IMAGES, 1, numPatches(spec), patchWidth(spec)])
  const patches = tf.reshape(pixels, [SAMPLE_IMAGES, numPatches(spec), patchWidth(spec)])
  const exported = await readEncoder(folder, projectorLayers)
  const [expected, found] = tf.tidy(() => {
    const held = Object.fromEntries(
      Object.entries(weights.visionEncoder).map(([name, tensor]) => [name, tf.tensor(tensor.values, [...tensor.shape])]),
    )
    const model = {
      // The export keeps every token; the projector may see one less.
      spec: { ...checkpoint.model, visionFeatureSelectStrategy: 'full' as const, visionFeatureLayer: Math.max(...featureLayers(checkpoint.model)) },
      weights: { visionEncoder: held, projector: {}, languageModel: {} },
      gradientCheckpointing: { visionEncoder: false, projector: false, languageModel: false },
    }
    return [imageFeatures(model, patches).dataSync() as Float32Array, exportedFeatures(exported, patches).dataSync() as Float32Array]
  }) as unknown as [Float32Array, Float32Array]
  tf.dispose([pixels, patches])
  const tolerance = dtype === 'float32' ? 0 : TOLERANCES[dtype]
  const difference = relativeDifference(found, expected)
  if (!(difference <= tolerance))
    throw new LabError(
      'corrupt-artifact',
      `features of the export differ from the checkpoint's by ${difference} (relative), expected at most ${tolerance}; nothing was written`,
      { difference, tolerance },
    )
  if (JSON.stringify(exported.preprocess) !== JSON.stringify(preprocess))
    throw new LabError(
      'corrupt-artifact',
      `the exported preprocessing reads back as ${JSON.stringify(exported.preprocess)}. Nothing was written.`,
    )
  return { by: 'reading it back', batches: [SAMPLE_IMAGES], difference, tolerance }
}

/** A folder is replaced only where it is empty or an earlier export, which the file `mark` shows. @throws LabError 'conflict' */
export async function refuseForeign(folder: string, mark = MANIFEST): Promise<void> {
  const names = await readdir(folder).catch((thrown: NodeJS.ErrnoException): string[] => {
    if (thrown.code === 'ENOENT') return []
    if (thrown.code === 'ENOTDIR')
      throw new LabError('invalid-input', `${folder}: expected a folder, found a file or a path through one; choose another folder`, { folder }, thrown)
    throw thrown
  })
  if (names.length > 0 && !names.includes(mark))
    throw new LabError(
      'conflict',
      `${folder} holds ${names.length} files and is no earlier export (it has no ${mark}); choose a new or empty folder`,
      { folder },
    )
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeWhole(path, `${JSON.stringify(value, null, 2)}\n`)
}
