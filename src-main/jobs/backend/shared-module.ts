// The WebAssembly module of TensorFlow.js, started on a memory that threads can share. The published single-threaded build
// declares a private memory; one bit of its memory section makes it a shared one and changes nothing else, so its own code,
// its allocator and its JavaScript stay as published. Its multi-threaded build is not used: it cannot start under Node, and it
// threads only what this backend replaces.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { LabError } from '../../domain/errors.ts'
import { webAssembly, type WasmImports, type WasmInstance, type WasmMemory } from './web-assembly.ts'

const requirePackage = createRequire(import.meta.url)

/** What is used of the Emscripten module. */
export interface SharedModule {
  HEAPU8: Uint8Array<SharedArrayBuffer>
  /** @returns an address, as a signed 32-bit number */
  _malloc(bytes: number): number
  _free(address: number): void
  cwrap(name: string, returns: string | null, parameters: readonly string[]): (...numbers: number[]) => number
  tfjs?: Readonly<Record<string, unknown>>
}

interface ModuleFactory {
  (config: {
    instantiateWasm: (imports: WasmImports, started: (instance: WasmInstance) => void) => object
    onAbort: (what: unknown) => void
  }): Promise<SharedModule>
}

const MEMORY_SECTION = 5
const HAS_MAXIMUM = 1
const HAS_MAXIMUM_AND_SHARED = 3

/**
 * The module's bytes with its memory declared shared.
 * @throws LabError 'internal' when the bytes do not hold exactly one private memory with a maximum
 */
export function withSharedMemory(code: Uint8Array): Uint8Array<ArrayBuffer> {
  const shared = Uint8Array.from(code)
  let at = 8 // past the magic number and the version
  const leb = (): number => {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = shared[at++] ?? 0
      value |= (byte & 127) << shift
      if (byte < 128) return value >>> 0
    }
  }
  while (at < shared.length) {
    const section = shared[at++]
    const bytes = leb()
    const body = at
    if (section === MEMORY_SECTION) {
      const memories = leb()
      if (memories !== 1 || shared[at] !== HAS_MAXIMUM) break
      shared[at] = HAS_MAXIMUM_AND_SHARED
      return shared
    }
    at = body + bytes
  }
  throw new LabError(
    'internal',
    'expected one private memory with a maximum in the WebAssembly module of TensorFlow.js, found none',
  )
}

/** Starts the SIMD build of TensorFlow.js's WebAssembly module on a shared memory. */
export async function startSharedModule(): Promise<{ readonly module: SharedModule; readonly memory: WasmMemory }> {
  const path = requirePackage.resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm')
  const code = withSharedMemory(readFileSync(path))
  const factory = requirePackage('@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm.js') as ModuleFactory
  const { promise, resolve, reject } = Promise.withResolvers<{ module: SharedModule; memory: WasmMemory }>()
  let memory: WasmMemory | undefined
  // The package answers every uncaught error of the process by throwing it again, over the text of its whole source.
  const foreign = ['uncaughtException', 'unhandledRejection'] as const
  const before = foreign.map((event) => process.listeners(event as 'uncaughtException'))
  factory({
    instantiateWasm: (imports, started) => {
      webAssembly.instantiate(code, imports).then(({ instance }) => {
        memory = instance.exports.memory as WasmMemory
        started(instance)
      }, reject)
      return {}
    },
    onAbort: reject,
  }).then((module) => resolve({ module, memory: memory! }), reject)
  foreign.forEach((event, i) => {
    for (const listener of process.listeners(event as 'uncaughtException'))
      if (!before[i]!.includes(listener)) process.removeListener(event, listener)
  })
  const started = await promise
  refuseToRunOutSilently(started.module)
  started.module.tfjs = {
    init: started.module.cwrap('init', null, []),
    initWithThreadsCount: started.module.cwrap('init_with_threads_count', null, ['number']),
    getThreadsCount: started.module.cwrap('get_threads_count', 'number', []),
    registerTensor: started.module.cwrap('register_tensor', null, ['number', 'number', 'number']),
    disposeData: started.module.cwrap('dispose_data', null, ['number']),
    dispose: started.module.cwrap('dispose', null, []),
  }
  return started
}

/** Addresses have 32 bits; the last page is not given out. */
const MOST_BYTES = 0xffff0000

/**
 * As published, a failed allocation is address 0, and the next kernel overwrites what is there. A request of 2 GiB or more
 * that does not fit is worse: as a signed number it is negative, and takes away the end of the memory instead.
 */
function refuseToRunOutSilently(module: SharedModule) {
  // The first call of an Emscripten function puts the compiled one in its place, and would put it in place of ours.
  module._free(module._malloc(1))
  const allocate = module._malloc
  module._malloc = (bytes) => {
    const isNegative = bytes >= 2 ** 31
    const address = isNegative && bytes + module.HEAPU8.length > MOST_BYTES ? 0 : allocate(bytes)
    if (address === 0 && bytes > 0)
      throw new LabError(
        'out-of-memory',
        `the WebAssembly engine holds at most 4 GiB and could not add ${bytes} bytes to the ${module.HEAPU8.length} it has. ` +
          'Lower batchSize (and raise gradientAccumulation by the same factor), or use the native engine.',
        { bytes, heapBytes: module.HEAPU8.length },
      )
    return address
  }
}
