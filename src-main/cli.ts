// Node's entry: argv → the same composition as the window. No logic.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runCli } from './cli/program.ts'
import { createChildProcessRunner } from './jobs/child-process.ts'

const isSource = import.meta.url.endsWith('.ts')
const root = new URL(isSource ? '../' : '../../', import.meta.url)
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string }

// Whoever reads the output may have seen enough (`lab … | head`): that is an end, not a fault.
process.stdout.on('error', (thrown: NodeJS.ErrnoException) => {
  if (thrown.code !== 'EPIPE') throw thrown
  process.exit()
})

process.exitCode = await runCli(process.argv.slice(2), {
  streams: process,
  forkRunner: () =>
    createChildProcessRunner(new URL(isSource ? './jobs/process-entry.ts' : './process-entry.js', import.meta.url)),
  forkDataRunner: () =>
    createChildProcessRunner(new URL(isSource ? './data-process-entry.ts' : './data-process-entry.js', import.meta.url)),
  presetFolder: fileURLToPath(new URL('resources/presets', root)),
  version,
  onInterrupt(listener) {
    process.on('SIGINT', listener)
    process.on('SIGTERM', listener)
    return () => void process.off('SIGINT', listener).off('SIGTERM', listener)
  },
})
