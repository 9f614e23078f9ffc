// Records a step at the native backend's operator calls: forward, backward, clipping and optimiser alike, since all of them end
// there. Nothing is computed: inputs, variables and everything made of them have shapes and no values while the step runs, so a
// recording costs no memory and little time, and the variables have their tensors back afterwards, untouched.
// Capture is by value: what is neither input nor variable becomes a constant. A second recording, compared with the first,
// finds constants and attributes that should have been inputs, and refuses them where they arise.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import { withGraphOperators, type AdamUpdate } from './graph-operators.ts'
import { nativeBackend, type NativeAttribute, type NativeBackend } from './native-backend.ts'
import { INFERRED_TYPES, isRecordable } from './operators.ts'
import { OutputShapes } from './output-shapes.ts'
import {
  ADAM,
  DATA_TYPES,
  TIE,
  type Attribute,
  type Constant,
  type RecordedNode,
  type RecordedType,
  type Recording,
  type Source,
  type TensorSpec,
} from './recording.ts'

export type NamedTensors = Readonly<Record<string, tf.Tensor>>

/** A pure function of its inputs that may read and re-assign declared variables. Called inside a tidy. */
export type RecordableStep = (inputs: NamedTensors) => NamedTensors

/**
 * Records `step` once, on shapes alone.
 * @param inputs    examples; only their shapes and types matter. Not disposed
 * @param expected  an earlier recording; the first difference from it is refused
 * @throws LabError 'invalid-input' naming the operator and the source line of what cannot be recorded
 */
export function record(
  step: RecordableStep,
  inputs: NamedTensors,
  variables: Readonly<Record<string, tf.Variable>>,
  expected?: Recording,
): Recording {
  const backend = nativeBackend()
  const saved = Object.values(variables).map((variable) => ({ variable, value: tf.clone(variable) }))
  const standIns = mapTensors(inputs, ({ shape, dtype }) => withoutValues(backend, shape, dtype))
  try {
    for (const { variable } of saved) {
      const standIn = withoutValues(backend, variable.shape, variable.dtype)
      variable.assign(standIn)
      standIn.dispose()
    }
    const values = saved.map(({ value }) => value)
    const recorder = new Recorder(backend, { inputs: standIns, originals: inputs, variables, values }, expected)
    const outputs = tf.tidy(() => recorder.watch(() => step(standIns)))
    try {
      return recorder.finish(outputs)
    } finally {
      tf.dispose(outputs as tf.TensorContainer)
    }
  } finally {
    for (const { variable, value } of saved) {
      variable.assign(value)
      value.dispose()
    }
    tf.dispose(standIns as tf.TensorContainer)
  }
}

interface Given {
  readonly inputs: NamedTensors
  /** The tensors that `inputs` stand for. */
  readonly originals: NamedTensors
  readonly variables: Readonly<Record<string, tf.Variable>>
  /** The variables' own values, in their order. */
  readonly values: readonly tf.Tensor[]
}

class Recorder {
  readonly #backend: NativeBackend
  readonly #sources = new Map<object, Source>()
  readonly #variables: readonly (readonly [string, tf.Variable])[]
  readonly #inputSpecs: readonly TensorSpec[]
  readonly #variableSpecs: readonly TensorSpec[]
  readonly #before: readonly object[]
  /** What a step must not reach past its inputs and declared variables, by the words for it. */
  readonly #forbidden = new Map<object, string>()
  readonly #constants: Constant[] = []
  readonly #constantsByHash = new Map<number, number[]>()
  /** Data made in JavaScript while the step ran. */
  readonly #made = new WeakSet<object>()
  #hasCapturedConstants = false
  readonly #nodes: RecordedNode[] = []
  readonly #indexLimits = new Map<number, number>()
  readonly #expected: Recording | undefined
  #pendingRead: { readonly dataId: object; readonly place: string } | undefined

