// One loaded SavedModel: a TensorFlow session with the step and its variables. It talks to the backend directly rather than
// through `tf.node.loadSavedModel`, which would parse the file a second time in JavaScript and allows no reading of one variable.
// A call is synchronous; the first one compiles.

import * as tf from '@tensorflow/tfjs'
import { nativeBackend, type NativeBackend } from '../../engine/compile/native-backend.ts'
import { graphNames } from '../../engine/compile/saved-model.ts'
import type { StateHolder } from '../../engine/compile/shared-state.ts'
import type { ProgramLayout } from './program-cache.ts'

export class GraphSession implements StateHolder {
  readonly layout: ProgramLayout
  readonly #backend: NativeBackend
  readonly #session: number
  readonly #positions: ReadonlyMap<string, number>

  constructor(folder: string, layout: ProgramLayout) {
    this.layout = layout
    this.#backend = nativeBackend()
    this.#positions = new Map(layout.variables.map(({ name }, index) => [name, index]))
    this.#session = this.#backend.loadSavedModelMetaGraph(folder, 'serve')
  }

  /** One step. The variables must have been written before. */
  step(inputs: Readonly<Record<string, tf.Tensor>>): Record<string, tf.Tensor> {
    const { layout } = this
    const results = this.#run(
      layout.inputs.map(({ name }, index) => [graphNames.input(index), inputs[name]!]),
      layout.outputs.map((_, index) => graphNames.output(index)),
    )
    return Object.fromEntries(layout.outputs.map((name, index) => [name, results[index]!]))
  }

  read(names: readonly string[]): Record<string, tf.Tensor> {
    const results = this.#run(
      [],
      names.map((name) => graphNames.read(this.#positions.get(name)!)),
    )
    return Object.fromEntries(names.map((name, index) => [name, results[index]!]))
  }

  write(values: Readonly<Record<string, tf.Tensor>>): void {
    const entries = Object.entries(values).map(([name, value]) => [this.#positions.get(name)!, value] as const)
    const confirmations = this.#run(
      entries.map(([position, value]) => [graphNames.placeholder(position), value]),
      entries.map(([position]) => graphNames.assigned(position)),
    )
    tf.dispose(confirmations)
  }

  dispose(): void {
    this.#backend.deleteSavedModel(this.#session)
  }

  #run(feeds: readonly (readonly [string, tf.Tensor])[], fetches: readonly string[]): tf.Tensor[] {
    return this.#backend.runSavedModel(
      this.#session,
      feeds.map(([, tensor]) => tensor),
      feeds.map(([name]) => ({ name })),
      [...fetches],
    )
  }
}
