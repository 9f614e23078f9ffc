// Matrix products on WebAssembly: every combination of transposes and of broadcast batch axes at one speed, on all threads.
// The published kernel is fast only for one untransposed pair; every gradient and every attention product is neither.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import { addressOf, OPERATION, replaceKernel, sizeOf, type KernelContext, type Kernel } from './kernel-context.ts'

/** The tile and the block of gemm.h: slabs are multiples of them. */
const TILE_ROWS = 4
const TILE_COLUMNS = 8
const BLOCK_COLUMNS = 256
/** A slab of fewer rows spends more on packing B again than it gains. */
const LEAST_ROWS = 48
/** Below about a hundred microseconds of work a second thread costs more than it does. */
const LEAST_MULTIPLICATIONS_TO_SHARE = 1 << 20
/** More tasks than threads, so that a thread which is late or slow does not hold up the rest. */
const TASKS_PER_THREAD = 3

interface Product {
  readonly shape: number[]
  readonly m: number
  readonly n: number
  readonly k: number
  readonly batches: number
  /** Offsets of A and B for each batch entry, when one of them is broadcast. */
  readonly offsets: Int32Array | null
}

export function registerMatmul(context: KernelContext) {
  replaceKernel('BatchMatMul', batchMatMul(context))
  replaceKernel('_FusedMatMul', fusedMatMul(context))
}

function batchMatMul(context: KernelContext): Kernel {
  let offsetsAt = 0
  let offsetsBytes = 0
  const multiply: Kernel = ({ a, b }, { transposeA, transposeB }) => {
    const { shape, m, n, k, batches, offsets } = productOf(a!, b!, transposeA === true, transposeB === true)
    if (n === 1 && m > 1) {
      // One column is one row, transposed, and the kernel for a row reads the other factor without packing it.
      const row = multiply(
        { a: b!, b: a! },
        { transposeA: transposeB !== true, transposeB: transposeA !== true },
      ) as tf.TensorInfo
      row.shape = shape
      return row
    }
    const { backend, module, pool } = context
    const out = backend.makeOutput(shape, 'float32')
    if (sizeOf(shape) === 0) return out
    if (k === 0) {
      backend.typedArrayFromHeap(out).fill(0)
      return out
    }
    if (offsets !== null) {
      if (offsets.byteLength > offsetsBytes) {
        if (offsetsAt !== 0) module._free(offsetsAt)
        offsetsBytes = offsets.byteLength
        offsetsAt = module._malloc(offsetsBytes) >>> 0
      }
      new Int32Array(module.HEAPU8.buffer, offsetsAt, offsets.length).set(offsets)
    }
    const slabs = slabsOf(batches, m, n, k, pool.threads)
    const rowSlabs = Math.ceil(m / slabs.rows)
    const columnSlabs = Math.ceil(n / slabs.columns)
    const { words } = pool
    words[0] = addressOf(context, a!)
    words[1] = addressOf(context, b!)
    words[2] = addressOf(context, out)
    words[3] = m
    words[4] = n
    words[5] = k
    words[6] = transposeA ? m : k
    words[7] = transposeB ? k : n
    words[8] = transposeA ? 1 : 0
    words[9] = transposeB ? 1 : 0
    words[10] = offsets === null ? 0 : offsetsAt
    words[11] = m * k
    words[12] = k * n
    words[13] = m * n
    words[14] = slabs.rows
    words[15] = slabs.columns
    words[16] = rowSlabs
    words[17] = columnSlabs
    pool.run(OPERATION.gemm, batches * rowSlabs * columnSlabs)
    return out
  }
  return multiply
}

function productOf(a: tf.TensorInfo, b: tf.TensorInfo, transposeA: boolean, transposeB: boolean): Product {
  for (const x of [a, b])
    if (x.dtype !== 'float32')
      throw new LabError('invalid-input', `matMul multiplies float32 tensors, found ${x.dtype}; cast it first`, {
        shape: x.shape,
      })
  const [m, kA] = lastTwo(a.shape, transposeA)
  const [kB, n] = lastTwo(b.shape, transposeB)
  if (kA !== kB) {
    const named = (x: tf.TensorInfo, transposed: boolean) => `[${x.shape}]${transposed ? ' transposed' : ''}`
    throw new LabError(
      'invalid-input',
      `matMul expects equal inner sizes, found ${kA} and ${kB} in ${named(a, transposeA)} · ${named(b, transposeB)}`,
    )
  }
  const outerA = a.shape.slice(0, -2)
  const outerB = b.shape.slice(0, -2)
  const outer = tf.broadcast_util.assertAndGetBroadcastShape(outerA, outerB)
  const batches = sizeOf(outer)
  const isPlain = sizeOf(outerA) === batches && sizeOf(outerB) === batches
  return {
    shape: [...outer, m, n],
    m,
    n,
    k: kA,
    batches,
    offsets: isPlain ? null : batchOffsets(outer, outerA, m * kA, outerB, kA * n),
  }
}

