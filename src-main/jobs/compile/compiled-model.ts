// A model to be run, not trained, whose computations are compiled where that pays: features of images, log-probabilities of
// answers, the steps of generation. Graphs and never XLA, whose seconds of compiling an evaluation does not earn back.

import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { MODULES, type Module } from '../../domain/model-spec.ts'
import { SharedState } from '../../engine/compile/shared-state.ts'
import { eagerDecoder, type Decoder } from '../../engine/generate.ts'
import type { MultimodalLm } from '../../engine/models/multimodal-lm.ts'
import type { Weights } from '../../engine/shapes.ts'
import { movedTensor } from '../../engine/weights/moved-tensor.ts'
import { modelOf, type Forward, type HeldModel, type ModelArrays } from '../held-model.ts'
import { userCacheFolder } from '../user-cache.ts'
import { codeIdentity } from './code-identity.ts'
import { compileStep, type CompileOptions, type StepProgram } from './compile-step.ts'

/**
 * How often a shape runs eagerly before it is compiled. Recording and loading take about half a second, and the graph saves about
 * half of each later run; whoever compiles after as many runs as that is worth never pays twice what was best.
 */
const EAGER_RUNS = 16

export interface CompiledModelOptions {
  readonly cacheFolder?: string
  readonly eagerRuns?: number
  readonly warn?: (message: string) => void
}

/** The same as `heldModel`, compiled; on an engine without graphs it runs eagerly. */
export function compiledModel(arrays: ModelArrays, options: CompiledModelOptions = {}): HeldModel {
  const { cacheFolder = join(userCacheFolder(), 'programs'), eagerRuns = EAGER_RUNS, warn } = options
  const variables: Record<string, tf.Variable> = {}
  const weights = Object.fromEntries(
    MODULES.map((module): [Module, Weights] => [
      module,
      Object.fromEntries(
        Object.entries(arrays.weights[module]).map(([name, array]) => {
          const initial = movedTensor(array)
          const variable = tf.variable(initial, false)
          initial.dispose()
          variables[`${module}/${name}`] = variable
          return [name, variable]
        }),
      ),
    ]),
  ) as Record<Module, Weights>
  const model = modelOf(arrays.spec, weights)
  const forwards = compiledForwards(model, new SharedState(variables), { prefer: 'graph', eagerRuns, cacheFolder, ...(warn === undefined ? {} : { warn }) })
  return {
    model,
    run: forwards.run,
    dispose() {
      forwards.dispose()
      tf.dispose(variables)
    },
  }
}

/** Computations with a model whose weights are the variables of `state`, which others may change: a training between two of them. */
export function compiledForwards(
  model: MultimodalLm,
  state: SharedState,
  options: Pick<CompileOptions, 'prefer' | 'eagerRuns' | 'cacheFolder' | 'warn'>,
): Pick<HeldModel, 'run' | 'dispose'> {
  const programs = new Map<string, StepProgram>()
  const programOf = (name: string, forward: Forward): StepProgram => {
    const identity = JSON.stringify([codeIdentity(), model.spec, name])
    const program = programs.get(name) ?? compileStep((inputs) => forward(model, inputs), { state, identity, ...options })
    programs.set(name, program)
    return program
  }
  return {
    run: (name, forward, inputs) => programOf(name, forward).run(inputs),
    dispose: () => programs.forEach((program) => program.dispose()),
  }
}

/** Generation whose steps after the first run as one of the model's computations: they all have one shape. */
export function decoderOf({ model, run }: Pick<HeldModel, 'model' | 'run'>): Decoder {
  const eager = (of: MultimodalLm): Decoder => eagerDecoder(of.spec.languageModel, of.weights.languageModel)
  return {
    readPrompts: (...given) => eager(model).readPrompts(...given),
    readToken(ids, slot, starts, cache) {
      const names = cache.map((_, i) => `cache ${i}`)
      const results = run(
        'read a token',
        (of, inputs) => {
          const read = eager(of).readToken(
            inputs['ids'] as tf.Tensor1D,
            inputs['slot'] as tf.Scalar,
            inputs['starts'] as tf.Tensor1D,
            names.map((name) => inputs[name]!),
          )
          return { logits: read.logits, ...Object.fromEntries(names.map((name, i) => [name, read.cache[i]!])) }
        },
        { ids, slot, starts, ...Object.fromEntries(names.map((name, i) => [name, cache[i]!])) },
      )
      return { logits: results['logits'] as tf.Tensor2D, cache: names.map((name) => results[name]!) }
    },
  }
}
