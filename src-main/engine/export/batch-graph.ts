// A function of tensors as a graph whose batch size is open. The step compiler's recorder writes down what one batch size does;
// here the same function is recorded at several, and what differs between them is what depends on the batch. A shape that
// grows with it becomes `perBatch · B + plus`, checked at a third size; anything else that differs is refused by name.
// Nothing here knows a model or a file format.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import { record, type NamedTensors } from '../compile/recorder.ts'
import {
  liveParts,
  withoutUnusedVariables,
  type Attribute,
  type Constant,
  type RecordedNode,
  type RecordedType,
  type Recording,
  type Source,
} from '../compile/recording.ts'

/** A size: `perBatch · B + plus`. */
export interface Size {
  readonly perBatch: number
  readonly plus: number
}

export interface GraphTensor {
  readonly name: string
  readonly dtype: RecordedType
  readonly shape: readonly Size[]
}

/** Where a node's operand comes from. */
export type Operand =
  | { readonly kind: 'input'; readonly index: number }
  | { readonly kind: 'weight'; readonly index: number }
  | { readonly kind: 'constant'; readonly value: Constant }
  /** Whole numbers that depend on the batch, as a vector. */
  | { readonly kind: 'sizes'; readonly sizes: readonly Size[] }
  /** One value everywhere, of a shape that depends on the batch. */
  | { readonly kind: 'filled'; readonly dtype: RecordedType; readonly value: number; readonly shape: readonly Size[] }
  | { readonly kind: 'node'; readonly index: number; readonly output: number }

export interface BatchNode {
  /** A TensorFlow operator. */
  readonly operator: string
  readonly attributes: readonly Attribute[]
  readonly operands: readonly Operand[]
  readonly outputTypes: readonly number[]
  readonly outputShapes: readonly (readonly Size[])[]
}

export interface BatchGraph {
  readonly inputs: readonly GraphTensor[]
  /** Tensors that the caller has by name; their values are not in here. */
  readonly weights: readonly GraphTensor[]
  readonly nodes: readonly BatchNode[]
  readonly outputs: readonly (GraphTensor & { readonly operand: Operand })[]
}

/** Two sizes find a straight line and the third must lie on it; no two are multiples of each other, none is 1. */
const BATCHES = [2, 3, 5] as const

/**
 * Records `forward` at several batch sizes.
 * @param forward   a pure function of its inputs and of `weights`
 * @param inputsAt  example inputs of a batch of that many images; disposed here
 * @throws LabError 'invalid-input' naming what depends on the batch in a way that no graph can say, 'engine-missing'
 *   without the native engine
 */
export function recordBatchGraph(
  forward: (inputs: NamedTensors) => NamedTensors,
  inputsAt: (batch: number) => NamedTensors,
  weights: Readonly<Record<string, tf.Variable>>,
): BatchGraph {
  const shapes: (readonly (readonly number[])[])[] = []
  const recordings = BATCHES.map((batch) => {
    const inputs = inputsAt(batch)
    try {
      const outputs = (given: NamedTensors) => {
        const made = forward(given)
        shapes.push(Object.values(made).map(({ shape }) => [...shape]))
        return made
      }
      return withoutUnusedVariables(record(outputs, inputs, weights))
    } finally {
      tf.dispose(inputs as tf.TensorContainer)
    }
  })
  return merged(recordings, shapes)
}

