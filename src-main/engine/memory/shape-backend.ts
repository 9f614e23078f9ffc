// A backend of TensorFlow.js that computes no number: every kernel gives a tensor of the right shape and type, and what is
// counted is how many bytes are alive at once. A training step run on it, forward, backward and update, allocates and frees
// what the real one does, so its peak is the real one's, for any model, objective and setting, in a fraction of a second.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'

const NAME = 'shapes'
const BYTES: Readonly<Record<string, number>> = { float32: 4, int32: 4, bool: 1, complex64: 8, string: 0 }

interface Info {
  readonly dataId: object
  readonly shape: number[]
  readonly dtype: tf.DataType
}

class ShapeBackend extends tf.KernelBackend {
  readonly #held = new Map<object, { readonly bytes: number; references: number }>()
  aliveBytes = 0
  peakBytes = 0

  make(shape: readonly number[], dtype: tf.DataType = 'float32'): Info {
    const dataId = {}
    this.#hold(dataId, sizeOf(shape), dtype)
    return { dataId, shape: [...shape], dtype }
  }

  /** Another view of the same values. */
  share({ dataId, dtype }: Info, shape: readonly number[]): Info {
    this.incRef(dataId)
    return { dataId, shape: [...shape], dtype }
  }

  override write(_values: unknown, shape: number[], dtype: tf.DataType): object {
    const dataId = {}
    this.#hold(dataId, sizeOf(shape), dtype)
    return dataId
  }

  override move(dataId: object, _values: unknown, shape: number[], dtype: tf.DataType): void {
    this.#hold(dataId, sizeOf(shape), dtype)
  }

  override disposeData(dataId: object): boolean {
    const held = this.#held.get(dataId)
    if (held === undefined || --held.references > 0) return false
    this.#held.delete(dataId)
    this.aliveBytes -= held.bytes
    return true
  }

  override refCount(dataId: object): number {
    return this.#held.get(dataId)?.references ?? 0
  }

  override incRef(dataId: object): void {
    this.#held.get(dataId)!.references += 1
  }

  override readSync(): never {
    throw new LabError('internal', 'the step reads a value back into JavaScript; a step must not')
  }

  override numDataIds(): number {
    return this.#held.size
  }

  override floatPrecision(): 16 | 32 {
    return 32
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false }
  }

  #hold(dataId: object, size: number, dtype: tf.DataType): void {
    const bytes = size * (BYTES[dtype] ?? 4)
    this.#held.set(dataId, { bytes, references: 1 })
    this.aliveBytes += bytes
    this.peakBytes = Math.max(this.peakBytes, this.aliveBytes)
  }
}

/** Counts bytes while `body` runs on shapes alone. */
export interface ByteCount {
  readonly aliveBytes: number
  /** Most bytes alive at once since the last reading. */
  takePeakBytes(): number
}

/**
 * Runs `body` on shapes alone; the backend in use before is in use again afterwards. Tensors that it makes are its own to
 * dispose, and must not leave it.
 * @throws LabError 'internal' naming a kernel whose shapes are not known here
 */
