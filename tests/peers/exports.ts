// Exports of a tiny model of each family in each format, with what the lab computes on one picture, for load_exports.py.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { EXPORT_DTYPES, EXPORT_FORMATS, exportFault, exportSettingsSchema, type ExportSettings } from '../../src-main/domain/export.ts'
import { jobSchema, type ExportJob } from '../../src-main/domain/job.ts'
import { multimodalLmSpecSchema } from '../../src-main/domain/model-spec.ts'
import { siglipPreprocess } from '../../src-main/domain/preprocess-spec.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import { encoderGraph } from '../../src-main/engine/export/encoder-forward.ts'
import { patchify } from '../../src-main/engine/models/vision-encoder.ts'
import { preprocessImage } from '../../src-main/engine/preprocess/pipeline.ts'
import { visionEncoderLayout } from '../../src-main/engine/weights/initial.ts'
import { visionEncoderName } from '../../src-main/engine/weights/names.ts'
import { writeSafetensors } from '../../src-main/engine/weights/safetensors.ts'
import { readCheckpoint } from '../../src-main/jobs/checkpoint.ts'
import { runExportJob } from '../../src-main/jobs/export-job.ts'
import { exportedFeatures, exportedSpec } from '../../src-main/jobs/exported-encoder.ts'
import { encodePng } from '../../src-main/jobs/images/codec.ts'
import { TINY_SPEC, tinyProject } from '../jobs/evaluate/tiny-project.ts'

const SIZES = { imageSize: 32, patchSize: 8, hiddenSize: 24, numHiddenLayers: 3, numAttentionHeads: 2 }
const FAMILIES: Readonly<Record<string, object>> = {
  siglip: { family: 'siglip' },
  clip: { family: 'clip', intermediateSize: 40 },
  dinov2: { family: 'dinov2' },
  'dinov2-swiglu': { family: 'dinov2', useSwigluFfn: true },
  dinov2_with_registers: { family: 'dinov2_with_registers', numRegisterTokens: 2 },
  vit: { family: 'vit', intermediateSize: 40 },
  vit_mae: { family: 'vit_mae', intermediateSize: 40 },
  siglip2: { family: 'siglip2' },
}

export async function writeExports(folder: string): Promise<void> {
  const tiny = tinyProject(folder, { train: 1, validation: 0, test: 1 })
  const random = createRandom(1, 'peers')
  const image = { width: 45, height: 38, data: Uint8Array.from({ length: 45 * 38 * 3 }, () => Math.floor(256 * random.uniform())) }
  writeFileSync(join(folder, 'image.png'), await encodePng(image))
  const { data: values, height, width } = preprocessImage(image, siglipPreprocess(SIZES.imageSize))
  const pixels = tf.tensor4d(values, [1, 3, height, width])
  const written: (ExportSettings & { readonly folder: string; readonly family: string })[] = []
  for (const [family, vision] of Object.entries(FAMILIES)) {
    const checkpoint = await tiny.checkpoint(7, multimodalLmSpecSchema.parse({ ...TINY_SPEC, visionEncoder: { ...SIZES, ...vision } }))
    for (const settings of requests(family)) {
      const target = join(folder, `${family}-${Object.values(settings).join('-')}`)
      const job = jobSchema.parse({ kind: 'export', project: folder, checkpoint, folder: target, ...settings }) as ExportJob
      for await (const _ of runExportJob(job, { aborted: false }));
      written.push({ ...settings, folder: target, family })
    }
    const { checkpoint: about, weights } = await readCheckpoint(checkpoint)
    const own = exportedSpec(about.model)
    const named = Object.keys(visionEncoderLayout(own)).map((name) => [visionEncoderName(own, name), weights.visionEncoder[name]!] as const)
    writeFileSync(join(folder, `${family}-weights.safetensors`), writeSafetensors(Object.fromEntries(named)))
    const hidden = exportedFeatures({ spec: own, weights: weights.visionEncoder }, patchify(pixels, SIZES.patchSize)) // (1, N, D)
    const graph = encoderGraph({ spec: about.model, visionEncoder: weights.visionEncoder, projector: weights.projector, projectorLayers: 2 })
    const { features, projected } = graph.compute(pixels)
    graph.dispose()
    const [, N, D] = hidden.shape as [number, number, number]
    const tokens = features!.length / D
    writeFileSync(
      join(folder, `${family}.safetensors`),
      writeSafetensors({
        pixel_values: { shape: pixels.shape, values },
        hidden: { shape: [1, N, D], values: hidden.dataSync().slice() as Float32Array },
        features: { shape: [1, tokens, D], values: features! },
        projected: { shape: [1, tokens, projected!.length / tokens], values: projected! },
      }),
    )
    hidden.dispose()
  }
  pixels.dispose()
  writeFileSync(join(folder, 'exports.json'), JSON.stringify(written))
}

/** Every request that the domain lets through, less what a library has no equal of. */
function requests(family: string): readonly ExportSettings[] {
  const encoders = EXPORT_FORMATS.flatMap((format) =>
    EXPORT_DTYPES.flatMap((dtype) => ([0, 2] as const).map((projectorLayers) => exportSettingsSchema.parse({ format, dtype, projectorLayers }))),
  )
  const whole = EXPORT_DTYPES.map((dtype) => exportSettingsSchema.parse({ part: 'multimodal-lm', dtype }))
  return [...encoders, ...(family === 'siglip' || family === 'clip' ? whole : [])].filter(
    (settings) => exportFault(settings) === null && (settings.format !== 'open_clip' || family === 'clip') && (settings.format !== 'timm' || family !== 'siglip2') && settings.format !== 'tfjs',
  )
}
