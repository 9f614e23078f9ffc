// The command line in this process: what it wrote and how it ended. Work is done by a fake runner.

import { runCli } from '../../src-main/cli/program.ts'
import type { CliParts } from '../../src-main/cli/session.ts'
import { aFakeRunner, readingToo, type FakeRunner } from './a-lab.ts'

export interface CliRun {
  readonly exitCode: number
  readonly out: string
  readonly err: string
  /** Standard output as one JSON value a line. */
  json(): readonly Record<string, unknown>[]
}

export interface CliOverrides {
  readonly runner?: FakeRunner
  readonly presetFolder?: string
  readonly isTTY?: boolean
  /** Given the function that a Ctrl-C calls. */
  readonly interruptible?: (interrupt: () => void) => void
}

export function cliParts(overrides: CliOverrides, streams: CliParts['streams']): CliParts {
  const runner = overrides.runner ?? aFakeRunner()
  return {
    streams,
    forkRunner: () => ({
      run: runner.run,
      diagnose: async ({ others }) => ({ healthy: true, checks: [...others] }),
      close: () => {},
    }),
    forkDataRunner: () => ({
      run: readingToo(runner.run),
      diagnose: () => Promise.reject(new Error('the process for data examines no machine')),
      close: () => {},
    }),
    presetFolder: overrides.presetFolder ?? '/nowhere',
    version: '1.2.3',
    onInterrupt: (listener) => {
      overrides.interruptible?.(listener)
      return () => {}
    },
  }
}

export async function runLab(args: readonly string[], overrides: CliOverrides = {}): Promise<CliRun> {
  let [out, err] = ['', '']
  const streams = {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text), isTTY: overrides.isTTY ?? false, columns: 120 },
  }
  const exitCode = await runCli(args, cliParts(overrides, streams))
  return {
    exitCode,
    out,
    err,
    json: () =>
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  }
}
