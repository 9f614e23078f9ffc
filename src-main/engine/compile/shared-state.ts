// Where the current value of each variable is. Every compiled program keeps the variables it uses in its own session, and the
// eager step keeps them in tf.Variables; values move to whoever runs next, and only those that it lacks. On the CPU a move
// shares the buffer. While only a session holds a value, the tf.Variable holds NaN: a forgotten `settle` passes for no result.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'

/** Someone who can hold values: a session, or the tf.Variables themselves. */
export interface StateHolder {
  /** New tensors; the caller disposes them. */
  read(names: readonly string[]): Record<string, tf.Tensor>
  write(values: Readonly<Record<string, tf.Tensor>>): void
}

export class SharedState {
  readonly variables: Readonly<Record<string, tf.Variable>>
  readonly #holders = new Map<string, Set<StateHolder>>()
  readonly #own: StateHolder

  constructor(variables: Readonly<Record<string, tf.Variable>>) {
    this.variables = variables
    this.#own = {
      read: (names) => Object.fromEntries(names.map((name) => [name, tf.clone(this.#variable(name))])),
      write: (values) => {
        for (const [name, value] of Object.entries(values)) this.#variable(name).assign(value)
      },
    }
    for (const name of Object.keys(variables)) this.#holders.set(name, new Set([this.#own]))
  }

  get names(): readonly string[] {
    return Object.keys(this.variables)
  }

  /** Gives `holder` the current values of `names` that it does not have. */
  bring(holder: StateHolder, names: readonly string[]): void {
    const missing = names.filter((name) => !this.#holdersOf(name).has(holder))
    if (missing.length === 0) return
    const values = this.read(missing)
    try {
      holder.write(values)
    } finally {
      tf.dispose(values)
    }
    for (const name of missing) this.#holdersOf(name).add(holder)
  }

  /** Says that `holder` has changed `names`: nobody else has their current values. */
  changed(holder: StateHolder, names: readonly string[]): void {
    for (const name of names) {
      const holders = this.#holdersOf(name)
      const parks = holder !== this.#own && holders.has(this.#own)
      holders.clear()
      holders.add(holder)
      if (parks) this.#park(name)
    }
  }

  /** Moves everything into the tf.Variables, for whoever reads them: an eager step, a checkpoint. */
  settle(): void {
    this.bring(this.#own, this.names)
  }

  /** Runs an eager step, which reads and may assign the tf.Variables. */
  eagerly<Result>(step: () => Result): Result {
    this.settle()
    // An assignment gives a variable other data; what still has its own is what the sessions hold.
    const before = this.names.map((name) => this.variables[name]!.dataId)
    try {
      return step()
    } finally {
      this.changed(
        this.#own,
        this.names.filter((name, i) => this.variables[name]!.dataId !== before[i]),
      )
    }
  }

  /** The current values as new tensors; the caller disposes them. */
  read(names: readonly string[] = this.names): Record<string, tf.Tensor> {
    const byHolder = new Map<StateHolder, string[]>()
    for (const name of names) {
      const [holder] = this.#holdersOf(name)
      byHolder.set(holder!, [...(byHolder.get(holder!) ?? []), name])
    }
    const values: Record<string, tf.Tensor> = {}
    for (const [holder, held] of byHolder) Object.assign(values, holder.read(held))
    return values
  }

  /** @throws LabError 'invalid-input' for a name, shape or type that is not the variable's; then nothing has been written */
  write(values: Readonly<Record<string, tf.Tensor>>): void {
    for (const [name, value] of Object.entries(values)) {
      const { shape, dtype } = this.#variable(name)
      if (value.dtype !== dtype || value.shape.join() !== shape.join())
        throw new LabError(
          'invalid-input',
          `'${name}' is ${dtype} [${shape.join(', ')}], got ${value.dtype} [${value.shape.join(', ')}]`,
          { name },
        )
    }
    this.#own.write(values)
    for (const name of Object.keys(values)) {
      this.#holdersOf(name).clear()
      this.#holdersOf(name).add(this.#own)
    }
  }

  /** Takes values out of a holder that is going away. */
  leave(holder: StateHolder): void {
    const only = this.names.filter((name) => this.#holdersOf(name).has(holder) && this.#holdersOf(name).size === 1)
    this.bring(this.#own, only)
    for (const holders of this.#holders.values()) holders.delete(holder)
  }

  #variable(name: string): tf.Variable {
    const variable = this.variables[name]
    if (variable === undefined)
      throw new LabError(
        'invalid-input',
        `no variable '${name}'; there are ${this.names.length}: ${this.names.slice(0, 5).join(', ')}, …`,
        { name },
      )
    return variable
  }

  #holdersOf(name: string): Set<StateHolder> {
    this.#variable(name)
    return this.#holders.get(name)!
  }

  #park(name: string): void {
    const variable = this.#variable(name)
    const parked = tf.tensor(parkedValues(variable.dtype, variable.size), variable.shape, variable.dtype as 'float32')
    variable.assign(parked)
    parked.dispose()
  }
}

// One buffer for all parked variables of a type. TensorFlow gets a copy only of what an operator reads, which nobody should.
const parkingSpace = new Map<string, Float32Array | Int32Array | Uint8Array>()

function parkedValues(dtype: string, size: number): Float32Array | Int32Array | Uint8Array {
  let space = parkingSpace.get(dtype)
  if (space === undefined || space.length < size) {
    if (dtype === 'float32') space = new Float32Array(size).fill(Number.NaN)
    else space = dtype === 'int32' ? new Int32Array(size).fill(-(2 ** 31)) : new Uint8Array(size)
    parkingSpace.set(dtype, space)
  }
  return space.subarray(0, size)
}