function merged(recordings: readonly Recording[], outputShapes: readonly (readonly (readonly number[])[])[]): BatchGraph {
  const [first] = recordings as [Recording]
  const paths = new Set(recordings.map(({ nodes }) => nodes.map(({ operator }) => operator).join()))
  if (paths.size > 1) throw refusal('the operators that run', 'other operators run at other batch sizes')
  const live = liveParts(first).nodes
  const positions = new Map<number, number>()
  live.forEach((isLive, index) => isLive && positions.set(index, positions.size))
  const operandOf = (place: string, sources: readonly Source[]): Operand => {
    const [source] = sources as [Source]
    if (source.kind === 'constant') return constantOf(place, sources, recordings)
    if (sources.some((other) => JSON.stringify(other) !== JSON.stringify(source)))
      throw refusal(place, 'it reads other values at other batch sizes')
    if (source.kind === 'variable') return { kind: 'weight', index: source.index }
    if (source.kind === 'input') return source
    return { ...source, index: positions.get(source.index)! }
  }
  const nodeAt = (index: number): BatchNode => {
    const each = recordings.map(({ nodes }) => nodes[index]!) as [RecordedNode, ...RecordedNode[]]
    const { operator, attributes, outputTypes } = each[0]
    if (each.some((other) => JSON.stringify(other.attributes) !== JSON.stringify(attributes)))
      throw refusal(operator, 'an attribute of it changes with the batch')
    return {
      operator,
      attributes,
      outputTypes,
      operands: each[0].inputs.map((_, i) =>
        operandOf(
          operator,
          each.map(({ inputs }) => inputs[i]!),
        ),
      ),
      outputShapes: outputTypes.map((_, i) =>
        sizesOf(
          operator,
          each.map((other) => other.outputShapes[i]!),
        ),
      ),
    }
  }
  return {
    inputs: first.inputs.map(({ name, dtype }, i) => ({
      name,
      dtype,
      shape: sizesOf(
        name,
        recordings.map(({ inputs }) => inputs[i]!.shape),
      ),
    })),
    weights: first.variables.map(({ name, dtype, shape }) => ({ name, dtype, shape: shape.map(fixed) })),
    nodes: [...positions.keys()].map(nodeAt),
    outputs: first.outputs.map(({ name }, i) => ({
      name,
      dtype: 'float32',
      shape: sizesOf(
        name,
        outputShapes.map((shapes) => shapes[i]!),
      ),
      operand: operandOf(
        name,
        recordings.map(({ outputs }) => outputs[i]!.source),
      ),
    })),
  }
}

/** A constant: the same at every size, or a vector of sizes, or one value in a tensor that grows. */
function constantOf(place: string, sources: readonly Source[], recordings: readonly Recording[]): Operand {
  const constants = recordings.map((recording, i) => recording.constants[sources[i]!.index]!)
  const [value] = constants as [Constant]
  const { dtype } = value
  const isSame = (other: Constant) =>
    other.shape.join() === value.shape.join() && other.values.length === value.values.length && other.values.every((x, i) => Object.is(x, value.values[i]))
  if (constants.every(isSame)) return { kind: 'constant', value }
  if (dtype === 'int32' && value.shape.length === 1 && constants.every(({ values }) => values.length === value.values.length))
    return { kind: 'sizes', sizes: sizesOf(place, constants.map(({ values }) => [...values])) }
  const [filling] = value.values
  if (filling !== undefined && constants.every(({ values }) => values.every((each) => Object.is(each, filling))))
    return { kind: 'filled', dtype, value: filling, shape: sizesOf(place, constants.map(({ shape }) => shape)) }
  throw refusal(place, `a ${dtype} value made in JavaScript for it changes with the batch`)
}

/** Equal-length lists of whole numbers, one a recording, as sizes. */
function sizesOf(place: string, lists: readonly (readonly number[])[]): readonly Size[] {
  const [first, second, third] = lists as [readonly number[], readonly number[], readonly number[]]
  if (first.length !== second.length || first.length !== third.length) throw refusal(place, 'the number of its axes changes with the batch')
  return first.map((size, axis) => {
    const perBatch = (second[axis]! - size) / (BATCHES[1] - BATCHES[0])
    const plus = size - perBatch * BATCHES[0]
    if (third[axis] !== perBatch * BATCHES[2] + plus)
      throw refusal(place, `its size ${axis} is ${first[axis]}, ${second[axis]}, ${third[axis]} for batches of ${BATCHES.join(', ')}`)
    return { perBatch, plus }
  })
}

export function fixed(plus: number): Size {
  return { perBatch: 0, plus }
}

/** The number, where it does not depend on the batch. */
export function fixedSize({ perBatch, plus }: Size): number | null {
  return perBatch === 0 ? plus : null
}

function refusal(place: string, reason: string): LabError {
  return new LabError(
    'invalid-input',
    `${place}: ${reason}, so that no graph of open batch size computes it. Export the Hugging Face folder instead.`,
    { place },
  )
}
