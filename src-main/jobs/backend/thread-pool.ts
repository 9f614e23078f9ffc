// The lab's own WebAssembly kernels (resources/kernels) on the memory of TensorFlow.js's module, and the threads that help
// run them. A kernel's arguments are a few words written into the memory; its tasks are taken by whoever is awake.
// How work is cut into tasks never decides in which order numbers are added, so results do not depend on the thread count.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { resourceFolder } from '../resource-folder.ts'
import type { SharedModule } from './shared-module.ts'
import { webAssembly, type WasmMemory } from './web-assembly.ts'

export interface KernelPool {
  /** Threads that compute, this one included. */
  readonly threads: number
  /** Whether the build with fused multiply-add runs. */
  readonly fused: boolean
  /** Where the next kernel's arguments are written, as words. */
  readonly words: Int32Array
  /** The same memory, for arguments that are fractions. */
  readonly floats: Float32Array
  /** Runs kernel `operation` on the arguments in `words`, cut into `tasks`, to its end. */
  run(operation: number, tasks: number): void
}

interface KernelExports {
  readonly __stack_pointer: { value: number }
  scratch_bytes(): number
  prepare(scratch: number): void
  run(pool: number, operation: number, args: number, tasks: number, helpers: number, scratch: number): void
}

const STACK_BYTES = 64 * 1024
const POOL_BYTES = 64
const ARGUMENT_BYTES = 256
/** Words of the pool's record (pool.h) that are set or read from here. */
const MAY_WAIT = 3
const FAILED = 9

/** `f32x4.relaxed_madd` in a function of no effect: validates where the fused build can run. */
const FUSED_PROBE = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0],
  ...[65, 0, 253, 15, 65, 0, 253, 15, 65, 0, 253, 15, 253, 133, 2, 11],
)

const HELPER = `
const { parentPort, workerData } = require('node:worker_threads')
const { memory, code, stack, pool, scratch } = workerData
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } })
exports.__stack_pointer.value = stack
exports.prepare(scratch)
parentPort.postMessage('ready')
try {
  exports.help(pool, scratch)
} catch (thrown) {
  Atomics.store(new Int32Array(memory.buffer), pool / 4 + ${FAILED}, 1)
  throw thrown
}
`

/** @param threads  at least 1; how many threads compute, the calling one included */
export async function openKernelPool(module: SharedModule, memory: WasmMemory, threads: number): Promise<KernelPool> {
  const fused = webAssembly.validate(FUSED_PROBE)
  const code = Uint8Array.from(readFileSync(join(resourceFolder('kernels'), fused ? 'kernels-fma.wasm' : 'kernels.wasm')))
  const exports = new webAssembly.Instance(new webAssembly.Module(code), { env: { memory } }).exports as unknown as KernelExports
  const scratchBytes = exports.scratch_bytes()

  /** A stack, which grows downwards, and behind it the scratch; one pair a thread. */
  const privateMemory = () => {
    const bottom = allocate(module, STACK_BYTES + scratchBytes)
    return { stack: bottom + STACK_BYTES, scratch: bottom + STACK_BYTES }
  }
  const pool = allocate(module, POOL_BYTES)
  const args = allocate(module, ARGUMENT_BYTES)
  const own = privateMemory()
  exports.__stack_pointer.value = own.stack
  exports.prepare(own.scratch)

  const record = new Int32Array(memory.buffer, pool, POOL_BYTES / 4).fill(0)
  record[MAY_WAIT] = mayWait() ? 1 : 0

  const helpers: Worker[] = []
  for (let i = 1; i < threads; i++)
    helpers.push(new Worker(HELPER, { eval: true, workerData: { memory, code, pool, ...privateMemory() } }))
  await Promise.all(helpers.map(ready))
  // A helper waits inside WebAssembly for ever: it must not keep the process from ending.
  for (const helper of helpers) helper.unref()

  return {
    threads,
    fused,
    words: new Int32Array(memory.buffer, args, ARGUMENT_BYTES / 4),
    floats: new Float32Array(memory.buffer, args, ARGUMENT_BYTES / 4),
    run: (operation, tasks) => exports.run(pool, operation, args, tasks, helpers.length, own.scratch),
  }
}

function ready(helper: Worker): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  helper.once('message', () => resolve())
  // After it is ready, an error of a helper is told by the kernel that it left undone.
  helper.on('error', reject)
  return promise
}

/** A 16-byte boundary, for the vector instructions' sake. */
function allocate(module: SharedModule, bytes: number): number {
  return (((module._malloc(bytes + 15) >>> 0) + 15) & ~15) >>> 0
}

/** Some hosts forbid their main thread to block. */
function mayWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0)
    return true
  } catch {
    return false
  }
}
