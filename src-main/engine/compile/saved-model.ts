// Writes a recording as a TensorFlow SavedModel. The step is one function, called by one StatefulPartitionedCall: with
// `_XlaMustCompile` XLA compiles it, without it TensorFlow inlines and optimises it. Variables are resource variables whose
// values are not in the file: a session starts empty, and the graph's `set` and `get` nodes write and read them one by one.
// Deliberately absent: variables/, initialisers and a saver, which the loader does not ask for.

import { outputReference } from './operators.ts'
import { ProtoWriter } from './protobuf.ts'
import {
  ADAM,
  DATA_TYPES,
  DT_BFLOAT16,
  DT_RESOURCE,
  TIE,
  liveParts,
  type Attribute,
  type Constant,
  type RecordedNode,
  type Recording,
  type Source,
  type TensorSpec,
} from './recording.ts'

export interface GraphOptions {
  /** XLA compiles the step at its first call; otherwise TensorFlow's graph executor runs it. */
  readonly xla: boolean
  /** Matrix products read bfloat16 and give float32; weights, moments and reductions stay float32. */
  readonly bfloat16Products: boolean
}

/** What to feed and fetch in the written graph. */
export const graphNames = {
  input: (index: number) => `in${index}:0`,
  output: (index: number) => `step:${index}`,
  /** Feed this and fetch `assigned` to write one variable. */
  placeholder: (variable: number) => `set${variable}:0`,
  assigned: (variable: number) => `done${variable}:0`,
  read: (variable: number) => `get${variable}:0`,
}

/** The bytes of `saved_model.pb`. */
export function writeSavedModel(recording: Recording, options: GraphOptions): Uint8Array {
  return new ProtoWriter()
    .int(1, 1)
    .message(2, (metaGraph) => {
      metaGraph.message(1, (info) => info.string(4, 'serve'))
      metaGraph.message(2, (graph) => {
        for (const node of outerNodes(recording, options)) graph.message(1, (writer) => writeNode(writer, node))
        graph.message(2, (library) => library.message(1, (body) => writeFunction(body, recording, options)))
        // Producer and oldest consumer as TensorFlow 2 writes them.
        graph.message(4, (versions) => versions.int(1, 1882).int(2, 12))
      })
      writeSignatures(metaGraph, recording)
    })
    .finish()
}

type AttributeValue = (value: ProtoWriter) => void

interface GraphNode {
  readonly name: string
  readonly operator: string
  readonly inputs: readonly string[]
  readonly attributes: readonly (readonly [string, AttributeValue])[]
}

const STEP_FUNCTION = 'recorded_step'

function outerNodes(recording: Recording, options: GraphOptions): readonly GraphNode[] {
  const { inputs, variables, outputs } = recording
  const handles = variables.flatMap((variable, index): GraphNode[] => {
    const dtype = typeAttribute('dtype', DATA_TYPES[variable.dtype])
    const shape = shapeAttribute('shape', variable.shape)
    return [
      node(
        `v${index}`,
        'VarHandleOp',
        [],
        [dtype, shape, stringAttribute('shared_name', `v${index}`), stringAttribute('container', '')],
      ),
      node(`set${index}`, 'Placeholder', [], [dtype, shape]),
      node(`assign${index}`, 'AssignVariableOp', [`v${index}`, `set${index}`], [dtype]),
      // A session run fetches values, so an assignment needs one to be fetched by.
      node(
        `done${index}`,
        'Const',
        [`^assign${index}`],
        constantAttributes({ dtype: 'int32', shape: [], values: Int32Array.of(index) }),
      ),
      node(`get${index}`, 'ReadVariableOp', [`v${index}`], [dtype]),
    ]
  })
  const placeholders = inputs.map((input, index) =>
    node(
      `in${index}`,
      'Placeholder',
      [],
      [typeAttribute('dtype', DATA_TYPES[input.dtype]), shapeAttribute('shape', input.shape)],
    ),
  )
  const call = node(
    'step',
    'StatefulPartitionedCall',
    [...inputs.map((_, index) => `in${index}`), ...variables.map((_, index) => `v${index}`)],
    [
      typeListAttribute('Tin', [...inputs.map(({ dtype }) => DATA_TYPES[dtype]), ...variables.map(() => DT_RESOURCE)]),
      typeListAttribute(
        'Tout',
        outputs.map(({ source }) => typeOf(recording, source)),
      ),
      ['f', (value) => value.message(10, (called) => called.string(1, STEP_FUNCTION))],
      ...xlaAttributes(options),
    ],
  )
  return [...handles, ...placeholders, call]
}

