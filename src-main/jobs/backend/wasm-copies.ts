// Kernels that only move values on WebAssembly: transpose, slice, split, concatenate, tile. All are one strided copy; the
// published ones walk index by index, or copy the whole input to cut a piece out of it. Identity copies nothing.

import * as tf from '@tensorflow/tfjs'
import {
  addressOf,
  aliasOf,
  OPERATION,
  publishedKernel,
  replaceKernel,
  sizeOf,
  type Kernel,
  type KernelContext,
} from './kernel-context.ts'
import { valuesPerTask } from './wasm-elementwise.ts'

/** Axes outside the innermost, once merged: COPY_RANK. */
const MOST_OUTER_AXES = 8

interface Axis {
  readonly size: number
  readonly x: number
  readonly y: number
}

/** Two strided views of equal shape; offsets and strides in elements. */
interface Views {
  readonly shape: readonly number[]
  readonly xOffset?: number
  readonly xStrides: readonly number[]
  readonly yOffset?: number
  readonly yStrides: readonly number[]
}

export function registerCopies(context: KernelContext) {
  replaceKernel('Identity', identity(context))
  replaceKernel('Transpose', transpose(context))
  replaceKernel('Slice', slice(context))
  replaceKernel('SplitV', split(context))
  replaceKernel('Concat', concat(context))
  replaceKernel('Tile', tile(context))
}

function identity(context: KernelContext): Kernel {
  const published = publishedKernel(context, 'Identity')
  return (inputs, attributes) =>
    inputs.x!.dtype === 'string' ? published(inputs, attributes) : aliasOf(context, inputs.x!, inputs.x!.shape)
}

function transpose(context: KernelContext): Kernel {
  const published = publishedKernel(context, 'Transpose')
  return (inputs, attributes) => {
    const x = inputs.x!
    const perm = attributes.perm as number[]
    const shape = perm.map((axis) => x.shape[axis]!)
    const strides = stridesOf(x.shape)
    const moved = perm.filter((axis) => x.shape[axis] !== 1)
    if (moved.every((axis, i) => i === 0 || axis > moved[i - 1]!)) return aliasOf(context, x, shape)
    if (moved.length > MOST_OUTER_AXES) return published(inputs, attributes)
    const out = context.backend.makeOutput(shape, x.dtype)
    copy(context, x, out, { shape, xStrides: perm.map((axis) => strides[axis]!), yStrides: stridesOf(shape) })
    return out
  }
}

function slice(context: KernelContext): Kernel {
  const published = publishedKernel(context, 'Slice')
  return (inputs, attributes) => {
    const x = inputs.x!
    const [begin, size] = tf.slice_util.parseSliceParams(
      x as tf.Tensor,
      attributes.begin as number[],
      attributes.size as number[],
    ) as [number[], number[]]
    tf.slice_util.assertParamsValid(x as tf.Tensor, begin, size)
    if (x.dtype === 'string' || x.shape.length > MOST_OUTER_AXES) return published(inputs, attributes)
    return cut(context, x, begin, size)
  }
}

function split(context: KernelContext): Kernel {
  const published = publishedKernel(context, 'SplitV')
  return (inputs, attributes) => {
    const x = inputs.x!
    if (x.dtype === 'string' || x.shape.length > MOST_OUTER_AXES) return published(inputs, attributes)
    const axis = tf.util.parseAxisParam(attributes.axis as number, x.shape)[0]!
    const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, attributes.numOrSizeSplits as number[] | number, axis)
    let at = 0
    return sizes.map((size) => {
      const part = cut(
        context,
        x,
        x.shape.map((_, i) => (i === axis ? at : 0)),
        x.shape.map((extent, i) => (i === axis ? size : extent)),
      )
      at += size
      return part
    })
  }
}

function cut(context: KernelContext, x: tf.TensorInfo, begin: readonly number[], shape: number[]): tf.TensorInfo {
  const out = context.backend.makeOutput(shape, x.dtype)
  const xStrides = stridesOf(x.shape)
  const xOffset = begin.reduce((offset, at, axis) => offset + at * xStrides[axis]!, 0)
  copy(context, x, out, { shape, xOffset, xStrides, yStrides: stridesOf(shape) })
  return out
}

