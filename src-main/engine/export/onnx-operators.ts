// TensorFlow's operators in ONNX's words, one line or one short function each. What a vision encoder may use is here; an
// operator that is absent is refused by name, and adding it is adding a line.

import { LabError } from '../../domain/errors.ts'
import type { Attribute } from '../compile/recording.ts'
import { fixedSize, type BatchNode, type Operand, type Size } from './batch-graph.ts'
import { ONNX_TYPES, type OnnxBuilder, type OnnxType } from './onnx-builder.ts'

/** A node being translated. */
export interface Translation {
  readonly builder: OnnxBuilder
  readonly node: BatchNode
  /** Names of the operands' values. */
  readonly inputs: readonly string[]
  /** An operand's value as int64, as shapes, axes and row numbers of ONNX are. */
  int64(operand: number): string
  /** A constant operand's numbers. @throws LabError 'invalid-input' when they are not known */
  numbers(operand: number): readonly number[]
  shapeOf(operand: number): readonly Size[]
}

type Translate = (translation: Translation) => readonly string[]

/** @throws LabError 'invalid-input' naming an operator or option that has no ONNX form here */
export function translate(translation: Translation): readonly string[] {
  const { operator } = translation.node
  const found = OPERATORS.get(operator)
  if (found === undefined)
    throw new LabError(
      'invalid-input',
      `${operator}: this operator has no ONNX form in the lab; export the Hugging Face folder or a TensorFlow.js graph instead`,
      { operator },
    )
  return found(translation)
}

export function translatableOperators(): readonly string[] {
  return [...OPERATORS.keys()].sort()
}

/** The same operator under ONNX's name. */
const RENAMED: Readonly<Record<string, string>> = {
  ...same('Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Floor Log Neg Reciprocal Round Selu Sigmoid Sign Sin Sinh'),
  ...same('Softplus Sqrt Tan Tanh Relu Identity Elu Add Sub Mul Div Pow Equal Greater Less Einsum'),
  AddV2: 'Add',
  RealDiv: 'Div',
  Maximum: 'Max',
  Minimum: 'Min',
  GreaterEqual: 'GreaterOrEqual',
  LessEqual: 'LessOrEqual',
  LogicalAnd: 'And',
  LogicalOr: 'Or',
  LogicalNot: 'Not',
  IsNan: 'IsNaN',
  IsInf: 'IsInf',
  AddN: 'Sum',
  Select: 'Where',
  SelectV2: 'Where',
}

const REDUCTIONS: Readonly<Record<string, string>> = { Sum: 'ReduceSum', Mean: 'ReduceMean', Max: 'ReduceMax', Min: 'ReduceMin', Prod: 'ReduceProd' }

