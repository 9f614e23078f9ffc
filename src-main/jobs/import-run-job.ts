// Takes in a run that TRL's script trained elsewhere: its weights under the lab's names, checked tensor by tensor against the
// model that it started from, and its log, step by step, as if it had been trained here.

import { join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, ImportRunJob, JobEvent } from '../domain/job.ts'
import { TRAINING_METRICS } from '../domain/metric.ts'
import { MODULES } from '../domain/model-spec.ts'
import { parse } from '../domain/parse.ts'
import { trainerStateSchema } from '../domain/recipe.ts'
import { splitByModule, visionEncoderTensors } from '../engine/weights/names.ts'
import { checkpointFolder, readCheckpoint, writeCheckpoint, type LoadedCheckpoint } from './checkpoint.ts'
import { readJson } from './files.ts'
import { checkedWeight, readWeights, type FileTensors } from './weight-files.ts'

/** Names of transformers' Trainer for what the lab calls otherwise or not at all. */
const METRICS: ReadonlySet<string> = new Set(TRAINING_METRICS.map(({ name }) => name))

/**
 * @throws LabError 'not-found' naming the file that the script would have left, 'corrupt-artifact' naming tensors that are
 *   missing or of another shape than the start's, 'invalid-input' when the run ended early or a weight is not finite
 */
export async function* runImportRunJob(job: ImportRunJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const { training, start } = job.config
  if (start.kind !== 'checkpoint') throw new LabError('internal', `an imported run starts from a checkpoint, found ${start.kind}`)
  const path = join(job.source, 'trainer_state.json')
  const state = parse(trainerStateSchema, await readJson(path), 'corrupt-artifact', path)
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
    if (entry.step === 0 || typeof entry['loss'] !== 'number') continue
    const metrics = Object.fromEntries(
      Object.entries(entry).filter((each): each is [string, number] => METRICS.has(each[0]) && typeof each[1] === 'number' && Number.isFinite(each[1])),
    )
    if (metrics['loss'] === undefined)
      throw new LabError('loss-not-finite', `${path}: the loss of step ${entry.step} is ${String(entry['loss'])}; the run cannot be taken in`)
    numTokens = metrics['num_tokens'] ?? numTokens
    if (signal.aborted) throw new LabError('cancelled', 'cancelled before anything was written')
    yield { kind: 'step', step: entry.step, of: training.steps, metrics }
  }
  const folder = checkpointFolder(job.folder, training.steps)
  const sha256 = await writeCheckpoint(folder, {
    weights,
    moments: null,
    tokenizerFiles: base.tokenizerFiles,
    preprocess: base.preprocess,
    describe: { step: training.steps, model: base.checkpoint.model, config: job.config, execution: null, numTokens },
  })
  yield { kind: 'checkpoint', step: training.steps, folder, sha256 }
}

/** The weights of a folder, module by module, exactly those that `base` has. */
async function weightsLike(base: LoadedCheckpoint, folder: string): Promise<LoadedCheckpoint['weights']> {
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
