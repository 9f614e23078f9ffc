// A step as a program: recorded at its first call with given shapes, written as a TensorFlow graph, loaded, and run from then on.
// Each combination of shapes is a program of its own; all share one state, also with an eager step beside them. What cannot be
// compiled runs eagerly, with a warning that names the operator and the line. XLA first, plain graph next, eager last.
// Recording computes nothing and leaves the state as it was: it counts as no step.

import * as tf from '@tensorflow/tfjs'
import type { ExecutionMode, Precision } from '../../domain/device.ts'
import { LabError, toFailure, type ErrorCode } from '../../domain/errors.ts'
import { hasNativeBackend } from '../../engine/compile/native-backend.ts'
import { record, type NamedTensors } from '../../engine/compile/recorder.ts'
import { withoutUnusedVariables, type Recording } from '../../engine/compile/recording.ts'
import { writeSavedModel } from '../../engine/compile/saved-model.ts'
import type { SharedState } from '../../engine/compile/shared-state.ts'
import { GraphSession } from './graph-session.ts'
import { ProgramCache, programKey, type ProgramLayout } from './program-cache.ts'
import { sealXlaCache } from './xla-cache.ts'

/**
 * A pure function of tensors that may read and re-assign the variables of its state. Called inside a tidy, and only when
 * recorded or run eagerly: it must read nothing back into JavaScript and take every number that changes as a scalar tensor.
 */
export type CompilableStep = (batch: NamedTensors, scalars: NamedTensors) => NamedTensors

export interface CompileOptions {
  readonly state: SharedState
  /** The best mode to try. The next one follows where it fails. */
  readonly prefer: ExecutionMode
  /** Where programs are kept between starts. */
  readonly cacheFolder: string
  /**
   * Everything beside shapes that decides what the step computes: settings and version of the code. With it a later start takes
   * the program from the cache without recording. Without it the step is recorded at every start, and the cache is found by
   * what was recorded; so it is too where the step captured a tensor from outside.
   */
  readonly identity?: string
  /** Of matrix products; float32 unless given. bfloat16 exists in compiled steps alone: there nothing falls back to eager. */
  readonly precision?: Precision
  /**
   * How often inputs of given shapes run eagerly before their program is made; 0 unless given. For computations that may come
   * too seldom to earn a compilation back. Counted, not timed, so that the same calls always give the same bits.
   */
  readonly eagerRuns?: number
  readonly warn?: (message: string) => void
  readonly onCompiled?: (report: CompileReport) => void
}

export interface CompileReport {
  readonly mode: ExecutionMode
  readonly shapes: string
  readonly origin: 'recorded' | 'cache'
  /** Recording, writing and loading; XLA's own compiling is part of the first step. */
  readonly elapsedMs: number
}

export interface StepProgram {
  /** How the latest shapes ran; before the first run, what will be tried. */
  readonly mode: ExecutionMode
  /** One step. The caller disposes the results; inputs are only read. */
  run(batch: NamedTensors, scalars?: NamedTensors): Record<string, tf.Tensor>
  /** Records, writes and loads the program for these shapes without running it. */
  prepare(batch: NamedTensors, scalars?: NamedTensors): void
  /** Current values as new tensors, which the caller disposes. */
  readState(names?: readonly string[]): Record<string, tf.Tensor>
  writeState(values: Readonly<Record<string, tf.Tensor>>): void
  /** Moves the state into the tf.Variables and releases the sessions. */
  dispose(): void
}

/** Part of every cache key: a change in what is written for the same recording needs a new number. */
const FORMAT = 'pivot-lab program 2'

export function compileStep(step: CompilableStep, options: CompileOptions): StepProgram {
  return new CompiledProgram(step, options)
}

type Executor =
  | { readonly kind: 'eager' }
  | { readonly kind: 'session'; readonly session: GraphSession; readonly mode: 'graph' | 'xla'; proven: boolean }

class CompiledProgram implements StepProgram {
  readonly #step: CompilableStep
  readonly #options: CompileOptions
  readonly #cache: ProgramCache | undefined
  readonly #executors = new Map<string, Executor>()
  readonly #eagerRuns = new Map<string, number>()
  #latest: Executor | undefined

  /** @throws LabError 'engine-missing' for a precision that this backend or mode does not have */
  constructor(step: CompilableStep, options: CompileOptions) {
    this.#step = step
    this.#options = options
    if (!hasNativeBackend() || options.prefer === 'eager')
      this.#assertEagerAllowed(`the step runs eagerly on the backend '${tf.getBackend()}'`, 'engine-missing')
    // The WebAssembly and JavaScript backends have no graph to write; there the step is eager without further words.
    if (options.prefer !== 'eager' && hasNativeBackend()) this.#cache = new ProgramCache(options.cacheFolder)
  }

