// Kernels that TensorFlow.js's WebAssembly backend lacks or computes wrongly, filled in without speed in mind except where
// training passes through: gathering rows and adding them back (every embedding and its gradient).

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import { publishedKernel, replaceKernel, sizeOf, type Kernel, type KernelContext } from './kernel-context.ts'

/** Computed by the plain JavaScript backend on copies: rare in a transformer. As published, the last gives wrong values. */
const BORROWED = [
  'Conv2DBackpropFilter',
  'DepthwiseConv2dNativeBackpropInput',
  'DepthwiseConv2dNativeBackpropFilter',
  'Einsum',
  'MaxPoolGrad',
] as const

export function registerFills(context: KernelContext) {
  replaceKernel('GatherV2', gather(context))
  replaceKernel('UnsortedSegmentSum', unsortedSegmentSum(context))
  replaceKernel('Cumsum', cumsum(context))
  for (const name of BORROWED) replaceKernel(name, borrowed(context, name))
}

/** out[b, o, i, s] = x[b, o, indices[b, i], s], the shapes flattened to batch, outer, index and slice. */
function gather(context: KernelContext): Kernel {
  const { backend } = context
  return ({ x, indices }, { axis, batchDims }) => {
    const parsedAxis = tf.util.parseAxisParam(axis as number, x!.shape)[0]!
    const info = tf.backend_util.segment_util.collectGatherOpShapeInfo(
      x as tf.Tensor,
      indices as tf.Tensor,
      parsedAxis,
      batchDims as number,
    )
    const { batchSize, outerSize, dimSize, sliceSize, outputShape } = info
    const picks = backend.typedArrayFromHeap(indices!)
    const perBatch = picks.length / batchSize
    for (const index of picks)
      if (!(index >= 0 && index < dimSize))
        throw new LabError(
          'invalid-input',
          `gather expects indices in [0, ${dimSize - 1}] along axis ${parsedAxis} of [${x!.shape}], found ${index}`,
        )
    const out = backend.makeOutput(outputShape, x!.dtype)
    // The picks are read again: making room for the output may have moved the heap's end and with it the view.
    const from = backend.typedArrayFromHeap(x!)
    const to = backend.typedArrayFromHeap(out)
    const chosen = backend.typedArrayFromHeap(indices!)
    let at = 0
    for (let b = 0; b < batchSize; b++)
      for (let o = 0; o < outerSize; o++) {
        const origin = (b * outerSize + o) * dimSize
        for (let i = 0; i < perBatch; i++, at += sliceSize) {
          const start = (origin + chosen[b * perBatch + i]!) * sliceSize
          if (sliceSize < 16) for (let s = 0; s < sliceSize; s++) to[at + s] = from[start + s]!
          else to.set(from.subarray(start, start + sliceSize), at)
        }
      }
    return out
  }
}

/** out[segmentIds[i]] += x[i]; a negative id drops its row. The gradient of gather. */
function unsortedSegmentSum(context: KernelContext): Kernel {
  const { backend } = context
  return ({ x, segmentIds }, { numSegments }) => {
    const rows = sizeOf(segmentIds!.shape)
    const rowShape = x!.shape.slice(segmentIds!.shape.length)
    const width = sizeOf(rowShape)
    const out = backend.makeOutput([numSegments as number, ...rowShape], x!.dtype)
    const to = backend.typedArrayFromHeap(out).fill(0)
    const from = backend.typedArrayFromHeap(x!)
    const ids = backend.typedArrayFromHeap(segmentIds!)
    for (let row = 0; row < rows; row++) {
      const id = ids[row]!
      if (id < 0 || id >= (numSegments as number)) continue
      for (let i = row * width, o = id * width; i < (row + 1) * width; i++, o++) to[o]! += from[i]!
    }
    return out
  }
}

/** As published, a negative axis gives an empty tensor. */
function cumsum(context: KernelContext): Kernel {
  const published = publishedKernel(context, 'Cumsum')
  return (inputs, attributes) => {
    const [axis] = tf.util.parseAxisParam(attributes.axis as number, inputs.x!.shape)
    return published(inputs, { ...attributes, axis })
  }
}

interface PlainBackend {
  makeTensorInfo(shape: number[], dtype: tf.DataType, values: tf.BackendValues): tf.TensorInfo
  disposeIntermediateTensorInfo(info: tf.TensorInfo): void
  readSync(dataId: tf.DataId): tf.BackendValues
}

function borrowed(context: KernelContext, name: string): Kernel {
  const { kernelFunc } = tf.getKernel(name, 'cpu')
  const { backend } = context
  return (inputs, attributes) => {
    const plain = tf.findBackend('cpu') as unknown as PlainBackend & tf.KernelBackend
    const copyOf = (input: tf.TensorInfo) => plain.makeTensorInfo(input.shape, input.dtype, backend.readSync(input.dataId))
    // Einsum's inputs are an array; every other kernel's are named.
    const copies = Array.isArray(inputs)
      ? inputs.map(copyOf)
      : Object.fromEntries(Object.entries(inputs).map(([key, input]) => [key, copyOf(input)]))
    const results = [
      kernelFunc({ inputs: copies as tf.NamedTensorInfoMap, attrs: attributes as tf.NamedAttrMap, backend: plain }),
    ].flat()
    const outputs = results.map((result) =>
      backend.makeOutput(result.shape, result.dtype, undefined, plain.readSync(result.dataId) as tf.TypedArray),
    )
    for (const info of [...Object.values(copies), ...results]) plain.disposeIntermediateTensorInfo(info)
    return outputs.length === 1 ? outputs[0]! : outputs
  }
}
