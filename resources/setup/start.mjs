// Opens the window. Says beforehand what would otherwise end in Chromium's own words: no screen, or root with a sandbox.

import { ensureBuilt } from './build-app.mjs'
import { environmentWithPackages, runInTerminal } from './commands.mjs'
import { ensureElectronLibraries } from './electron-libraries.mjs'
import { electronBinary, ensureElectron } from './ensure-electron.mjs'
import { projectFolder } from './places.mjs'
import { SetupFault } from './report.mjs'

export async function start(args) {
  if (process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) {
    throw new SetupFault(
      'there is no screen to open a window on (neither DISPLAY nor WAYLAND_DISPLAY is set)',
      'run it in a desktop session; `npm run demo` and `npm run lab` need no screen',
    )
  }
  await ensureElectron()
  await ensureElectronLibraries()
  await ensureBuilt()
  return runInTerminal(electronBinary(), ['.', ...sandboxArguments(process.getuid?.()), ...args], {
    cwd: projectFolder,
    env: environmentWithPackages(),
  })
}

/** Chromium refuses to run as root with its sandbox. */
export function sandboxArguments(userId) {
  return userId === 0 ? ['--no-sandbox'] : []
}
