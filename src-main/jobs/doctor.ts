// What this machine offers the lab and what it lacks, each line with the thing to do about it. Opens the engine as a job
// would, so it belongs in a job's process and says what a job would get. Changes nothing. What it may not touch itself (the
// database) the caller has checked and passes in. Every check answers: a probe that breaks becomes a fault, not an error.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { availableParallelism, tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import type { ExecutionMode } from '../domain/device.ts'
import type { DoctorCheck, DoctorReport } from '../domain/doctor-report.ts'
import { SharedState } from '../engine/compile/shared-state.ts'
import { openBackend, type BackendInfo } from './backend/backend.ts'
import { compileStep } from './compile/compile-step.ts'
import { instructionSets } from './compile/xla-cache.ts'
import { addonProof, nvidiaCards, packageFolder, packageVersion, sharedLibraries, type AddonProof } from './machine-facts.ts'

export interface Examination {
  /** Where projects are kept: its disk is the one that fills up. */
  readonly folder: string
  /** What the caller found out itself, in its order: these lines come last. */
  readonly others: readonly DoctorCheck[]
}

/** Examines the machine. Opens the preferred engine of this process and leaves it open. Never rejects. */
export async function diagnose({ folder, others }: Examination): Promise<DoctorReport> {
  const engine = await openBackend('auto').catch((thrown: unknown) => thrown as Error)
  const cards = nvidiaCards()
  const checks = [
    guarded('engine', 'Engine', () => engineCheck(engine)),
    guarded('steps', 'Training steps', () => stepsCheck(engine, tryExecution(engine), instructionSets())),
    guarded('device', 'Device', () => deviceCheck(engine, cards)),
    guarded('cuda', 'CUDA libraries', () => cudaCheck(addonProof(), cards)),
    guarded('memory', 'Memory', () => memoryCheck(process.availableMemory(), totalmem())),
    await diskCheck(folder),
    guarded('node', 'Node.js', () => nodeCheck(process.versions.node, process.versions.electron)),
    guarded('electron', 'Electron', electronCheck),
    guarded('artwork', 'Fonts and artwork', artworkCheck),
    ...others,
  ]
  return { healthy: checks.every((check) => check.state !== 'fault'), checks }
}

function guarded(id: string, title: string, probe: () => Omit<DoctorCheck, 'id' | 'title'>): DoctorCheck {
  try {
    return { id, title, ...probe() }
  } catch (thrown) {
    return {
      id,
      title,
      state: 'fault',
      found: `the check itself broke: ${(thrown as Error).message}`,
      remedy: 'Run `npm run setup`; if that does not help, this is a bug.',
    }
  }
}

const fine = (found: string) => ({ state: 'ok', found, remedy: null }) as const

export function engineCheck(engine: BackendInfo | Error): Omit<DoctorCheck, 'id' | 'title'> {
  if (engine instanceof Error) return { state: 'fault', found: engine.message, remedy: 'Run `npm run setup`, then look again.' }
  const found = `${engine.engine}, ${engine.threads} ${engine.threads === 1 ? 'thread' : 'threads'}`
  if (engine.kind === 'native') return fine(found)
  return {
    state: 'warning',
    found: `${found}; ${engine.why ?? 'the native engine is not in use'}`,
    remedy: 'Run `npm run setup` to build the native engine, several times as fast.',
  }
}

export function deviceCheck(engine: BackendInfo | Error, cards: readonly string[]): Omit<DoctorCheck, 'id' | 'title'> {
  if (engine instanceof Error) return { state: 'fault', found: 'no engine, so no device', remedy: 'See the engine above.' }
  if (engine.gpu) return fine(`GPU: ${engine.device}`)
  const processor = `${engine.device}, ${availableParallelism()} cores`
  if (cards.length === 0) return fine(`${processor}; no NVIDIA GPU (nvidia-smi finds none)`)
  return {
    state: 'warning',
    found: `${processor}; not in use: ${cards.join(', ')}`,
    remedy: 'Run `npm run setup:gpu` to compute on the GPU (a download of 3.4 GB; the lab is untested on a card).',
  }
}

