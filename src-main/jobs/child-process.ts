// A Runner for the command line and for tests: forks process-entry by node:child_process.

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createProcessRunner, JOB_ENVIRONMENT, type JobProcess, type ProcessRunner, type RunnerTimes } from './process-runner.ts'
import type { FromProcess } from './process-messages.ts'

/** Kept of a process's standard error, characters: enough for the end of a native stack trace. */
const LAST_WORDS = 4000

/** `entry` is what the process executes: process-entry.ts from source, process-entry.js when built. */
export function createChildProcessRunner(entry: URL, times?: RunnerTimes): ProcessRunner {
  return createProcessRunner(() => forkJobProcess(entry), times)
}

function forkJobProcess(entry: URL): JobProcess {
  const child = fork(fileURLToPath(entry), [], {
    env: { ...JOB_ENVIRONMENT, ...process.env },
    // Typed arrays and undefined survive; JSON would lose them.
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let words = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-LAST_WORDS)
  })
  // A message to a process that has just died is no event of its own: its end is told by 'close'.
  child.on('error', () => {})
  return {
    post: (message) => void child.send(message, () => {}),
    kill: () => void child.kill('SIGKILL'),
    onMessage: (listener) => void child.on('message', (message) => listener(message as FromProcess)),
    onEnd: (listener) => void child.on('close', (code, signal) => listener({ code, signal })),
    lastWords: () => words,
  }
}
