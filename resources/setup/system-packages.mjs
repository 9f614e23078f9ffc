// What only the operating system's package manager can give. As root on Debian or Ubuntu it is installed here;
// anyone else is told the one command. Nothing else in the project changes the system.

import { capture, tailOf } from './commands.mjs'
import { SetupFault, say, step } from './report.mjs'

/**
 * @param {string} purpose what the packages are for, for people
 * @param {readonly (readonly string[])[]} wanted each a list of names of one package, in order of preference:
 *   Ubuntu 24.04 calls libasound2 libasound2t64
 */
export async function installSystemPackages(purpose, wanted) {
  const hasApt = (await capture('apt-get', ['--version'])).status === 0
  if (!hasApt || process.getuid?.() !== 0) {
    throw new SetupFault(`${purpose}: missing on this machine`, manualRemedy(hasApt, await Promise.all(wanted.map(nameHere))))
  }
  await step(`system packages for ${purpose}: apt-get install`, async () => {
    const update = await apt(['update'])
    const names = await Promise.all(wanted.map(nameHere))
    say(`  ${names.join(' ')}`)
    const install = await apt(['install', '--yes', '--no-install-recommends', ...names])
    if (install.status === 0) return
    throw new SetupFault(
      `apt-get install failed\n${tailOf(update.status === 0 ? install.output : update.output + install.output)}`,
      manualRemedy(true, names),
    )
  })
}

export function manualRemedy(hasApt, names) {
  const list = names.join(' ')
  if (!hasApt) return `install with your system's package manager what Debian calls: ${list}`
  return `sudo apt-get update && sudo apt-get install --yes --no-install-recommends ${list}`
}

function apt(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  return capture('apt-get', ['--quiet', '-o', 'DPkg::Lock::Timeout=300', ...args], { env })
}

/** The first name that this release can install; the last one when the lists know none. */
async function nameHere(names) {
  for (const name of names) {
    // A virtual package shows no version of its own.
    const known = await capture('apt-cache', ['show', '--no-all-versions', name])
    if (known.status === 0 && known.stdout.includes('Version:')) return name
  }
  return names[names.length - 1]
}
