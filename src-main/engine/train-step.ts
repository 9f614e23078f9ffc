// One optimiser step as a pure function of tensors: (weights and moments, batch, scalars) → (weights and moments,
// metrics). Nothing inside is read back into JavaScript and every per-step number is an input, so a step can be recorded
// once and run as a compiled program; run as it is, it is the eager engine. A loss or gradient that is not finite
// leaves weights and moments untouched, bit for bit.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../domain/errors.ts'
import { MODULES, type Module, type MultimodalLmSpec } from '../domain/model-spec.ts'
import type { Training } from '../domain/run-config.ts'
import { adapterScale, initialFactor } from './adapters.ts'
import type { ImagesAs, MultimodalLm } from './models/multimodal-lm.ts'
import { gradientsOfReached } from './nn/gradients.ts'
import { adapterNames, mergedValues } from './nn/low-rank.ts'
import type { Batch, Objective } from './objectives/objective.ts'
import { adamWUpdate, clipCoefficient, globalNorm, type Trained } from './optim/adamw.ts'
import { scheduleFactor } from './optim/schedule.ts'
import { parameterLedger, type LedgerTensor } from './parameter-ledger.ts'
import type { NamedArray, NamedArrays } from './weights/initial.ts'
import { movedTensor } from './weights/moved-tensor.ts'

/** Tensors by name. A step's batch holds `0/ids`, `0/mismatched/ids`, … and, with gradient accumulation, `1/ids`, … */
export type NamedTensors = Readonly<Record<string, tf.Tensor>>

/** What a step is made of: it reads and assigns `variables` and nothing else. */
export interface TrainStep {
  readonly variables: Readonly<Record<string, tf.Variable>>
  /** Names of the outputs: loss, grad_norm, then the objective's metrics. All (). */
  readonly outputs: readonly string[]
  run(batch: NamedTensors, scalars: NamedTensors): Record<string, tf.Tensor>
}

/**
 * A model whose weights are variables, named `visionEncoder/encoder.layers.0…`, an adapter's factors beside the weight
 * that they adapt; moments are `first/…`, `second/…`.
 */
export interface TrainableModel {
  readonly model: MultimodalLm
  readonly ledger: readonly LedgerTensor[]
  readonly trained: readonly Trained[]
  readonly variables: Readonly<Record<string, tf.Variable>>
  dispose(): void
}

/**
 * Puts weights into variables, and moments (zero unless given) beside those that are trained. The caller disposes.
 * @param saved  what a checkpoint keeps beside the model (`stateBesideModel`): moments, adapters, weights under them
 * @param imagesAs  'features' with a frozen encoder only
 * @throws LabError 'invalid-input' when a setting fits nothing in this model
 */
export function trainableModel(
  spec: MultimodalLmSpec,
  weights: Readonly<Record<Module, NamedArrays>>,
  training: Training,
  saved: NamedArrays = {},
  imagesAs: ImagesAs = 'patches',
): TrainableModel {
  const ledger = parameterLedger(spec, weights, training)
  const variables: Record<string, tf.Variable> = {}
  const trained: Trained[] = []
  const variable = (name: string, initial: tf.Tensor, isTrained: boolean) => {
    // tfjs keeps one registry of variable names a process: the name given to it is made unique, ours is the key.
    const made = tf.variable(initial, isTrained)
    initial.dispose()
    variables[name] = made
    return made
  }
  const held = Object.fromEntries(MODULES.map((module) => [module, {} as Record<string, tf.Variable>])) as Record<Module, Record<string, tf.Variable>>
  for (const { module, name, shape, part } of ledger) {
    const key = `${module}/${name}`
    const { lora } = training.modules[module]
    const isTrained = part === 'trained' || part === 'adapter'
    const initial =
      part === 'adapter'
        ? (saved[`adapter/${key}`] ?? initialFactor(training.seed, module, name, shape))
        : ((part === 'adapted' ? saved[`base/${key}`] : undefined) ?? weights[module][name]!)
    const weight = variable(key, movedTensor(initial), isTrained)
    held[module][name] = weight
    if (part === 'adapted') {
      const scale = `${module}/lora_scale`
      held[module][adapterNames(layerOf(name)).scale] = variables[scale] ?? variable(scale, tf.scalar(adapterScale(lora!)), false)
    }
    if (isTrained) {
      const moment = (order: string) => {
        const before = saved[`${order}/${key}`]
        // Zeros are made by the engine: an array of ours would stay in memory beside what replaces it.
        return variable(`${order}/${key}`, before === undefined ? tf.zerosLike(weight) : movedTensor(before), false)
      }
      trained.push({ module, weight, first: moment('first'), second: moment('second'), decays: isDecayed(name) })
    }
  }
  const gradientCheckpointing = Object.fromEntries(
    MODULES.map((module) => [module, training.modules[module].gradientCheckpointing]),
  ) as Record<Module, boolean>
  return {
    model: { spec, weights: held, gradientCheckpointing, imagesAs },
    ledger,
    trained,
    variables,
    dispose: () => tf.dispose(variables),
  }
}