const OPERATORS = new Map<string, Translate>([
  ...Object.entries(RENAMED).map(([from, to]): [string, Translate] => [
    from,
    ({ builder, node, inputs }) => [builder.one(to, inputs, from === 'Einsum' ? { equation: text(node, 'equation') } : {})],
  ]),
  ...Object.entries(REDUCTIONS).map(([from, to]): [string, Translate] => [
    from,
    (t) => [t.builder.one(to, [t.inputs[0]!, t.int64(1)], { keepdims: Number(attribute(t.node, 'keep_dims')?.value === true) })],
  ]),
  ['Square', ({ builder, inputs: [x] }) => [builder.one('Mul', [x!, x!])]],
  ['Rsqrt', ({ builder, inputs }) => [builder.one('Reciprocal', [builder.one('Sqrt', inputs)])]],
  ['Expm1', ({ builder, inputs }) => [builder.one('Sub', [builder.one('Exp', inputs), builder.float(1)])]],
  ['Log1p', ({ builder, inputs: [x] }) => [builder.one('Log', [builder.one('Add', [x!, builder.float(1)])])]],
  ['Relu6', ({ builder, inputs: [x] }) => [builder.one('Clip', [x!, builder.float(0), builder.float(6)])]],
  ['LeakyRelu', ({ builder, node, inputs }) => [builder.one('LeakyRelu', inputs, { alpha: { float: Number(attribute(node, 'alpha')?.value ?? 0.2) } })]],
  ['SquaredDifference', ({ builder, inputs }) => squared(builder, builder.one('Sub', inputs))],
  ['NotEqual', ({ builder, inputs }) => [builder.one('Not', [builder.one('Equal', inputs)])]],
  ['IsFinite', ({ builder, inputs }) => [builder.one('Not', [builder.one('Or', [builder.one('IsNaN', inputs), builder.one('IsInf', inputs)])])]],
  ['ZerosLike', ({ builder, inputs }) => [filledLike(builder, inputs[0]!, 0)]],
  ['OnesLike', ({ builder, inputs }) => [filledLike(builder, inputs[0]!, 1)]],
  [
    'DivNoNan',
    ({ builder, inputs: [x, y] }) => {
      const isZero = builder.one('Equal', [y!, builder.float(0)])
      return [builder.one('Where', [isZero, builder.float(0), builder.one('Div', [x!, y!])])]
    },
  ],
  ['Softmax', ({ builder, inputs }) => [builder.one('Softmax', inputs, { axis: -1 })]],
  ['LogSoftmax', ({ builder, inputs }) => [builder.one('LogSoftmax', inputs, { axis: -1 })]],
  ['Cast', ({ builder, node, inputs }) => [builder.one('Cast', inputs, { to: ONNX_TYPES[typeOf(node.outputTypes[0]!)] })]],
  ['BatchMatMulV2', (t) => matrixProduct(t, 'adj_x', 'adj_y')],
  ['MatMul', (t) => matrixProduct(t, 'transpose_a', 'transpose_b')],
  ['Reshape', (t) => [t.builder.one('Reshape', [t.inputs[0]!, t.int64(1)])]],
  ['BroadcastTo', (t) => [t.builder.one('Expand', [t.inputs[0]!, t.int64(1)])]],
  ['Fill', (t) => [t.builder.one('Expand', [t.inputs[1]!, t.int64(0)])]],
  ['Tile', (t) => [t.builder.one('Tile', [t.inputs[0]!, t.int64(1)])]],
  ['ExpandDims', (t) => [t.builder.one('Unsqueeze', [t.inputs[0]!, t.builder.int64([...t.numbers(1)])])]],
  ['Transpose', (t) => [t.builder.one('Transpose', [t.inputs[0]!], { perm: [...t.numbers(1)] })]],
  ['ConcatV2', (t) => [t.builder.one('Concat', t.inputs.slice(0, -1), { axis: t.numbers(t.inputs.length - 1)[0]! })]],
  ['Pack', pack],
  ['Unpack', unpack],
  ['Split', (t) => t.builder.node('Split', [t.inputs[1]!], { axis: t.numbers(0)[0]!, num_outputs: t.node.outputTypes.length }, t.node.outputTypes.length)],
  ['SplitV', (t) => t.builder.node('Split', [t.inputs[0]!, t.int64(1)], { axis: t.numbers(2)[0]! }, t.node.outputTypes.length)],
  ['Slice', slice],
  ['StridedSlice', stridedSlice],
  ['GatherV2', gather],
  ['GatherNd', (t) => [t.builder.one('GatherND', [t.inputs[0]!, t.int64(1)])]],
  ['PadV2', (t) => [t.builder.one('Pad', [t.inputs[0]!, t.builder.int64(padding(t)), t.inputs[2]!], { mode: 'constant' })]],
  ['ArgMax', (t) => argument(t, 'ArgMax')],
  ['ArgMin', (t) => argument(t, 'ArgMin')],
  ['Cumsum', (t) => [t.builder.one('CumSum', t.inputs, { exclusive: flag(t.node, 'exclusive'), reverse: flag(t.node, 'reverse') })]],
  ['Conv2D', convolution],
])

function same(operators: string): Record<string, string> {
  return Object.fromEntries(operators.split(' ').map((operator) => [operator, operator]))
}

function squared(builder: OnnxBuilder, x: string): readonly string[] {
  return [builder.one('Mul', [x, x])]
}

function filledLike(builder: OnnxBuilder, like: string, value: number): string {
  return builder.one('CastLike', [builder.one('Expand', [builder.float(value), builder.one('Shape', [like])]), like])
}

/** x·y over the last two axes, each side perhaps transposed: ONNX's product has no such switch. */
function matrixProduct({ builder, node, inputs, shapeOf }: Translation, left: string, right: string): readonly string[] {
  const operands = [left, right].map((name, i) => {
    if (attribute(node, name)?.value !== true) return inputs[i]!
    const axes = Array.from(shapeOf(i), (_, axis) => axis)
    return builder.one('Transpose', [inputs[i]!], { perm: [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!] })
  })
  return [builder.one('MatMul', operands)]
}

function pack({ builder, node, inputs }: Translation): readonly string[] {
  const axis = number(node, 'axis')
  const parts = inputs.map((input) => builder.one('Unsqueeze', [input, builder.int64([axis])]))
  return [builder.one('Concat', parts, { axis })]
}

function unpack({ builder, node, inputs }: Translation): readonly string[] {
  const [axis, count] = [number(node, 'axis'), node.outputTypes.length]
  const parts = builder.node('Split', inputs, { axis, num_outputs: count }, count)
  return parts.map((part) => builder.one('Squeeze', [part, builder.int64([axis])]))
}

/** A size of −1 reaches to the end. */
function slice(t: Translation): readonly string[] {
  const { builder, inputs, shapeOf } = t
  const axes = builder.int64(Array.from(shapeOf(0), (_, axis) => axis))
  const [begins, sizes] = [t.int64(1), t.int64(2)]
  const toEnd = builder.one('Less', [sizes, builder.int64([0])])
  const ends = builder.one('Where', [toEnd, builder.int64([END]), builder.one('Add', [begins, sizes])])
  return [builder.one('Slice', [inputs[0]!, begins, ends, axes])]
}

/** Larger than any axis: ONNX cuts it to the axis. */
const END = 2 ** 31 - 1