function writeFunction(body: ProtoWriter, recording: Recording, options: GraphOptions): void {
  const { inputs, variables, outputs, assigned } = recording
  body.message(1, (signature) => {
    signature.string(1, STEP_FUNCTION)
    const argument = (field: number, name: string, type: number): void =>
      void signature.message(field, (writer) => writer.string(1, name).int(3, type))
    inputs.forEach(({ dtype }, index) => argument(2, `in${index}`, DATA_TYPES[dtype]))
    variables.forEach((_, index) => argument(2, `v${index}`, DT_RESOURCE))
    outputs.forEach(({ source }, index) => argument(3, `out${index}`, typeOf(recording, source)))
    signature.bool(17, true)
    for (const { variable } of assigned) signature.string(20, `assign${variable}`)
  })
  for (const inner of innerNodes(recording, options)) body.message(3, (writer) => writeNode(writer, inner))
  outputs.forEach((_, index) => body.entry(4, `out${index}`, (entry) => entry.string(2, `result${index}:output:0`)))
  for (const [name, write] of xlaAttributes(options)) body.entry(5, name, (entry) => entry.message(2, write))
  for (const each of assigned) body.entry(6, `assign${each.variable}`, (entry) => entry.string(2, assigner(recording, each)))
}

/** The node that gives a variable its new value. */
function assigner(recording: Recording, { variable, source }: Recording['assigned'][number]): string {
  return isUpdate(recording, source) && source.kind === 'node' ? `n${source.index}` : `assign${variable}`
}

function isUpdate(recording: Recording, source: Source): boolean {
  return source.kind === 'node' && recording.nodes[source.index]!.operator === ADAM
}

/** The variables whose old value the step uses; an update in place reads by itself, but for a weight that decays. */
function readVariables(recording: Recording, isLive: readonly boolean[]): ReadonlySet<number> {
  const sources = recording.nodes.flatMap(({ operator, inputs }, index) => {
    if (!isLive[index]) return []
    return operator === ADAM ? [...inputs.slice(3), ...(inputs.length > ADAM_INPUTS ? [inputs[0]!] : [])] : inputs
  })
  const ends = [...recording.outputs, ...recording.assigned].map(({ source }) => source)
  return new Set([...sources, ...ends].flatMap((source) => (source.kind === 'variable' ? [source.index] : [])))
}

function innerNodes(recording: Recording, options: GraphOptions): readonly GraphNode[] {
  const live = liveParts(recording)
  const reference = (source: Source): string => referenceTo(recording, source, options)
  const isRead = readVariables(recording, live.nodes)
  const reads = recording.variables.flatMap(({ dtype }, index) =>
    isRead.has(index) ? [node(`read${index}`, 'ReadVariableOp', [`v${index}`], [typeAttribute('dtype', DATA_TYPES[dtype])])] : [],
  )
  const afterRead = (variable: number): string[] => (isRead.has(variable) ? [`^read${variable}`] : [])
  const constants = recording.constants.flatMap((constant, index) =>
    live.constants[index] ? [node(`c${index}`, 'Const', [], constantAttributes(constant))] : [],
  )
  const sharedNodes: SharedNodes = new Map()
  const operators = recording.nodes.flatMap((recorded, index) => {
    if (!live.nodes[index]) return []
    if (recorded.operator === TIE) return [tieNode(`n${index}`, recorded, reference, options)]
    if (recorded.operator === ADAM) return adamNodes(`n${index}`, recorded, reference, afterRead, sharedNodes)
    if (options.bfloat16Products && isProduct(recorded))
      return productNodes(`n${index}`, recorded, shapeOf(recording, recorded.inputs[0]!), reference, sharedNodes, options)
    return [node(`n${index}`, recorded.operator, recorded.inputs.map(reference), recorded.attributes.map(recordedAttribute))]
  })
  const assignments = recording.assigned.flatMap(({ variable, source }) =>
    isUpdate(recording, source)
      ? []
      : [
          // After the read: the step's old value is what it read, however the executor orders the rest.
          node(
            `assign${variable}`,
            'AssignVariableOp',
            [`v${variable}`, reference(source), ...afterRead(variable)],
            [typeAttribute('dtype', DATA_TYPES[recording.variables[variable]!.dtype])],
          ),
        ],
  )
  const updated = node('updated', 'NoOp', [...new Set(recording.assigned.map((assigned) => `^${assigner(recording, assigned)}`))], [])
  const results = recording.outputs.map(({ source }, index) =>
    node(`result${index}`, 'Identity', [reference(source), '^updated'], [typeAttribute('T', typeOf(recording, source))]),
  )
  return [...reads, ...constants, ...operators, ...sharedNodes.values(), ...assignments, updated, ...results]
}