/** The model's weights, every adapter merged into the weight that it adapts; read when their values are asked for. */
export function weightsOf({ ledger, variables }: TrainableModel): Record<Module, Record<string, NamedArray>> {
  const weights = Object.fromEntries(MODULES.map((module) => [module, {}])) as Record<Module, Record<string, NamedArray>>
  for (const { module, name, part } of ledger) {
    const weight = variables[`${module}/${name}`]!
    if (part === 'adapted') {
      const names = adapterNames(`${module}/${layerOf(name)}`)
      const whole = () => mergedValues(weight, variables[names.A]!, variables[names.B]!, variables[`${module}/lora_scale`]!)
      weights[module][name] = arrayOf(weight, whole)
    } else if (part !== 'adapter') weights[module][name] = arrayOf(weight)
  }
  return weights
}

/** What continues the training beside the model: moments, and of adapted layers `base/…` weights and `adapter/…` factors. */
export function stateBesideModel({ ledger, variables }: TrainableModel): NamedArrays {
  const state: Record<string, NamedArray> = {}
  for (const { module, name, part } of ledger) {
    const key = `${module}/${name}`
    if (part === 'adapted') state[`base/${key}`] = arrayOf(variables[key]!)
    if (part === 'adapter') state[`adapter/${key}`] = arrayOf(variables[key]!)
    if (part === 'adapter' || part === 'trained')
      for (const order of ['first', 'second']) state[`${order}/${key}`] = arrayOf(variables[`${order}/${key}`]!)
  }
  return state
}

/** The factors of every adapter, by module and name. */
export function adaptersOf({ ledger, variables }: TrainableModel): Readonly<Record<Module, NamedArrays>> {
  return Object.fromEntries(
    MODULES.map((module) => [
      module,
      Object.fromEntries(
        ledger.filter((tensor) => tensor.module === module && tensor.part === 'adapter').map(({ name }) => [name, arrayOf(variables[`${module}/${name}`]!)]),
      ),
    ]),
  ) as unknown as Record<Module, NamedArrays>
}

/** A tensor as an array of its own, made when it is asked for, so that no two need be in memory. */
function arrayOf(tensor: tf.Tensor, read: () => Float32Array = () => new Float32Array(tensor.dataSync())): NamedArray {
  return {
    shape: tensor.shape,
    get values() {
      return read()
    },
  }
}

function layerOf(name: string): string {
  return name.replace(/\.weight$/, '')
}

/** Hugging Face's rule: weight decay on everything but biases and norms. */
function isDecayed(name: string): boolean {
  return !name.endsWith('bias') && !/norm/.test(name)
}