export function onShapes<Result>(body: (count: ByteCount) => Result): Result {
  const before = tf.getBackend()
  if (tf.findBackend(NAME) === null) register()
  // A factory that promises nothing is ready when the call returns.
  void tf.setBackend(NAME)
  try {
    const backend = tf.backend() as ShapeBackend
    backend.peakBytes = backend.aliveBytes
    const floor = backend.aliveBytes
    return body({
      get aliveBytes() {
        return backend.aliveBytes - floor
      },
      takePeakBytes() {
        const peak = backend.peakBytes - floor
        backend.peakBytes = backend.aliveBytes
        return peak
      },
    })
  } catch (thrown) {
    const kernel = /Kernel '(\w+)' not registered/.exec((thrown as Error).message)?.[1]
    if (kernel !== undefined) throw new LabError('internal', `memory cannot be predicted: the shapes of the kernel ${kernel} are not known`, { kernel }, thrown)
    throw thrown
  } finally {
    void tf.setBackend(before)
  }
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

type Attributes = Readonly<Record<string, unknown>>
type Kernel = (inputs: Readonly<Record<string, Info>>, attributes: Attributes, backend: ShapeBackend) => Info | Info[]

function register(): void {
  tf.registerBackend(NAME, () => new ShapeBackend())
  for (const [kernelName, shapesOf] of Object.entries(KERNELS))
    tf.registerKernel({
      kernelName,
      backendName: NAME,
      kernelFunc: ({ inputs, attrs, backend }) =>
        shapesOf(inputs as unknown as Record<string, Info>, (attrs ?? {}) as Attributes, backend as ShapeBackend) as unknown as tf.TensorInfo,
    })
}

const like: Kernel = ({ x }, _, backend) => backend.make(x!.shape, x!.dtype)
const boolLike: Kernel = ({ x }, _, backend) => backend.make(x!.shape, 'bool')
const broadcast =
  (dtype?: tf.DataType): Kernel =>
  ({ a, b }, _, backend) =>
    backend.make(tf.broadcast_util.assertAndGetBroadcastShape(a!.shape, b!.shape), dtype ?? a!.dtype)
const reduced =
  (dtype?: tf.DataType): Kernel =>
  ({ x }, attributes, backend) => {
    const given = attributes['axis'] ?? attributes['reductionIndices']
    const axes = given === undefined || given === null ? x!.shape.map((_, axis) => axis) : tf.util.parseAxisParam(given as number | number[], x!.shape)
    const shape = attributes['keepDims'] === true ? x!.shape.map((size, axis) => (axes.includes(axis) ? 1 : size)) : x!.shape.filter((_, axis) => !axes.includes(axis))
    return backend.make(shape, dtype ?? x!.dtype)
  }
const filled: Kernel = (_, { shape, dtype }, backend) => backend.make(shape as number[], (dtype as tf.DataType | undefined) ?? 'float32')

const product: Kernel = ({ a, b }, { transposeA, transposeB }, backend) => {
  const rows = a!.shape.at(transposeA === true ? -1 : -2)!
  const columns = b!.shape.at(transposeB === true ? -2 : -1)!
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(a!.shape.slice(0, -2), b!.shape.slice(0, -2))
  return backend.make([...batch, rows, columns])
}

const KERNELS: Readonly<Record<string, Kernel>> = {
  ...Object.fromEntries(
    ['Abs', 'Cos', 'Elu', 'Erf', 'Exp', 'Expm1', 'Log', 'Log1p', 'Neg', 'Reciprocal', 'Relu', 'Relu6', 'Round', 'Floor', 'Ceil', 'Rsqrt', 'Sigmoid', 'Sign', 'Sin', 'Softplus', 'Sqrt', 'Square', 'Step', 'Tanh', 'ClipByValue', 'Cumsum', 'OnesLike', 'ZerosLike', 'Reverse'].map(
      (name) => [name, like],
    ),
  ),
  ...Object.fromEntries(['IsFinite', 'IsInf', 'IsNan', 'LogicalNot'].map((name) => [name, boolLike])),
  ...Object.fromEntries(['Add', 'Sub', 'Multiply', 'RealDiv', 'Maximum', 'Minimum', 'Pow', 'SquaredDifference', 'FloorDiv', 'Mod'].map((name) => [name, broadcast()])),
  ...Object.fromEntries(['Equal', 'NotEqual', 'Greater', 'GreaterEqual', 'Less', 'LessEqual', 'LogicalAnd', 'LogicalOr'].map((name) => [name, broadcast('bool')])),
  ...Object.fromEntries(['Sum', 'Mean', 'Max', 'Min', 'Prod'].map((name) => [name, reduced()])),
  ...Object.fromEntries(['Any', 'All'].map((name) => [name, reduced('bool')])),
  ...Object.fromEntries(['ArgMax', 'ArgMin'].map((name) => [name, reduced('int32')])),
  Softmax: ({ logits }, _, backend) => backend.make(logits!.shape),
  LogSoftmax: ({ logits }, _, backend) => backend.make(logits!.shape),
  AddN: (inputs, _, backend) => backend.make(Object.values(inputs)[0]!.shape),
  BatchMatMul: product,
  Cast: ({ x }, { dtype }, backend) => (x!.dtype === dtype ? backend.share(x!, x!.shape) : backend.make(x!.shape, dtype as tf.DataType)),
  Identity: ({ x }, _, backend) => backend.share(x!, x!.shape),
  Reshape: ({ x }, { shape }, backend) => backend.share(x!, tf.util.inferFromImplicitShape(shape as number[], sizeOf(x!.shape))),
  ExpandDims: ({ input }, { dim }, backend) => {
    const shape = [...input!.shape]
    const at = dim as number
    shape.splice(at < 0 ? shape.length + 1 + at : at, 0, 1)
    return backend.share(input!, shape)
  },
  Fill: filled,
  Range: (_, { start, stop, step, dtype }, backend) =>
    backend.make([Math.max(0, Math.ceil(((stop as number) - (start as number)) / ((step as number | undefined) ?? 1)))], dtype as tf.DataType),
  OneHot: ({ indices }, { depth, dtype }, backend) => backend.make([...indices!.shape, depth as number], (dtype as tf.DataType | undefined) ?? 'float32'),
  GatherV2: ({ x, indices }, { axis, batchDims }, backend) => {
    const at = tf.util.parseAxisParam((axis as number | undefined) ?? 0, x!.shape)[0]!
    return backend.make([...x!.shape.slice(0, at), ...indices!.shape.slice((batchDims as number | undefined) ?? 0), ...x!.shape.slice(at + 1)], x!.dtype)
  },
  UnsortedSegmentSum: ({ x, segmentIds }, { numSegments }, backend) => backend.make([numSegments as number, ...x!.shape.slice(segmentIds!.shape.length)]),
  Select: ({ t }, _, backend) => backend.make(t!.shape, t!.dtype),
  Slice: ({ x }, { begin, size }, backend) => {
    // Without sizes a slice goes to the end.
    const [from, given] = [begin, size ?? []] as [number | number[], number | number[]]
    const begins = x!.shape.map((_, axis) => (typeof from === 'number' ? (axis === 0 ? from : 0) : (from[axis] ?? 0)))
    const sizes = x!.shape.map((all, axis) => {
      const wanted = typeof given === 'number' ? (axis === 0 ? given : -1) : (given[axis] ?? -1)
      return wanted < 0 ? all - begins[axis]! : wanted
    })
    return backend.make(sizes, x!.dtype)
  },
  StridedSlice: ({ x }, { begin, end, strides }, backend) =>
    backend.make(
      x!.shape.map((size, axis) => {
        const [from, to, by] = [(begin as number[])[axis] ?? 0, (end as number[])[axis] ?? size, (strides as number[] | undefined)?.[axis] ?? 1]
        return Math.max(0, Math.ceil(((to < 0 ? size + to : Math.min(to, size)) - (from < 0 ? size + from : from)) / by))
      }),
      x!.dtype,
    ),
  SplitV: ({ x }, { numOrSizeSplits, axis }, backend) => {
    const at = tf.util.parseAxisParam(axis as number, x!.shape)[0]!
    const sizes = typeof numOrSizeSplits === 'number' ? Array.from({ length: numOrSizeSplits }, () => x!.shape[at]! / numOrSizeSplits) : (numOrSizeSplits as number[])
    return sizes.map((size) => backend.make(x!.shape.map((all, i) => (i === at ? size : all)), x!.dtype))
  },
  Concat: (inputs, { axis }, backend) => {
    const each = Object.values(inputs)
    const at = tf.util.parseAxisParam(axis as number, each[0]!.shape)[0]!
    return backend.make(each[0]!.shape.map((size, i) => (i === at ? each.reduce((sum, { shape }) => sum + shape[at]!, 0) : size)), each[0]!.dtype)
  },
  Pack: (inputs, { axis }, backend) => {
    const each = Object.values(inputs)
    const shape = [...each[0]!.shape]
    const at = axis as number
    shape.splice(at < 0 ? shape.length + 1 + at : at, 0, each.length)
    return backend.make(shape, each[0]!.dtype)
  },
  Unpack: ({ value }, { axis }, backend) => {
    const at = tf.util.parseAxisParam(axis as number, value!.shape)[0]!
    return Array.from({ length: value!.shape[at]! }, () => backend.make(value!.shape.filter((_, i) => i !== at), value!.dtype))
  },
  PadV2: ({ x }, { paddings }, backend) => backend.make(x!.shape.map((size, axis) => size + (paddings as number[][])[axis]![0]! + (paddings as number[][])[axis]![1]!), x!.dtype),
  Tile: ({ x }, { reps }, backend) => backend.make(x!.shape.map((size, axis) => size * (reps as number[])[axis]!), x!.dtype),
  Transpose: ({ x }, { perm }, backend) => backend.make((perm as number[]).map((axis) => x!.shape[axis]!), x!.dtype),
}
