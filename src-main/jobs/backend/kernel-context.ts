// What every replaced kernel needs: the addresses of its inputs, a place for its output, the pool that runs it.
// And how a kernel takes the place of a published one.

import * as tf from '@tensorflow/tfjs'
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import type { SharedModule } from './shared-module.ts'
import type { KernelPool } from './thread-pool.ts'

export interface KernelContext {
  readonly backend: BackendWasm
  readonly module: SharedModule
  readonly pool: KernelPool
}

export type Attributes = Readonly<Record<string, unknown>>
export type Inputs = Readonly<Record<string, tf.TensorInfo>>
export type Kernel = (inputs: Inputs, attributes: Attributes) => tf.TensorInfo | tf.TensorInfo[]

/** The kernels' numbers in resources/kernels/kernels.c. */
export const OPERATION = { gemm: 0, unary: 1, binary: 2, select: 3, reduce: 4, softmax: 5, copy: 6 } as const

export function addressOf(context: KernelContext, tensor: tf.TensorInfo): number {
  return context.backend.dataIdMap.get(tensor.dataId).memoryOffset!
}

/** A second name for the same values: what reshape and identity are on a reference-counted memory. */
export function aliasOf(context: KernelContext, tensor: tf.TensorInfo, shape: number[]): tf.TensorInfo {
  context.backend.incRef(tensor.dataId as object)
  return { dataId: tensor.dataId, shape, dtype: tensor.dtype }
}

export function sizeOf(shape: readonly number[]): number {
  let size = 1
  for (const extent of shape) size *= extent
  return size
}

/** The published kernel of that name on the WebAssembly backend, as a function. */
export function publishedKernel(context: KernelContext, name: string): Kernel {
  const { kernelFunc } = tf.getKernel(name, 'wasm')
  return (inputs, attributes) =>
    kernelFunc({ inputs: inputs as tf.NamedTensorInfoMap, attrs: attributes as tf.NamedAttrMap, backend: context.backend })
}

export function replaceKernel(name: string, kernel: Kernel) {
  if (tf.getKernel(name, 'wasm')) tf.unregisterKernel(name, 'wasm')
  tf.registerKernel({
    kernelName: name,
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs }) => kernel(inputs as Inputs, (attrs ?? {}) as Attributes),
  })
}