  get mode(): ExecutionMode {
    if (this.#latest !== undefined) return modeOf(this.#latest)
    return this.#cache === undefined ? 'eager' : this.#options.prefer
  }

  run(batch: NamedTensors, scalars: NamedTensors = {}): Record<string, tf.Tensor> {
    const inputs = joined(batch, scalars)
    const shapes = signature(inputs)
    for (;;) {
      const executor = this.#executor(shapes, inputs)
      this.#latest = executor
      if (executor.kind === 'eager') return this.#runEagerly(inputs)
      try {
        return this.#runSession(executor, inputs)
      } catch (thrown) {
        // A program that has run once is right, so its failure is the caller's to know. Before that, the next mode is tried.
        if (executor.proven || thrown instanceof LabError || toFailure(thrown).code === 'out-of-memory') throw thrown
        this.#abandon(shapes, inputs, executor, thrown)
      }
    }
  }

  prepare(batch: NamedTensors, scalars: NamedTensors = {}): void {
    const inputs = joined(batch, scalars)
    this.#latest = this.#executor(signature(inputs), inputs)
  }

  readState(names?: readonly string[]): Record<string, tf.Tensor> {
    return this.#options.state.read(names)
  }

  writeState(values: Readonly<Record<string, tf.Tensor>>): void {
    this.#options.state.write(values)
  }

  dispose(): void {
    for (const executor of this.#executors.values()) if (executor.kind === 'session') this.#release(executor.session)
    this.#executors.clear()
  }

  #runEagerly(inputs: NamedTensors): Record<string, tf.Tensor> {
    return this.#options.state.eagerly(() => tf.tidy(() => ({ ...this.#step(...parted(inputs)) })))
  }

  #runSession(executor: Executor & { kind: 'session' }, inputs: NamedTensors): Record<string, tf.Tensor> {
    const { session } = executor
    const { layout } = session
    checkIndices(layout, inputs)
    this.#options.state.bring(
      session,
      layout.variables.map(({ name }) => name),
    )
    const results = session.step(inputs)
    if (!executor.proven && executor.mode === 'xla') sealXlaCache()
    executor.proven = true
    this.#options.state.changed(session, layout.assigned)
    return results
  }

  #executor(shapes: string, inputs: NamedTensors): Executor {
    const known = this.#executors.get(shapes)
    if (known !== undefined) return known
    const { eagerRuns = 0 } = this.#options
    const runs = this.#eagerRuns.get(shapes) ?? 0
    this.#eagerRuns.set(shapes, runs + 1)
    if (runs < eagerRuns) return EAGER
    const made =
      this.#cache === undefined ? EAGER : this.#compile(this.#options.prefer === 'graph' ? 'graph' : 'xla', shapes, inputs)
    this.#executors.set(shapes, made)
    return made
  }

  #compile(mode: 'graph' | 'xla', shapes: string, inputs: NamedTensors): Executor {
    const startedMs = performance.now()
    try {
      const { folder, layout, origin } = this.#program(mode, shapes, inputs)
      const session = new GraphSession(folder, layout)
      this.#options.onCompiled?.({ mode, shapes, origin, elapsedMs: performance.now() - startedMs })
      return { kind: 'session', session, mode, proven: false }
    } catch (thrown) {
      this.#assertEagerAllowed(toFailure(thrown).message)
      this.#options.warn?.(
        `${toFailure(thrown).message} The step runs eagerly instead, which is slower and gives the same numbers.`,
      )
      return EAGER
    }
  }

  #program(
    mode: 'graph' | 'xla',
    shapes: string,
    inputs: NamedTensors,
  ): { readonly folder: string; readonly layout: ProgramLayout; readonly origin: CompileReport['origin'] } {
    const cache = this.#cache!
    const { state, identity, precision = 'float32' } = this.#options
    const writing = [FORMAT, tf.version_core, mode, precision]
    const variables = Object.entries(state.variables).map(([name, { dtype, shape }]) => [name, dtype, shape])
    const identityKey =
      identity === undefined ? undefined : programKey('identity', ...writing, identity, shapes, JSON.stringify(variables))
    const stored = identityKey === undefined ? undefined : cache.find(identityKey)
    if (stored !== undefined) return { ...stored, origin: 'cache' }

    const step = (given: NamedTensors): NamedTensors => this.#step(...parted(given))
    const recording = record(step, inputs, state.variables)
    const program = withoutUnusedVariables(recording)
    const graph = writeSavedModel(program, { xla: mode === 'xla', bfloat16Products: precision === 'bfloat16' })
    // A captured tensor's value is part of the recording and not of the identity.
    const key = (recording.hasCapturedConstants ? undefined : identityKey) ?? programKey('recording', ...writing, graph)
    // What is in the cache under the hash of a recording was recorded twice when it was put there.
    const known = cache.find(key)
    if (known !== undefined) return { ...known, origin: 'cache' }
    record(step, inputs, state.variables, recording)
    const layout = layoutOf(program)
    return { folder: cache.store(key, graph, layout), layout, origin: 'recorded' }
  }

  #abandon(shapes: string, inputs: NamedTensors, executor: Executor & { kind: 'session' }, thrown: unknown): void {
    const [mode, next] = [executor.mode, executor.mode === 'xla' ? 'graph' : 'eager']
    if (next === 'eager') this.#assertEagerAllowed(`${mode} could not run the step: ${firstLine(toFailure(thrown).message)}`)
    this.#options.warn?.(`${mode} could not run the step (${firstLine(toFailure(thrown).message)}); trying ${next}.`)
    this.#release(executor.session)
    this.#executors.set(shapes, executor.mode === 'xla' ? this.#compile('graph', shapes, inputs) : EAGER)
  }

  /** A precision is part of what a run is: it is kept, or the step refused. @throws LabError */
  #assertEagerAllowed(reason: string, code: ErrorCode = 'invalid-input'): void {
    const { precision = 'float32' } = this.#options
    if (precision !== 'float32')
      throw new LabError(
        code,
        `precision: ${precision} exists in compiled steps only, and ${reason}. Choose float32, or the native engine compiled.`,
        { precision },
      )
  }

  #release(session: GraphSession): void {
    this.#options.state.leave(session)
    session.dispose()
  }
}

