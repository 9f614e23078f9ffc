// A graph of open batch size as a TensorFlow.js graph model: model.json and shards of weights, as `tf.loadGraphModel` reads
// them in a browser or in Node. Its nodes are the recorded operators as they are; only what depends on the batch is computed.

import { LabError } from '../../domain/errors.ts'
import { DATA_TYPES, type Attribute, type RecordedType } from '../compile/recording.ts'
import { roundedBytes, type WeightDtype } from '../weights/rounding.ts'
import type { BatchGraph, BatchNode, GraphTensor, Operand, Size } from './batch-graph.ts'

// On every platform the engine runs on; it is compiled without the types of any of them.
declare const btoa: (text: string) => string

export interface TfjsModel {
  /** model.json. */
  readonly json: Readonly<Record<string, unknown>>
  /** What is in the weights files, end to end. */
  readonly weights: readonly Uint8Array[]
}

interface WeightEntry {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: RecordedType
  readonly quantization?: { readonly dtype: 'float16'; readonly original_dtype: 'float32' }
}

type Json = Readonly<Record<string, unknown>>

const TYPE_NAMES: Readonly<Record<number, string>> = { 1: 'DT_FLOAT', 3: 'DT_INT32', 10: 'DT_BOOL' }

/** A browser fetches and caches shards of this size well; the format's own converter takes the same. */
export const SHARD_BYTES = 4 * 2 ** 20

/** Names of the weights files for so many bytes. */
export function shardNames(bytes: number): readonly string[] {
  const count = Math.max(1, Math.ceil(bytes / SHARD_BYTES))
  return Array.from({ length: count }, (_, i) => `group1-shard${i + 1}of${count}.bin`)
}

/**
 * @param valuesOf  values of the weight of that name, row-major
 * @throws LabError 'invalid-input' for bfloat16, which the format does not have
 */
