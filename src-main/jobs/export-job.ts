// Writes a checkpoint's encoder (or the whole model, without the optimiser's moments) as a Hugging Face folder. What was
// written is read back and compared before the folder gets its name: it appears whole and proven, or not at all.

import { copyFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, ExportJob, JobEvent } from '../domain/job.ts'
import { parse } from '../domain/parse.ts'
import { createRandom } from '../domain/random.ts'
import { numPatches, patchWidth } from '../domain/vision-encoder-spec.ts'
import { imageFeatures } from '../engine/models/multimodal-lm.ts'
import { specToHuggingFace } from '../engine/preprocess/hugging-face.ts'
import { visionEncoderConfig } from '../engine/weights/hugging-face-config.ts'
import { visionEncoderLayout } from '../engine/weights/initial.ts'
import { visionEncoderName } from '../engine/weights/names.ts'
import { writeSafetensors } from '../engine/weights/safetensors.ts'
import { readCheckpoint, verifyCheckpoint, type LoadedCheckpoint } from './checkpoint.ts'
import {
  exportedFeatures,
  exportedSpec,
  MANIFEST,
  manifestSchema,
  readExportedEncoder,
  verifiedManifest,
  type Manifest,
} from './exported-encoder.ts'
import { sha256OfFile, writeFolderWhole, writeWhole } from './files.ts'
import { encoderCard, multimodalCard } from './model-card.ts'

/** What a checkpoint holds beside the optimiser's moments. */
const MODEL_FILES = [
  'model.safetensors',
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'preprocessor_config.json',
  'lab.json',
] as const

/** Images of the comparison. */
const SAMPLE_IMAGES = 2

/**
 * @throws LabError 'conflict' when the folder holds something that is no export, 'corrupt-artifact' when the checkpoint is not
 *   what it says or the export does not read back bit for bit, 'cancelled'
 */
export async function* runExportJob(job: ExportJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  await refuseForeign(job.folder)
  yield { kind: 'part', name: `exporting the ${job.part}`, of: 2 }
  await verifyCheckpoint(job.checkpoint)
  const loaded = await readCheckpoint(job.checkpoint)
  yield { kind: 'progress', done: 1, of: 2 }
  if (signal.aborted) throw new LabError('cancelled', 'cancelled before anything was written')
  await writeFolderWhole(job.folder, (temporary) =>
    job.part === 'vision-encoder' ? fillEncoder(temporary, loaded) : fillModel(temporary, loaded),
  )
  yield { kind: 'progress', done: 2, of: 2 }
  yield { kind: 'artifact', name: job.part, path: job.folder }
}

async function fillEncoder(folder: string, loaded: LoadedCheckpoint): Promise<void> {
  const { checkpoint, weights, preprocess } = loaded
  const spec = exportedSpec(checkpoint.model)
  const tensors = Object.fromEntries(
    Object.keys(visionEncoderLayout(spec)).map((name) => {
      const tensor = weights.visionEncoder[name]
      if (tensor === undefined)
        throw new LabError('corrupt-artifact', `${loaded.folder}: the weight ${name} of the vision encoder is missing`)
      return [visionEncoderName(spec, name), tensor]
    }),
  )
  await writeWhole(join(folder, 'model.safetensors'), writeSafetensors(tensors))
  await writeJson(join(folder, 'config.json'), visionEncoderConfig(spec))
  await writeJson(join(folder, 'preprocessor_config.json'), specToHuggingFace(preprocess))
  await writeWhole(join(folder, 'README.md'), encoderCard(checkpoint, spec))
  await writeManifest(folder, 'vision-encoder', loaded)
  await compareFeatures(folder, loaded)
}

async function fillModel(folder: string, loaded: LoadedCheckpoint): Promise<void> {
  for (const name of MODEL_FILES) await copyFile(join(loaded.folder, name), join(folder, name))
  await writeWhole(join(folder, 'README.md'), multimodalCard(loaded.checkpoint))
  await writeManifest(folder, 'multimodal-lm', loaded)
  await verifiedManifest(folder)
  await verifyCheckpoint(folder)
  for (const name of MODEL_FILES)
    if ((await sha256OfFile(join(folder, name))) !== (await sha256OfFile(join(loaded.folder, name))))
      throw new LabError('corrupt-artifact', `${name} was not copied as it is; look at the disk, then export again`)
}

async function writeManifest(folder: string, kind: Manifest['kind'], { checkpoint }: LoadedCheckpoint): Promise<void> {
  const names = (await readdir(folder)).sort()
  const files = Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await sha256OfFile(join(folder, name))] as const)),
  )
  const manifest = { formatVersion: 1, kind, checkpoint: { sha256: checkpoint.sha256, step: checkpoint.step }, files }
  await writeJson(join(folder, MANIFEST), parse(manifestSchema, manifest, 'internal'))
}

/** @throws LabError 'corrupt-artifact' unless the export gives the checkpoint's features, bit for bit, and its preprocessing */
async function compareFeatures(folder: string, { checkpoint, weights, preprocess }: LoadedCheckpoint): Promise<void> {
  const { visionEncoder: spec } = checkpoint.model
  const shape: [number, number, number] = [SAMPLE_IMAGES, numPatches(spec), patchWidth(spec)]
  const random = createRandom(0, 'export', 'sample')
  const patches = tf.tensor3d(
    Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, () => 2 * random.uniform() - 1),
    shape,
  )
  const exported = await readExportedEncoder(folder)
  const [expected, found] = tf.tidy(() => {
    const held = Object.fromEntries(
      Object.entries(weights.visionEncoder).map(([name, tensor]) => [name, tf.tensor(tensor.values, [...tensor.shape])]),
    )
    const frozen = { visionEncoder: false, projector: false, languageModel: false }
    const model = {
      spec: checkpoint.model,
      weights: { visionEncoder: held, projector: {}, languageModel: {} },
      gradientCheckpointing: frozen,
    }
    // The export keeps every token; the projector may see one less.
    const full = { ...model, spec: { ...model.spec, visionFeatureSelectStrategy: 'full' as const } }
    return [imageFeatures(full, patches).dataSync(), exportedFeatures(exported, patches).dataSync()]
  })
  patches.dispose()
  const differing = expected!.findIndex((value, i) => !Object.is(value, found![i]))
  if (differing >= 0 || expected!.length !== found!.length)
    throw new LabError(
      'corrupt-artifact',
      `feature ${differing} of the export is ${found![differing]}, of the checkpoint ${expected![differing]}, nothing written`,
    )
  if (JSON.stringify(exported.preprocess) !== JSON.stringify(preprocess))
    throw new LabError(
      'corrupt-artifact',
      `the exported preprocessing reads back as ${JSON.stringify(exported.preprocess)}. Nothing was written.`,
    )
}

/** A folder is replaced only where it is empty or an earlier export. */
async function refuseForeign(folder: string): Promise<void> {
  const names = await readdir(folder).catch((thrown: NodeJS.ErrnoException): string[] => {
    if (thrown.code === 'ENOENT') return []
    throw thrown
  })
  if (names.length > 0 && !names.includes(MANIFEST))
    throw new LabError(
      'conflict',
      `${folder} holds ${names.length} files and is no earlier export (it has no ${MANIFEST}); choose a new or empty folder`,
      { folder },
    )
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeWhole(path, `${JSON.stringify(value, null, 2)}\n`)
}
