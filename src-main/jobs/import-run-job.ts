// Takes in a run that TRL's script trained elsewhere: its weights under the lab's names (whole, in shards, or as an adapter on the
// model that it started from), checked tensor by tensor against that model, and its log, step by step, as if it had been trained here.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, ImportRunJob, JobEvent } from '../domain/job.ts'
import { TRAINING_METRICS } from '../domain/metric.ts'
import { MODULES } from '../domain/model-spec.ts'
import { parse } from '../domain/parse.ts'
import { withDecoding } from '../domain/preprocess-spec.ts'
import { trainerStateSchema } from '../domain/recipe.ts'
import { withAdapter } from '../engine/weights/peft.ts'
import { splitByModule, visionEncoderTensors } from '../engine/weights/names.ts'
import { checkpointFolder, readAdapter, readCheckpoint, writeCheckpoint, type LoadedCheckpoint } from './checkpoint.ts'
import { checkedWeight, readWeights, type FileTensors } from './weight-files.ts'

/** What else the script's trainers log (times, learning rates of groups, rewards by function) has no name here. */
const METRICS: ReadonlySet<string> = new Set(TRAINING_METRICS.map(({ name }) => name))

/**
 * @throws LabError 'not-found' naming the file that the script would have left, 'corrupt-artifact' naming tensors that are
 *   missing or of another shape than the start's, 'invalid-input' when the run ended early or a weight is not finite
 */
export async function* runImportRunJob(job: ImportRunJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const { training, start } = job.config
  if (start.kind !== 'checkpoint') throw new LabError('internal', `an imported run starts from a checkpoint, found ${start.kind}`)
  const path = join(job.source, 'trainer_state.json')
  const state = parse(trainerStateSchema, await readPythonJson(path), 'corrupt-artifact', path)
  if (state.global_step !== training.steps)
    throw new LabError(
      'invalid-input',
      `${path}: global_step: expected ${training.steps}, which is the study's, found ${state.global_step}; let the run reach its end, or import it into a study of that length`,
    )
  const base = await readCheckpoint(start.folder)
  const weights = await weightsLike(base, job.source)
  yield { kind: 'part', name: 'taking in the log', of: training.steps }
  let numTokens = 0
  for (const entry of state.log_history) {
    const { step, loss } = entry
    if (step === 0 || loss === undefined) continue
    if (typeof loss !== 'number')
      throw new LabError('loss-not-finite', `${path}: the loss of step ${step} is ${String(loss)}: the run diverged and cannot be taken in; lower learningRate or maxGradientNorm and train again`, { step })
    const metrics = Object.fromEntries(Object.entries(entry).filter((each): each is [string, number] => METRICS.has(each[0]) && typeof each[1] === 'number'))
    numTokens = metrics['num_tokens'] ?? numTokens
    if (signal.aborted) throw new LabError('cancelled', 'cancelled before anything was written')
    yield { kind: 'step', step: entry.step, of: training.steps, metrics }
  }
  const folder = checkpointFolder(job.folder, training.steps)
  const sha256 = await writeCheckpoint(folder, {
    weights,
    moments: null,
    tokenizerFiles: base.tokenizerFiles,
    preprocess: job.config.images === null ? base.preprocess : withDecoding(base.preprocess, job.config.images),
    describe: { step: training.steps, model: base.checkpoint.model, config: job.config, execution: null, numTokens },
  })
  yield { kind: 'checkpoint', step: training.steps, folder, sha256 }
}

/** JSON as Python writes it: numbers that are not finite come as NaN and Infinity, and are texts here. */
async function readPythonJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((thrown: unknown) => {
    throw new LabError('not-found', `${path} does not exist: choose the folder that train.py of a recipe wrote, once it has ended`, { path }, thrown)
  })
  try {
    return JSON.parse(text.replace(/([[:,]\s*)(NaN|-?Infinity)(?=\s*[,\]}])/g, '$1"$2"'))
  } catch (thrown) {
    throw new LabError('corrupt-artifact', `${path} is not JSON: ${(thrown as Error).message}; copy the folder again`, { path }, thrown)
  }
}

/** What distributed tooling leaves when it is told to save in parts of its own, and what makes a model of them. */
const OTHER_FORMS: readonly (readonly [RegExp, string])[] = [
  [/^pytorch_model_fsdp_\d+$/, 'shards of FSDP; put them together with: accelerate merge-weights <that folder> <this folder>'],
  [/^global_step\d+$|^zero_to_fp32\.py$/, 'shards of DeepSpeed; put them together with: python zero_to_fp32.py . . --safe_serialization'],
  [/^checkpoint-\d+$/, 'checkpoints on the way; let train.py end, or copy trainer_state.json and run.json into the last of them and choose it'],
]

/** The weights of a folder, module by module, exactly those that `base` has. */
async function weightsLike(base: LoadedCheckpoint, folder: string): Promise<LoadedCheckpoint['weights']> {
  const names = await readdir(folder)
  if (!names.some((name) => name.startsWith('model.safetensors'))) {
    if (names.includes('adapter_model.safetensors')) return adapted(base, folder)
    for (const [pattern, words] of OTHER_FORMS) {
      const found = names.find((name) => pattern.test(name))
      if (found !== undefined) throw new LabError('not-found', `${folder}: expected model.safetensors, its shards or adapter_model.safetensors, found ${found}: ${words}`, { path: folder })
    }
  }
  const found = splitByModule(await readWeights(folder)).modules as Record<(typeof MODULES)[number], FileTensors>
  const modules = { ...found, visionEncoder: visionEncoderTensors(base.checkpoint.model.visionEncoder, found.visionEncoder) as FileTensors }
  const faults: string[] = []
  const weights = Object.fromEntries(
    MODULES.map((module) => [
      module,
      Object.fromEntries(
        Object.entries(base.weights[module]).flatMap(([name, { shape }]) => {
          const tensor = modules[module][name]
          if (tensor === undefined) faults.push(`${module}/${name} is missing`)
          else if (tensor.shape.join() !== shape.join()) faults.push(`${module}/${name}: expected [${shape.join(', ')}], found [${tensor.shape.join(', ')}]`)
          return tensor === undefined ? [] : [[name, checkedWeight(`${module}/${name}`, tensor)] as const]
        }),
      ),
    ]),
  ) as unknown as LoadedCheckpoint['weights']
  // A tied head is written by some and not by others; it is the embeddings.
  for (const module of MODULES)
    for (const name of Object.keys(modules[module]))
      if (base.weights[module][name] === undefined && name !== 'lm_head.weight') faults.push(`${module}/${name} is not a tensor of the model it started from`)
  if (faults.length > 0)
    throw new LabError(
      'corrupt-artifact',
      `${folder}: ${faults.slice(0, 5).join('; ')}${faults.length > 5 ? `; and ${faults.length - 5} more` : ''}. Import the folder that train.py wrote for this study.`,
      { faults: faults.length },
    )
  return weights
}

/** The start with an adapter merged in. */
async function adapted({ weights }: LoadedCheckpoint, folder: string): Promise<LoadedCheckpoint['weights']> {
  const { config, tensors } = await readAdapter(folder)
  const checked = Object.fromEntries(Object.entries(tensors as FileTensors).map(([name, tensor]) => [name, checkedWeight(name, tensor)]))
  return withAdapter(weights, { config, tensors: checked }, join(folder, 'adapter_model.safetensors'))
}
