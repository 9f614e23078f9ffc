// Adapters both ways: a training of the lab with LoRA, whose adapter PEFT puts over the same base; and one that PEFT writes for
// load_adapters.py, which the lab then merges. Logits of one conversation about a picture say whether they agree.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { jobSchema, type Job } from '../../src-main/domain/job.ts'
import { numImageTokens } from '../../src-main/domain/model-spec.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import { trainingSchema } from '../../src-main/domain/run-config.ts'
import { promptEmbeddings } from '../../src-main/engine/generate.ts'
import { decoderHiddenStates, languageHead } from '../../src-main/engine/models/language-model.ts'
import { imageFeatures, imageTokens } from '../../src-main/engine/models/multimodal-lm.ts'
import { patchify } from '../../src-main/engine/models/vision-encoder.ts'
import { readSafetensors, writeSafetensors } from '../../src-main/engine/weights/safetensors.ts'
import { newestCheckpoint } from '../../src-main/jobs/checkpoint.ts'
import { heldModel } from '../../src-main/jobs/held-model.ts'
import { runJob } from '../../src-main/jobs/run-job.ts'
import { startModel } from '../../src-main/jobs/start-model.ts'
import type { Start } from '../../src-main/domain/run-config.ts'
import { tinyProject } from '../jobs/evaluate/tiny-project.ts'
import type { PeerCheck } from './peers.ts'

/** A rank and a scale of its own for each module, and the projector trained whole. */
const TRAINING = trainingSchema.parse({
  objective: { kind: 'dpo', beta: 0.3 },
  steps: 4,
  batchSize: 3,
  learningRate: 3e-2,
  schedule: 'constant',
  modules: {
    visionEncoder: { lora: { rank: 3, alpha: 5, targets: 'q_proj fc1' } },
    projector: {},
    languageModel: { lora: { rank: 2, alpha: 7, targets: 'all-linear' } },
  },
})

export async function writeAdapters(folder: string): Promise<void> {
  const tiny = tinyProject(join(folder, 'project'), { train: 12, validation: 0, test: 1 })
  const base = await tiny.checkpoint(9)
  const run = join(folder, 'run')
  const config = { training: TRAINING, snapshot: tiny.snapshots.preferences, start: { kind: 'checkpoint', folder: base } }
  for await (const _ of runJob(jobSchema.parse({ kind: 'train', project: tiny.project, folder: run, config, execution: 'eager' }) as Job, { aborted: false }));
  const trained = (await newestCheckpoint(run))!
  const { spec, tokenizer } = await startModel({ kind: 'checkpoint', folder: base })
  const { imageSize } = spec.visionEncoder
  const random = createRandom(2, 'adapters')
  const pixels = { shape: [1, 3, imageSize, imageSize], values: Float32Array.from({ length: 3 * imageSize ** 2 }, () => random.normal()) }
  const image = new Array<number>(numImageTokens(spec)).fill(tokenizer.imageId)
  const ids = [...tokenizer.encode('Which of the '), ...image, ...tokenizer.encode(' squares is red? The left one.')]
  const logits = await logitsOf({ kind: 'checkpoint', folder: trained }, pixels.values, ids)
  writeFileSync(
    join(folder, 'conversation.safetensors'),
    writeSafetensors({ pixel_values: pixels, input_ids: { shape: [1, ids.length], values: Float32Array.from(ids) }, logits }),
  )
  writeFileSync(join(folder, 'adapters.json'), JSON.stringify({ base, adapter: join(trained, 'adapter'), written: join(folder, 'written') }))
}

/** The adapter that PEFT wrote, over the same base here. */
export async function readAdapters(folder: string): Promise<readonly PeerCheck[]> {
  const { base, written } = JSON.parse(readFileSync(join(folder, 'adapters.json'), 'utf8')) as { base: string; written: string }
  const { pixel_values: pixels, input_ids: ids } = readSafetensors(readFileSync(join(folder, 'conversation.safetensors')), 'conversation')
  const { logits: expected } = readSafetensors(readFileSync(join(folder, 'written.safetensors')), 'written')
  const found = await logitsOf({ kind: 'checkpoint', folder: base, adapter: written }, Float32Array.from(pixels!.values), [...ids!.values])
  const largest = expected!.values.reduce((most, each) => Math.max(most, Math.abs(each)), 1)
  const apart = found.values.reduce((most, each, i) => Math.max(most, Math.abs(each - expected!.values[i]!)), 0)
  return [{ name: 'an adapter of PEFT, merged by the lab', difference: apart / largest, tolerance: 1e-5, fault: null }]
}

/** Logits at every position. @returns (1, T, V) */
async function logitsOf(start: Start, pixels: Float32Array, ids: readonly number[]) {
  const { spec, weights, tokenizer } = await startModel(start)
  const { imageSize, patchSize } = spec.visionEncoder
  const held = heldModel({ spec, weights })
  const { model } = held
  const values = tf.tidy(() => {
    const patches = patchify(tf.tensor4d(pixels, [1, 3, imageSize, imageSize]), patchSize)
    const embeddings = promptEmbeddings(model, [ids], imageTokens(model, imageFeatures(model, patches)), tokenizer)
    const states = decoderHiddenStates(spec.languageModel, model.weights.languageModel, embeddings)
    return languageHead(spec.languageModel, model.weights.languageModel, states.at(-1)!).dataSync().slice() as Float32Array
  }) as unknown as Float32Array
  held.dispose()
  return { shape: [1, ids.length, spec.languageModel.vocabSize], values }
}