const EAGER: Executor = { kind: 'eager' }

function modeOf(executor: Executor): ExecutionMode {
  return executor.kind === 'eager' ? 'eager' : executor.mode
}

const BATCH = 'batch/'
const SCALAR = 'scalar/'

function joined(batch: NamedTensors, scalars: NamedTensors): NamedTensors {
  const prefixed = (prefix: string, tensors: NamedTensors): [string, tf.Tensor][] =>
    Object.keys(tensors)
      .sort()
      .map((name) => [prefix + name, tensors[name]!])
  return Object.fromEntries([...prefixed(BATCH, batch), ...prefixed(SCALAR, scalars)])
}

function parted(inputs: NamedTensors): [NamedTensors, NamedTensors] {
  const part = (prefix: string): NamedTensors =>
    Object.fromEntries(
      Object.entries(inputs).flatMap(([name, tensor]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [])),
    )
  return [part(BATCH), part(SCALAR)]
}

function firstLine(text: string): string {
  return text.split('\n')[0]!
}

/** Names, types and shapes in words: the key of a program and what a report shows. */
function signature(inputs: NamedTensors): string {
  return Object.entries(inputs)
    .map(([name, { dtype, shape }]) => `${name} ${dtype} [${shape.join(', ')}]`)
    .join('; ')
}

function layoutOf(recording: Recording): ProgramLayout {
  const specs = (list: Recording['inputs']): ProgramLayout['inputs'] =>
    list.map(({ name, dtype, shape }) => ({ name, dtype, shape: [...shape] }))
  return {
    inputs: specs(recording.inputs),
    variables: specs(recording.variables),
    outputs: recording.outputs.map(({ name }) => name),
    assigned: recording.assigned.map(({ variable }) => recording.variables[variable]!.name),
    indexLimits: recording.indexLimits.map((limit) => ({ ...limit })),
  }
}

/** XLA reads the nearest row where the eager step would complain, so row numbers are checked before they go in. */
function checkIndices(layout: ProgramLayout, inputs: NamedTensors): void {
  for (const { input, limit } of layout.indexLimits) {
    const { name } = layout.inputs[input]!
    const values = inputs[name]!.dataSync()
    const position = values.findIndex((value) => value < 0 || value >= limit)
    if (position >= 0)
      throw new LabError('invalid-input', `${name}: value ${values[position]} at position ${position} is not in [0, ${limit})`, {
        name,
        position,
      })
  }
}
