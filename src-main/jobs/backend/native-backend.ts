// The native engine: TensorFlow's C library through the Node-API addon of @tensorflow/tfjs-node-gpu, compiled at set-up.
// Loading it decides what it may take of the machine, so the environment is settled here, first; a variable that the person
// set stays. The addon is asked for by `require`, which finds it from the sources, from the bundle and under Electron alike.

import './node-polyfill.ts'
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { availableParallelism, cpus } from 'node:os'
import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import { prepareXla } from '../compile/xla-cache.ts'
import { userCacheFolder } from '../user-cache.ts'
import type { BackendInfo } from './backend.ts'

const requirePackage = createRequire(import.meta.url)

const REMEDY =
  'Run `npm run setup` (or `npm run setup:gpu`, `npm run setup:cpu`) once to build the native engine, or choose the backend wasm.'

/** Named by the TensorFlow that set-up pins: what one release compiled, another must not run. */
const XLA_CACHE = 'xla-tensorflow-2.21'

const ENVIRONMENT = {
  // Without it the whole card is taken at start, and a second process finds nothing left.
  TF_FORCE_GPU_ALLOW_GROWTH: 'true',
  // Errors only: the rest is start-up chatter of the library.
  TF_CPP_MIN_LOG_LEVEL: '2',
} as const

interface NodeBackend {
  readonly isUsingGpuDevice: boolean
  readonly binding: { readonly TF_Version: string }
}

/** Throws whatever Node throws when the addon or one of its libraries is absent. */
export function loadAddon() {
  requirePackage('@tensorflow/tfjs-node-gpu')
}

/** @throws LabError 'engine-missing' with what failed and what to do */
export async function openNativeBackend(load: () => void = loadAddon): Promise<BackendInfo> {
  for (const [name, value] of Object.entries(ENVIRONMENT)) process.env[name] ??= value
  prepareXla(join(userCacheFolder(), XLA_CACHE))
  try {
    load()
    await tf.setBackend('tensorflow')
    await tf.ready()
  } catch (thrown) {
    throw new LabError('engine-missing', `the native engine could not be loaded: ${reasonOf(thrown)}. ${REMEDY}`, {}, thrown)
  }
  const backend = tf.backend() as unknown as NodeBackend
  const gpu = backend.isUsingGpuDevice
  return {
    kind: 'native',
    engine: `TensorFlow ${backend.binding.TF_Version}`,
    device: gpu ? gpuName() : cpuName(),
    gpu,
    threads: Number(process.env.TF_NUM_INTRAOP_THREADS) || availableParallelism(),
    why: null,
  }
}

export function cpuName(): string {
  return cpus()[0]?.model.trim() || 'unknown processor'
}

/** The first sentence of what was thrown: Node appends a list of modules, the package a list of links. */
function reasonOf(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return message.split('\n')[0]!.replace(/[\s.]+$/, '')
}

/** TensorFlow computes on the first visible card and does not say its name through the addon. */
function gpuName(): string {
  try {
    const options = { encoding: 'utf8', timeout: 10_000, stdio: 'pipe' } as const
    const names = execFileSync('nvidia-smi', ['--query-gpu=name', '--format=csv,noheader'], options).split('\n')
    return names[Number(process.env.CUDA_VISIBLE_DEVICES?.split(',')[0]) || 0]?.trim() || 'NVIDIA GPU'
  } catch {
    return gpuNameFromDriver() ?? 'NVIDIA GPU'
  }
}

function gpuNameFromDriver(): string | null {
  const folder = '/proc/driver/nvidia/gpus'
  try {
    const [first] = readdirSync(folder)
    return /^Model:\s*(.+)$/m.exec(readFileSync(`${folder}/${first}/information`, 'utf8'))?.[1]?.trim() ?? null
  } catch {
    return null
  }
}
