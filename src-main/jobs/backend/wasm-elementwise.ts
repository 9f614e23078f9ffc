// Element-by-element kernels on WebAssembly: vector code for the functions that the published backend computes one value at a
// time, and all threads for those it has vector code for. Integers and booleans stay with the published kernels.

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

/** In the order of unary_task in elementwise.h. */
const FUNCTIONS_OF_ONE = ['Exp', 'Log', 'Tanh', 'Erf', 'Sigmoid', 'Rsqrt', 'Sqrt', 'Square', 'Neg', 'Relu', 'Abs'] as const

/** In the order of binary_row in elementwise.h. */
const FUNCTIONS_OF_TWO = ['Add', 'Sub', 'Multiply', 'RealDiv', 'Maximum', 'Minimum', 'SquaredDifference'] as const

/** Values a task: 64 KiB, which one core streams in the time it takes to wake another. */
const VALUES_PER_TASK = 16384
const TASKS_PER_THREAD = 4
/** Axes outside the innermost one, once merged: BINARY_RANK. */
const MOST_OUTER_AXES = 6

export function registerElementwise(context: KernelContext) {
  FUNCTIONS_OF_ONE.forEach((name, index) => replaceKernel(name, functionOfOne(context, name, index)))
  FUNCTIONS_OF_TWO.forEach((name, index) => replaceKernel(name, functionOfTwo(context, name, index)))
  replaceKernel('Select', select(context))
}

/** How many of `count` values one task takes; a multiple of 16 so that tasks do not share a cache line. */
export function valuesPerTask(context: KernelContext, count: number): number {
  const { threads } = context.pool
  if (threads === 1 || count < 2 * VALUES_PER_TASK) return count
  return Math.ceil(Math.max(VALUES_PER_TASK, count / (threads * TASKS_PER_THREAD)) / 16) * 16
}

function functionOfOne(context: KernelContext, name: string, index: number): Kernel {
  const published = publishedKernel(context, name)
  const { backend, pool } = context
  return (inputs, attributes) => {
    const x = inputs.x!
    if (x.dtype !== 'float32') return published(inputs, attributes)
    const out = backend.makeOutput(x.shape, 'float32')
    const n = sizeOf(x.shape)
    if (n === 0) return out
    const chunk = valuesPerTask(context, n)
    const { words } = pool
    words[0] = addressOf(context, x)
    words[1] = addressOf(context, out)
    words[2] = n
    words[3] = chunk
    words[4] = index
    pool.run(OPERATION.unary, Math.ceil(n / chunk))
    return out
  }
}

/** A run of axes along which each operand either moves on or stays. */
interface Run {
  size: number
  readonly a: boolean
  readonly b: boolean
}

function functionOfTwo(context: KernelContext, name: string, index: number): Kernel {
  const published = publishedKernel(context, name)
  const { backend, pool } = context
  return (inputs, attributes) => {
    const a = inputs.a!
    const b = inputs.b!
    if (a.dtype !== 'float32' || b.dtype !== 'float32') return published(inputs, attributes)
    const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape)
    const size = sizeOf(shape)
    const runs = mergedRuns(shape, a.shape, b.shape)
    const innermost = runs.pop() ?? { size: 1, a: true, b: true }
    if (runs.length > MOST_OUTER_AXES) return published(inputs, attributes)
    const out = backend.makeOutput(shape, 'float32')
    if (size === 0) return out
    const rows = size / innermost.size
    const chunk = valuesPerTask(context, size)
    const perTask = rows === 1 ? chunk : Math.max(1, Math.round(chunk / innermost.size))
    const { words } = pool
    words[0] = addressOf(context, a)
    words[1] = addressOf(context, b)
    words[2] = addressOf(context, out)
    words[3] = index
    words[4] = runs.length
    words[5] = rows
    words[6] = innermost.size
    words[7] = innermost.a ? 1 : 0
    words[8] = innermost.b ? 1 : 0
    words[9] = perTask
    let strideA = innermost.a ? innermost.size : 1
    let strideB = innermost.b ? innermost.size : 1
    for (let axis = runs.length - 1; axis >= 0; axis--) {
      const run = runs[axis]!
      words[10 + axis] = run.size
      words[16 + axis] = run.a ? strideA : 0
      words[22 + axis] = run.b ? strideB : 0
      if (run.a) strideA *= run.size
      if (run.b) strideB *= run.size
    }
    pool.run(OPERATION.binary, Math.ceil((rows === 1 ? innermost.size : rows) / perTask))
    return out
  }
}

function mergedRuns(shape: readonly number[], shapeA: readonly number[], shapeB: readonly number[]): Run[] {
  const runs: Run[] = []
  const skipA = shape.length - shapeA.length
  const skipB = shape.length - shapeB.length
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis]!
    if (size === 1) continue
    const a = axis >= skipA && shapeA[axis - skipA] !== 1
    const b = axis >= skipB && shapeB[axis - skipB] !== 1
    const last = runs.at(-1)
    if (last !== undefined && last.a === a && last.b === b) last.size *= size
    else runs.push({ size, a, b })
  }
  return runs
}

/** condition ? t : e, where the condition has the shape of both. */
function select(context: KernelContext): Kernel {
  const published = publishedKernel(context, 'Select')
  const { backend, pool } = context
  return (inputs, attributes) => {
    const { condition, t, e } = inputs
    const n = sizeOf(t!.shape)
    if (t!.dtype !== 'float32' || e!.dtype !== 'float32' || sizeOf(condition!.shape) !== n) return published(inputs, attributes)
    const out = backend.makeOutput(t!.shape, 'float32')
    if (n === 0) return out
    const chunk = valuesPerTask(context, n)
    const { words } = pool
    words[0] = addressOf(context, condition!)
    words[1] = addressOf(context, t!)
    words[2] = addressOf(context, e!)
    words[3] = addressOf(context, out)
    words[4] = n
    words[5] = chunk
    pool.run(OPERATION.select, Math.ceil(n / chunk))
    return out
  }
}
