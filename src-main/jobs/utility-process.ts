// A Runner for the app: forks process-entry by Electron's utilityProcess, which works with the runAsNode fuse off. A
// killed utility process ends with exit code 0, so the runner goes by what was asked.

import { utilityProcess } from 'electron'
import { createProcessRunner, JOB_ENVIRONMENT, type JobProcess, type ProcessRunner } from './process-runner.ts'
import type { FromProcess } from './process-messages.ts'

const LAST_WORDS = 4000

/** `entry` is the built process-entry, as a path. */
export function createUtilityProcessRunner(entry: string): ProcessRunner {
  return createProcessRunner(() => forkJobProcess(entry))
}

function forkJobProcess(entry: string): JobProcess {
  const child = utilityProcess.fork(entry, [], {
    env: { ...JOB_ENVIRONMENT, ...process.env } as Record<string, string>,
    stdio: ['ignore', 'ignore', 'pipe'],
    serviceName: 'Pivot Lab job',
  })
  let words = ''
  child.stderr?.on('data', (bytes: Buffer) => {
    words = (words + bytes.toString('utf8')).slice(-LAST_WORDS)
  })
  return {
    post: (message) => child.postMessage(message),
    kill: () => void child.kill(),
    onMessage: (listener) => void child.on('message', (message: FromProcess) => listener(message)),
    onEnd: (listener) => void child.on('exit', (code: number) => listener({ code, signal: null })),
    lastWords: () => words,
  }
}
