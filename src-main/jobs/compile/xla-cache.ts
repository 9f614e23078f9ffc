// XLA's own cache of compiled machine code, which spares a later start most of the seconds that a first step takes. TensorFlow
// writes and reads its files by itself, and gives up on a damaged one; so each file is sealed with its hash after the step that
// wrote it, and what is unsealed or altered is removed before TensorFlow is loaded. A folder a processor: code for one may be
// illegal on another.

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { arch, cpus } from 'node:os'
import { join } from 'node:path'

const SEAL = '.sha256'
/** Programs kept, a few megabytes each; the oldest go first. */
const KEPT_FILES = 100

let folderInUse: string | undefined

/**
 * Readies the cache and points TensorFlow at it. To be called before the native library is loaded, which reads these variables
 * once. Flags that the person set stay as they are, and then this does nothing.
 * @param folder  of this version of TensorFlow
 */
export function prepareXla(folder: string): void {
  // A fifth of the compile time goes into passes that made no step faster.
  process.env['XLA_FLAGS'] ??= '--xla_llvm_disable_expensive_passes=true'
  if (process.env['TF_XLA_FLAGS'] !== undefined) return
  const own = join(folder, processorKey())
  try {
    mkdirSync(own, { recursive: true })
    sweep(own)
  } catch {
    // A folder that cannot be written costs time, not correctness.
    return
  }
  process.env['TF_XLA_FLAGS'] = `--tf_xla_persistent_cache_directory=${own}`
  folderInUse = own
}

/** Seals what XLA has written since. Called after the first step of a program. */
export function sealXlaCache(): void {
  const folder = folderInUse
  if (folder === undefined) return
  try {
    const names = new Set(readdirSync(folder))
    for (const name of names)
      if (!name.endsWith(SEAL) && !names.has(name + SEAL)) writeFileSync(join(folder, name + SEAL), hashOf(join(folder, name)))
  } catch {
    // Another process may sweep at the same time, and the disk may be full: an unsealed file is compiled again.
  }
}

function sweep(folder: string): void {
  const names = readdirSync(folder).filter((name) => !name.endsWith(SEAL))
  const sound = names.filter((name) => isSealed(join(folder, name)))
  const newestFirst = sound
    .map((name) => ({ name, modifiedMs: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.modifiedMs - a.modifiedMs)
  const kept = new Set(newestFirst.slice(0, KEPT_FILES).flatMap(({ name }) => [name, name + SEAL]))
  for (const name of readdirSync(folder)) if (!kept.has(name)) rmSync(join(folder, name), { force: true })
}

function isSealed(path: string): boolean {
  try {
    return readFileSync(path + SEAL, 'utf8') === hashOf(path)
  } catch {
    return false
  }
}

function hashOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

function processorKey(): string {
  return createHash('sha256').update(`${arch()} ${cpus()[0]?.model} ${instructionSets()}`).digest('hex').slice(0, 16)
}

/** As Linux names them, '' elsewhere. A virtual machine may hide instructions of the model it names. */
export function instructionSets(): string {
  try {
    return /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? ''
  } catch {
    return ''
  }
}
