// `npm run bench -- --large-export`: a vision encoder whose float32 weights exceed two gigabytes, the limit of one protobuf file (DINOv2
// at the sizes of ViT-H/14, 0.63 B parameters, bfloat16 on disk, random), exported in each format: time, peak memory, what was written,
// and how it was verified. Each export is a process of its own and is removed before the next.

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { exportSettingsSchema } from '../../src-main/domain/export.ts'
import { jobSchema, type ExportJob } from '../../src-main/domain/job.ts'
import { siglipPreprocess } from '../../src-main/domain/preprocess-spec.ts'
import { visionEncoderSpecSchema } from '../../src-main/domain/vision-encoder-spec.ts'
import { specToHuggingFace } from '../../src-main/engine/preprocess/hugging-face.ts'
import { visionEncoderConfig } from '../../src-main/engine/weights/hugging-face-config.ts'
import { visionEncoderLayout } from '../../src-main/engine/weights/initial.ts'
import { visionEncoderName } from '../../src-main/engine/weights/names.ts'
import { JOB_ENVIRONMENT } from '../../src-main/jobs/process-runner.ts'
import { writeRandom } from './full-size.ts'

const SPEC = visionEncoderSpecSchema.parse({ family: 'dinov2', imageSize: 224, patchSize: 14, hiddenSize: 1280, numHiddenLayers: 32, numAttentionHeads: 16 })

export interface LargeExportResult {
  readonly seconds: number
  readonly peakMb: number
  readonly verification: string
}

export async function benchLargeExport(json: boolean): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'pivot-lab-large-export-'))
  try {
    const encoder = join(root, 'encoder')
    mkdirSync(encoder)
    writeFileSync(join(encoder, 'config.json'), JSON.stringify(visionEncoderConfig(SPEC)))
    writeFileSync(join(encoder, 'preprocessor_config.json'), JSON.stringify(specToHuggingFace(siglipPreprocess(SPEC.imageSize))))
    const layout = Object.entries(visionEncoderLayout(SPEC))
    await writeRandom(join(encoder, 'model.safetensors'), Object.fromEntries(layout.map(([name, initial]) => [visionEncoderName(SPEC, name), initial])))
    const parameters = layout.reduce((sum, [, { shape }]) => sum + shape.reduce((product, size) => product * size, 1), 0)
    if (!json) process.stdout.write(`DINOv2, ${(parameters / 1e6).toFixed(0)} M parameters, ${((4 * parameters) / 1e9).toFixed(2)} GB in float32\n`)
    for (const settings of [{ format: 'onnx' }, { format: 'hf' }, { format: 'hf', dtype: 'bfloat16' }, { format: 'timm' }, { format: 'tfjs' }].map((each) => exportSettingsSchema.parse(each))) {
      const folder = join(root, 'export')
      const job = jobSchema.parse({ kind: 'export', project: root, checkpoint: encoder, folder, ...settings }) as ExportJob
      const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'large-export-part.ts'), JSON.stringify(job)], {
        env: { ...process.env, ...JOB_ENVIRONMENT },
        maxBuffer: 1 << 26,
      })
      const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as LargeExportResult
      const largest = readdirSync(folder)
        .map((name) => ({ name, bytes: statSync(join(folder, name)).size }))
        .toSorted((a, b) => b.bytes - a.bytes)
      if (json) process.stdout.write(`${JSON.stringify({ ...settings, ...result, files: largest.length, largest: largest[0] })}\n`)
      else
        process.stdout.write(
          `${settings.format} ${settings.dtype}: ${result.seconds.toFixed(0)} s, peak ${(result.peakMb / 1024).toFixed(1)} GiB, ${largest.length} files, largest ${largest[0]!.name} ${(largest[0]!.bytes / 1e9).toFixed(2)} GB; ${result.verification}\n`,
        )
      rmSync(folder, { recursive: true, force: true })
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}
