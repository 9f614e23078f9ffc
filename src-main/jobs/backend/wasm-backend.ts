// TensorFlow.js's WebAssembly backend as the lab uses it: on shared memory, with the lab's kernels in place of those that are
// missing, wrong or slow. Everything else stays as published.

import { createRequire } from 'node:module'
import * as tf from '@tensorflow/tfjs'
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import { startSharedModule } from './shared-module.ts'
import { openKernelPool, type KernelPool } from './thread-pool.ts'
import { registerCopies } from './wasm-copies.ts'
import { registerElementwise } from './wasm-elementwise.ts'
import { registerFills } from './wasm-fills.ts'
import { registerMatmul } from './wasm-matmul.ts'
import { registerReductions } from './wasm-reductions.ts'

const requirePackage = createRequire(import.meta.url)

/** Makes 'wasm' the current backend. `threads`: how many compute, this one included. */
export async function openWasmBackend(threads: number): Promise<KernelPool> {
  // Loading the package registers its kernels, and a backend that would start on private memory: that one is replaced.
  const published = requirePackage('@tensorflow/tfjs-backend-wasm') as { BackendWasm: new (module: unknown) => BackendWasm }
  const { module, memory } = await startSharedModule()
  const backend = new published.BackendWasm(module)
  tf.removeBackend('wasm')
  tf.registerBackend('wasm', () => backend)
  await tf.setBackend('wasm')
  const pool = await openKernelPool(module, memory, threads)
  const context = { backend, module, pool }
  registerFills(context)
  registerMatmul(context)
  registerElementwise(context)
  registerReductions(context)
  registerCopies(context)
  return pool
}