  constructor(backend: NativeBackend, given: Given, expected?: Recording) {
    const { inputs, originals, variables, values } = given
    this.#backend = backend
    this.#expected = expected
    this.#variables = Object.entries(variables)
    this.#inputSpecs = Object.entries(inputs).map(([name, tensor]) => specOf(name, tensor))
    this.#variableSpecs = this.#variables.map(([name, variable]) => specOf(name, variable))
    Object.values(inputs).forEach((tensor, index) => this.#sources.set(tensor.dataId, { kind: 'input', index }))
    this.#variables.forEach(([, variable], index) => this.#sources.set(variable.dataId, { kind: 'variable', index }))
    this.#before = this.#variables.map(([, variable]) => variable.dataId)
    for (const variable of Object.values(tf.engine().registeredVariables))
      this.#forbidden.set(variable.dataId, `variable '${variable.name}', which was not declared to it`)
    this.#variables.forEach(([name], i) => this.#forbidden.set(values[i]!.dataId, `the value of variable '${name}' through its closure`))
    for (const [name, tensor] of Object.entries(originals))
      this.#forbidden.set(tensor.dataId, `the example tensor of input '${name}' through its closure`)
  }

  /** Runs `body` with the backend's doors watched. */
  watch<Result>(body: () => Result): Result {
    const backend = this.#backend
    const { executeMultipleOutputs, readSync, write } = backend
    const shapes = new OutputShapes(backend, (...given) => executeMultipleOutputs.apply(backend, given))
    const execute = (operator: string, attributes: NativeAttribute[], inputs: tf.TensorInfo[], count: number): tf.Tensor[] => {
      const sources = this.#operands(operator, inputs)
      const operands = inputs.map((tensor, i) => ({ tensor, isKnown: sources[i]!.kind === 'constant' }))
      const outputs = shapes.of(operator, attributes, operands, count).map(({ shape, dtype }) => withoutValues(backend, shape, dtype))
      this.#add(operator, this.#attributes(attributes), sources, outputs)
      if (operator === 'GatherV2') this.#limitRows(sources, inputs[0]!.shape)
      return outputs
    }
    backend.executeSingleOutput = (operator, attributes, inputs) => execute(operator, attributes, inputs, 1)[0]!
    backend.executeMultipleOutputs = execute
    backend.readSync = (dataId) => {
      this.#settleRead()
      const source = this.#sources.get(dataId)
      if (source === undefined || source.kind === 'constant') return readSync.call(backend, dataId)
      this.#pendingRead = { dataId, place: callerPlace() }
      // Row 0 is in every table, should it be GatherV2 that asks.
      return new Float32Array(tf.util.sizeFromShape(backend.tensorMap.get(dataId).shape))
    }
    backend.write = (values, shape, dtype) => {
      const dataId = write.call(backend, values, shape, dtype)
      this.#made.add(dataId)
      return dataId
    }
    const tie = (value: tf.Tensor, signal: tf.Tensor): tf.Tensor => {
      const sources = [this.#sourceOf(TIE, value), this.#sourceOf(TIE, signal)]
      const tied = withoutValues(backend, value.shape, value.dtype)
      this.#add(TIE, [], sources, [tied])
      return tied
    }
    try {
      const result = withGraphOperators({ tie, updateByAdam: (update) => this.#updateByAdam(update) }, body)
      this.#settleRead()
      return result
    } finally {
      // The overrides are own properties that hide the class's methods.
      for (const name of ['executeSingleOutput', 'executeMultipleOutputs', 'readSync', 'write']) Reflect.deleteProperty(backend, name)
    }
  }

  #updateByAdam({ weight, first, second, gradient, scale, rate, beta1, beta2, epsilon, decay }: AdamUpdate): void {
    const variables = [weight, first, second]
    const numbers = [scale, rate, beta1, beta2, epsilon, ...(decay === null ? [] : [decay])]
    const sources = [...variables, gradient, ...numbers].map((tensor) => this.#sourceOf(ADAM, tensor))
    if (sources.slice(0, 3).some(({ kind }) => kind !== 'variable'))
      throw new LabError('internal', 'a weight or moment was assigned before its update, or is no variable of the step')
    const next = variables.map(({ shape, dtype }) => withoutValues(this.#backend, shape, dtype))
    this.#add(ADAM, [], sources, next)
    variables.forEach((variable, i) => variable.assign(next[i]!))
    tf.dispose(next)
  }

  finish(outputs: NamedTensors): Recording {
    const assigned = this.#variables.flatMap(([name, variable], index) => {
      if (variable.dataId === this.#before[index]) return []
      return [{ variable: index, source: this.#sourceOf(`assignment to ${name}`, variable) }]
    })
    const recording: Recording = {
      inputs: this.#inputSpecs,
      variables: this.#variableSpecs,
      nodes: this.#nodes,
      outputs: Object.entries(outputs).map(([name, tensor]) => ({ name, source: this.#sourceOf(`output ${name}`, tensor) })),
      assigned,
      constants: this.#constants,
      hasCapturedConstants: this.#hasCapturedConstants,
      indexLimits: [...this.#indexLimits].map(([input, limit]) => ({ input, limit })),
    }
    this.#compareEnds(recording)
    return recording
  }

  #operands(operator: string, inputs: readonly tf.TensorInfo[]): readonly Source[] {
    const read = this.#pendingRead
    // GatherV2's kernel reads its row numbers to check their range and uses the values for nothing else.
    if (read !== undefined && operator === 'GatherV2' && inputs[1]?.dataId === read.dataId) this.#pendingRead = undefined
    this.#settleRead()
    if (!isRecordable(operator)) throw refusal(`operator ${operator} cannot be part of a compiled step`, operator)
    return inputs.map((input) => this.#sourceOf(operator, input))
  }

  #settleRead(): void {
    const read = this.#pendingRead
    this.#pendingRead = undefined
    if (read !== undefined)
      throw refusal(
        'a value that depends on the inputs is read back into JavaScript, so what follows could not be recorded',
        'dataSync',
        read.place,
      )
  }

  #add(operator: string, attributes: readonly Attribute[], inputs: readonly Source[], outputs: readonly tf.Tensor[]): void {
    const index = this.#nodes.length
    const outputTypes = outputs.map((output) => this.#backend.tensorMap.get(output.dataId).dtype)
    const types = { input: inputs.map((source) => this.#typeOf(source)), output: outputTypes }
    const node: RecordedNode = {
      operator,
      attributes: completed(operator, attributes, types),
      inputs,
      outputTypes,
      outputShapes: outputs.map(({ shape }) => [...shape]),
    }
    this.#compareNode(index, node)
    this.#nodes.push(node)
    outputs.forEach((tensor, output) => this.#sources.set(tensor.dataId, { kind: 'node', index, output }))
  }

  #attributes(attributes: readonly NativeAttribute[]): readonly Attribute[] {
    const { binding } = this.#backend
    return attributes.map(({ name, type, value }) => {
      const kind = ATTRIBUTE_KINDS.find((candidate) => binding[`TF_ATTR_${candidate.toUpperCase()}`] === type)
      if (kind === undefined || value === null || value === undefined)
        throw refusal(`attribute ${name} has the value ${String(value)} of kind ${type}, which has no place in a graph`, name)
      return { name, kind, value: (Array.isArray(value) ? [...value] : value) as Attribute['value'] }
    })
  }

  #sourceOf(reader: string, tensor: tf.TensorInfo): Source {
    const known = this.#sources.get(tensor.dataId)
    if (known !== undefined) return known
    const forbidden = this.#forbidden.get(tensor.dataId)
    if (forbidden !== undefined) throw refusal(`${reader} reads ${forbidden}: its value would be frozen into the graph`, reader)
    const source: Source = { kind: 'constant', index: this.#constant(reader, tensor) }
    this.#sources.set(tensor.dataId, source)
    return source
  }

  #constant(reader: string, tensor: tf.TensorInfo): number {
    if (!this.#made.has(tensor.dataId)) this.#hasCapturedConstants = true
    const native = this.#backend.tensorMap.get(tensor.dataId)
    const dtype = typeNamed(native.dtype)
    if (dtype === undefined)
      throw refusal(`${reader} reads a constant of type ${tensor.dtype}; float32, int32 and bool can be recorded`, reader)
    const values = typedValues(dtype, native.values ?? this.#backend.binding.tensorDataSync(native.id))
    const constant: Constant = { dtype, shape: [...tensor.shape], values }
    const bucket = this.#constantsByHash.get(hash(values)) ?? []
    const same = bucket.find((index) => equalConstants(this.#constants[index]!, constant))
    if (same !== undefined) return same
    const index = this.#constants.length
    const expected = this.#expected?.constants[index]
    if (this.#expected !== undefined && (expected === undefined || !equalConstants(expected, constant)))
      throw refusal(
        `a value made in JavaScript for ${reader} (${dtype} [${tensor.shape.join(', ')}]) changes from step to step; ` +
          'give it to the step as an input',
        reader,
      )
    this.#constants.push(constant)
    this.#constantsByHash.set(hash(values), [...bucket, index])
    return index
  }

  #typeOf(source: Source): number {
    if (source.kind === 'input') return DATA_TYPES[this.#inputSpecs[source.index]!.dtype]
    if (source.kind === 'variable') return DATA_TYPES[this.#variableSpecs[source.index]!.dtype]
    if (source.kind === 'constant') return DATA_TYPES[this.#constants[source.index]!.dtype]
    return this.#nodes[source.index]!.outputTypes[source.output]!
  }

  /** Notes which inputs are used as row numbers, through the operators that only move values. */
  #limitRows(operands: readonly Source[], tableShape: readonly number[]): void {
    const [, indices, axis] = operands
    if (indices === undefined || axis?.kind !== 'constant') return
    const limit = tableShape[this.#constants[axis.index]!.values[0]!]!
    const visit = (source: Source): void => {
      if (source.kind === 'input')
        this.#indexLimits.set(source.index, Math.min(limit, this.#indexLimits.get(source.index) ?? limit))
      if (source.kind !== 'node') return
      const node = this.#nodes[source.index]!
      if (MOVES_ALL_VALUES.has(node.operator)) node.inputs.forEach(visit)
    }
    visit(indices)
  }

  #compareNode(index: number, node: RecordedNode): void {
    if (this.#expected === undefined) return
    const expected = this.#expected.nodes[index]
    const { operator } = node
    if (expected?.operator !== operator)
      throw refusal(
        `the step takes another path with other inputs: ${operator} where ${expected?.operator ?? 'the end'} came before`,
        operator,
      )
    if (JSON.stringify(expected.attributes) !== JSON.stringify(node.attributes))
      throw refusal(`an attribute of ${operator} changes from step to step; give the number to the step as an input`, operator)
    if (JSON.stringify(expected.inputs) !== JSON.stringify(node.inputs))
      throw refusal(`${operator} reads other values than it did before with other inputs`, operator)
  }

  #compareEnds(recording: Recording): void {
    const expected = this.#expected
    if (expected === undefined) return
    const ends = ({ outputs, assigned, nodes }: Recording): string => JSON.stringify([outputs, assigned, nodes.length])
    if (ends(expected) !== ends(recording))
      throw refusal(
        'the step ends otherwise with other inputs: its outputs or the variables it assigns come from other operators',
        'outputs',
      )
  }
}

const ATTRIBUTE_KINDS = ['string', 'int', 'float', 'bool', 'type', 'shape'] as const

const MOVES_ALL_VALUES: ReadonlySet<string> = new Set([
  'Reshape',
  'Cast',
  'Identity',
  'ExpandDims',
  'Transpose',
  'Pack',
  'Unpack',
  'ReverseV2',
  'Tile',
])

function completed(
  operator: string,
  attributes: readonly Attribute[],
  types: { readonly input: readonly number[]; readonly output: readonly number[] },
): readonly Attribute[] {
  const inferred = (INFERRED_TYPES[operator] ?? []).filter(({ name }) => !attributes.some((given) => given.name === name))
  return [...attributes, ...inferred.map(({ name, of, index }): Attribute => ({ name, kind: 'type', value: types[of][index]! }))]
}

/** A tensor of the native backend with nothing behind it: an operator that was given it would fail. */
function withoutValues(backend: NativeBackend, shape: readonly number[], dtype: tf.DataType): tf.Tensor {
  const { write } = Object.getPrototypeOf(backend) as NativeBackend
  return tf.engine().makeTensorFromTensorInfo({ dataId: write.call(backend, null, [...shape], dtype), shape: [...shape], dtype })
}

function mapTensors(tensors: NamedTensors, map: (tensor: tf.Tensor) => tf.Tensor): NamedTensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, map(tensor)]))
}

function specOf(name: string, tensor: tf.Tensor): TensorSpec {
  const dtype = tensor.dtype
  if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool')
    throw new LabError('invalid-input', `'${name}' has type ${dtype}: a compiled step takes float32, int32 and bool tensors`, {
      name,
      dtype,
    })
  return { name, dtype, shape: [...tensor.shape] }
}

function typeNamed(number: number): RecordedType | undefined {
  return (Object.keys(DATA_TYPES) as RecordedType[]).find((name) => DATA_TYPES[name] === number)
}

function typedValues(dtype: RecordedType, values: tf.BackendValues): Constant['values'] {
  const numbers = values as ArrayLike<number>
  if (dtype === 'float32') return Float32Array.from(numbers)
  return dtype === 'int32' ? Int32Array.from(numbers) : Uint8Array.from(numbers)
}

function bytesOf(values: Constant['values']): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

function equalConstants(a: Constant, b: Constant): boolean {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return false
  const [left, right] = [bytesOf(a.values), bytesOf(b.values)]
  return left.length === right.length && left.every((byte, index) => byte === right[index])
}

/** FNV-1a over the values' 32-bit words; a collision costs a comparison, not correctness. */
function hash(values: Constant['values']): number {
  const words = values instanceof Uint8Array ? values : new Uint32Array(values.buffer, values.byteOffset, values.length)
  let state = 0x811c9dc5 ^ values.length
  for (const word of words) state = Math.imul(state ^ word, 0x01000193)
  return state
}

function refusal(reason: string, operator: string, place = callerPlace()): LabError {
  return new LabError('invalid-input', `The step cannot be compiled: ${reason} (at ${place}).`, { operator, place })
}

/** The line of the step that led here: the first stack frame that is neither a library's nor the recorder's. */
function callerPlace(): string {
  // TensorFlow.js alone fills the ten frames that V8 keeps by default.
  const stacks = Error as unknown as { stackTraceLimit: number }
  const limit = stacks.stackTraceLimit
  stacks.stackTraceLimit = 60
  const frames = (new Error('place').stack ?? '').split('\n').slice(1)
  stacks.stackTraceLimit = limit
  const foreign = /node_modules|node:internal|callerPlace|refusal|Recorder\.|NodeJSKernelBackend|src-main\/engine\/compile\//
  const place =
    frames.filter((frame) => !foreign.test(frame)).flatMap((frame) => frame.match(/[^()\s]+:\d+:\d+(?=\)?$)/) ?? [])[0] ??
    'unknown place'
  return place.replace(/^(file:\/\/)?.*\/(src-main|tests)\//, '$2/')
}
