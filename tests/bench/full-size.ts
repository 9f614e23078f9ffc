// `npm run bench -- --full-size`: a model of published size, SigLIP-B/16-224 with Qwen2.5-0.5B, random weights in two folders
// on disk (bfloat16, sharded as Hugging Face shards). Three processes, so that each peak of memory is its own: loading;
// one DPO step with LoRA on the language model and the encoder trained; an answer, streamed.

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { jobSchema, type AskJob, type TrainJob } from '../../src-main/domain/job.ts'
import { multimodalLmSpecSchema } from '../../src-main/domain/model-spec.ts'
import { modelQuestionSchema } from '../../src-main/domain/model-view.ts'
import { siglipPreprocess } from '../../src-main/domain/preprocess-spec.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import type { Sample } from '../../src-main/domain/sample.ts'
import { languageModelConfig } from '../../src-main/engine/models/language/families.ts'
import { specToHuggingFace } from '../../src-main/engine/preprocess/hugging-face.ts'
import { createChatTokenizer, type TokenizerFiles } from '../../src-main/engine/text/tokenizer.ts'
import { trainTokenizer } from '../../src-main/engine/text/train-tokenizer.ts'
import { visionEncoderConfig } from '../../src-main/engine/weights/hugging-face-config.ts'
import { languageModelLayout, visionEncoderLayout, type NamedArrays } from '../../src-main/engine/weights/initial.ts'
import type { Layout } from '../../src-main/engine/weights/layout.ts'
import { visionEncoderName } from '../../src-main/engine/weights/names.ts'
import { safetensorsPieces } from '../../src-main/engine/weights/safetensors.ts'
import { sha256 } from '../../src-main/jobs/files.ts'
import { encodePng } from '../../src-main/jobs/images/codec.ts'
import { JOB_ENVIRONMENT } from '../../src-main/jobs/process-runner.ts'

/** What issue and paper call the base encoder and the smallest language model. */
export const FULL_SIZE = multimodalLmSpecSchema.parse({
  visionEncoder: { family: 'siglip', imageSize: 224, patchSize: 16, hiddenSize: 768, intermediateSize: 3072, numHiddenLayers: 12, numAttentionHeads: 12 },
  languageModel: {
    family: 'qwen2',
    vocabSize: 151936,
    hiddenSize: 896,
    intermediateSize: 4864,
    numHiddenLayers: 24,
    numAttentionHeads: 14,
    numKeyValueHeads: 2,
    ropeTheta: 1_000_000,
    tieWordEmbeddings: true,
    maxPositionEmbeddings: 32768,
  },
})

/** What a part of the measurement says, as one JSON line. */
export interface FullSizeResult {
  readonly part: string
  readonly seconds: number
  readonly peakMb: number
  readonly figures: Readonly<Record<string, number | string>>
}
export type FullSizePart = { readonly part: 'load'; readonly job: TrainJob } | { readonly part: 'step'; readonly job: TrainJob } | { readonly part: 'answer'; readonly job: AskJob }

export async function benchFullSize(json: boolean): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'pivot-lab-full-size-'))
  const say = (line: string) => void (json || process.stdout.write(`${line}\n`))
  try {
    say('SigLIP-B/16-224 (86 M) + Qwen2.5-0.5B (494 M), random weights: writing them …')
    const { train, ask } = await makeProject(root)
    for (const part of [
      { part: 'load', job: train },
      { part: 'step', job: train },
      { part: 'answer', job: ask },
    ] as const satisfies readonly FullSizePart[]) {
      const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'full-size-part.ts'), JSON.stringify(part)], {
        env: { ...process.env, ...JOB_ENVIRONMENT, XDG_CACHE_HOME: join(root, 'cache') },
        maxBuffer: 1 << 26,
      })
      const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as FullSizeResult
      if (json) process.stdout.write(`${JSON.stringify(result)}\n`)
      const figures = Object.entries(result.figures).map(([name, value]) => `${name} ${value}`)
      say(`${result.part.padEnd(8)} ${result.seconds.toFixed(1)} s, peak ${(result.peakMb / 1024).toFixed(2)} GiB, ${figures.join(', ')}`)
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

