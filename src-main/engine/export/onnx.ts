// A graph of open batch size as an ONNX model. Weights keep the names that the caller gives them (Hugging Face's), their bytes
// may be float16 or bfloat16: they are widened as the model loads, and everything is computed in float32.

import { LabError } from '../../domain/errors.ts'
import { roundedBytes, type WeightDtype } from '../weights/rounding.ts'
import type { BatchGraph, Operand, Size } from './batch-graph.ts'
import { ONNX_TYPES, OnnxBuilder, type OnnxFile } from './onnx-builder.ts'
import { knownNumbers, translate, type Translation } from './onnx-operators.ts'

export interface OnnxOptions {
  readonly dtype: WeightDtype
  readonly metadata: Readonly<Record<string, string>>
  /** Name of the file beside the model that takes the weights when they are too many bytes for one message. */
  readonly dataFile: string
  /** From how many bytes on. */
  readonly externalFrom?: number
}

/** Protobuf ends at 2 GB. */
const EXTERNAL_FROM = 1.9e9

/**
 * @param valuesOf  values of the weight of that name, row-major
 * @throws LabError 'invalid-input' naming an operator that has no ONNX form
 */
export function writeOnnx(graph: BatchGraph, valuesOf: (name: string) => Float32Array, options: OnnxOptions): OnnxFile {
  const builder = new OnnxBuilder()
  const weights = graph.weights.map(({ name, shape }) => {
    const stored = builder.tensor({
      name,
      type: options.dtype,
      shape: shape.map(({ plus }) => plus),
      bytes: roundedBytes(valuesOf(name), options.dtype),
    })
    return options.dtype === 'float32' ? stored : builder.one('Cast', [stored], { to: ONNX_TYPES.float32 })
  })
  const [images] = graph.inputs
  if (images === undefined) throw new LabError('internal', 'a graph without inputs has no batch')
  let batch: string | undefined
  /** A vector of sizes as int64. */
  const sizes = (wanted: readonly Size[]): string => {
    const plus = builder.int64(wanted.map((size) => size.plus))
    if (wanted.every(({ perBatch }) => perBatch === 0)) return plus
    batch ??= builder.one('Shape', [images.name], { start: 0, end: 1 })
    const grown = builder.one('Mul', [batch, builder.int64(wanted.map(({ perBatch }) => perBatch))])
    return builder.one('Add', [grown, plus])
  }

  const made: (readonly string[])[] = []
  const value = (operand: Operand): string => {
    switch (operand.kind) {
      case 'input':
        return graph.inputs[operand.index]!.name
      case 'weight':
        return weights[operand.index]!
      case 'node':
        return made[operand.index]![operand.output]!
      case 'constant': {
        const { dtype, shape, values } = operand.value
        return builder.constant(dtype, shape, new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
      }
      case 'sizes':
        return builder.one('Cast', [sizes(operand.sizes)], { to: ONNX_TYPES.int32 })
      case 'filled': {
        const one = builder.one('Cast', [builder.float(operand.value)], { to: ONNX_TYPES[operand.dtype] })
        return builder.one('Expand', [one, sizes(operand.shape)])
      }
    }
  }
  const int64 = (operand: Operand): string => {
    if (operand.kind === 'sizes') return sizes(operand.sizes)
    if (operand.kind === 'constant') return builder.int64([...operand.value.values], operand.value.shape.length === 0 ? [1] : operand.value.shape)
    return builder.one('Cast', [value(operand)], { to: ONNX_TYPES.int64 })
  }
  const shapeOf = (operand: Operand): readonly Size[] => {
    switch (operand.kind) {
      case 'input':
        return graph.inputs[operand.index]!.shape
      case 'weight':
        return graph.weights[operand.index]!.shape
      case 'node':
        return graph.nodes[operand.index]!.outputShapes[operand.output]!
      case 'constant':
        return operand.value.shape.map((plus) => ({ perBatch: 0, plus }))
      case 'sizes':
        return [{ perBatch: 0, plus: operand.sizes.length }]
      case 'filled':
        return operand.shape
    }
  }
  for (const node of graph.nodes) {
    const translation: Translation = {
      builder,
      node,
      // Asked for only when used: an operand that becomes an attribute needs no value in the graph.
      inputs: lazily(node.operands, value),
      int64: (operand) => int64(node.operands[operand]!),
      numbers(operand) {
        const known = knownNumbers(node.operands[operand]!)
        if (known === null)
          throw new LabError('invalid-input', `${node.operator}: its operand ${operand} must be known for an ONNX graph, and depends on the batch or on values`, {
            operator: node.operator,
          })
        return known
      },
      shapeOf: (operand) => shapeOf(node.operands[operand]!),
    }
    made.push(translate(translation))
  }
  for (const { name, operand } of graph.outputs) builder.named(name, 'Identity', [value(operand)])
  const external = builder.tensorBytes >= (options.externalFrom ?? EXTERNAL_FROM)
  return builder.finish({
    inputs: graph.inputs,
    outputs: graph.outputs,
    metadata: options.metadata,
    dataFile: external ? options.dataFile : null,
  })
}

/** An array whose members are made when they are read, each once. */
function lazily<T, U extends {}>(items: readonly T[], make: (item: T) => U): readonly U[] {
  const made: U[] = new Array(items.length)
  items.forEach((item, i) => {
    let result: U | undefined
    Object.defineProperty(made, i, { get: () => (result ??= make(item)), enumerable: true })
  })
  return made
}
