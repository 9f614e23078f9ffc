// An ONNX graph under construction (onnx.proto3, opset below): nodes, initialisers, and the model's bytes at the end. Tensors'
// bytes are handed on as they are, never copied into the message, so a model costs its weights and little more; they go to
// a second file where one message could not hold them.

import { ProtoWriter } from '../compile/protobuf.ts'
import type { GraphTensor, Size } from './batch-graph.ts'

/** Read by onnx 1.19 and onnxruntime 1.23, and everything later. */
export const OPSET = 24
const IR_VERSION = 12

/** TensorProto.DataType. */
export const ONNX_TYPES = { float32: 1, int32: 6, int64: 7, bool: 9, float16: 10, bfloat16: 16 } as const
export type OnnxType = keyof typeof ONNX_TYPES

export interface OnnxTensor {
  readonly name: string
  readonly type: OnnxType
  readonly shape: readonly number[]
  /** Row-major, little-endian. */
  readonly bytes: Uint8Array
}

export type OnnxAttribute = number | string | readonly number[] | { readonly float: number }

interface OnnxNode {
  readonly operator: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, OnnxAttribute>>
}

export interface OnnxFile {
  /** The model's bytes, piece by piece. */
  readonly model: readonly Uint8Array[]
  /** The tensors' bytes, when they lie in a file of their own. */
  readonly data: readonly Uint8Array[] | null
}

export interface OnnxEnds {
  readonly inputs: readonly GraphTensor[]
  readonly outputs: readonly GraphTensor[]
  readonly metadata: Readonly<Record<string, string>>
  /** Name of the data file; null: everything in one file, which protobuf limits to 2 GB. */
  readonly dataFile: string | null
}

/** Tensors begin at multiples of this in the data file, so that they can be memory-mapped. */
const ALIGNMENT = 4096
/** Smaller tensors stay in the model: shapes and axes must be known before any data is read. */
const EXTERNAL_FROM_BYTES = 1024

export class OnnxBuilder {
  readonly #nodes: OnnxNode[] = []
  readonly #tensors: OnnxTensor[] = []
  readonly #constants = new Map<string, string>()
  #names = 0

