// An exported vision encoder: a folder in Hugging Face's layout (config.json, model.safetensors, preprocessor_config.json,
// README.md) and manifest.json, written last, with the SHA-256 of each file: a folder without it is not an export.
// The export holds the blocks that feed the projector and no more, so its features are its last block's output.

import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { z } from 'zod'
import { LabError } from '../domain/errors.ts'
import type { MultimodalLmSpec } from '../domain/model-spec.ts'
import { exportSettingsSchema, verificationSchema } from '../domain/export.ts'
import { parse } from '../domain/parse.ts'
import type { PreprocessSpec } from '../domain/preprocess-spec.ts'
import type { VisionEncoderSpec } from '../domain/vision-encoder-spec.ts'
import { familyOf } from '../engine/models/vision/families.ts'
import { encoderLayersUsed } from '../engine/models/multimodal-lm.ts'
import { visionHiddenStates } from '../engine/models/vision-encoder.ts'
import { assertShape, type Weights } from '../engine/shapes.ts'
import { visionEncoderSpec } from '../engine/weights/hugging-face-config.ts'
import { visionEncoderLayout, type NamedArrays } from '../engine/weights/initial.ts'
import { splitByModule } from '../engine/weights/names.ts'
import { readJson, sha256OfFile } from './files.ts'
import { readPreprocess } from './preprocessor-file.ts'
import { readTensors } from './weight-files.ts'

export const MANIFEST = 'manifest.json'
/** Beside an encoder: `linear_1.weight`, … of the projector. */
export const PROJECTOR_FILE = 'projector.safetensors'

export const manifestSchema = z.strictObject({
  formatVersion: z.literal(1),
  kind: z.enum(['vision-encoder', 'multimodal-lm']),
  /** Identity of the checkpoint that it was cut out of. */
  checkpoint: z.strictObject({ sha256: z.string(), step: z.int().min(0) }),
  /** What it was written as. */
  settings: exportSettingsSchema.prefault({}),
  /** null: written before exports said so. */
  verification: verificationSchema.nullable().default(null),
  /** SHA-256 of every other file in the folder. */
  files: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)),
})
export type Manifest = z.output<typeof manifestSchema>

/** What an encoder's folder holds. */
export interface EncoderFolder {
  readonly spec: VisionEncoderSpec
  readonly weights: NamedArrays
  /** The projector's first linear layers, where they went along. */
  readonly projector: NamedArrays
  readonly preprocess: PreprocessSpec
}

export interface ExportedEncoder extends EncoderFolder {
  readonly folder: string
  readonly manifest: Manifest
}

/**
 * Reads an export back, whole.
 * @throws LabError 'not-found' without a manifest, 'corrupt-artifact' naming the file that is not what was exported,
 *   'invalid-input' when the folder holds something else than an encoder in the format hf
 */
export async function readExportedEncoder(folder: string): Promise<ExportedEncoder> {
  const manifest = await verifiedManifest(folder)
  const { format, projectorLayers } = manifest.settings
  if (manifest.kind !== 'vision-encoder')
    throw new LabError(
      'invalid-input',
      `${folder}: expected an exported vision encoder, found a ${manifest.kind}; export the encoder alone`,
    )
  if (format !== 'hf')
    throw new LabError('invalid-input', `${folder}: expected an encoder in the format hf, found ${format}; the lab writes ${format} and reads hf`)
  return { folder, manifest, ...(await readEncoder(folder, projectorLayers)) }
}

/** The files themselves, whatever a manifest says. @throws LabError 'corrupt-artifact' naming the tensor that is missing */
export async function readEncoder(folder: string, projectorLayers: 0 | 1 | 2): Promise<EncoderFolder> {
  const spec = visionEncoderSpec((await readJson(join(folder, 'config.json'))) as Record<string, unknown>)
  const path = join(folder, 'model.safetensors')
  const { visionEncoder: weights } = splitByModule(readTensors(path)).modules
  for (const [name, { shape }] of Object.entries(visionEncoderLayout(spec))) {
    const found = weights[name]
    if (found === undefined)
      throw new LabError('corrupt-artifact', `${path}: the tensor ${name} is missing; export the encoder again`)
    assertShape(`${path}: ${name}`, found, shape)
  }
  return {
    spec,
    weights,
    projector: projectorLayers === 0 ? {} : readTensors(join(folder, PROJECTOR_FILE)),
    preprocess: await readPreprocess(folder),
  }
}

/** @throws LabError 'corrupt-artifact' naming the first file whose bytes are not those that were exported */
export async function verifiedManifest(folder: string): Promise<Manifest> {
  const manifest = parse(manifestSchema, await readJson(join(folder, MANIFEST)), 'corrupt-artifact', join(folder, MANIFEST))
  for (const [name, expected] of Object.entries(manifest.files)) {
    const found = await sha256OfFile(join(folder, name)).catch((thrown: unknown) => {
      throw new LabError('corrupt-artifact', `${join(folder, name)} is missing or cannot be read; export it again`, {}, thrown)
    })
    if (found !== expected)
      throw new LabError(
        'corrupt-artifact',
        `${join(folder, name)}: expected SHA-256 ${expected}, found ${found}; export it again`,
      )
  }
  return manifest
}

/** The shape of what is exported: blocks above the selected feature layer and the pooling head feed nothing and stay behind. */
export function exportedSpec(spec: MultimodalLmSpec): VisionEncoderSpec {
  return familyOf(spec.visionEncoder).truncated(spec.visionEncoder, encoderLayersUsed(spec))
}

/** Features of an exported encoder: its last block's output. @param patches (B, P, C·patch²) @returns (B, N, D) */
export function exportedFeatures({ spec, weights }: Pick<ExportedEncoder, 'spec' | 'weights'>, patches: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const held: Weights = Object.fromEntries(
      Object.entries(weights).map(([name, { shape, values }]) => [name, tf.tensor(values, [...shape])]),
    )
    return visionHiddenStates(spec, held, patches, spec.numHiddenLayers).at(-1)!
  })
}
