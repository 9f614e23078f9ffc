// The door to the tensor engines, and the only import of the native addon and of the WebAssembly backend. After it is open,
// model code computes through @tensorflow/tfjs and does not know which engine it got; the one who opened it is told exactly.
// One engine a process: kernels and tensors of two do not mix.

import './node-polyfill.ts'
import { availableParallelism } from 'node:os'
import * as tf from '@tensorflow/tfjs'
import type { BackendPreference } from '../../domain/device.ts'
import { LabError } from '../../domain/errors.ts'
import { repairGradients } from './gradient-repairs.ts'
import { cpuName, loadAddon, openNativeBackend } from './native-backend.ts'
import { openWasmBackend } from './wasm-backend.ts'

export interface BackendInfo {
  readonly kind: 'native' | 'wasm' | 'cpu'
  /** e.g. 'TensorFlow 2.21.0' */
  readonly engine: string
  /** Model of the processor, or of the GPU when `gpu`. */
  readonly device: string
  readonly gpu: boolean
  readonly threads: number
  /** Why the native engine is not in use; null when it is. */
  readonly why: string | null
}

/** What tests and benchmarks change. */
export interface BackendParts {
  readonly threads?: number
  readonly loadAddon?: () => void
}

let opened: Promise<BackendInfo> | undefined

/**
 * Opens an engine and makes it TensorFlow.js's current backend. `auto` takes the native one, else WebAssembly, and says why.
 * Opening again gives the engine that is open.
 * @throws LabError 'engine-missing' when what was asked for cannot be loaded, 'conflict' when another engine is open already
 */
export async function openBackend(preference: BackendPreference = 'auto', parts: BackendParts = {}): Promise<BackendInfo> {
  if (opened !== undefined) {
    const info = await opened.catch(() => null)
    if (info !== null) {
      if (preference === 'auto' || preference === info.kind) return info
      throw new LabError(
        'conflict',
        `this process computes on the backend ${info.kind} already and cannot change to ${preference}: start another process`,
      )
    }
  }
  opened = open(preference, parts)
  return opened
}

async function open(preference: BackendPreference, parts: BackendParts): Promise<BackendInfo> {
  // Without it TensorFlow.js advertises itself on the console.
  tf.enableProdMode()
  const info = await openPreferred(preference, parts)
  repairGradients()
  return info
}

async function openPreferred(preference: BackendPreference, parts: BackendParts): Promise<BackendInfo> {
  const load = parts.loadAddon ?? loadAddon
  switch (preference) {
    case 'native':
      return openNativeBackend(load)
    case 'wasm':
      return openWasm('the backend wasm was asked for', parts)
    case 'cpu':
      return openPlain('the backend cpu was asked for')
    case 'auto':
      try {
        return await openNativeBackend(load)
      } catch (thrown) {
        return openWasm((thrown as Error).message, parts)
      }
  }
}

async function openWasm(why: string, { threads = computeThreads() }: BackendParts): Promise<BackendInfo> {
  const pool = await openWasmBackend(threads)
  const kernels = pool.fused ? "the lab's kernels with fused multiply-add" : "the lab's kernels"
  const engine = `TensorFlow.js ${tf.version_core} on WebAssembly, ${kernels}`
  return { kind: 'wasm', engine, device: cpuName(), gpu: false, threads: pool.threads, why }
}

/** Every operator, in plain JavaScript, thousands of times slower: for reference values only. */
async function openPlain(why: string): Promise<BackendInfo> {
  await tf.setBackend('cpu')
  const engine = `TensorFlow.js ${tf.version_core} in plain JavaScript`
  return { kind: 'cpu', engine, device: cpuName(), gpu: false, threads: 1, why }
}

/** Two hardware threads of one core share its multipliers, so from eight on half of them; beyond eight, memory is the limit. */
function computeThreads(): number {
  const available = availableParallelism()
  return available < 8 ? available : Math.min(8, Math.floor(available / 2))
}