function concat(context: KernelContext): Kernel {
  const published = publishedKernel(context, 'Concat')
  return (inputs, attributes) => {
    const parts = Object.values(inputs)
    const axis = tf.util.parseAxisParam(attributes.axis as number, parts[0]!.shape)[0]!
    const shapes = parts.map((part) => part.shape)
    tf.backend_util.assertParamsConsistent(shapes, axis)
    if (parts[0]!.dtype === 'string' || shapes[0]!.length > MOST_OUTER_AXES) return published(inputs, attributes)
    const out = context.backend.makeOutput(tf.backend_util.computeOutShape(shapes, axis), parts[0]!.dtype)
    const yStrides = stridesOf(out.shape)
    let at = 0
    for (const part of parts) {
      copy(context, part, out, { shape: part.shape, xStrides: stridesOf(part.shape), yOffset: at * yStrides[axis]!, yStrides })
      at += part.shape[axis]!
    }
    return out
  }
}

/** Each axis becomes two: how often it is repeated, along which the source stays, and itself. */
function tile(context: KernelContext): Kernel {
  const published = publishedKernel(context, 'Tile')
  return (inputs, attributes) => {
    const x = inputs.x!
    const reps = attributes.reps as number[]
    if (x.dtype === 'string' || 2 * x.shape.length > MOST_OUTER_AXES) return published(inputs, attributes)
    const shape = x.shape.map((extent, axis) => extent * reps[axis]!)
    const out = context.backend.makeOutput(shape, x.dtype)
    const xStrides = stridesOf(x.shape)
    const yStrides = stridesOf(shape)
    copy(context, x, out, {
      shape: x.shape.flatMap((extent, axis) => [reps[axis]!, extent]),
      xStrides: xStrides.flatMap((stride) => [0, stride]),
      yStrides: yStrides.flatMap((stride, axis) => [stride * x.shape[axis]!, stride]),
    })
    return out
  }
}

function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length)
  for (let axis = shape.length - 1, stride = 1; axis >= 0; axis--) {
    strides[axis] = stride
    stride *= shape[axis]!
  }
  return strides
}

function copy(context: KernelContext, x: tf.TensorInfo, y: tf.TensorInfo, views: Views) {
  const size = sizeOf(views.shape)
  if (size === 0) return
  const element = x.dtype === 'bool' ? 1 : 4
  const axes = mergedAxes(views)
  // A part one wide, set among others, is nowhere contiguous: each of its values is a row of its own.
  const innermost = axes.at(-1)?.y === 1 ? axes.pop()! : { size: 1, x: 1, y: 1 }
  // Where the target's fastest axis is not the source's, the source's is put beside it and the two are turned in blocks.
  const across = element === 4 && innermost.y === 1 && innermost.x > 1 ? axes.findIndex((axis) => axis.x === 1) : -1
  const [crossed] = across < 0 ? [] : axes.splice(across, 1)
  const rows = size / innermost.size / (crossed?.size ?? 1)
  const perTask = Math.max(1, Math.round((rows * valuesPerTask(context, size)) / size))
  const { words } = context.pool
  words[0] = addressOf(context, x) + (views.xOffset ?? 0) * element
  words[1] = addressOf(context, y) + (views.yOffset ?? 0) * element
  words[2] = element
  words[3] = crossed === undefined ? 0 : 1
  words[4] = axes.length
  words[5] = rows
  words[6] = perTask
  words[7] = innermost.size
  words[8] = innermost.x
  words[9] = crossed?.size ?? 1
  words[10] = crossed?.y ?? 0
  axes.forEach((axis, i) => {
    words[11 + i] = axis.size
    words[19 + i] = axis.x
    words[27 + i] = axis.y
  })
  context.pool.run(OPERATION.copy, Math.ceil(rows / perTask))
}

/** The axes of more than one element, neighbours merged where both views step over them evenly. */
function mergedAxes({ shape, xStrides, yStrides }: Views): Axis[] {
  const axes: Axis[] = []
  shape.forEach((size, i) => {
    if (size === 1) return
    const [x, y] = [xStrides[i]!, yStrides[i]!]
    const last = axes.at(-1)
    if (last !== undefined && last.x === x * size && last.y === y * size) axes[axes.length - 1] = { size: last.size * size, x, y }
    else axes.push({ size, x, y })
  })
  return axes
}
