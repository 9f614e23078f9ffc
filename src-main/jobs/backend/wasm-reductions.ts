// Sum, mean, largest, smallest and softmax on WebAssembly. The published kernels add one value at a time, and first transpose
// what is not reduced along its last axes; these reduce any run of neighbouring axes where it lies.

import * as tf from '@tensorflow/tfjs'
import {
  addressOf,
  OPERATION,
  publishedKernel,
  replaceKernel,
  sizeOf,
  type Kernel,
  type KernelContext,
} from './kernel-context.ts'
import { valuesPerTask } from './wasm-elementwise.ts'

/** In the order of the kinds in reduce.h. */
const KINDS = ['Sum', 'Mean', 'Max', 'Min'] as const

/** Columns that the kernel adds up together. */
const COLUMNS = 16

export function registerReductions(context: KernelContext) {
  KINDS.forEach((name, kind) => replaceKernel(name, reduction(context, name, kind)))
  replaceKernel('Softmax', softmax(context))
}

function reduction(context: KernelContext, name: (typeof KINDS)[number], kind: number): Kernel {
  const published = publishedKernel(context, name)
  const { backend, pool } = context
  return (inputs, attributes) => {
    const x = inputs.x!
    const axes = tf.util
      .parseAxisParam((attributes.axis ?? attributes.reductionIndices) as number[], x.shape)
      .sort((a, b) => a - b)
    const first = axes[0]
    const size = sizeOf(x.shape)
    // Neighbouring axes: their indices are one run without a gap.
    if (x.dtype !== 'float32' || size === 0 || first === undefined || axes.at(-1)! - first !== axes.length - 1)
      return published(inputs, attributes)
    const [before, inside, after] = [
      x.shape.slice(0, first),
      x.shape.slice(first, first + axes.length),
      x.shape.slice(first + axes.length),
    ]
    const [outer, n, inner] = [sizeOf(before), sizeOf(inside), sizeOf(after)]
    const shape = attributes.keepDims === true ? [...before, ...inside.map(() => 1), ...after] : [...before, ...after]
    const out = backend.makeOutput(shape, 'float32')
    const parts = inner === 1 ? outer : outer * Math.ceil(inner / COLUMNS)
    const perTask = Math.max(1, Math.round((parts * valuesPerTask(context, size)) / size))
    const { words } = pool
    words[0] = addressOf(context, x)
    words[1] = addressOf(context, out)
    words[2] = outer
    words[3] = n
    words[4] = inner
    words[5] = kind
    words[6] = perTask
    pool.run(OPERATION.reduce, Math.ceil(parts / perTask))
    return out
  }
}

function softmax(context: KernelContext): Kernel {
  const published = publishedKernel(context, 'Softmax')
  const { backend, pool } = context
  return (inputs, attributes) => {
    const x = inputs.logits!
    const size = sizeOf(x.shape)
    if (x.dtype !== 'float32' || size === 0 || attributes.dim !== x.shape.length - 1) return published(inputs, attributes)
    const out = backend.makeOutput(x.shape, 'float32')
    const n = x.shape.at(-1)!
    const rows = size / n
    // An exponential costs about four copies, so tasks are smaller.
    const perTask = Math.max(1, Math.round(valuesPerTask(context, size) / n / 4))
    const { words } = pool
    words[0] = addressOf(context, x)
    words[1] = addressOf(context, out)
    words[2] = rows
    words[3] = n
    words[4] = perTask
    pool.run(OPERATION.softmax, Math.ceil(rows / perTask))
    return out
  }
}
