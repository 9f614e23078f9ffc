// What the doctor reads off the machine: cards, libraries, installed packages. Facts only; what they mean is in doctor.ts.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const requirePackage = createRequire(import.meta.url)

/** One line a card: its name, memory and driver. Empty where there is no NVIDIA driver. */
export function nvidiaCards(): readonly string[] {
  try {
    const query = ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader']
    return execFileSync('nvidia-smi', query, { encoding: 'utf8', timeout: 10_000, stdio: ['ignore', 'pipe', 'ignore'] })
      .trim()
      .split('\n')
  } catch {
    return []
  }
}

/** What set-up wrote beside the addon once it had computed correctly. */
export interface AddonProof {
  readonly variant: 'cpu' | 'gpu' | 'published'
  /** The folder of the wheel libraries, which holds tensorflow/ and, for a GPU, nvidia/. */
  readonly libraries: string | null
}

export function addonProof(): AddonProof | null {
  const folder = packageFolder('@tensorflow/tfjs-node-gpu')
  const file = folder && join(folder, 'lib', 'napi-v8', 'proof.json')
  return file && existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as AddonProof) : null
}

/** File names of the shared libraries that a process of this engine could open: the wheels' own and the system's. */
export function sharedLibraries(wheels: string | null): ReadonlySet<string> {
  return new Set([...librariesOfWheels(wheels), ...librariesOfSystem()])
}

function librariesOfWheels(libraries: string | null): readonly string[] {
  const nvidia = libraries === null ? '' : join(libraries, 'nvidia')
  if (!existsSync(nvidia)) return []
  return readdirSync(nvidia).flatMap((part) =>
    existsSync(join(nvidia, part, 'lib')) ? readdirSync(join(nvidia, part, 'lib')) : [],
  )
}

function librariesOfSystem(): readonly string[] {
  try {
    const list = execFileSync('ldconfig', ['-p'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, PATH: `${process.env.PATH}:/sbin:/usr/sbin` },
    })
    return [...list.matchAll(/^\s*(\S+\.so\S*)/gm)].map(([, name]) => name!)
  } catch {
    return []
  }
}

/** Where an npm package is installed, or null. */
export function packageFolder(name: string): string | null {
  try {
    return dirname(requirePackage.resolve(`${name}/package.json`))
  } catch {
    return null
  }
}

export function packageVersion(name: string): string {
  return (requirePackage(`${name}/package.json`) as { version: string }).version
}
