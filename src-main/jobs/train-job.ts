// One training run from its configuration: start, data, steps, checkpoints. It continues by itself from the newest
// checkpoint in its folder, bit-exactly within one execution mode: the order of the data is a function of the seed and
// the step, and weights, moments and counters are all there is to a state.

import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { executionWords, type ExecutionMode } from '../domain/device.ts'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent, TrainJob, Watched } from '../domain/job.ts'
import { MODULES, numImageTokens, type Module } from '../domain/model-spec.ts'
import { withDecoding } from '../domain/preprocess-spec.ts'
import type { RunConfig, Training } from '../domain/run-config.ts'
import { numPatches, patchWidth } from '../domain/vision-encoder-spec.ts'
import type { ModuleLedger } from '../domain/training-plan.ts'
import { nativeBackend } from '../engine/compile/native-backend.ts'
import { SharedState } from '../engine/compile/shared-state.ts'
import { adaptersOf, createTrainStep, stateBesideModel, trainableModel, weightsOf, type TrainableModel } from '../engine/train-step.ts'
import { train } from '../engine/train.ts'
import type { NamedArrays } from '../engine/weights/initial.ts'
import { toPeft, type AdapterFiles } from '../engine/weights/peft.ts'
import { stepBatches, type BatchSource } from './batches.ts'
import { checkpointFolder, newestCheckpoint, readCheckpoint, readMoments, tidyRunFolder, writeCheckpoint } from './checkpoint.ts'
import { codeIdentity } from './compile/code-identity.ts'
import { compiledForwards, compiledModel, decoderOf } from './compile/compiled-model.ts'
import { compileStep } from './compile/compile-step.ts'
import { runEvaluateJob } from './evaluate-job.ts'
import { heldModel } from './held-model.ts'
import { memoryOf, peakBytes, residentBytes, resetPeak } from './memory-oracle.ts'
import { createPreferenceWatch } from './preference-watch.ts'
import { prepareTraining } from './prepared-training.ts'
import { runProbeJob } from './probe/probe-job.ts'
import { cachedReference, computeReference, referenceKey } from './reference-log-probs.ts'
import { DRAWN_ANSWERS_FILE, readDrawnAnswers, sampledBatches, type DrawnAnswers } from './sampled-batches.ts'
import { createImageSource } from './samples.ts'
import { moduleLedgers, oracleOf } from './training-ledger.ts'
import { withStandardisedProjector } from './standardised-projector.ts'
import { userCacheFolder } from './user-cache.ts'
import { visionFeatures } from './vision-features.ts'

/**
 * @throws LabError 'cancelled' (the step that was done is in a checkpoint), 'loss-not-finite', 'invalid-input',
 *   'not-found', 'corrupt-artifact'; out of disk and out of memory as the system throws them
 */