function lastTwo(shape: readonly number[], transposed: boolean): [number, number] {
  const [rows, columns] = shape.slice(-2) as [number, number]
  return transposed ? [columns, rows] : [rows, columns]
}

/** For each entry of the broadcast batch, where its matrix of A and of B begins, in floats. */
function batchOffsets(
  outer: readonly number[],
  outerA: readonly number[],
  sizeA: number,
  outerB: readonly number[],
  sizeB: number,
) {
  const offsets = new Int32Array(2 * sizeOf(outer))
  const stridesA = broadcastStrides(outer, outerA)
  const stridesB = broadcastStrides(outer, outerB)
  const index = new Array<number>(outer.length).fill(0)
  for (let entry = 0; entry < offsets.length; entry += 2) {
    index.forEach((i, axis) => {
      offsets[entry]! += i * stridesA[axis]! * sizeA
      offsets[entry + 1]! += i * stridesB[axis]! * sizeB
    })
    for (let axis = outer.length - 1; axis >= 0 && ++index[axis]! === outer[axis]; axis--) index[axis] = 0
  }
  return offsets
}

/** Strides of `shape` when read as the larger `outer`: 0 along what is repeated. */
function broadcastStrides(outer: readonly number[], shape: readonly number[]): number[] {
  const strides = new Array<number>(outer.length).fill(0)
  for (let axis = outer.length - 1, own = shape.length - 1, stride = 1; own >= 0; axis--, own--) {
    if (shape[own] !== 1) strides[axis] = stride
    stride *= shape[own]!
  }
  return strides
}

function slabsOf(
  batches: number,
  m: number,
  n: number,
  k: number,
  threads: number,
): { readonly rows: number; readonly columns: number } {
  const whole = { rows: roundUp(m, TILE_ROWS), columns: roundUp(n, TILE_COLUMNS) }
  if (threads === 1 || batches * m * n * k < LEAST_MULTIPLICATIONS_TO_SHARE) return whole
  const wanted = TASKS_PER_THREAD * threads
  // Cutting the columns at the kernel's own blocks costs nothing; a slab of rows packs its part of B again.
  const columnBlocks = m === 1 ? wanted : Math.ceil(n / BLOCK_COLUMNS)
  const columnSlabs = Math.min(columnBlocks, Math.ceil(wanted / batches))
  const rowSlabs = Math.max(1, Math.min(Math.ceil(m / LEAST_ROWS), Math.ceil(wanted / (batches * columnSlabs))))
  return {
    rows: roundUp(Math.ceil(m / rowSlabs), TILE_ROWS),
    columns: m === 1 ? roundUp(Math.ceil(n / columnSlabs), TILE_COLUMNS) : Math.ceil(columnBlocks / columnSlabs) * BLOCK_COLUMNS,
  }
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to
}

/** matMul, then bias and activation by their own kernels: as published, a bias is added once for each 48 of the inner size. */
function fusedMatMul(context: KernelContext): Kernel {
  const multiply = batchMatMul(context)
  const run = (name: string, inputs: Record<string, tf.TensorInfo>, attrs: tf.NamedAttrMap = {}) =>
    tf.getKernel(name, 'wasm').kernelFunc({ inputs, attrs, backend: context.backend }) as tf.TensorInfo
  return ({ a, b, bias, preluActivationWeights }, attributes) => {
    let out = multiply({ a: a!, b: b! }, attributes) as tf.TensorInfo
    const replace = (next: tf.TensorInfo) => {
      context.backend.disposeData(out.dataId as object)
      out = next
    }
    if (bias !== undefined && bias !== null) replace(run('Add', { a: out, b: bias }))
    switch (attributes.activation) {
      case undefined:
      case null:
      case 'linear':
        return out
      case 'relu':
        replace(run('Relu', { x: out }))
        return out
      case 'relu6':
        replace(run('Relu6', { x: out }))
        return out
      case 'sigmoid':
        replace(run('Sigmoid', { x: out }))
        return out
      case 'elu':
        replace(run('Elu', { x: out }))
        return out
      case 'leakyrelu':
        replace(run('LeakyRelu', { x: out }, { alpha: attributes.leakyreluAlpha as number }))
        return out
      case 'prelu':
        replace(run('Prelu', { x: out, alpha: preluActivationWeights! }))
        return out
      default:
        throw new LabError('invalid-input', `expected an activation of TensorFlow.js, found '${String(attributes.activation)}'`)
    }
  }
}
