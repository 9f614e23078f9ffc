// Looks at a folder that holds a vision encoder, alone, in a dual encoder or in a multimodal model: whether the lab can compute
// it, the hash that names its weights, and its preprocessing in words.

import type { EncoderFactsJob, JobEvent } from '../domain/job.ts'
import { preprocessWords } from '../domain/preprocess-spec.ts'
import { readVisionEncoderFolder } from './model-folder.ts'

/** Yields one answer { sha256, preprocessing }. @throws LabError 'not-found', 'corrupt-artifact', 'invalid-input' */
export async function* runEncoderFactsJob({ folder }: EncoderFactsJob): AsyncGenerator<JobEvent> {
  const { sha256, preprocess, notes } = await readVisionEncoderFolder(folder)
  for (const message of notes) yield { kind: 'log', level: 'info', message }
  yield { kind: 'answer', value: { sha256, preprocessing: preprocessWords(preprocess) } }
}
