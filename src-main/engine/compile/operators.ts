// The TensorFlow operators a recorded step may contain, each with its output arguments as TensorFlow registers them.
// A function body names a value `node:argument:index`, so the names matter; `list` marks an argument that holds several
// values. What is absent is refused on purpose: operators whose output shape depends on values (Where, UniqueV2,
// NonMaxSuppression), strings, decoders, and random numbers drawn outside a seed input.

export interface OutputArgument {
  readonly name: string
  readonly list: boolean
}

const ONE_OUTPUT: Readonly<Record<string, string>> = {
  y: `Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Expm1 Floor IsFinite IsInf IsNan Log Log1p LogicalNot Neg
    OnesLike Reciprocal Round Rsqrt Sigmoid Sign Sin Sinh Sqrt Square Tan Tanh ZerosLike Cast Transpose ComplexAbs`,
  z: `Add AddV2 Atan2 Div DivNoNan Equal FloorDiv FloorMod Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr Maximum
    Minimum Mul NotEqual Pow RealDiv SquaredDifference Sub`,
  activations: 'Elu LeakyRelu Relu Relu6 Selu Softplus',
  backprops: 'EluGrad',
  softmax: 'Softmax',
  logsoftmax: 'LogSoftmax',
  sum: 'AddN',
  product: 'MatMul',
  out: 'Cumprod Cumsum Complex',
  bins: 'Bincount',
  crops: 'CropAndResize',
  resized_images: 'ResizeBilinear ResizeNearestNeighbor ScaleAndTranslate',
  r0: 'BroadcastArgs',
  dense: 'SparseToDense',
  in_backprop: 'Dilation2DBackpropInput',
  filter_backprop: 'Dilation2DBackpropFilter',
  output: `All Any ArgMax ArgMin AvgPool AvgPool3D AvgPool3DGrad AvgPoolGrad BatchMatMulV2 BatchToSpaceND BroadcastTo ConcatV2
    Conv2D Conv2DBackpropFilter Conv2DBackpropInput Conv3D Conv3DBackpropFilterV2 Conv3DBackpropInputV2 DepthToSpace
    DepthwiseConv2dNative DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Diag Dilation2D Einsum
    ExpandDims FFT Fill GatherNd GatherV2 IFFT Identity Imag LRN LRNGrad LinSpace Max MaxPool MaxPool3D MaxPool3DGrad
    MaxPoolGrad Mean Min MirrorPad OneHot Pack PadV2 Prod Range Real Reshape ResizeBilinearGrad ResizeNearestNeighborGrad
    ReverseV2 ScatterNd Select SelectV2 Slice SpaceToBatchND StatelessRandomUniform StridedSlice Sum TensorScatterUpdate Tile
    UnsortedSegmentSum`,
}

const SEVERAL_OUTPUTS: Readonly<Record<string, readonly OutputArgument[]>> = {
  Split: [{ name: 'output', list: true }],
  SplitV: [{ name: 'output', list: true }],
  Unpack: [{ name: 'output', list: true }],
  XlaOptimizationBarrier: [{ name: 'output', list: true }],
  TopKV2: one('values', 'indices'),
  FusedBatchNorm: one('y', 'batch_mean', 'batch_variance', 'reserve_space_1', 'reserve_space_2'),
  Svd: one('s', 'u', 'v'),
}

const OPERATORS = new Map<string, readonly OutputArgument[]>([
  ...Object.entries(ONE_OUTPUT).flatMap(([name, operators]) =>
    operators.split(/\s+/).map((operator): [string, readonly OutputArgument[]] => [operator, one(name)]),
  ),
  ...Object.entries(SEVERAL_OUTPUTS),
])

export function isRecordable(operator: string): boolean {
  return OPERATORS.has(operator)
}

/** The `argument:index` of an operator's n-th value, as a function body writes it after the node's name. */
export function outputReference(operator: string, output: number): string {
  const outputs = OPERATORS.get(operator)
  if (outputs === undefined) throw new RangeError(`operator '${operator}' is not in the table of recordable operators`)
  const first = outputs[0]!
  if (first.list) return `${first.name}:${output}`
  const argument = outputs[output]
  if (argument === undefined)
    throw new RangeError(`operator '${operator}' has ${outputs.length} outputs, asked for number ${output}`)
  return `${argument.name}:0`
}

/**
 * Type attributes that tfjs-node leaves to the eager runtime and a graph must name: the attribute, and the operand (from 0) or
 * value whose type it is.
 */
export const INFERRED_TYPES: Readonly<
  Record<string, readonly { readonly name: string; readonly of: 'input' | 'output'; readonly index: number }[]>
> = {
  ExpandDims: [
    { name: 'T', of: 'input', index: 0 },
    { name: 'Tdim', of: 'input', index: 1 },
  ],
  TopKV2: [{ name: 'index_type', of: 'output', index: 1 }],
}

export function recordableOperators(): readonly string[] {
  return [...OPERATORS.keys()].sort()
}

function one(...names: readonly string[]): readonly OutputArgument[] {
  return names.map((name) => ({ name, list: false }))
}
