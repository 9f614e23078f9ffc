// Predicts the peak of the job process before a training starts, from the bytes of tensors that the step holds
// (engine/memory), and looks for the smallest change of settings that fits into a budget. What engine and system take
// beside the tensors was fitted on runs of 3 and 25 million parameters on the processor: SFT and DPO, several batch sizes,
// trained whole, by LoRA, with checkpointing and with a frozen language model.

import { readFileSync, writeFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs'
import type { ExecutionMode } from '../domain/device.ts'
import { LabError } from '../domain/errors.ts'
import type { MultimodalLmSpec } from '../domain/model-spec.ts'
import { trainingSchema, type Training } from '../domain/run-config.ts'
import type { MemoryPrediction, TrainingPlan } from '../domain/training-plan.ts'
import { createObjective } from '../engine/objectives/objective.ts'
import { stepMemory, type BatchShape } from '../engine/memory/step-memory.ts'
import type { Shapes } from '../engine/parameter-ledger.ts'

/** Bytes beside the tensors: a constant, a share of weights and moments, and a share of what the step works with. */
interface Overhead {
  readonly constant: number
  readonly ofState: number
  readonly ofWorking: number
}
/**
 * The twelve configurations of the bench (`--memory --mode eager`: 3, 25 and 125 M parameters, adapters and recomputed blocks
 * among them) lie from 6 % below to 8 % above.
 */
const EAGER: Overhead = { constant: 186e6, ofState: 0.18, ofWorking: 0.17 }
/**
 * A graph frees its tensors sooner than the eager step. Seven runs of the bench that record their program are
 * 2 to 9 % above it; with the program from the cache the same run took 4 % less (3 M, SFT). XLA's compiler stays in the
 * process, and gradient checkpointing saves nothing there: within 10 % in eight runs without it.
 */
const COMPILED: Readonly<Record<'graph' | 'xla', Overhead>> = {
  graph: { constant: 102e6, ofState: 0.29, ofWorking: -0.2 },
  xla: { constant: 402e6, ofState: 0.91, ofWorking: 0 },
}

/**
 * What is proposed leaves this share of what a process is predicted to take beyond its base and its images: more than any
 * prediction was found to lack, because a run that does not fit is lost, and one that leaves room is only slower.
 */
export const MEASURED_ERROR = 0.25

export interface Oracle {
  readonly spec: MultimodalLmSpec
  readonly shapes: Shapes
  readonly batch: BatchShape
  readonly execution: ExecutionMode
  /** Resident bytes before the model is made. */
  readonly base: number
  /** Bytes of the preprocessed images that stay in memory. */
  readonly images: number
}

/** @throws LabError 'internal' where the step uses an operation whose shapes are not known */
export function predictMemory({ spec, shapes, batch, execution, base, images }: Oracle, training: Training): MemoryPrediction {
  const { weights, moments, batch: inputs, working } = stepMemory(spec, shapes, training, createObjective(training.objective), batch)
  const beside = ({ constant, ofState, ofWorking }: Overhead) => Math.round(constant + ofState * (weights + moments) + ofWorking * working)
  const overhead = beside(execution === 'eager' ? EAGER : COMPILED[execution])
  return { base, images, weights, moments, batch: inputs, working, overhead, peak: base + images + weights + moments + inputs + working + overhead }
}

/**
 * The first of these that fits with `MEASURED_ERROR` to spare: smaller forward passes at the same effective batch, with
 * gradient checkpointing, with LoRA on the language model, with LoRA on the vision encoder too. null: none does.
 */
export function proposeSettings(oracle: Oracle, training: Training, budget: number): TrainingPlan['proposal'] {
  const { modules } = training
  const checkpointing = { 'modules.visionEncoder.gradientCheckpointing': true, 'modules.languageModel.gradientCheckpointing': true }
  const lora = { rank: 16, alpha: 32, rankStabilised: false, targets: 'all-linear' }
  const adapted = (module: 'languageModel' | 'visionEncoder'): Record<string, unknown> =>
    modules[module].train && modules[module].lora === null ? { [`modules.${module}.lora`]: lora } : {}
  const attempts: readonly (readonly [string, Record<string, unknown>])[] = [
    ['the same updates from smaller forward passes', {}],
    ['each block is computed again in the backward pass: about a fifth more time', checkpointing],
    ['the language model is trained by LoRA, which may learn less', { ...checkpointing, ...adapted('languageModel') }],
    ['language model and encoder are trained by LoRA, which may learn less', { ...checkpointing, ...adapted('languageModel'), ...adapted('visionEncoder') }],
  ]
  const effective = training.batchSize * training.gradientAccumulation
  const fits = ({ peak }: { readonly peak: number }) => peak + MEASURED_ERROR * (peak - oracle.base - oracle.images) <= budget
  const sizes = Array.from({ length: training.batchSize }, (_, i) => training.batchSize - i).filter((size) => effective % size === 0)
  for (const [why, changed] of attempts) {
    const at = (batchSize: number) => {
      const split = batchSize === training.batchSize ? {} : { batchSize, gradientAccumulation: effective / batchSize }
      const settings = { ...split, ...changed }
      return { settings, why, peak: predictMemory(oracle, withSettings(training, settings)).peak }
    }
    // The smallest tells whether any does; then the largest that fits.
    if (!fits(at(sizes.at(-1)!))) continue
    for (const size of sizes) {
      const tried = at(size)
      if (fits(tried)) return tried
    }
  }
  return null
}

/** The training with settings put in by path. */
export function withSettings(training: Training, settings: Readonly<Record<string, unknown>>): Training {
  const copy = structuredClone(training) as unknown as Record<string, unknown>
  for (const [path, value] of Object.entries(settings)) {
    const keys = path.split('.')
    const place = keys.slice(0, -1).reduce((object, key) => object[key] as Record<string, unknown>, copy)
    place[keys.at(-1)!] = value
  }
  return trainingSchema.parse(copy)
}

/** Why a prediction is not to be had on this engine; null: it is. */
export function whyUnpredicted(): string | null {
  if (tf.getBackend() !== 'tensorflow') return 'it was fitted for the native engine; this is the WebAssembly engine'
  if ((tf.backend() as unknown as { isUsingGpuDevice?: boolean }).isUsingGpuDevice === true) return 'tensors lie on the card here, and the prediction was fitted on the processor'
  return null
}

/** What this process may hold in all: what it has, and what the system would still give it. Bytes. */
export function memoryBudget(): number {
  return residentBytes() + process.availableMemory()
}

export function residentBytes(): number {
  return process.memoryUsage.rss()
}

/** Begins a new measurement of the peak, where the system allows it (Linux): the process may have run other jobs before. */
export function resetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
  } catch {
    // Elsewhere the peak is that of the whole process.
  }
}

/** Most bytes that were resident at once since `resetPeak`. */
export function peakBytes(): number {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
    if (kilobytes !== undefined) return 1024 * Number(kilobytes)
  } catch {
    // No such file outside Linux.
  }
  return 1024 * process.resourceUsage().maxRSS
}

/** The prediction, or why there is none: no training fails for want of one. An error that is no LabError is a bug, and surfaces. */
export function memoryOf(oracle: Oracle, training: Training): { readonly memory: MemoryPrediction | null; readonly unpredicted: string | null } {
  const unpredicted = whyUnpredicted()
  if (unpredicted !== null) return { memory: null, unpredicted }
  try {
    return { memory: predictMemory(oracle, training), unpredicted: null }
  } catch (thrown) {
    if (!(thrown instanceof LabError)) throw thrown
    return { memory: null, unpredicted: thrown.message }
  }
}