export async function* runTrainJob(job: TrainJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const { training, snapshot } = job.config
  resetPeak()
  const base = residentBytes()
  const prepared = await prepareTraining(job.project, job.config)
  const { objective, start, ledger, data, buckets, imagesAs } = prepared
  const { spec, tokenizer, tokenizerFiles } = start
  const preprocess = job.config.images === null ? start.preprocess : withDecoding(start.preprocess, job.config.images)
  const config = training.objective
  yield { kind: 'log', level: 'info', message: `parameters: ${moduleLedgers(ledger, training).map(inOneLine).join(', ')}` }
  for (const message of start.notes) yield { kind: 'log', level: 'info', message }
  if (data.tooLong.length > 0)
    yield { kind: 'log', level: 'warning', message: `${data.tooLong.length} of ${prepared.samples} samples are longer than maxLength (${training.maxLength} tokens) and are left out` }
  yield {
    kind: 'log',
    level: 'info',
    message: `shapes: ${buckets.buckets.map(({ T }, i) => `${T} positions for ${buckets.counts[i]} samples`).join(', ')}; ${(100 * buckets.paddingShare).toFixed(0)} % padding`,
  }

  const source = {
    samples: data.samples,
    images: createImageSource(job.project, preprocess, spec.visionEncoder.patchSize),
    tokenizer,
    numImageTokens: numImageTokens(spec),
    numPatches: numPatches(spec.visionEncoder),
    patchWidth: patchWidth(spec.visionEncoder),
  }
  let standardised: typeof start.weights | null = null
  /** The weights of step 0, which are the reference's too. */
  const fresh = async () => (standardised ??= await withStandardisedProjector(job.config.start, start, source, data.samples))
  let reference: BatchSource['reference'] = null
  if (objective.reference !== null) {
    const { ldAlpha } = objective.reference
    const mismatched = objective.needsMismatched ? { maxLength: training.maxLength } : null
    const key = referenceKey({ model: start.identity, snapshot, tokenizer: tokenizerFiles, preprocess, ldAlpha, mismatched, imageNewline: spec.imageNewline })
    reference = await cachedReference(job.project, key, data.samples)
    if (reference === null) {
      const held = compiledModel({ spec, weights: await fresh() })
      try {
        reference = yield* computeReference(job.project, key, held, source, { batchSize: training.batchSize, ldAlpha }, signal)
      } finally {
        held.dispose()
      }
    }
  }

  const resumed = await newestCheckpoint(job.folder)
  const from = resumed === null ? null : await readCheckpoint(resumed)
  const stepsDone = from?.checkpoint.step ?? 0
  if (from !== null) yield { kind: 'log', level: 'info', message: `continuing after step ${stepsDone}` }
  if (stepsDone >= training.steps) {
    yield { kind: 'checkpoint', step: stepsDone, folder: resumed!, sha256: from!.checkpoint.sha256 }
    return
  }
  const beginning = from?.weights ?? (await fresh())
  const features = imagesAs === 'features' ? yield* visionFeatures(job.project, start, preprocess, source, prepared.images, signal) : null
  const trainable = trainableModel(spec, beginning, training, resumed === null ? {} : await readMoments(resumed), imagesAs)
  const step = createTrainStep(trainable, objective, training)
  const state = new SharedState(step.variables)
  const prefer = from?.checkpoint.execution ?? executionFor(job, training.steps - stepsDone)
  const { memory } = memoryOf(oracleOf(prepared, base, prefer), training)
  const warnings: string[] = []
  const program = compileStep((batch, scalars) => step.run(batch, scalars), {
    state,
    prefer,
    precision: training.precision,
    cacheFolder: join(userCacheFolder(), 'programs'),
    identity: JSON.stringify([codeIdentity(), spec, shapingSettings(training), imagesAs]),
    warn: (message) => warnings.push(message),
  })
  // As graphs from the first token on: a resumed run must draw in the mode in which it would have drawn.
  const forwards = compiledForwards(trainable.model, state, {
    prefer: prefer === 'eager' ? 'eager' : 'graph',
    cacheFolder: join(userCacheFolder(), 'programs'),
    warn: (message) => warnings.push(message),
  })
  // GRPO measures the drift of answers that are yet to be drawn: for it alone the reference is a model.
  const heldReference = config.kind === 'grpo' && config.beta > 0 ? heldModel({ spec, weights: await fresh() }) : null
  let drawn: DrawnAnswers | null = null
  try {
    yield { kind: 'part', name: 'training', of: training.steps }
    let numTokens = from?.checkpoint.numTokens ?? 0
    const batchSource = { ...source, features, objective, training, reference }
    const isUnderWay = (at: number) => config.kind === 'grpo' && at % config.numIterations !== 0
    const batches =
      config.kind !== 'grpo'
        ? stepBatches(batchSource, stepsDone)
        : sampledBatches(
            {
              source: batchSource,
              config,
              reference: heldReference === null ? null : { ...heldReference.model, imagesAs },
              policy: () => {
                state.settle()
                return trainable.model
              },
              decoder: decoderOf({ model: trainable.model, run: forwards.run }),
              remember: (answers) => (drawn = answers),
            },
            stepsDone,
            isUnderWay(stepsDone) ? await readDrawnAnswers(resumed!) : null,
          )
    const save = async (at: number): Promise<JobEvent> => {
      state.settle()
      const folder = checkpointFolder(job.folder, at)
      const weights = weightsOf(trainable)
      const sha256 = await writeCheckpoint(folder, {
        weights,
        // A finished run is a model; its moments serve nobody.
        moments: at === training.steps ? null : stateBesideModel(trainable),
        adapter: adapterFiles(trainable, weights, job.config),
        tokenizerFiles,
        preprocess,
        describe: { step: at, model: spec, config: job.config, execution: program.mode, numTokens },
        state: isUnderWay(at) ? { [DRAWN_ANSWERS_FILE]: drawn } : {},
      })
      await tidyRunFolder(job.folder, folder)
      return { kind: 'checkpoint', step: at, folder, sha256 }
    }
    const watch = createPreferenceWatch(config)
    let announced: ExecutionMode | null = null
    let saved = stepsDone
    let at = stepsDone
    try {
      for await (const event of train(program, batches, training, { stepsDone, numTokens, signal })) {
        at = event.step
        numTokens = event.metrics['num_tokens']!
        if (announced !== program.mode) {
          announced = program.mode
          yield { kind: 'execution', mode: announced, precision: training.precision }
          yield { kind: 'log', level: 'info', message: `steps run ${executionWords(announced, training.precision)}` }
        }
        for (const message of warnings.splice(0)) yield { kind: 'log', level: 'warning', message }
        yield { kind: 'step', step: at, of: training.steps, metrics: event.metrics }
        for (const message of watch(at, event.metrics)) yield { kind: 'log', level: 'warning', message }
        if (at % training.checkpointEverySteps === 0 || at === training.steps) {
          yield await save(at)
          saved = at
          yield* watched(job, checkpointFolder(job.folder, at), at, signal)
        }
      }
      yield { kind: 'memory', step: at, peak: peakBytes(), predicted: memory?.peak ?? null }
    } catch (thrown) {
      // Steps that were taken are kept when what ended them is known to have left the weights of the last whole step:
      // a cancel, a loss that is not finite, a picture that cannot be read.
      if (thrown instanceof LabError && at > saved) yield await save(at)
      throw thrown
    }
  } finally {
    forwards.dispose()
    program.dispose()
    trainable.dispose()
    heldReference?.dispose()
  }
}