function referenceTo(recording: Recording, source: Source, options: GraphOptions): string {
  if (source.kind === 'input') return `in${source.index}`
  if (source.kind === 'variable') return `read${source.index}:value:0`
  if (source.kind === 'constant') return `c${source.index}:output:0`
  const { operator } = recording.nodes[source.index]!
  if (operator === TIE) return `n${source.index}:output:0`
  if (options.bfloat16Products && isProduct(recording.nodes[source.index]!)) return `n${source.index}:${options.xla ? 'output' : 'y'}:0`
  return `n${source.index}:${outputReference(operator, source.output)}`
}

/**
 * A tie in the words of the executor at hand. TensorFlow's graph optimiser respects a control edge; XLA drops control edges
 * between pure operators and respects its own barrier.
 */
function tieNode(name: string, tie: RecordedNode, reference: (source: Source) => string, options: GraphOptions): GraphNode {
  const [value, signal] = tie.inputs.map(reference) as [string, string]
  const type = tie.outputTypes[0]!
  if (options.xla)
    return node(name, 'XlaOptimizationBarrier', [value, signal], [typeListAttribute('T', [type, DATA_TYPES.float32])])
  // An argument of the function is named as it is; a node's value is named node:argument:index.
  return node(name, 'Identity', [value, `^${signal.split(':')[0]}`], [typeAttribute('T', type)])
}

/** Inputs of ADAM where the weight does not decay. */
const ADAM_INPUTS = 9

/** An update in the words of TensorFlow: its Adam with a rate that is corrected already, and decay beside it. */
function adamNodes(
  name: string,
  { inputs }: RecordedNode,
  reference: (source: Source) => string,
  afterRead: (variable: number) => readonly string[],
  nodes: SharedNodes,
): readonly GraphNode[] {
  const [weight, first, second] = inputs.slice(0, 3).map(({ index }) => index) as [number, number, number]
  const [gradient, scale, rate, beta1, beta2, epsilon, decay] = inputs.slice(3).map(reference) as [string, string, string, string, string, string, string?]
  const type = typeAttribute('T', DATA_TYPES.float32)
  const zero = `${shared(nodes, 'zero', (named) =>
    node(named, 'Const', [], constantAttributes({ dtype: 'float32', shape: [], values: Float32Array.of(0) })),
  )}:output:0`
  const loss =
    decay === undefined
      ? []
      : [
          node(`${name}_loss`, 'Mul', [`read${weight}:value:0`, decay], [type]),
          node(`${name}_decayed`, 'AssignSubVariableOp', [`v${weight}`, `${name}_loss:z:0`], [typeAttribute('dtype', DATA_TYPES.float32)]),
        ]
  const after = [...[weight, first, second].flatMap(afterRead), ...(decay === undefined ? [] : [`^${name}_decayed`])]
  const handles = [weight, first, second].map((variable) => `v${variable}`)
  return [
    node(`${name}_scaled`, 'MulNoNan', [gradient, scale], [type]),
    ...loss,
    node(name, 'ResourceApplyAdam', [...handles, zero, zero, rate, beta1, beta2, epsilon, `${name}_scaled:z:0`, ...after], [type]),
  ]
}

const PRODUCTS: ReadonlySet<string> = new Set(['BatchMatMulV2', 'MatMul'])

/** Nodes that several products need: a factor rounded, a factor transposed. By what they are made of. */
type SharedNodes = Map<string, GraphNode>

function shared(nodes: SharedNodes, key: string, make: (name: string) => GraphNode): string {
  const known = nodes.get(key) ?? make(`shared${nodes.size}`)
  nodes.set(key, known)
  return known.name
}

/**
 * A matrix product of bfloat16 factors that gives float32. XLA has the product that sums in float32 and never rounds the sum
 * (BatchMatMulV3); TensorFlow's executor has no kernel for it on a processor, so there the sum is rounded and widened.
 */
