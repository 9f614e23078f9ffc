// The shapes and types that an operator gives, without computing it: what recording needs in place of values. Operators that
// work number by number or dominate a step's work have a rule; every other one is run once on zeros, which is exact because
// the shapes of recordable operators never depend on values that are not constants.

import * as tf from '@tensorflow/tfjs'
import type { NativeBackend, NativeAttribute } from './native-backend.ts'

export interface Output {
  readonly shape: number[]
  readonly dtype: tf.DataType
}

/** An operand: known when its values are a constant's. */
export interface Operand {
  readonly tensor: tf.TensorInfo
  readonly isKnown: boolean
}

type Execute = (operator: string, attributes: NativeAttribute[], inputs: tf.TensorInfo[], outputs: number) => tf.Tensor[]

/** Output = operands broadcast against each other. */
const ELEMENTWISE: ReadonlySet<string> = new Set(
  `Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Expm1 Floor IsFinite IsInf IsNan Log Log1p LogicalNot Neg
  OnesLike Reciprocal Round Rsqrt Sigmoid Sign Sin Sinh Sqrt Square Tan Tanh ZerosLike Cast Identity Elu EluGrad LeakyRelu
  Relu Relu6 Selu Softplus Softmax LogSoftmax Add AddV2 AddN Atan2 Div DivNoNan Equal FloorDiv FloorMod Greater GreaterEqual
  Less LessEqual LogicalAnd LogicalOr Maximum Minimum Mul NotEqual Pow RealDiv SquaredDifference Sub`.split(/\s+/),
)
const REDUCTIONS: ReadonlySet<string> = new Set(['Sum', 'Mean', 'Max', 'Min', 'Prod', 'Any', 'All'])
const PRODUCTS: ReadonlySet<string> = new Set(['BatchMatMulV2', 'MatMul'])

/** One recording's memory of what its operators give. */
export class OutputShapes {
  readonly #backend: NativeBackend
  readonly #execute: Execute
  readonly #known = new Map<string, readonly Output[]>()

  /** @param execute  the backend's own, which computes */
  constructor(backend: NativeBackend, execute: Execute) {
    this.#backend = backend
    this.#execute = execute
  }

  of(operator: string, attributes: NativeAttribute[], operands: readonly Operand[], outputs: number): readonly Output[] {
    const inputs = operands.map(({ tensor }) => tensor)
    if (ELEMENTWISE.has(operator)) {
      const shape = inputs.reduce<number[]>((sum, input) => tf.broadcast_util.assertAndGetBroadcastShape(sum, input.shape), [])
      const numbers = inputs.map(({ dtype }) => ({ tensor: { dtype, shape: [1], dataId: {} }, isKnown: false }))
      return this.#tried(operator, attributes, numbers, 1).map(({ dtype }) => ({ shape, dtype }))
    }
    const [x, y] = inputs
    if (PRODUCTS.has(operator)) {
      const turned = (names: readonly string[]) => names.some((name) => flag(attributes, name))
      const batch = tf.broadcast_util.assertAndGetBroadcastShape(x!.shape.slice(0, -2), y!.shape.slice(0, -2))
      const rows = x!.shape.at(turned(['adj_x', 'transpose_a']) ? -1 : -2)!
      return [{ shape: [...batch, rows, y!.shape.at(turned(['adj_y', 'transpose_b']) ? -2 : -1)!], dtype: x!.dtype }]
    }
    if (operator === 'Select') return [{ shape: y!.shape, dtype: y!.dtype }]
    if (REDUCTIONS.has(operator) && operands[1]?.isKnown === true) {
      const axes = tf.util.parseAxisParam([...this.#values(y!)], x!.shape)
      const keeps = flag(attributes, 'keep_dims')
      const shape = x!.shape.flatMap((size, axis) => (axes.includes(axis) ? (keeps ? [1] : []) : [size]))
      return [{ shape, dtype: x!.dtype }]
    }
    if (operator === 'GatherV2' && operands[2]?.isKnown === true) {
      const [axis] = tf.util.parseAxisParam(this.#values(inputs[2]!)[0]!, x!.shape) as [number]
      const batchDims = attributes.find(({ name }) => name === 'batch_dims')?.value as number | undefined
      return [{ shape: [...x!.shape.slice(0, axis), ...y!.shape.slice(batchDims ?? 0), ...x!.shape.slice(axis + 1)], dtype: x!.dtype }]
    }
    if (operator === 'UnsortedSegmentSum' && operands[2]?.isKnown === true)
      return [{ shape: [...this.#values(inputs[2]!), ...x!.shape.slice(y!.shape.length)], dtype: x!.dtype }]
    return this.#tried(operator, attributes, operands, outputs)
  }

  #tried(operator: string, attributes: NativeAttribute[], operands: readonly Operand[], outputs: number): readonly Output[] {
    const described = operands.map(({ tensor, isKnown }) => [tensor.dtype, tensor.shape, isKnown && isSmall(tensor) ? this.#values(tensor) : null])
    const key = JSON.stringify([operator, attributes, described, outputs])
    const known = this.#known.get(key)
    if (known !== undefined) return known
    let found: readonly Output[] = []
    tf.tidy(() => {
      // Ones where all is number by number: zero divided by zero is an error among integers. Elsewhere zeros, which are rows of any table.
      const stand = ({ dtype, shape }: tf.TensorInfo) => (ELEMENTWISE.has(operator) ? tf.ones(shape, dtype) : tf.zeros(shape, dtype))
      const inputs = operands.map(({ tensor, isKnown }) => (isKnown ? tensor : stand(tensor)))
      found = this.#execute(operator, attributes, inputs, outputs).map(({ shape, dtype }) => ({ shape: [...shape], dtype }))
    })
    this.#known.set(key, found)
    return found
  }

  #values({ dataId }: tf.TensorInfo): number[] {
    const native = this.#backend.tensorMap.get(dataId)
    return Array.from((native.values ?? this.#backend.binding.tensorDataSync(native.id)) as ArrayLike<number>)
  }
}

/** What can be an axis, an order, a shape: a larger constant is data, and no output's shape depends on it. */
function isSmall({ shape, dtype }: tf.TensorInfo): boolean {
  return dtype === 'int32' && tf.util.sizeFromShape(shape) <= 32
}

function flag(attributes: readonly NativeAttribute[], name: string): boolean {
  return attributes.some((attribute) => attribute.name === name && attribute.value === true)
}
