// `npm run bench -- --memory`: the peak of training processes beside what the memory oracle predicts of each, and the overhead that
// would fit them best: the numbers in jobs/memory-oracle.ts. Families, sizes, objectives, adapters, checkpointing, accumulation, modes.

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionMode } from '../../src-main/domain/device.ts'
import { jobSchema, type TrainJob } from '../../src-main/domain/job.ts'
import { multimodalLmSpecSchema, type MultimodalLmSpec } from '../../src-main/domain/model-spec.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import type { Sample } from '../../src-main/domain/sample.ts'
import { predictionError, type MemoryPrediction } from '../../src-main/domain/training-plan.ts'
import { trainTokenizer } from '../../src-main/engine/text/train-tokenizer.ts'
import { sha256 } from '../../src-main/jobs/files.ts'
import { encodePng } from '../../src-main/jobs/images/codec.ts'
import { JOB_ENVIRONMENT } from '../../src-main/jobs/process-runner.ts'
import { CONFIGURATIONS } from './configurations.ts'

export interface MemoryResult {
  /** Bytes. */
  readonly peak: number
  readonly mode: ExecutionMode
  readonly predicted: MemoryPrediction
}

const { spec: tiny } = CONFIGURATIONS.tiny
const { spec: small } = CONFIGURATIONS.small
/** The same sizes, as another family. */
function withEncoder(spec: MultimodalLmSpec, vision: object): MultimodalLmSpec {
  const { imageSize, patchSize, hiddenSize, numHiddenLayers, numAttentionHeads } = spec.visionEncoder
  return multimodalLmSpecSchema.parse({ ...spec, visionEncoder: { imageSize, patchSize, hiddenSize, numHiddenLayers, numAttentionHeads, ...vision } })
}
/** About 125 M parameters. */
const large = multimodalLmSpecSchema.parse({
  ...small,
  languageModel: { ...small.languageModel, hiddenSize: 768, intermediateSize: 3072, numHiddenLayers: 12, numAttentionHeads: 12, numKeyValueHeads: 12 },
})
const checkpointing = { visionEncoder: { gradientCheckpointing: true }, languageModel: { gradientCheckpointing: true } }
const adapted = { languageModel: { lora: { rank: 8 } } }
const [sft, dpo] = [{ kind: 'sft' }, { kind: 'dpo' }]

const CASES: readonly { readonly name: string; readonly spec: MultimodalLmSpec; readonly training: object }[] = [
  { name: '3 M SigLIP, SFT, 8', spec: tiny, training: { objective: sft, batchSize: 8 } },
  { name: '3 M SigLIP, DPO, 32', spec: tiny, training: { objective: dpo, batchSize: 32 } },
  { name: '3 M CLIP, ORPO, 8', spec: withEncoder(tiny, { family: 'clip', intermediateSize: 512 }), training: { objective: { kind: 'orpo' }, batchSize: 8 } },
  { name: '25 M SigLIP, SFT, 4', spec: small, training: { objective: sft, batchSize: 4 } },
  { name: '25 M SigLIP, DPO, 4', spec: small, training: { objective: dpo, batchSize: 4 } },
  { name: '25 M SigLIP, DPO, 16', spec: small, training: { objective: dpo, batchSize: 16 } },
  { name: '25 M SigLIP, DPO, 8 recomputed', spec: small, training: { objective: dpo, batchSize: 8, modules: checkpointing } },
  { name: '25 M SigLIP, DPO, 8 LoRA', spec: small, training: { objective: dpo, batchSize: 8, modules: adapted } },
  { name: '25 M DINOv2, DPO, 2 × 4', spec: withEncoder(small, { family: 'dinov2' }), training: { objective: dpo, batchSize: 2, gradientAccumulation: 4 } },
  { name: '25 M SigLIP, SFT, 8 language frozen', spec: small, training: { objective: sft, batchSize: 8, modules: { languageModel: { train: false } } } },
  { name: '125 M SigLIP, SFT, 2', spec: large, training: { objective: sft, batchSize: 2 } },
  { name: '125 M SigLIP, DPO, 2 LoRA recomputed', spec: large, training: { objective: dpo, batchSize: 2, modules: { visionEncoder: { gradientCheckpointing: true }, languageModel: { lora: { rank: 8 }, gradientCheckpointing: true } } } },
]