function productNodes(
  name: string,
  product: RecordedNode,
  shape: readonly number[],
  reference: (source: Source) => string,
  nodes: SharedNodes,
  { xla }: GraphOptions,
): readonly GraphNode[] {
  const [x, y] = product.inputs.map((source) => {
    const wide = reference(source)
    return `${shared(nodes, `narrow ${wide}`, (cast) => castNode(cast, wide, DATA_TYPES.float32, DT_BFLOAT16))}:y:0`
  }) as [string, string]
  const [transposesX, transposesY] = ['x', 'y'].map((factor, i) =>
    product.attributes.some(({ name: given, value }) => value === true && (given === `adj_${factor}` || given === `transpose_${'ab'[i]}`)),
  ) as [boolean, boolean]
  const adjoint = (ofX: boolean) => [boolAttribute('adj_x', ofX), boolAttribute('adj_y', transposesY)]
  if (!xla)
    return [
      node(`${name}_narrow`, 'BatchMatMulV2', [x, y], [...adjoint(transposesX), typeAttribute('T', DT_BFLOAT16)]),
      castNode(name, `${name}_narrow:output:0`, DT_BFLOAT16, DATA_TYPES.float32),
    ]
  const types = [typeAttribute('Ta', DT_BFLOAT16), typeAttribute('Tb', DT_BFLOAT16), typeAttribute('Tout', DATA_TYPES.float32)]
  return [node(name, 'BatchMatMulV3', [transposesX ? rowsAsColumns(x, shape, nodes) : x, y], [...adjoint(false), ...types])]
}

/**
 * A first factor transposed in memory. XLA's bfloat16 kernels for processors (AVX512-BF16, AMX) take a first factor only as rows
 * that are summed along: where the product itself transposes, as every gradient of a weight does, XLA widens both factors and
 * multiplies in float32, at a third of the speed. The reshape states a layout of rows, the barrier keeps XLA from undoing both.
 */
function rowsAsColumns(factor: string, shape: readonly number[], nodes: SharedNodes): string {
  const rank = shape.length
  const order = [...shape.keys()].map((axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis))
  const constant = (values: readonly number[]): string =>
    `${shared(nodes, `constant ${values.join()}`, (name) =>
      node(name, 'Const', [], constantAttributes({ dtype: 'int32', shape: [rank], values: Int32Array.from(values) })),
    )}:output:0`
  const type = typeAttribute('T', DT_BFLOAT16)
  const step = (key: string, operator: string, inputs: readonly string[], attributes: GraphNode['attributes']): string =>
    shared(nodes, `${key} ${factor}`, (name) => node(name, operator, inputs, attributes))
  const transposed = step('transposed', 'Transpose', [factor, constant(order)], [type, typeAttribute('Tperm', DATA_TYPES.int32)])
  const sizes = constant(order.map((axis) => shape[axis]!))
  const laidOut = step('laid out', 'Reshape', [`${transposed}:y:0`, sizes], [type, typeAttribute('Tshape', DATA_TYPES.int32)])
  return `${step('held', 'XlaOptimizationBarrier', [`${laidOut}:output:0`], [typeListAttribute('T', [DT_BFLOAT16])])}:output:0`
}

function isProduct({ operator, outputTypes }: RecordedNode): boolean {
  return PRODUCTS.has(operator) && outputTypes[0] === DATA_TYPES.float32
}

function boolAttribute(name: string, flag: boolean): readonly [string, AttributeValue] {
  return [name, (value) => value.bool(5, flag)]
}

function castNode(name: string, value: string, from: number, to: number): GraphNode {
  return node(name, 'Cast', [value], [typeAttribute('SrcT', from), typeAttribute('DstT', to)])
}

function shapeOf(recording: Recording, source: Source): readonly number[] {
  if (source.kind === 'input') return recording.inputs[source.index]!.shape
  if (source.kind === 'variable') return recording.variables[source.index]!.shape
  if (source.kind === 'constant') return recording.constants[source.index]!.shape
  return recording.nodes[source.index]!.outputShapes[source.output]!
}

function typeOf(recording: Recording, source: Source): number {
  if (source.kind === 'input') return DATA_TYPES[recording.inputs[source.index]!.dtype]
  if (source.kind === 'variable') return DATA_TYPES[recording.variables[source.index]!.dtype]
  if (source.kind === 'constant') return DATA_TYPES[recording.constants[source.index]!.dtype]
  return recording.nodes[source.index]!.outputTypes[source.output]!
}

function node(name: string, operator: string, inputs: readonly string[], attributes: GraphNode['attributes']): GraphNode {
  return { name, operator, inputs, attributes }
}

function writeNode(writer: ProtoWriter, { name, operator, inputs, attributes }: GraphNode): void {
  writer.string(1, name).string(2, operator)
  for (const input of inputs) writer.string(3, input)
  for (const [key, write] of attributes) writer.entry(5, key, (entry) => entry.message(2, write))
}

