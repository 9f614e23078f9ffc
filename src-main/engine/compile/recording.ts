// A recorded step as plain data: which operators ran, on what, and which of their values are the step's outputs and the new
// values of its variables. Shapes are fixed; a step of other shapes is another recording. Nothing here holds a tensor.

/** TensorFlow's numbers for the types a step may use (tensorflow/core/framework/types.proto). */
export const DATA_TYPES = { float32: 1, int32: 3, bool: 10 } as const
export const DT_BFLOAT16 = 14
export const DT_RESOURCE = 20

export type RecordedType = keyof typeof DATA_TYPES

export interface TensorSpec {
  readonly name: string
  readonly dtype: RecordedType
  readonly shape: readonly number[]
}

/** Where a value comes from. */
export type Source =
  | { readonly kind: 'input'; readonly index: number }
  | { readonly kind: 'variable'; readonly index: number }
  | { readonly kind: 'constant'; readonly index: number }
  | { readonly kind: 'node'; readonly index: number; readonly output: number }

export interface Constant {
  readonly dtype: RecordedType
  readonly shape: readonly number[]
  /** float32 as Float32Array, int32 as Int32Array, bool as Uint8Array. */
  readonly values: Float32Array | Int32Array | Uint8Array
}

export interface Attribute {
  readonly name: string
  readonly kind: 'string' | 'int' | 'float' | 'bool' | 'type' | 'shape'
  readonly value: string | number | boolean | readonly number[] | readonly boolean[]
}

export interface RecordedNode {
  /** A TensorFlow operator, TIE, or ADAM. */
  readonly operator: string
  readonly attributes: readonly Attribute[]
  readonly inputs: readonly Source[]
  readonly outputTypes: readonly number[]
  readonly outputShapes: readonly (readonly number[])[]
}

/** Not TensorFlow's: input 0 passed on, but not before input 1 is known. See graph-operators.ts. */
export const TIE = 'Tie'
/**
 * Not TensorFlow's: from weight, first and second moment, gradient, scale, rate, β₁, β₂, ε and, where the weight decays, decay,
 * the next weight and moments. They are assigned to the variables that inputs 0 to 2 are, and used for nothing else.
 */
export const ADAM = 'Adam'

export interface Recording {
  readonly inputs: readonly TensorSpec[]
  readonly variables: readonly TensorSpec[]
  readonly constants: readonly Constant[]
  readonly nodes: readonly RecordedNode[]
  readonly outputs: readonly { readonly name: string; readonly source: Source }[]
  /** New values of the variables the step assigns, by the variable's index. */
  readonly assigned: readonly { readonly variable: number; readonly source: Source }[]
  /** Whether a constant was there before the step ran, so that its value is not a matter of the step's code alone. */
  readonly hasCapturedConstants: boolean
  /** Inputs used as row numbers: every value must lie in [0, limit). XLA would read the nearest row instead of complaining. */
  readonly indexLimits: readonly { readonly input: number; readonly limit: number }[]
}

/** Which nodes and constants the outputs and assignments need. */
export function liveParts(recording: Recording): { readonly nodes: readonly boolean[]; readonly constants: readonly boolean[] } {
  const nodes = recording.nodes.map(() => false)
  const constants = recording.constants.map(() => false)
  const mark = (source: Source): void => {
    if (source.kind === 'node') nodes[source.index] = true
    if (source.kind === 'constant') constants[source.index] = true
  }
  for (const { source } of [...recording.outputs, ...recording.assigned]) mark(source)
  // A node's inputs come before it, so one pass from the end reaches everything.
  for (let index = recording.nodes.length - 1; index >= 0; index -= 1)
    if (nodes[index]) recording.nodes[index]!.inputs.forEach(mark)
  return { nodes, constants }
}

/** The recording without the variables that nothing live reads and nothing assigns: a program holds only what it uses. */
export function withoutUnusedVariables(recording: Recording): Recording {
  const live = liveParts(recording)
  const used = new Set(recording.assigned.map(({ variable }) => variable))
  const mark = (source: Source): void => {
    if (source.kind === 'variable') used.add(source.index)
  }
  for (const { source } of [...recording.outputs, ...recording.assigned]) mark(source)
  recording.nodes.forEach((node, index) => {
    if (live.nodes[index]) node.inputs.forEach(mark)
  })
  const positions = new Map([...used].sort((a, b) => a - b).map((variable, position) => [variable, position]))
  const moved = (source: Source): Source =>
    source.kind === 'variable' ? { kind: 'variable', index: positions.get(source.index) ?? -1 } : source
  return {
    ...recording,
    variables: [...positions.keys()].map((variable) => recording.variables[variable]!),
    nodes: recording.nodes.map((node) => ({ ...node, inputs: node.inputs.map(moved) })),
    outputs: recording.outputs.map(({ name, source }) => ({ name, source: moved(source) })),
    assigned: recording.assigned.map(({ variable, source }) => ({ variable: positions.get(variable)!, source: moved(source) })),
  }
}