export function createTrainStep({ model, trained, variables }: TrainableModel, objective: Objective, training: Training): TrainStep {
  const settings = {
    beta1: training.adamBeta1,
    beta2: training.adamBeta2,
    epsilon: training.adamEpsilon,
    weightDecay: training.weightDecay,
  }
  const outputs = ['loss', 'grad_norm', ...objective.metricNames]
  return {
    variables,
    outputs,
    run: (batch, scalars) =>
      tf.tidy(() => {
        let sums: Sums | null = null
        for (let i = 0; i < training.gradientAccumulation; i++) {
          const next = tf.tidy(() => gradientsOf(model, trained, objective, microBatch(batch, i)))
          if (sums === null) sums = next
          else {
            const before: Sums = sums
            sums = {
              metrics: Object.fromEntries(Object.entries(next.metrics).map(([name, value]) => [name, tf.add(value, before.metrics[name]!)])),
              gradients: next.gradients.map((gradient, j) => {
                const earlier = before.gradients[j]!
                if (gradient === undefined || earlier === undefined) return undefined
                const sum = tf.add(gradient, earlier)
                tf.dispose([gradient, earlier])
                return sum
              }),
            }
          }
        }
        const { metrics, gradients } = sums!
        // As in PyTorch, where its gradient is None: neither moved nor decayed.
        const reached = trained.filter((_, i) => gradients[i] !== undefined)
        if (reached.length === 0)
          throw new LabError('invalid-input', `modules: no trained weight has a part in the loss of ${objective.kind}; train another module, or choose another objective`)
        const found = gradients.filter((gradient) => gradient !== undefined)
        const norm = globalNorm(found)
        // A norm is finite only if every gradient is; isFinite of the sum covers loss and norm alike.
        const healthy = tf.isFinite(tf.add(norm, metrics['loss']!)) as tf.Scalar
        const learningRates = Object.fromEntries(MODULES.map((module) => [module, scalars[`learning_rate/${module}`]!]))
        adamWUpdate(
          reached,
          found,
          settings,
          {
            learningRates: learningRates as Record<Module, tf.Scalar>,
            correction1: scalars['correction1'] as tf.Scalar,
            correction2: scalars['correction2'] as tf.Scalar,
          },
          clipCoefficient(norm, training.maxGradientNorm),
          healthy,
        )
        return { ...metrics, grad_norm: norm }
      }),
  }
}

/** The numbers of optimiser step `step` (from 1), to be given to `TrainStep.run` as scalars. */
export function stepNumbers(training: Training, step: number): Record<string, number> {
  const factor = scheduleFactor(training, step - 1)
  return {
    ...Object.fromEntries(
      MODULES.map((module) => [`learning_rate/${module}`, factor * (training.modules[module].learningRate ?? training.learningRate)]),
    ),
    correction1: 1 - training.adamBeta1 ** step,
    correction2: 1 - training.adamBeta2 ** step,
  }
}

type Sums = {
  readonly metrics: Record<string, tf.Tensor>
  /** In the order of `trained`; undefined: the weight has no part in the loss, as one above the selected feature layer. */
  readonly gradients: (tf.Tensor | undefined)[]
}

function gradientsOf(model: MultimodalLm, trained: readonly Trained[], objective: Objective, batch: Batch): Sums {
  let metrics: NamedTensors = {}
  try {
    const { value, gradients: found } = gradientsOfReached(
      () => {
        const { loss, metrics: logged } = objective.loss(model, batch)
        // The tape's own tidy would dispose what is not returned.
        for (const metric of Object.values(logged)) tf.keep(metric)
        metrics = logged
        return loss
      },
      trained.map(({ weight }) => weight),
    )
    const released = Object.fromEntries(Object.entries(metrics).map(([name, metric]) => [name, tf.clone(metric)]))
    return { metrics: { loss: value, ...released }, gradients: found }
  } finally {
    tf.dispose(metrics as tf.NamedTensorMap)
  }
}

function microBatch(batch: NamedTensors, index: number): Batch {
  return nested(batch, `${index}/`) as unknown as Batch
}

/** The tensors under a prefix by the rest of their names; `mismatched/ids` becomes `{ mismatched: { ids } }`. */
function nested(tensors: NamedTensors, prefix: string): object {
  const made: Record<string, unknown> = {}
  for (const [name, tensor] of Object.entries(tensors)) {
    if (!name.startsWith(prefix)) continue
    const [first, ...rest] = name.slice(prefix.length).split('/')
    made[first!] ??= rest.length === 0 ? tensor : nested(tensors, `${prefix}${first}/`)
  }
  return made
}
