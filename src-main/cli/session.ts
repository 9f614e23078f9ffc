// What a command works with: the lab of the project it was pointed at, its terminal, and Ctrl-C, which pauses what is
// under way the first time and cancels it the second.

import type { ProcessRunner } from '../jobs/process-runner.ts'
import { composeLab, type Lab } from '../compose.ts'
import { LabError } from '../domain/errors.ts'
import { newId, projectFolder } from '../place.ts'
import type { Announcement } from '../services/parts.ts'
import { createTerminal, type Streams, type Terminal } from './terminal.ts'

export interface GlobalOptions {
  readonly project?: string
  readonly json?: boolean
  readonly debug?: boolean
}

export interface CliParts {
  readonly streams: Streams
  /** Called at the first job: a question about rows needs no process. */
  readonly forkRunner: () => ProcessRunner
  /** The process for work on files. */
  readonly forkDataRunner: () => ProcessRunner
  readonly presetFolder: string
  readonly version: string
  /** Calls back at every Ctrl-C; returns how to stop listening. */
  readonly onInterrupt: (listener: () => void) => () => void
}

export interface Session {
  readonly terminal: Terminal
  readonly lab: Lab
  readonly signal: AbortSignal
  /** Listens to the lab until the command ends. */
  listen(listener: (announcement: Announcement) => void): void
}

/** 'none': a command that leaves the project alone, and works beside whoever has it open. */
export type Access = 'write' | 'read' | 'none'

/** Runs `work` on the opened lab and closes it however the work ends. */
export async function withLab<T>(
  parts: CliParts,
  options: GlobalOptions,
  access: Access,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const terminal = createTerminal(parts.streams, options.json === true)
  const listeners: ((announcement: Announcement) => void)[] = []
  let runner: ProcessRunner | null = null
  let dataRunner: ProcessRunner | null = null
  const forked = () => (runner ??= parts.forkRunner())
  const forkedForData = () => (dataRunner ??= parts.forkDataRunner())
  const lab = composeLab({
    project: projectFolder(options.project),
    access: access === 'none' ? 'write' : access,
    database: access === 'none' ? ':memory:' : null,
    program: 'the lab command line',
    presetFolder: parts.presetFolder,
    runner: (job, signal, how) => forked().run(job, signal, how),
    dataRunner: (job, signal, how) => forkedForData().run(job, signal, how),
    diagnose: (examination) => forked().diagnose(examination),
    now: Date.now,
    newId,
    announce: (announcement) => listeners.forEach((listener) => listener(announcement)),
  })
  const controller = new AbortController()
  let interrupts = 0
  const stopListening = parts.onInterrupt(() => {
    interrupts += 1
    terminal.note(interrupts === 1 ? 'pausing … (Ctrl-C again: cancel)' : 'cancelling …')
    const what = interrupts === 1 ? 'pause' : 'cancel'
    lab.runs.stopAll(what)
    lab.studies.stopAll(what)
    lab.tasks.stopAll(what)
    controller.abort()
  })
  try {
    return await work({ terminal, lab, signal: controller.signal, listen: (listener) => void listeners.push(listener) })
  } finally {
    stopListening()
    terminal.redraw('')
    await lab.close()
    ;(runner as ProcessRunner | null)?.close()
    ;(dataRunner as ProcessRunner | null)?.close()
  }
}

/** How a command ends that was stopped on request. */
export function assertNotStopped(status: string, what: string, resume: string): void {
  if (status === 'paused') throw new LabError('cancelled', `${what} is paused. Resume it with: ${resume}`, { resume })
  if (status === 'cancelled')
    throw new LabError('cancelled', `${what} was cancelled. What it had is kept; go on with: ${resume}`, { resume })
}
