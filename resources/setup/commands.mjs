// Other programs, run for their output or for their effect. Nothing here goes through a shell.

import { spawn, spawnSync } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { packagesFolder } from './places.mjs'

/** How a program ended: `status` is null when it was killed, and `missing` is set when there is no such program. */
export function capture(program, args, { cwd, env = process.env, timeoutMs } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let stdout = ''
    let timedOut = false
    child.stdout.on('data', (chunk) => {
      stdout += chunk
      output += chunk
    })
    child.stderr.on('data', (chunk) => (output += chunk))
    const timer =
      timeoutMs &&
      setTimeout(() => {
        timedOut = true
        child.kill('SIGKILL')
      }, timeoutMs)
    const end = (status, missing) => {
      clearTimeout(timer)
      resolve({ status, missing, timedOut, stdout, output })
    }
    child.on('error', (error) => {
      output += error.message
      end(null, error.code === 'ENOENT')
    })
    child.on('close', (status) => end(status, false))
  })
}

/** The first of `programs` that answers to `args` with success, or null. */
export function firstWorking(programs, args) {
  return programs.find((program) => spawnSync(program, args, { stdio: 'ignore' }).status === 0) ?? null
}

/** Runs a program in the user's terminal until it ends, passes signals on, and gives its exit status. */
export function runInTerminal(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', ...options })
    // A Ctrl-C reaches the whole process group: the child decides what it means, and we wait for its answer.
    const wait = () => {}
    const pass = () => child.kill('SIGTERM')
    process.on('SIGINT', wait)
    process.on('SIGTERM', pass)
    const release = () => {
      process.off('SIGINT', wait)
      process.off('SIGTERM', pass)
    }
    child.on('error', (error) => {
      release()
      reject(error)
    })
    child.on('close', (status, signal) => {
      release()
      resolve(status ?? (signal === 'SIGINT' ? 130 : 1))
    })
  })
}

/** The last lines of a long output, indented: where compilers and installers say what went wrong. */
export function tailOf(output, lines = 12) {
  return output
    .trimEnd()
    .split('\n')
    .slice(-lines)
    .map((line) => `    ${line}`)
    .join('\n')
}

/** The environment without the project's own programs first in PATH: for npm while it replaces them. */
export function environmentWithoutPackages() {
  const own = join(packagesFolder, '.bin')
  return {
    ...process.env,
    PATH: (process.env.PATH ?? '')
      .split(delimiter)
      .filter((entry) => entry !== own)
      .join(delimiter),
  }
}

/** The environment with the project's own programs first in PATH, as under `npm run`. */
export function environmentWithPackages() {
  return { ...process.env, PATH: `${join(packagesFolder, '.bin')}${delimiter}${environmentWithoutPackages().PATH}` }
}