function stridedSlice(t: Translation): readonly string[] {
  const { builder, node, inputs } = t
  if (number(node, 'ellipsis_mask') !== 0 || number(node, 'new_axis_mask') !== 0)
    throw new LabError('invalid-input', 'StridedSlice: with an ellipsis or a new axis it has no ONNX form in the lab', { operator: 'StridedSlice' })
  if (['begin_mask', 'end_mask', 'shrink_axis_mask'].every((mask) => number(node, mask) === 0)) {
    const all = builder.int64(t.numbers(3).map((_, axis) => axis))
    return [builder.one('Slice', [inputs[0]!, t.int64(1), t.int64(2), all, t.int64(3)])]
  }
  const [begins, ends, strides] = [t.numbers(1), t.numbers(2), t.numbers(3)]
  const isSet = (name: string, axis: number) => ((number(node, name) >> axis) & 1) === 1
  const shrunk = begins.map((_, axis) => axis).filter((axis) => isSet('shrink_axis_mask', axis))
  const from = begins.map((begin, axis) => (isSet('begin_mask', axis) ? (strides[axis]! > 0 ? 0 : END) : begin))
  const to = ends.map((end, axis) => {
    if (shrunk.includes(axis)) return begins[axis] === -1 ? END : begins[axis]! + 1
    return isSet('end_mask', axis) ? (strides[axis]! > 0 ? END : -END) : end
  })
  const axes = begins.map((_, axis) => axis)
  const cut = builder.one('Slice', [inputs[0]!, ...[from, to, axes, [...strides]].map((each) => builder.int64(each))])
  return [shrunk.length === 0 ? cut : builder.one('Squeeze', [cut, builder.int64(shrunk)])]
}

function gather(t: Translation): readonly string[] {
  if (number(t.node, 'batch_dims') !== 0)
    throw new LabError('invalid-input', 'GatherV2: with batch dimensions it has no ONNX form in the lab', { operator: 'GatherV2' })
  return [t.builder.one('Gather', [t.inputs[0]!, t.inputs[1]!], { axis: t.numbers(2)[0]! })]
}

/** TensorFlow pads (before, after) axis by axis; ONNX wants all befores, then all afters. */
function padding(t: Translation): number[] {
  const pairs = t.numbers(1)
  return [...pairs.filter((_, i) => i % 2 === 0), ...pairs.filter((_, i) => i % 2 === 1)]
}

function argument(t: Translation, operator: string): readonly string[] {
  const wide = t.builder.one(operator, [t.inputs[0]!], { axis: t.numbers(1)[0]!, keepdims: 0 })
  return [t.builder.one('Cast', [wide], { to: ONNX_TYPES[typeOf(t.node.outputTypes[0]!)] })]
}

/** TensorFlow convolves (B, height, width, C) with (height, width, C, D); ONNX (B, C, height, width) with (D, C, height, width). */
function convolution({ builder, node, inputs }: Translation): readonly string[] {
  const list = (name: string, otherwise: readonly number[]) => (attribute(node, name)?.value as readonly number[] | undefined) ?? otherwise
  const pad = text(node, 'padding')
  if (text(node, 'data_format') !== 'NHWC' || (pad !== 'VALID' && pad !== 'SAME'))
    throw new LabError('invalid-input', `Conv2D: ${text(node, 'data_format')} with padding ${pad} has no ONNX form in the lab`, { operator: 'Conv2D' })
  const first = builder.one('Transpose', [inputs[0]!], { perm: [0, 3, 1, 2] })
  const kernel = builder.one('Transpose', [inputs[1]!], { perm: [3, 2, 0, 1] })
  const product = builder.one('Conv', [first, kernel], {
    strides: list('strides', [1, 1, 1, 1]).slice(1, 3),
    dilations: list('dilations', [1, 1, 1, 1]).slice(1, 3),
    auto_pad: pad === 'SAME' ? 'SAME_UPPER' : 'VALID',
  })
  return [builder.one('Transpose', [product], { perm: [0, 2, 3, 1] })]
}

function attribute({ attributes }: BatchNode, name: string): Attribute | undefined {
  return attributes.find((each) => each.name === name)
}

function number(node: BatchNode, name: string): number {
  return Number(attribute(node, name)?.value ?? 0)
}

function flag(node: BatchNode, name: string): 0 | 1 {
  return attribute(node, name)?.value === true ? 1 : 0
}

function text(node: BatchNode, name: string): string {
  return String(attribute(node, name)?.value ?? '')
}

/** TensorFlow's numbers of types. */
function typeOf(number: number): OnnxType {
  const names: Readonly<Record<number, OnnxType>> = { 1: 'float32', 3: 'int32', 10: 'bool' }
  const name = names[number]
  if (name === undefined) throw new LabError('invalid-input', `a value of TensorFlow's type ${number} has no ONNX form in the lab`, { type: number })
  return name
}

/** The numbers of a constant operand that does not depend on the batch; null for any other. */
export function knownNumbers(operand: Operand): readonly number[] | null {
  if (operand.kind === 'constant') return [...operand.value.values]
  if (operand.kind !== 'sizes') return null
  const sizes = operand.sizes.map(fixedSize)
  return sizes.includes(null) ? null : (sizes as number[])
}
