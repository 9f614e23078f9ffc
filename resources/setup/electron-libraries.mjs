// The shared libraries that Electron's binary links on Linux: a desktop has them, a bare Debian has not.

import { capture } from './commands.mjs'
import { electronBinary } from './ensure-electron.mjs'
import { oneAtATime } from './one-at-a-time.mjs'
import { installSystemPackages } from './system-packages.mjs'

/** Debian's package for each library the binary links; a second name is what newer Ubuntu calls it. */
const packagesByLibrary = {
  'libasound.so.2': ['libasound2t64', 'libasound2'],
  'libatk-1.0.so.0': ['libatk1.0-0t64', 'libatk1.0-0'],
  'libatk-bridge-2.0.so.0': ['libatk-bridge2.0-0t64', 'libatk-bridge2.0-0'],
  'libatspi.so.0': ['libatspi2.0-0t64', 'libatspi2.0-0'],
  'libcairo.so.2': ['libcairo2'],
  'libcups.so.2': ['libcups2t64', 'libcups2'],
  'libdbus-1.so.3': ['libdbus-1-3'],
  'libdrm.so.2': ['libdrm2'],
  'libexpat.so.1': ['libexpat1'],
  'libgbm.so.1': ['libgbm1'],
  'libgio-2.0.so.0': ['libglib2.0-0t64', 'libglib2.0-0'],
  'libglib-2.0.so.0': ['libglib2.0-0t64', 'libglib2.0-0'],
  'libgobject-2.0.so.0': ['libglib2.0-0t64', 'libglib2.0-0'],
  'libgtk-3.so.0': ['libgtk-3-0t64', 'libgtk-3-0'],
  'libnspr4.so': ['libnspr4'],
  'libnss3.so': ['libnss3'],
  'libnssutil3.so': ['libnss3'],
  'libpango-1.0.so.0': ['libpango-1.0-0'],
  'libsmime3.so': ['libnss3'],
  'libudev.so.1': ['libudev1'],
  'libX11.so.6': ['libx11-6'],
  'libxcb.so.1': ['libxcb1'],
  'libXcomposite.so.1': ['libxcomposite1'],
  'libXdamage.so.1': ['libxdamage1'],
  'libXext.so.6': ['libxext6'],
  'libXfixes.so.3': ['libxfixes3'],
  'libXi.so.6': ['libxi6'],
  'libxkbcommon.so.0': ['libxkbcommon0'],
  'libXrandr.so.2': ['libxrandr2'],
}
/** What stands in for a library that the table does not know: GTK pulls in nearly all of a desktop. */
const wholeDesktop = ['libgtk-3-0t64', 'libgtk-3-0']

export async function ensureElectronLibraries() {
  if (process.platform !== 'linux') return
  if ((await missingLibraries()).length === 0) return
  await oneAtATime(async () => {
    const missing = await missingLibraries()
    if (missing.length > 0) await installSystemPackages(`Electron (${missing.length} shared libraries)`, packagesFor(missing))
  })
}

async function missingLibraries() {
  const { stdout } = await capture('ldd', [electronBinary()])
  return [...stdout.matchAll(/^\s*(\S+) => not found/gm)].map(([, library]) => library)
}

/** The packages that hold the named libraries, each once. */
export function packagesFor(libraries) {
  const wanted = libraries.map((library) => packagesByLibrary[library] ?? wholeDesktop)
  return [...new Map(wanted.map((names) => [names.join(), names])).values()]
}