/**
 * Compiling costs about a second, which a handful of steps does not earn back. On a processor XLA's program is no faster than the
 * graph, starts seconds later and holds half a gigabyte more; on a card it fuses what the graph launches one by one.
 */
export function executionFor({ execution, config }: Pick<TrainJob, 'execution' | 'config'>, steps: number): ExecutionMode {
  if (execution !== 'auto') return execution
  if (tf.getBackend() !== 'tensorflow' || (steps < 10 && config.training.precision === 'float32')) return 'eager'
  return nativeBackend().isUsingGpuDevice && steps >= 150 ? 'xla' : 'graph'
}

/** Measures a checkpoint that was just written; its numbers are logged at its step, under the names that evaluations have. */
async function* watched(job: TrainJob, checkpoint: string, step: number, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const { watch, project } = job
  const { steps, checkpointEverySteps } = job.config.training
  if (watch === null || (Math.ceil(step / checkpointEverySteps) % watch.everyCheckpoints !== 0 && step !== steps)) return
  const metrics: Record<string, number> = {}
  try {
    for await (const event of measurements(watch, project, checkpoint, signal)) {
      if (event.kind === 'result' && !Number.isFinite(event.value))
        yield { kind: 'log', level: 'warning', message: `measuring at step ${step}: ${event.metric} is ${event.value} and is left out` }
      else if (event.kind === 'result') metrics[event.metric] = event.value
      else if (event.kind === 'part' || event.kind === 'progress' || event.kind === 'log') yield event
    }
  } catch (thrown) {
    // A measurement that cannot be made must not cost a training.
    if (!(thrown instanceof LabError) || thrown.code === 'cancelled') throw thrown
    yield { kind: 'log', level: 'warning', message: `measuring at step ${step}: ${thrown.message}` }
  }
  yield { kind: 'part', name: 'training', of: steps }
  yield { kind: 'step', step, of: steps, metrics }
}

async function* measurements({ evaluators, settings, snapshots, probes }: Watched, project: string, checkpoint: string, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  if (evaluators.length > 0) yield* runEvaluateJob({ kind: 'evaluate', project, checkpoint, baseline: null, evaluators, settings, snapshots }, signal)
  // Nobody asks for the features of a passing checkpoint again.
  if (probes !== null) yield* runProbeJob({ kind: 'probe', project, checkpoint, ...probes }, signal, { keepsFeatures: false })
}

function inOneLine({ module, state, parameters, trained }: ModuleLedger): string {
  return `${module} ${parameters.toLocaleString('en')} ${state}${state === 'LoRA' || state === 'partly trained' ? ` (${trained.toLocaleString('en')})` : ''}`
}

/** The adapters as PEFT reads them, with the modules that were trained as a whole; null where there are none. */
function adapterFiles(trainable: TrainableModel, weights: Readonly<Record<Module, NamedArrays>>, { training, start }: RunConfig): AdapterFiles | null {
  const whole = MODULES.filter((module) => trainable.ledger.some((tensor) => tensor.module === module && tensor.part === 'trained'))
  const base = start.kind === 'checkpoint' && start.adapter === undefined ? start.folder : null
  return toPeft(adaptersOf(trainable), Object.fromEntries(whole.map((module) => [module, weights[module]])), training, base)
}

/** The settings that are part of what a step computes; all others come in as scalars or lie outside it. */
function shapingSettings({ objective, batchSize, gradientAccumulation, weightDecay, adamBeta1, adamBeta2, adamEpsilon, maxGradientNorm, modules }: Training): unknown {
  const trained = MODULES.map((module) => ({ ...modules[module], learningRate: null }))
  return { objective, batchSize, gradientAccumulation, weightDecay, adamBeta1, adamBeta2, adamEpsilon, maxGradientNorm, trained }
}

/** Versions of what computes, for the run's record. */
export function engineVersions(): Readonly<Record<string, string>> {
  return { node: process.versions.node, '@tensorflow/tfjs': tf.version_core }
}
