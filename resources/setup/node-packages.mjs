// The Node packages of package-lock.json, installed by `npm ci` when they are missing or are not the locked ones.
// No package's install script runs (.npmrc): Electron and the native engine, which need one, are set up beside this file.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { capture, environmentWithoutPackages, tailOf } from './commands.mjs'
import { oneAtATime } from './one-at-a-time.mjs'
import { packagesFolder, projectFolder } from './places.mjs'
import { SetupFault, step } from './report.mjs'

export async function ensureNodePackages() {
  if (installedAsLocked()) return
  await oneAtATime(async () => {
    if (installedAsLocked()) return
    await step('Node packages: npm ci (about 1 GB on disk)', install)
  })
}

async function install() {
  // Old npm versions warn about packages that want a newer Node: that Node is one of the packages.
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = await capture('npm', args, { cwd: projectFolder, env: environmentWithoutPackages() })
  if (npm.status === 0) return
  throw new SetupFault(`npm ci failed${npm.missing ? ': npm is not installed' : ''}\n${tailOf(npm.output)}`, npmRemedy(npm))
}

export function npmRemedy({ missing, output }) {
  if (missing) return 'install Node.js 20 or later with npm'
  if (/ENOSPC/.test(output)) return 'free about 2 GB of disk space, then run the same command again'
  if (/in sync/.test(output)) return 'package.json and package-lock.json disagree: run `npm install` and commit both'
  return 'check that the npm registry can be reached (`npm ping`), then run the same command again'
}

function installedAsLocked() {
  // npm keeps this file up to date with what it really installed.
  const installed = join(packagesFolder, '.package-lock.json')
  if (!existsSync(installed)) return false
  const packagesOf = (file) => JSON.parse(readFileSync(file, 'utf8')).packages
  return isInstalled(packagesOf(join(projectFolder, 'package-lock.json')), packagesOf(installed))
}

/** Whether everything needed is there in the locked version. What is optional may be absent: it serves other platforms. */
export function isInstalled(locked, installed) {
  return Object.entries(locked).every(([path, wanted]) => {
    if (path === '') return true
    const found = installed[path]
    return found === undefined
      ? wanted.optional === true
      : found.version === wanted.version && found.integrity === wanted.integrity
  })
}