function xlaAttributes({ xla }: GraphOptions): GraphNode['attributes'] {
  return xla ? [['_XlaMustCompile', (value) => value.bool(5, true)]] : []
}

function stringAttribute(name: string, text: string): readonly [string, AttributeValue] {
  return [name, (value) => value.string(2, text)]
}

function typeAttribute(name: string, type: number): readonly [string, AttributeValue] {
  return [name, (value) => value.int(6, type)]
}

function typeListAttribute(name: string, types: readonly number[]): readonly [string, AttributeValue] {
  return [name, (value) => value.message(1, (list) => types.forEach((type) => list.int(6, type)))]
}

function shapeAttribute(name: string, shape: readonly number[]): readonly [string, AttributeValue] {
  return [name, (value) => value.message(7, (writer) => writeShape(writer, shape))]
}

function recordedAttribute({ name, kind, value }: Attribute): readonly [string, AttributeValue] {
  if (kind === 'shape') return shapeAttribute(name, value as readonly number[])
  const write = (writer: ProtoWriter, item: string | number | boolean): void => {
    if (kind === 'string') writer.string(2, item as string)
    else if (kind === 'int') writer.int(3, Math.trunc(Number(item)))
    else if (kind === 'float') writer.float(4, item as number)
    else if (kind === 'bool') writer.bool(5, item as boolean)
    else writer.int(6, item as number)
  }
  if (!Array.isArray(value)) return [name, (writer) => write(writer, value as string | number | boolean)]
  // A list's fields carry the same numbers as the single values'.
  return [name, (writer) => writer.message(1, (list) => (value as (number | boolean)[]).forEach((item) => write(list, item)))]
}

function constantAttributes(constant: Constant): GraphNode['attributes'] {
  const type = DATA_TYPES[constant.dtype]
  return [['value', (value) => value.message(8, (tensor) => writeTensor(tensor, constant, type))], typeAttribute('dtype', type)]
}

/** Values all alike are written once, which TensorFlow repeats: gradients are full of large tensors of ones and zeros. */
function writeTensor(tensor: ProtoWriter, { shape, values }: Constant, type: number): void {
  tensor.int(1, type).message(2, (writer) => writeShape(writer, shape))
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  if (values.length > 1 && isUniform(values)) {
    if (values instanceof Float32Array) tensor.float(5, values[0]!)
    else tensor.int(values instanceof Int32Array ? 7 : 11, values[0]!)
  } else tensor.bytes(4, bytes)
}

function isUniform(values: Constant['values']): boolean {
  // As bits: −0 is not 0, and NaN equals itself.
  const words = values instanceof Uint8Array ? values : new Uint32Array(values.buffer, values.byteOffset, values.length)
  return words.every((word) => word === words[0])
}

function writeShape(writer: ProtoWriter, shape: readonly number[]): void {
  for (const size of shape) writer.message(2, (dimension) => dimension.int(1, size))
}

/** Names for other readers of the file; the lab itself feeds and fetches by `graphNames`. */
function writeSignatures(metaGraph: ProtoWriter, { inputs, variables, outputs, ...recording }: Recording): void {
  type Named = readonly (readonly [string, string, number, readonly number[]])[]
  const info = (writer: ProtoWriter, field: number, named: Named): void => {
    for (const [key, tensor, type, shape] of named)
      writer.entry(field, key, (entry) =>
        entry.message(2, (value) =>
          value
            .string(1, tensor)
            .int(2, type)
            .message(3, (s) => writeShape(s, shape)),
        ),
      )
  }
  const signature = (name: string, given: Named, got: Named): void =>
    void metaGraph.entry(5, name, (entry) =>
      entry.message(2, (writer) => {
        info(writer, 1, given)
        info(writer, 2, got)
        writer.string(3, 'tensorflow/serving/predict')
      }),
    )
  const spec = (name: (index: number) => string, specs: readonly TensorSpec[]): Named =>
    specs.map((entry, index) => [entry.name, name(index), DATA_TYPES[entry.dtype], entry.shape])
  const whole = { inputs, variables, outputs, ...recording }
  signature(
    'step',
    spec(graphNames.input, inputs),
    outputs.map(({ name, source }, index) => [name, graphNames.output(index), typeOf(whole, source), []]),
  )
  signature(
    'set_state',
    spec(graphNames.placeholder, variables),
    variables.map(({ name }, index) => [name, graphNames.assigned(index), DATA_TYPES.int32, []]),
  )
  signature('get_state', [], spec(graphNames.read, variables))
}
