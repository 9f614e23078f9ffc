// A screen that nobody sees, for the tests of the window: Xvfb on a display number that it picks itself.

import { spawn } from 'node:child_process'
import { firstWorking } from './commands.mjs'
import { installSystemPackages } from './system-packages.mjs'
import { oneAtATime } from './one-at-a-time.mjs'
import { SetupFault } from './report.mjs'

const hasXvfb = () => firstWorking(['Xvfb'], ['-help']) !== null

export async function ensureXvfb() {
  if (process.platform !== 'linux' || hasXvfb()) return
  await oneAtATime(async () => {
    if (!hasXvfb()) await installSystemPackages('the tests of the window (Xvfb)', [['xvfb']])
  })
}

/** Runs `work` with the name of a display of its own, which ends with it. */
export async function withVirtualDisplay(work) {
  // Descriptor 3: Xvfb writes there which number it took, once it accepts clients.
  const server = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1600x1000x24', '-nolisten', 'tcp', '-noreset'], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  })
  const stop = () => server.kill()
  process.once('exit', stop)
  try {
    return await work(`:${await displayNumber(server)}`)
  } finally {
    process.off('exit', stop)
    stop()
  }
}

function displayNumber(server) {
  return new Promise((resolve, reject) => {
    const fail = (cause) => reject(new SetupFault(`Xvfb did not start: ${cause}`, 'run `Xvfb -displayfd 1` to see why'))
    let complaint = ''
    server.stderr.on('data', (text) => (complaint += text))
    server.on('error', (error) => fail(error.message))
    server.on('exit', (status) => fail(complaint.trim() || `it ended with status ${status}`))
    server.stdio[3].once('data', (text) => resolve(Number(text)))
    setTimeout(() => fail('no answer within 20 s'), 20_000).unref()
  })
}