export function writeTfjsGraph(
  graph: BatchGraph,
  valuesOf: (name: string) => Float32Array,
  { dtype, metadata }: { readonly dtype: WeightDtype; readonly metadata: Readonly<Record<string, string>> },
): TfjsModel {
  if (dtype === 'bfloat16')
    throw new LabError('invalid-input', 'dtype: a TensorFlow.js model holds float32 or float16, found bfloat16; choose one of these', { dtype })
  const nodes: Json[] = []
  const entries: WeightEntry[] = []
  const bytes: Uint8Array[] = []
  const add = (name: string, op: string, input: readonly string[], attr: Json): string => {
    nodes.push({ name, op, input, attr })
    return name
  }
  const stored = (name: string, type: RecordedType, shape: readonly number[], content: Uint8Array, isHalf = false): string => {
    entries.push({ name, shape, dtype: type, ...(isHalf && { quantization: { dtype: 'float16', original_dtype: 'float32' } as const }) })
    bytes.push(content)
    return add(name, 'Const', [], { dtype: typeAttribute(DATA_TYPES[type]), value: { tensor: { dtype: TYPE_NAMES[DATA_TYPES[type]], tensorShape: shapeJson(shape) } } })
  }
  graph.inputs.forEach(({ name, dtype: type, shape }) =>
    add(name, 'Placeholder', [], { dtype: typeAttribute(DATA_TYPES[type]), shape: { shape: openShapeJson(shape) } }),
  )
  graph.weights.forEach(({ name, shape }) =>
    stored(name, 'float32', shape.map(({ plus }) => plus), roundedBytes(valuesOf(name), dtype), dtype === 'float16'),
  )
  let made = 0
  const int32 = { type: 'DT_INT32' }
  const constant = (type: RecordedType, shape: readonly number[], content: Uint8Array) => stored(`constant_${made++}`, type, shape, content)
  const integers = (values: readonly number[], shape: readonly number[] = [values.length]) =>
    constant('int32', shape, new Uint8Array(Int32Array.from(values).buffer))
  let batch: string | undefined
  const sizes = (wanted: readonly Size[]): string => {
    const plus = integers(wanted.map((size) => size.plus))
    if (wanted.every(({ perBatch }) => perBatch === 0)) return plus
    // The images' own shape, cut to its first number.
    batch ??= add('batch', 'Slice', [add('batch_shape', 'Shape', [graph.inputs[0]!.name], { T: { type: 'DT_FLOAT' }, out_type: int32 }), integers([0]), integers([1])], { T: int32, Index: int32 })
    const grown = add(`sizes_${made++}`, 'Mul', [batch, integers(wanted.map(({ perBatch }) => perBatch))], { T: int32 })
    return add(`sizes_${made++}`, 'AddV2', [grown, plus], { T: int32 })
  }
  const shared = new Map<Operand | object, string>()
  const reference = (operand: Operand): string => {
    switch (operand.kind) {
      case 'input':
        return graph.inputs[operand.index]!.name
      case 'weight':
        return graph.weights[operand.index]!.name
      case 'node':
        return operand.output === 0 ? `n${operand.index}` : `n${operand.index}:${operand.output}`
      case 'constant': {
        const { dtype: type, shape, values } = operand.value
        const known = shared.get(operand.value)
        if (known !== undefined) return known
        const name = constant(type, shape, new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
        shared.set(operand.value, name)
        return name
      }
      case 'sizes':
        return sizes(operand.sizes)
      case 'filled': {
        const Values = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[operand.dtype]
        const value = constant(operand.dtype, [], new Uint8Array(Values.of(operand.value).buffer))
        return add(`filled_${made++}`, 'Fill', [sizes(operand.shape), value], { T: typeAttribute(DATA_TYPES[operand.dtype]), index_type: int32 })
      }
    }
  }
  graph.nodes.forEach((node, index) => add(`n${index}`, node.operator, node.operands.map(reference), attributesOf(node)))
  graph.outputs.forEach(({ name, operand }) => add(name, 'Identity', [reference(operand)], { T: { type: 'DT_FLOAT' } }))
  const total = bytes.reduce((sum, { length }) => sum + length, 0)
  return {
    json: {
      format: 'graph-model',
      generatedBy: 'Pivot Lab',
      convertedBy: 'Pivot Lab',
      signature: { inputs: signatureOf(graph.inputs), outputs: signatureOf(graph.outputs) },
      userDefinedMetadata: metadata,
      modelTopology: { node: nodes, library: {}, versions: { producer: 1882, minConsumer: 12 } },
      weightsManifest: [{ paths: shardNames(total), weights: entries }],
    },
    weights: bytes,
  }
}

function signatureOf(tensors: readonly GraphTensor[]): Json {
  return Object.fromEntries(
    tensors.map(({ name, dtype, shape }) => [name, { name: `${name}:0`, dtype: TYPE_NAMES[DATA_TYPES[dtype]], tensorShape: openShapeJson(shape) }]),
  )
}

function attributesOf({ attributes, operands, operator }: BatchNode): Json {
  const written = Object.fromEntries(attributes.map((each) => [each.name, attributeJson(each)]))
  // The eager runtime counts a list's members itself; a graph says how many there are.
  if (operator === 'ConcatV2') return { ...written, N: { i: String(operands.length - 1) } }
  return operator === 'Pack' || operator === 'AddN' ? { ...written, N: { i: String(operands.length) } } : written
}

/** A protobuf attribute in its JSON form: whole numbers as text, text in base64. */
function attributeJson({ kind, value }: Attribute): Json {
  if (Array.isArray(value) && kind !== 'shape') {
    const key = { string: 's', int: 'i', float: 'f', bool: 'b', type: 'type' }[kind]
    return { list: { [key]: (value as (number | boolean)[]).map((each) => (kind === 'int' ? String(each) : each)) } }
  }
  switch (kind) {
    case 'shape':
      return { shape: shapeJson(value as readonly number[]) }
    case 'string':
      return { s: btoa(String(value)) }
    case 'int':
      return { i: String(value) }
    case 'float':
      return { f: value }
    case 'bool':
      return { b: value }
    case 'type':
      return typeAttribute(value as number)
  }
}

function typeAttribute(type: number): Json {
  return { type: TYPE_NAMES[type] ?? type }
}

function shapeJson(shape: readonly number[]): Json {
  return { dim: shape.map((size) => ({ size: String(size) })) }
}

/** Sizes that depend on the batch are open. */
function openShapeJson(shape: readonly Size[]): Json {
  return shapeJson(shape.map(({ perBatch, plus }) => (perBatch === 0 ? plus : -1)))
}
