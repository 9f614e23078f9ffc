// A transplant's configuration and its measurement: an encoder under a fresh projector and a language model, asked questions. Studies
// do it for their arms, experiments for any encoders; what both must do alike stands here.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import type { Start } from '../domain/run-config.ts'

export interface Transplanted {
  /** A multimodal model's folder, or that of a vision encoder alone. */
  readonly folder: string
  readonly projectorLayers: 0 | 1 | 2
  /** null: random weights. */
  readonly languageModelFolder: string | null
  readonly seed: number
}

/** @throws LabError 'invalid-input' for an encoder alone that is to bring a projector or a language model along */
export function transplantStart({ folder, projectorLayers, languageModelFolder, seed }: Transplanted): Start {
  if (!holdsEncoderAlone(folder)) return { kind: 'transplant', folder, projectorLayers, languageModelFolder, seed }
  if (languageModelFolder === null)
    throw new LabError('invalid-input', `languageModel: ${folder} holds a vision encoder alone, so nothing says which language model to put over it; choose one`, { folder })
  if (projectorLayers > 0)
    throw new LabError('invalid-input', `projectorLayers: ${folder} holds a vision encoder alone and has no projector; keep 0 layers`, { folder })
  return { kind: 'parts', visionEncoderFolder: folder, languageModelFolder, visionFeatureLayer: -2, visionFeatureSelectStrategy: null, seed }
}

/** A folder in Hugging Face's layout of anything but a LLaVA. */
function holdsEncoderAlone(folder: string): boolean {
  const config = join(folder, 'config.json')
  return !existsSync(join(folder, 'lab.json')) && existsSync(config) && !/"model_type"\s*:\s*"llava/.test(readFileSync(config, 'utf8'))
}

/** A transplant's answers are its own metrics: vqa/text → transplant/text. */
export function asTransplantMetric(metric: string): string {
  return metric.replace(/^vqa\//, 'transplant/')
}