async function makeProject(root: string): Promise<{ readonly train: TrainJob; readonly ask: AskJob }> {
  const [encoder, language] = [join(root, 'siglip'), join(root, 'qwen')]
  const json = (folder: string, name: string, content: unknown) => {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, name), JSON.stringify(content))
  }
  const { visionEncoder, languageModel } = FULL_SIZE
  json(encoder, 'config.json', visionEncoderConfig(visionEncoder))
  json(encoder, 'preprocessor_config.json', specToHuggingFace(siglipPreprocess(visionEncoder.imageSize)))
  const names = Object.entries(visionEncoderLayout(visionEncoder)).map(([name, initial]) => [visionEncoderName(visionEncoder, name), initial] as const)
  await writeRandom(join(encoder, 'model.safetensors'), Object.fromEntries(names))
  const tokenizerFiles = withWholeVocabulary(trainTokenizer(['What is in the picture? A red square left of a blue circle.'], 300), languageModel.vocabSize)
  json(language, 'config.json', languageModelConfig(languageModel))
  json(language, 'tokenizer.json', tokenizerFiles.tokenizer)
  json(language, 'tokenizer_config.json', tokenizerFiles.config)
  const layout = Object.entries(languageModelLayout(languageModel))
  const shards = [layout.slice(0, layout.length / 2), layout.slice(layout.length / 2)]
  const map: Record<string, string> = {}
  for (const [i, shard] of shards.entries()) {
    const name = `model-0000${i + 1}-of-00002.safetensors`
    await writeRandom(join(language, name), Object.fromEntries(shard))
    for (const [tensor] of shard) map[tensor] = name
  }
  json(language, 'model.safetensors.index.json', { metadata: {}, weight_map: map })

  const random = createRandom(1, 'picture')
  const picture = join(root, 'picture.png')
  const bytes = encodePng({ width: 320, height: 240, data: Uint8Array.from({ length: 320 * 240 * 3 }, () => random.integer(256)) })
  writeFileSync(picture, bytes)
  const sample: Sample = {
    id: 'a pair',
    split: 'train',
    source: null,
    image: { sha256: sha256(bytes), path: picture, width: 320, height: 240 },
    content: { kind: 'preferences', prompt: 'What is in the picture?', chosen: 'A red square.', rejected: 'A blue circle.', group: null, category: null, region: [] },
  }
  const text = `${JSON.stringify(sample)}\n`
  mkdirSync(join(root, 'snapshots'), { recursive: true })
  writeFileSync(join(root, 'snapshots', `${sha256(text)}.jsonl`), text)
  const start = { kind: 'parts', visionEncoderFolder: encoder, languageModelFolder: language, seed: 0 }
  const training = {
    objective: { kind: 'dpo' },
    steps: 1,
    batchSize: 1,
    learningRate: 1e-5,
    modules: { languageModel: { lora: { rank: 8 }, gradientCheckpointing: true }, visionEncoder: { gradientCheckpointing: true } },
  }
  const folder = join(root, 'run')
  const train = jobSchema.parse({ kind: 'train', project: root, folder, config: { training, snapshot: sha256(text), start } }) as TrainJob
  const question = modelQuestionSchema.parse({ question: 'What is in the picture?', maxNewTokens: 16, temperature: 1 })
  // The step's own checkpoint is what is asked.
  const ask: AskJob = { kind: 'ask', checkpoint: join(folder, 'step-00000001'), image: picture, question }
  if (createChatTokenizer(tokenizerFiles).vocabSize > languageModel.vocabSize) throw new Error('the tokenizer does not fit the model')
  return { train, ask }
}

/** A word for every further id, as a published tokenizer has one: whatever token is drawn is text. */
function withWholeVocabulary({ tokenizer, config }: TokenizerFiles, vocabSize: number): TokenizerFiles {
  const { model, ...rest } = tokenizer as { readonly model: { readonly vocab: Readonly<Record<string, number>> } }
  const known = createChatTokenizer({ tokenizer, config }).vocabSize
  // Ġ is a space in the byte-level alphabet.
  const further = Array.from({ length: vocabSize - known }, (_, i) => [`Ġw${known + i}`, known + i] as const)
  return { tokenizer: { ...rest, model: { ...model, vocab: { ...model.vocab, ...Object.fromEntries(further) } } }, config }
}

/** Normal deviates of each tensor's own spread; one million of them serve all, since nothing is measured on their values. */
export async function writeRandom(path: string, layout: Layout): Promise<void> {
  const random = createRandom(0, path.split('/').at(-1)!)
  const deviates = Float32Array.from({ length: 1 << 20 }, () => random.normal())
  const tensors: NamedArrays = Object.fromEntries(
    Object.entries(layout).map(([name, initial]) => [
      name,
      {
        shape: initial.shape,
        get values() {
          const values = new Float32Array(initial.shape.reduce((product, size) => product * size, 1))
          if ('fill' in initial) return values.fill(initial.fill)
          for (let at = 0; at < values.length; at += deviates.length) values.set(deviates.subarray(0, values.length - at), at)
          return values.map((value) => value * initial.std)
        },
      },
    ]),
  )
  const file = await open(path, 'w')
  try {
    for (const piece of safetensorsPieces(tensors, 'bfloat16')) await file.write(piece)
  } finally {
    await file.close()
  }
}