  /** Adds a node. @returns its outputs' names */
  node(operator: string, inputs: readonly string[], attributes: OnnxNode['attributes'] = {}, outputs = 1): readonly string[] {
    const names = Array.from({ length: outputs }, () => this.#fresh(operator))
    this.#nodes.push({ operator, inputs, outputs: names, attributes })
    return names
  }

  /** Adds a node of one output. @returns the output's name */
  one(operator: string, inputs: readonly string[], attributes: OnnxNode['attributes'] = {}): string {
    return this.node(operator, inputs, attributes)[0]!
  }

  named(name: string, operator: string, inputs: readonly string[]): void {
    this.#nodes.push({ operator, inputs, outputs: [name], attributes: {} })
  }

  tensor(tensor: OnnxTensor): string {
    this.#tensors.push(tensor)
    return tensor.name
  }

  /** A constant, shared with an equal one. */
  constant(type: OnnxType, shape: readonly number[], bytes: Uint8Array): string {
    const key = bytes.length > 4096 ? null : `${type} ${shape.join()} ${bytes.join()}`
    const known = key === null ? undefined : this.#constants.get(key)
    if (known !== undefined) return known
    const name = this.tensor({ name: this.#fresh('constant'), type, shape, bytes })
    if (key !== null) this.#constants.set(key, name)
    return name
  }

  int64(values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.constant('int64', shape, new Uint8Array(BigInt64Array.from(values, (value) => BigInt(value)).buffer))
  }

  float(value: number): string {
    return this.constant('float32', [], new Uint8Array(Float32Array.of(value).buffer))
  }

  finish({ inputs, outputs, metadata, dataFile }: OnnxEnds): OnnxFile {
    const graph = new ProtoWriter()
    for (const { operator, inputs: from, outputs: to, attributes } of this.#nodes)
      graph.message(1, (node) => {
        from.forEach((name) => node.string(1, name))
        to.forEach((name) => node.string(2, name))
        node.string(3, to[0]!).string(4, operator)
        for (const [name, value] of Object.entries(attributes)) node.message(5, (writer) => writeAttribute(writer, name, value))
      })
    graph.string(2, 'encoder')
    for (const input of inputs) graph.message(11, (writer) => writeValueInfo(writer, input))
    for (const output of outputs) graph.message(12, (writer) => writeValueInfo(writer, output))

    const data: Uint8Array[] = []
    let offset = 0
    const pieces: Uint8Array[] = [graph.finish()]
    for (const tensor of this.#tensors) {
      const head = new ProtoWriter()
      for (const size of tensor.shape) head.int(1, size)
      head.int(2, ONNX_TYPES[tensor.type]).string(8, tensor.name)
      const isExternal = dataFile !== null && tensor.bytes.length >= EXTERNAL_FROM_BYTES
      if (isExternal) {
        const gap = (ALIGNMENT - (offset % ALIGNMENT)) % ALIGNMENT
        data.push(new Uint8Array(gap), tensor.bytes)
        offset += gap
        const place = { location: dataFile, offset: String(offset), length: String(tensor.bytes.length) }
        for (const [key, value] of Object.entries(place)) head.message(13, (entry) => entry.string(1, key).string(2, value))
        head.int(14, 1)
        offset += tensor.bytes.length
      } else head.lengthOf(9, tensor.bytes.length)
      const headBytes = head.finish()
      const inside = isExternal ? 0 : tensor.bytes.length
      pieces.push(new ProtoWriter().lengthOf(5, headBytes.length + inside).finish(), headBytes)
      if (!isExternal) pieces.push(tensor.bytes)
    }
    const graphLength = pieces.reduce((sum, { length }) => sum + length, 0)
    const model = new ProtoWriter().int(1, IR_VERSION).string(2, 'Pivot Lab')
    model.message(8, (opset) => opset.string(1, '').int(2, OPSET))
    for (const [key, value] of Object.entries(metadata)) model.message(14, (entry) => entry.string(1, key).string(2, value))
    model.lengthOf(7, graphLength)
    return { model: [model.finish(), ...pieces], data: dataFile === null ? null : data }
  }

  /** Bytes of all tensors so far. */
  get tensorBytes(): number {
    return this.#tensors.reduce((sum, { bytes }) => sum + bytes.length, 0)
  }

  #fresh(operator: string): string {
    return `${operator}_${this.#names++}`
  }
}

const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, ints: 7 } as const

function writeAttribute(writer: ProtoWriter, name: string, value: OnnxAttribute): void {
  writer.string(1, name)
  if (typeof value === 'number') writer.int(3, value).int(20, ATTRIBUTE_TYPES.int)
  else if (typeof value === 'string') writer.string(4, value).int(20, ATTRIBUTE_TYPES.string)
  else if ('float' in value) writer.float(2, value.float).int(20, ATTRIBUTE_TYPES.float)
  else {
    for (const each of value) writer.int(8, each)
    writer.int(20, ATTRIBUTE_TYPES.ints)
  }
}

function writeValueInfo(writer: ProtoWriter, { name, dtype, shape }: GraphTensor): void {
  writer.string(1, name).message(2, (type) =>
    type.message(1, (tensor) =>
      tensor.int(1, ONNX_TYPES[dtype]).message(2, (dimensions) => {
        for (const size of shape) dimensions.message(1, (dimension) => writeDimension(dimension, size))
      }),
    ),
  )
}

function writeDimension(dimension: ProtoWriter, { perBatch, plus }: Size): void {
  if (perBatch === 0) dimension.int(1, plus)
  else dimension.string(2, perBatch === 1 && plus === 0 ? 'batch' : `${perBatch}*batch+${plus}`)
}
