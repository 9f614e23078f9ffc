// The built app in out/, made anew when any source is younger than it.

import { readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { capture, environmentWithPackages, tailOf } from './commands.mjs'
import { packagesFolder, projectFolder } from './places.mjs'
import { SetupFault, step } from './report.mjs'
import { runTimeNode } from './run-time-node.mjs'

const sources = [
  'src-main',
  'src-preload',
  'src-renderer',
  'electron.vite.config.ts',
  'tsconfig.base.json',
  'package.json',
  'package-lock.json',
]
const stamp = join(projectFolder, 'out', 'built-from.txt')

export async function ensureBuilt() {
  const newest = Math.max(...sources.map((source) => newestChange(join(projectFolder, source))))
  // Rounded: a file system keeps times in other fractions than a double.
  if (Math.round(statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0) === newest) return
  await step('the app: electron-vite build', async () => {
    const electronVite = join(packagesFolder, 'electron-vite', 'bin', 'electron-vite.js')
    const build = await capture(runTimeNode(), [electronVite, 'build'], { cwd: projectFolder, env: environmentWithPackages() })
    if (build.status !== 0)
      throw new SetupFault(
        `electron-vite build failed\n${tailOf(build.output, 30)}`,
        'mend the source named above; `npm run build` shows all of it',
      )
  })
  // The stamp carries the sources' time and not its own: a source saved during the build makes the next build.
  writeFileSync(stamp, 'The time of this file is that of the newest source in this build.\n')
  utimesSync(stamp, newest / 1000, newest / 1000)
}

/** When the youngest file or folder below `path` changed; folders count, so that a deletion is seen. 0 when absent. */
export function newestChange(path) {
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found) return 0
  if (!found.isDirectory()) return Math.floor(found.mtimeMs)
  return Math.max(Math.floor(found.mtimeMs), ...readdirSync(path).map((name) => newestChange(join(path, name))))
}