export interface ExecutionTrial {
  readonly mode: ExecutionMode
  /** Why a better mode is not used. */
  readonly warnings: readonly string[]
}

/** Compiles a step of one product, as a training job would its own, and says how it ran. */
function tryExecution(engine: BackendInfo | Error): ExecutionTrial {
  if (engine instanceof Error || engine.kind !== 'native') return { mode: 'eager', warnings: [] }
  const cacheFolder = mkdtempSync(join(tmpdir(), 'pivot-lab-doctor-'))
  const warnings: string[] = []
  const program = compileStep((inputs) => ({ product: tf.matMul(inputs['x'] as tf.Tensor2D, inputs['x'] as tf.Tensor2D) }), {
    state: new SharedState({}),
    prefer: 'xla',
    cacheFolder,
    warn: (message) => warnings.push(message),
  })
  const x = tf.ones([8, 8])
  try {
    tf.dispose(program.run({ x }))
    return { mode: program.mode, warnings }
  } finally {
    x.dispose()
    program.dispose()
    rmSync(cacheFolder, { recursive: true, force: true })
  }
}

/** @param instructions  of the processor, separated by spaces */
export function stepsCheck(
  engine: BackendInfo | Error,
  { mode, warnings }: ExecutionTrial,
  instructions: string,
): Omit<DoctorCheck, 'id' | 'title'> {
  if (engine instanceof Error) return { state: 'fault', found: 'no engine, so no steps', remedy: 'See the engine above.' }
  const words = { eager: 'run eagerly, operator by operator', graph: 'compile as TensorFlow graphs', xla: 'compile as TensorFlow graphs, and by XLA' }[mode]
  if (engine.kind !== 'native') return fine(`${words}; compiling needs the native engine`)
  if (mode === 'eager')
    return {
      state: 'warning',
      found: `${words}: ${warnings.join(' ')}`,
      remedy: 'Run `npm run setup:cpu` (or `npm run setup:gpu`) to build the engine again; until then steps take about twice as long.',
    }
  const own = engine.gpu ? 'the card' : BFLOAT16_INSTRUCTIONS.find(({ flag }) => instructions.split(/\s+/).includes(flag))?.name
  const advice = own === undefined ? 'no bfloat16 in the processor: keep precision float32' : `${own} multiplies bfloat16: precision bfloat16 is worth a try`
  return fine(`${words}; ${advice}`)
}

/** Best first. */
const BFLOAT16_INSTRUCTIONS = [
  { flag: 'amx_bf16', name: 'the processor (AMX)' },
  { flag: 'avx512_bf16', name: 'the processor (AVX512-BF16)' },
] as const

/** What TensorFlow 2.21 opens by name when it meets a card; libcuda comes with the driver, the rest with `setup:gpu`. */
const CUDA_LIBRARIES = [
  'libcuda.so.1',
  'libcudart.so.12',
  'libcublas.so.12',
  'libcublasLt.so.12',
  'libcufft.so.11',
  'libcurand.so.10',
  'libcusolver.so.11',
  'libcusparse.so.12',
  'libcudnn.so.9',
  'libnccl.so.2',
  'libnvJitLink.so.12',
] as const