export async function benchMemory(modes: readonly string[], json: boolean): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'pivot-lab-memory-'))
  const say = (line: string) => void (json || process.stdout.write(`${line}\n`))
  try {
    const { snapshot, tokenizerFolder } = writeProject(root)
    for (const mode of modes) {
      const results: MemoryResult[] = []
      for (const [i, { name, spec, training }] of CASES.entries()) {
        const job = jobSchema.parse({
          kind: 'train',
          project: root,
          folder: join(root, 'runs', `${mode}-${i}`),
          execution: mode,
          config: { training: { steps: 3, warmupRatio: 0, checkpointEverySteps: 3, ...training }, snapshot, start: { kind: 'scratch', model: spec, tokenizerFolder, seed: 0 } },
        }) as TrainJob
        const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'memory-part.ts'), JSON.stringify(job)], {
          env: { ...process.env, ...JOB_ENVIRONMENT, XDG_CACHE_HOME: join(root, 'cache') },
          maxBuffer: 1 << 26,
        })
        rmSync(job.folder, { recursive: true, force: true })
        const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as MemoryResult
        results.push(result)
        const { peak, predicted } = result
        if (json) process.stdout.write(`${JSON.stringify({ name, ...result })}\n`)
        const moments = `moments ${((100 * predicted.moments) / peak).toFixed(0)} % of it`
        say(`${result.mode.padEnd(6)} ${name.padEnd(40)} ${(peak / 1e6).toFixed(0).padStart(6)} MB, predicted ${(predicted.peak / 1e6).toFixed(0).padStart(6)} MB (${(100 * predictionError(predicted.peak, peak)).toFixed(1)} %), ${moments}`)
      }
      const [constant, ofState, ofWorking] = bestOverhead(results)
      say(`${mode}: best overhead { constant: ${(constant! / 1e6).toFixed(0)}e6, ofState: ${ofState!.toFixed(2)}, ofWorking: ${ofWorking!.toFixed(2)} }, largest error then ${(100 * largestError(results, [constant!, ofState!, ofWorking!])).toFixed(1)} %`)
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

const termsOf = ({ predicted: { weights, moments, working } }: MemoryResult): readonly number[] => [1, weights + moments, working]
const besideTensors = ({ peak, predicted: { overhead, peak: all } }: MemoryResult): number => peak - (all - overhead)

function largestError(results: readonly MemoryResult[], overhead: readonly number[]): number {
  return Math.max(...results.map((each) => Math.abs(termsOf(each).reduce((sum, term, i) => sum + term * overhead[i]!, 0) - besideTensors(each)) / each.peak))
}

/** Least squares of what is beside the tensors, each case weighed by one over its peak: relative errors count. */
function bestOverhead(results: readonly MemoryResult[]): readonly number[] {
  const rows = results.map((each) => [...termsOf(each), besideTensors(each)].map((value) => value / each.peak))
  const matrix = [0, 1, 2].map((i) => [0, 1, 2, 3].map((j) => rows.reduce((sum, row) => sum + row[i]! * row[j]!, 0)))
  for (let i = 0; i < 3; i++) {
    const pivot = matrix[i]![i]!
    matrix[i] = matrix[i]!.map((value) => value / pivot)
    for (let other = 0; other < 3; other++) {
      const factor = matrix[other]![i]!
      if (other !== i) matrix[other] = matrix[other]!.map((value, j) => value - matrix[i]![j]! * factor)
    }
  }
  return matrix.map((row) => row[3]!)
}

/** Forty-eight pairs about pictures of noise. */
function writeProject(root: string): { readonly snapshot: string; readonly tokenizerFolder: string } {
  const random = createRandom(1, 'pictures')
  mkdirSync(join(root, 'images'), { recursive: true })
  const samples = Array.from({ length: 48 }, (_, i): Sample => {
    const bytes = encodePng({ width: 64, height: 48, data: Uint8Array.from({ length: 64 * 48 * 3 }, () => random.integer(256)) })
    const path = join(root, 'images', `${i}.png`)
    writeFileSync(path, bytes)
    return {
      id: `pair ${i}`,
      split: 'train',
      source: null,
      image: { sha256: sha256(bytes), path, width: 64, height: 48 },
      content: { kind: 'preferences', prompt: 'What is in the picture, and where?', chosen: 'A red square left of a blue circle.', rejected: 'A blue circle above a green square.', group: null, category: null, region: [] },
    }
  })
  const text = samples.map((sample) => `${JSON.stringify(sample)}\n`).join('')
  mkdirSync(join(root, 'snapshots'), { recursive: true })
  writeFileSync(join(root, 'snapshots', `${sha256(text)}.jsonl`), text)
  const { tokenizer, config } = trainTokenizer(['What is in the picture, and where? A red square left of a blue circle.'], 300)
  const tokenizerFolder = join(root, 'tokenizer')
  mkdirSync(tokenizerFolder)
  writeFileSync(join(tokenizerFolder, 'tokenizer.json'), JSON.stringify(tokenizer))
  writeFileSync(join(tokenizerFolder, 'tokenizer_config.json'), JSON.stringify(config))
  return { snapshot: sha256(text), tokenizerFolder }
}