/** @param available names of the shared libraries that can be opened; asked for only when the engine is for a GPU */
export function cudaCheck(
  proof: AddonProof | null,
  cards: readonly string[],
  available: (wheels: string | null) => ReadonlySet<string> = sharedLibraries,
): Omit<DoctorCheck, 'id' | 'title'> {
  if (proof?.variant !== 'gpu') {
    if (cards.length === 0) return fine('not needed: the engine computes on the processor')
    return { state: 'warning', found: 'not set up, though there is an NVIDIA GPU', remedy: 'Run `npm run setup:gpu`.' }
  }
  const found = available(proof.libraries)
  const missing = CUDA_LIBRARIES.filter((library) => !found.has(library))
  if (missing.length === 0) return fine(`all ${CUDA_LIBRARIES.length} found`)
  const remedy = missing.includes('libcuda.so.1')
    ? 'Install the NVIDIA driver for CUDA 12, or return with `npm run setup:cpu`.'
    : 'Run `npm run setup:gpu` again.'
  return { state: 'fault', found: `missing: ${missing.join(', ')}`, remedy }
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`

export function memoryCheck(available: number, total: number): Omit<DoctorCheck, 'id' | 'title'> {
  const found = `${gigabytes(available)} of ${gigabytes(total)} available`
  if (available >= 4e9) return fine(found)
  return { state: 'warning', found, remedy: 'Close other programs, or lower batchSize: the larger presets want 4 GB.' }
}

async function diskCheck(folder: string): Promise<DoctorCheck> {
  // A project folder that is not made yet lies on the disk of its nearest parent that exists.
  let existing = folder
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing)
  const disk = await statfs(existing).catch(() => null)
  return guarded('disk', 'Disk', () => {
    if (disk === null)
      return {
        state: 'warning',
        found: `free space at ${existing} cannot be read`,
        remedy: 'Choose a project folder on another disk.',
      }
    return freeSpaceCheck(disk.bavail * disk.bsize, folder)
  })
}

export function freeSpaceCheck(free: number, folder: string): Omit<DoctorCheck, 'id' | 'title'> {
  const found = `${gigabytes(free)} free for ${folder}`
  if (free >= 5e9) return fine(found)
  return {
    state: free < 1e9 ? 'fault' : 'warning',
    found,
    remedy: 'Free space on that disk or choose another project folder: checkpoints and caches want 5 GB.',
  }
}

export function nodeCheck(node: string, electron: string | undefined): Omit<DoctorCheck, 'id' | 'title'> {
  const found = electron === undefined ? node : `${node}, in Electron ${electron}`
  const [major = 0, minor = 0] = node.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 18)) return fine(found)
  return {
    state: 'fault',
    found,
    remedy: 'Start the lab by `npm run`, which brings its own Node 24; the SQLite addon cannot run on this one.',
  }
}

function electronCheck(): Omit<DoctorCheck, 'id' | 'title'> {
  const folder = packageFolder('electron')
  if (folder === null) {
    if (process.versions.electron !== undefined) return fine(`${process.versions.electron}, packaged with the lab`)
    return {
      state: 'warning',
      found: 'not installed: no window, the command line works',
      remedy: 'Run `npm ci` without --omit=dev.',
    }
  }
  const read = (...path: string[]) =>
    existsSync(join(folder, ...path)) ? readFileSync(join(folder, ...path), 'utf8').trim() : ''
  const version = read('dist', 'version').replace(/^v/, '')
  const binary = read('path.txt')
  if (version === '' || binary === '' || !existsSync(join(folder, 'dist', binary))) {
    return {
      state: 'warning',
      found: 'its binary is not installed yet: no window, the command line works',
      remedy: 'Run `npm run setup`.',
    }
  }
  if (!existsSync(join(folder, 'dist', 'NOT-FOR-RELEASE.json'))) return fine(`${version}, official download, checksum verified`)
  return {
    state: 'warning',
    found: `${version}, copy from the npm registry, pinned by hash: for work and tests, not for release`,
    remedy: 'To replace it where github.com can be reached: remove node_modules/electron/dist and run `npm run setup`.',
  }
}

/** What the sight test is drawn with. */
function artworkCheck(): Omit<DoctorCheck, 'id' | 'title'> {
  const wanted = { 'dejavu-fonts-ttf': 'ttf/DejaVuSans.ttf', '@twemoji/svg': '1f431.svg' }
  const missing = Object.entries(wanted).filter(([name, file]) => !existsSync(join(packageFolder(name) ?? '', file)))
  if (missing.length === 0)
    return fine(
      Object.keys(wanted)
        .map((name) => `${name} ${packageVersion(name)}`)
        .join(', '),
    )
  return {
    state: 'fault',
    found: `missing: ${missing.map(([name, file]) => `${name}/${file}`).join(', ')}`,
    remedy: 'Run `npm ci`, then look again.',
  }
}
